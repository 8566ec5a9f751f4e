"""Old spellings: found, mended, and nothing else touched."""
from __future__ import annotations

import pytest
from kit.findings import HEAD, findings

from osip.core.exports.diagnostic import Span
from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.check.deprecated import Edit, apply_edits
from osip.script.lint import mend

FIXED = [
    ("route {\n\trewriteuri(\"sip:a@b\"); setflag(1);\n}\n", "route {\n\tseturi(\"sip:a@b\"); setflag(\"1\");\n}\n"),
    ("route {\n\tif (method==INVITE && from_uri=~\"x\") exit;\n}\n",
     "route {\n\tif ($rm==\"INVITE\" && $fu=~\"x\") exit;\n}\n"),
    ("route {\n\tif (src_ip == 10.0.0.0/8 || dst_port == 5060 || msg:len > 10) exit;\n}\n",
     "route {\n\tif ($si == 10.0.0.0/8 || $socket_in(port) == 5060 || $ml > 10) exit;\n}\n"),
    ("route {\n\tif (src_ip == gw.example.com || uri == myself) exit;\n}\n", None),
    ("debug = 3\nlisten = udp:127.0.0.1:5070\nmodparam(\"tm\", \"fr_timer\", 5)\nroute {\n\texit;\n}\n",
     "log_level = 3\nsocket = udp:127.0.0.1:5070\nmodparam(\"tm\", \"fr_timeout\", 5)\nroute {\n\texit;\n}\n"),
    ("route {\n\tappend_branch(); exit;\n}\n", None),
]


@pytest.mark.parametrize(("old", "new"), FIXED)
def test_fix_puts_in_the_new_spelling_and_nothing_is_left(old: str, new: str | None) -> None:
    registry = Registry(BUILTINS)
    result = compile_script(HEAD + old, registry, Config())
    assert result.ok
    files = mend(result.script, registry)
    assert list(files.values()) == ([HEAD + new] if new is not None else [])
    if new is not None:
        assert [code for code, _ in findings(new) if code in ("W637", "N706", "N708")] == []


def test_old_spellings_are_remarks_with_the_new_one() -> None:
    assert findings("route {\n\tif (method == ACK) exit;\n\trewritehost(\"a\");\n}\n") == [("W637", 2), ("W637", 3)]


def test_edits_of_one_line_do_not_shift_each_other() -> None:
    edits = [Edit(Span("a", 2, 1, 2, 2), "xyz"), Edit(Span("a", 2, 3, 2, 4), ""), Edit(Span("a", 2, 1, 2, 2), "xyz"),
             Edit(Span("other", 1, 1, 1, 2), "no"), Edit(Span("a", 1, 1, 2, 2), "no")]
    assert apply_edits({"a": "one\na b\nc"}, edits) == {"a": "one\nxyz \nc"}
