"""Check the plain form of tests: what it does, and the places its complaints point at."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.testing import suite
from osip.testing.language import read
from osip.testing.words import FileFault

SCRIPT = """socket = udp:10.0.0.9:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "sipmsgops.so"
route {
	$var(who) = $fU;
	if ($rU == "cached") {
		cache_fetch("local", "k", $avp(v));
		sl_send_reply(200, "$avp(v)");
		exit;
	}
	if ($fU == WORD)
		append_hf("X-Word: hello\\r\\n");
	xlog("L_WARN", "for $rU\\n");
	t_relay();
}
"""


def run(text: str, folder: Path) -> suite.Result:
    (folder / "s.cfg").write_text(SCRIPT)
    (case,) = read("script s.cfg\n" + text, str(folder / "x.osiptest"))
    return suite.run_case(case, "x.osiptest")


@pytest.mark.parametrize("text", [
    'define WORD eve\nsend MESSAGE sip:bob@10.0.0.2 from sip:eve@x body "a\\nb" header "X-Y: 1" header "X-Y: 2"\n'
    "expect relay sip:bob@10.0.0.2 to udp:10.0.0.2:5060\nexpect header X-Word hello\nexpect header X-Y 2\n"
    'expect header X-Y\nexpect no header X-Z\nexpect body "a\\nb"\nexpect body ~^a\nexpect variable who eve\n'
    'expect variable other null\nexpect log "for bob"\nexpect no log ~never\nexpect route route\n'
    'answer 200 "All right" header "X-B: c"\nexpect reply 2xx ~right\nexpect header X-B c\nexpect nothing',
    "dns gw.example.com 10.0.0.7 10.0.0.8\nsend OPTIONS sip:gw.example.com:5070 hops 5\nexpect relay to 10.0.0.7:5070\n"
    "expect header Max-Forwards ~4",
    "dns srv _sip._udp.example.com gw 5090 priority 1\ndns gw 10.0.0.7\nsend OPTIONS sip:example.com\n"
    "expect relay to 10.0.0.7:5090",
    "dns fail x.example.com\nsend OPTIONS sip:x.example.com\nexpect reply 476",
    "cache local k found\nsend OPTIONS sip:cached@10.0.0.9\nexpect reply 200 found",
    "down 10.0.0.2\nsend OPTIONS sip:10.0.0.2\nexpect reply ~4\n".replace("~4", "4xx"),
    "send INVITE sip:bob@10.0.0.2\nagain\nexpect relay\nanswer 486\nexpect reply 486\nack\nexpect nothing",
])
def test_statements(text: str, tmp_path: Path) -> None:
    result = run(text, tmp_path)
    assert result.passed, result


def test_message_files(tmp_path: Path) -> None:
    (tmp_path / "ask.sip").write_text("MESSAGE sip:bob@10.0.0.2 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKq\n"
                                      "From: <sip:a@b>;tag=1\nTo: <sip:bob@b>\nCall-ID: f\nCSeq: 1 MESSAGE\n\n")
    (tmp_path / "ok.sip").write_text("SIP/2.0 202 Later\nVia: SIP/2.0/UDP 1.1.1.1\nFrom: <sip:a@b>;tag=1\n"
                                     "To: <sip:bob@b>;tag=2\nCall-ID: f\nCSeq: 1 MESSAGE\n\n")
    result = run("message ask.sip source 10.0.0.1:5060\nexpect relay\nmessage ok.sip\nexpect reply 202 Later\nexpect nothing",
                 tmp_path)
    assert result.passed, result


@pytest.mark.parametrize(("text", "line", "words"), [
    ("send OPTIONS sip:x@10.0.0.2\n\nexpect reply 200", 4, "expected a reply 200"),
    ("expect nothing\nack", 3, "nothing was sent yet"),
    ("send OPTIONS sip:10.0.0.2\nlocation a@b sip:c@d", 3, "no location table"),
    ("send OPTIONS sip:10.0.0.2\ndefine A B", 3, "too late"),
    ("send OPTIONS sip:10.0.0.2\nexpect no log", 3, "expected no log line"),
    ("send OPTIONS sip:10.0.0.2\nexpect variable who bob", 3, "expected $var(who) to be bob"),
])
def test_failures_name_the_line(text: str, line: int, words: str, tmp_path: Path) -> None:
    result = run(text, tmp_path)
    assert (result.passed, result.line) == (False, line)
    assert words in result.fault


@pytest.mark.parametrize(("text", "line", "col", "words"), [
    ("sent OPTIONS sip:x", 1, 1, '"sent" is no statement'),
    ("\nsend OPTIONS", 2, 13, "a URI is missing"),
    ("send OPTIONS sip:x form y", 1, 20, '"form" is not known here'),
    ("send OPTIONS sip:x header Foo", 1, 27, 'written "Name: value"'),
    ("send OPTIONS sip:x hops many", 1, 25, "must be a number"),
    ("expect reply 700", 1, 14, "no status"),
    ("expect no relay", 1, 11, "cannot be expected here"),
    ("expect", 1, 7, "what is expected is missing"),
    ('expect log ~"a[b"', 1, 12, "bad regular expression"),
    ('send "OPTIONS', 1, 6, "not closed"),
    ("advance soon", 1, 9, "must be a number"),
    ("expect nothing else", 1, 16, "nothing may follow here"),
    ("sql ~select a=1", 1, 13, "row NAME=VALUE"),
    ("request BYE by him", 1, 16, "caller or callee"),
    ("test a\ntest a", 2, 6, "already"),
])
def test_complaints_have_places(text: str, line: int, col: int, words: str) -> None:
    with pytest.raises(FileFault) as caught:
        read(text, "x.osiptest")
    assert (caught.value.line, caught.value.col) == (line, col)
    assert words in caught.value.reason


def test_what_stands_before_the_first_test_holds_for_all() -> None:
    cases = read("script a.cfg\ntest one\nexpect nothing\ntest two\nadvance 1\nadvance 2", "x.osiptest")
    assert [(case.name, case.line, len(case.statements)) for case in cases] == [("one", 2, 2), ("two", 4, 3)]
    assert read("# nothing\n", "x.osiptest") == []


SQL_MODULE = '''"""Ask SQL."""
from osip.api import Ctx, Module, Var, function

class Ask(Module):
    @function()
    async def ask(self, ctx: Ctx, name: str, out: Var) -> int:
        """Look a name up."""
        rows = await self.env.sql("").fetch("select uri from users where name = :name", {"name": name})
        return 1 if rows and out.set(ctx, rows[0]["uri"]) else -1
'''


def test_sql_is_answered_by_pattern(tmp_path: Path) -> None:
    (tmp_path / "ask.py").write_text(SQL_MODULE)
    (tmp_path / "sql.cfg").write_text('loadmodule "proto_udp.so"\nloadmodule "tm.so"\nmpath = "."\nloadmodule "ask.py"\n'
                                      'route {\n\tif (ask($rU, $avp(u))) $ru = $avp(u);\n\tt_relay();\n}\n')
    (case,) = read("script sql.cfg\nsql ~\"name = 'bob'\" row uri=sip:b@10.0.0.4 n=1 row uri=null\n"
                   "sql ~\"name = 'eve'\" error gone\n"
                   "send OPTIONS sip:bob@10.0.0.2\nexpect relay sip:b@10.0.0.4\n"
                   "send OPTIONS sip:eve@10.0.0.2\nexpect log ~gone\n", str(tmp_path / "x.osiptest"))
    result = suite.run_case(case, "x")
    assert result.passed, result
