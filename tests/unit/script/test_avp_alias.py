"""Check the AVP aliases of 1.x."""
from __future__ import annotations

import pytest

from osip.core.run.config import Config
from osip.main import new_registry
from osip.script.boot import compile_script
from osip.testing.bench import Bench

SCRIPT = ('avp_aliases = "uid=i:1; who=s:caller"\nloadmodule "proto_udp.so"\nloadmodule "sl.so"\n'
          'route {\n\t$avp(uid) = 7;\n\t$avp(s:caller) = "al";\n\t$avp(other) = $avp(who);\n'
          '\tif ($avp(1) == 7) xlog("$avp(i:1) $(avp(who)[0]{s.len}) $avp(uid) $avp(other)");\n}\n')


def test_aliases_name_avps_in_code_and_in_texts() -> None:
    with Bench(text=SCRIPT) as bench:
        bench.send("OPTIONS sip:x@y")
        bench.expect_log("7 2 7 al")
        assert [one.code for one in bench.result.diagnostics if one.span.line == 1] == []


@pytest.mark.parametrize(("text", "is_bad"), [("a=i:1", False), ("a=i:1;b=s:x;", False), ("", False), ("a", True),
                                              ("a=i:1;=x", True)])
def test_what_is_no_alias(text: str, is_bad: bool) -> None:
    given = f'avp_aliases = "{text}"\nloadmodule "proto_udp.so"\nroute {{ exit; }}\n'
    result = compile_script(given, new_registry(), Config(), need_socket=False)
    assert [(one.code, one.span.line) for one in result.errors] == [("E503", 1)] * is_bad
