"""Reading scripts: inclusion, preprocessing, defines and the way back to the operator's files."""
from __future__ import annotations

import sys

import pytest

from osip.core.exports.diagnostic import Severity
from osip.script.source import MAX_INCLUDE_DEPTH, OriginalFile, Source


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.cfg").write_text(text)


def where(source, word):
    """Return file, line and column of the first occurrence of a word in the flat text."""
    at = source.text.index(word)
    span = source.span(at, at + len(word))
    assert span.end_line == span.line and span.end_col == span.col + len(word)
    return span.file, span.line, span.col


def codes(source):
    return [item.code for item in source.diagnostics]


def test_positions_in_one_file(folder):
    write(folder, main="one\n  two\nthree")
    source = Source.load("main.cfg")
    assert [where(source, word) for word in ("one", "two", "three")] == [
        ("main.cfg", 1, 1), ("main.cfg", 2, 3), ("main.cfg", 3, 1)]
    assert source.files == {"main.cfg": "one\n  two\nthree"} and source.diagnostics == []


def test_position_of_an_offset():
    file = OriginalFile("x", "ab\ncd")
    assert [file.position(offset) for offset in (0, 1, 2, 3, 4, 5)] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]


def test_include_keeps_positions_on_both_sides(folder):
    write(folder, main='one\n  include_file "b.cfg"\ntwo', b="bee\ninclude_file 'c.cfg'\nboo", c="cee")
    source = Source.load("main.cfg")
    assert source.text == "one\nbee\ncee\nboo\ntwo"
    assert where(source, "two") == ("main.cfg", 3, 1)
    assert where(source, "boo") == ("b.cfg", 3, 1)
    assert where(source, "cee") == ("c.cfg", 1, 1)
    assert source.trail("c.cfg") == ("included from b.cfg:2", "included from main.cfg:2")
    assert source.trail("main.cfg") == ()


def test_a_span_over_a_file_edge_stays_in_its_first_file(folder):
    write(folder, main='one\ninclude_file "b.cfg"\ntwo', b="bee")
    source = Source.load("main.cfg")
    span = source.span(0, len(source.text) - 4)
    assert (span.file, span.line, span.col) == ("main.cfg", 1, 1)


def test_paths_are_tried_in_the_working_directory_then_beside_the_file(folder):
    sub = folder / "sub"
    sub.mkdir()
    write(sub, main='include_file "x.cfg"\ninclude_file "y.cfg"', x="beside", y="wrong")
    write(folder, y="here")
    assert Source.load("sub/main.cfg").text == "beside\nhere"


@pytest.mark.parametrize(("line", "found"), [
    ('include_file "none.cfg"', ["E020"]),
    ('import_file "none.cfg"', ["W620"]),
    ("include_file none.cfg", ["E021"]),
    ('include_file "b.cfg" foo();', ["E021"]),
    ('include_file "b.cfg"; # remark', []),
    ('  include_file\t"b.cfg"  ', []),
    ('# include_file "none.cfg"', []),
    ('/*\ninclude_file "none.cfg"\n*/', ["E020"]),
    ('foo(); include_file "none.cfg"', []),
    ("include_files_of_mine = 1", []),
    ('include_file "sub"', ["E020"]),
])
def test_include_lines(folder, line, found):
    (folder / "sub").mkdir()
    write(folder, main=f"a\n{line}\nb", b="bee")
    source = Source.load("main.cfg")
    assert codes(source) == found
    assert all(item.span.line > 1 for item in source.diagnostics)


def test_circle_and_depth(folder):
    write(folder, a='include_file "b.cfg"', b='\ninclude_file "a.cfg"')
    source = Source.load("a.cfg")
    assert codes(source) == ["E022"]
    assert (source.diagnostics[0].span.file, source.diagnostics[0].span.line) == ("b.cfg", 2)
    for number in range(MAX_INCLUDE_DEPTH + 3):
        write(folder, **{f"n{number}": f'include_file "n{number + 1}.cfg"'})
    assert codes(Source.load("n0.cfg")) == ["E022"]


