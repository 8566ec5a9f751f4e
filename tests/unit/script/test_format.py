"""Formatting: the layout of each construct, and that nothing but white space ever changes."""
from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from osip.script.format import Refused, bare, format_text
from osip.script.parse import parse, parse_tokens
from osip.script.source import Source

SCRIPT = Path(__file__).parents[2] / "script"
WHOLE = sorted([*(SCRIPT.parents[1] / "cfg").glob("*.cfg"), *(SCRIPT / "sound").glob("*.cfg")])
PIECES = sorted(SCRIPT.glob("fragments/*.cfg"))

BODIES = [
    ("exit;drop();", ["exit;", "drop();"]),
    ("if(a())b();", ["if (a())", "\tb();"]),
    ("if (a()) b(); else c();", ["if (a())", "\tb();", "else", "\tc();"]),
    ("if (a()) {b();}\nelse\n{c();}", ["if (a()) {", "\tb();", "} else {", "\tc();", "}"]),
    ("if (a()) b(); else if (c()) {d();} else e();",
     ["if (a())", "\tb();", "else if (c()) {", "\td();", "} else", "\te();"]),
    ("if (a()) if (b()) c(); else d(); else {e();}",
     ["if (a())", "\tif (b())", "\t\tc();", "\telse", "\t\td();", "else {", "\te();", "}"]),
    ("if (a()) if (b()) {c();} else {d();} else e();",
     ["if (a())", "\tif (b()) {", "\t\tc();", "\t} else {", "\t\td();", "\t}", "else", "\te();"]),
    ("if (a()) while(b()) if (c()) d(); e();", ["if (a())", "\twhile (b())", "\t\tif (c())", "\t\t\td();", "e();"]),
    ("if (a()) {b();};;c();", ["if (a()) {", "\tb();", "};", ";", "c();"]),
    ("if (a()&&\n   b()||!c( )) d();", ["if (a() &&", "\t\tb() || !c())", "\td();"]),
    ("f (\n\"a\",\n\t\"b\"\n);", ["f(", "\t\"a\",", "\t\"b\");"]),
    ("f(1,,\"x\");f(,2);", ["f(1, , \"x\");", "f(, 2);"]),
    ("$var(x)=-1- -2*~$var(y)+(3&4);", ["$var(x) = -1 - -2 * ~$var(y) + (3 & 4);"]),
    ("$var(x)=$var(y)-1;", ["$var(x) = $var(y) - 1;"]),
    ("return(-1);", ["return(-1);"]), ("return -1;", ["return -1;"]), ("return\n$var(x);", ["return", "\t$var(x);"]),
    ("if([$var(a)&4])b();", ["if ([$var(a) & 4])", "\tb();"]),
    ("if ($si==10.0.0.0/8||$si==[::1]) b();", ["if ($si == 10.0.0.0/8 || $si == [::1])", "\tb();"]),
    ("force_send_socket(udp:[::1]:5060);", ["force_send_socket(udp:[::1]:5060);"]),
    ("if (not a() and not(b())) c();", ["if (not a() and not (b()))", "\tc();"]),
    ("for($var(i) in $(avp(x)[*]))a();", ["for ($var(i) in $(avp(x)[*]))", "\ta();"]),
    ("switch($rs){case 1:case -2:a();break;default:b();}",
     ["switch ($rs) {", "\tcase 1:", "\tcase -2:", "\t\ta();", "\t\tbreak;", "\tdefault:", "\t\tb();", "}"]),
    ("if({a();b();})c();", ["if ({ a(); b(); })", "\tc();"]),
    ("xlog(\"a\n  b\"  \"c\");", ["xlog(\"a\n  b\" \"c\");"]),
    ("a(); # one\n\n\n\n# two\nb();", ["a(); # one", "", "# two", "b();"]),
    ("\ta();     # one\n      # two\n\tb();#three", ["a();     # one", "# two", "b(); #three"]),
    ("\ta(); // x\n/* one\n     two */\n\tb();  /* c */ c();", ["a(); // x", "/* one\n     two */", "b();  /* c */", "c();"]),
    ("f(/* in */ 1);", ["f( /* in */ 1);"]),
    ("\tif (a())  # why\nb();\n# otherwise\nelse c();", ["if (a())  # why", "\tb();", "# otherwise", "else", "\tc();"]),
    ("\n\na();\n\nb();\n\n", ["a();", "", "b();"]),
    ("  include_file \"x.cfg\"\na();", ["include_file \"x.cfg\"", "a();"]),
    ("# only", ["# only"]),
    ("\tsetflag(1);  first flag\na();", ["setflag(1);  first flag", "a();"]),
]

ITEMS = [
    ("log_level=3 log_stderror=no", "log_level = 3\nlog_stderror = no\n"),
    ("debug=3 // old\nfork=yes;", "debug = 3  // old\nfork = yes;\n"),
    ("socket=udp:127.0.0.1 : 5060-5062,5070 as 1.2.3.4:80 use_workers 4",
     "socket = udp:127.0.0.1:5060-5062,5070 as 1.2.3.4:80 use_workers 4\n"),
    ("listen=udp:*:5060", "listen = udp:*:5060\n"), ("socket=[::1]:5060", "socket = [::1]:5060\n"),
    ("socket=bond:x{\"udp:1.2.3.4:5060\",\"tcp:1.2.3.4:5060\"}",
     "socket = bond:x { \"udp:1.2.3.4:5060\", \"tcp:1.2.3.4:5060\" }\n"),
    ("alias=udp:b:5060\n     tcp:c", "alias = udp:b:5060\n\ttcp:c\n"),
    ("mpath=\"a\" : \"b\"", "mpath = \"a\":\"b\"\n"),
    ("mem-group=\"a\":\"b\" \"c\"", "mem-group = \"a\" : \"b\" \"c\"\n"),
    ("dst_blacklist=a/expire , default:{(udp,1.2.3.4,5060,\"x\"),!10.0.0.0/8}",
     "dst_blacklist = a/expire,default: { (udp, 1.2.3.4, 5060, \"x\"), !10.0.0.0/8 }\n"),
    ("auto_scaling_profile=P scale up to 6 on 70 % for 4 cycles within 5",
     "auto_scaling_profile = P scale up to 6 on 70% for 4 cycles within 5\n"),
    ("loadmodule\"tm.so\"\n\n\nmodparam(\"tm\",\"x\",-1)", "loadmodule \"tm.so\"\n\nmodparam(\"tm\", \"x\", -1)\n"),
    ("tls_server_domain[1.2.3.4:5061]{tls_verify=1 tls_method=x}",
     "tls_server_domain[1.2.3.4:5061] {\n\ttls_verify = 1\n\ttls_method = x\n}\n"),
    ("route{exit;}route[a]{exit;}# b\ntimer_route[t , 10]{exit;};",
     "route {\n\texit;\n}\n\nroute[a] {\n\texit;\n}  # b\n\ntimer_route[t, 10] {\n\texit;\n};\n"),
    ("route{exit;}\n# about a\nroute[a]{;}", "route {\n\texit;\n}\n\n# about a\nroute[a] {\n\t;\n}\n"),
    ("\ufefflog_level=3", "\ufefflog_level = 3\n"), ("a=1\r\nb=2\r\n", "a = 1\r\nb = 2\r\n"), ("", ""), ("#x", "#x\n"),
]


@pytest.mark.parametrize(("text", "lines"), BODIES, ids=[text for text, _ in BODIES])
def test_statements(text: str, lines: list[str]) -> None:
    want = ["route {", *(f"\t{line}" if line else "" for line in lines), "}", ""]
    assert format_text(f"route {{\n{text}\n}}\n") == "\n".join(want)


@pytest.mark.parametrize(("text", "want"), ITEMS, ids=[text for text, _ in ITEMS])
def test_items(text: str, want: str) -> None:
    assert format_text(text) == want
    assert format_text(want) == want


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_our_scripts_are_formatted(path: Path) -> None:
    text = path.read_text()
    assert format_text(text, str(path)) == text


@pytest.mark.parametrize("path", PIECES, ids=lambda path: path.stem)
def test_meaning_is_kept_and_a_second_time_changes_nothing(path: Path) -> None:
    text = path.read_text(errors="surrogateescape")
    once = format_text(text, str(path))
    assert format_text(once, str(path)) == once
    before, after = (parse(Source.from_text(one, str(path)))[0].items for one in (text, once))
    assert bare(before) == bare(after)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("path", WHOLE[:8], ids=lambda path: path.stem)
def test_shaken_white_space_is_laid_out_the_same(path: Path, seed: int) -> None:
    dice = random.Random(seed)
    text = re.sub(r"[ \t]*#[^\n]*", "", path.read_text())
    _, tokens, _ = parse_tokens(Source.from_text(text, str(path)))
    shaken, end = [], 0
    for token in tokens[:-1]:
        between = text[end:token.start]
        shaken.append(dice.choice((" ", "\t ", "  ", "\n", "\n\n \n")) if between else between)
        shaken.append(token.value)
        end = token.end
    once = format_text("".join(shaken), str(path))
    assert format_text(once, str(path)) == once
    assert bare(parse(Source.from_text(once))[0].items) == bare(parse(Source.from_text(text))[0].items)


@pytest.mark.parametrize("text", ["route { f( }", "route { exit }", "route { \"x }", "/* open", "route {"])
def test_faulty_scripts_are_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        format_text(text)
    assert caught.value.diagnostics and all(one.is_error for one in caught.value.diagnostics)


def test_included_files_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "broken.cfg").write_text("} } }")
    text = "route {\ninclude_file \"broken.cfg\"\nexit;\n}\n"
    assert format_text(text, str(tmp_path / "a.cfg")) == "route {\n\tinclude_file \"broken.cfg\"\n\texit;\n}\n"