def test_the_same_file_twice_is_no_circle(folder):
    write(folder, main='include_file "b.cfg"\ninclude_file "b.cfg"', b="bee")
    assert Source.load("main.cfg").text == "bee\nbee"


@pytest.mark.parametrize("kind", ["missing", "folder", "nul", "locked"])
def test_unreadable_script_is_one_clear_error(folder, kind):
    path = folder / "x.cfg"
    if kind == "folder":
        path.mkdir()
    elif kind == "nul":
        path.write_bytes(b"route {\n a\0b }")
    elif kind == "locked":
        path.write_text("route { }")
        path.chmod(0)
        try:
            path.read_text()
        except PermissionError:
            pass
        else:
            pytest.skip("this user may read everything")
    source = Source.load("x.cfg")
    assert codes(source) == ["E024" if kind == "nul" else "E020"]
    assert source.diagnostics[0].severity is Severity.ERROR and source.text == ""


def test_bytes_outside_utf8_survive(folder):
    (folder / "x.cfg").write_bytes(b"\xef\xbb\xbfcaf\xe9")
    assert Source.load("x.cfg").text.encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_preprocessor(folder):
    write(folder, main="one\nNAME two\n\nthree NAME\nfour")
    command = f"{sys.executable} -c \"import sys; sys.stdout.write(sys.stdin.read().replace('NAME', 'long_name'))\""
    source = Source.load("main.cfg", preprocessor=command)
    assert source.text == "one\nlong_name two\n\nthree long_name\nfour" and source.diagnostics == []
    assert where(source, "four") == ("main.cfg", 5, 1)
    assert where(source, "three") == ("main.cfg", 4, 1)
    assert where(source, "one") == ("main.cfg", 1, 1)


def test_preprocessor_that_adds_and_drops_lines(folder):
    write(folder, main="one\ndrop\ntwo\nthree")
    command = f"{sys.executable} -c \"import sys; print(sys.stdin.read().replace('drop\\n', 'a\\nb\\nc\\n'), end='')\""
    source = Source.load("main.cfg", preprocessor=command)
    assert source.text.split() == ["one", "a", "b", "c", "two", "three"]
    assert where(source, "two") == ("main.cfg", 3, 1)
    at = source.text.index("\nb\n") + 1
    assert source.span(at, at + 1).line == 2


def test_preprocessor_that_fails(folder):
    write(folder, main="one")
    source = Source.load("main.cfg", preprocessor="exit 3")
    assert codes(source) == ["E023"] and "status 3" in source.diagnostics[0].message


def test_defines_are_words_outside_strings(folder):
    text = 'IP = IP\nf("IP", $var(IP), IPS); # IP\n  after'
    source = Source.from_text(text, defines={"IP": "192.0.2.1"})
    assert source.text == '192.0.2.1 = 192.0.2.1\nf("IP", $var(IP), IPS); # IP\n  after'
    assert where(source, "after") == ("<script>", 3, 3)
    assert where(source, "IPS")[1:] == (2, 19)
    assert Source.from_text(text).text == text


@pytest.mark.parametrize(("text", "tidy"), [
    ("if ($x == “a”) f();", 'if ($x == "a") f();'),
    ("a &amp;&amp; b &lt; c &gt; d", "a && b < c > d"),
    ("f();<br>g();<BR/>", "f();\ng();\n"),
    ("f(‘x’, ″y″)", "f('x', \"y\")"),
    ('f("keep &amp; “this”", \'&lt;\') # and &amp; this', 'f("keep &amp; “this”", \'&lt;\') # and &amp; this'),
])
def test_web_page_text(text, tidy):
    source = Source.from_text(text + "\nend")
    assert source.text == tidy + "\nend"
    assert where(source, "end")[1:] == (2, 1)
    assert codes(source) == (["N701"] if text != tidy else [])
    assert Source.from_text(text, lenient=False).text == text


def test_column_behind_a_repaired_place():
    source = Source.from_text("a &amp;&amp; word")
    assert where(source, "word")[2] == 14
    assert source.diagnostics[0].span.col == 3


def test_after_is_the_column_behind():
    source = Source.from_text("foo\nbar")
    span = source.after(3)
    assert (span.line, span.col, span.end_col) == (1, 4, 5)
