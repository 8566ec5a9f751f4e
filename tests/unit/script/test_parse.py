"""The entry: reading, notices in order, files and paths of the result."""
from __future__ import annotations

from osip.script.parse import grammar, kept_tables, parse, parse_format, parse_variable
from osip.script.source import Source


def test_result_knows_its_files(tmp_path):
    (tmp_path / "main.cfg").write_text('include_file "b.cfg"\nroute { f() }\n')
    (tmp_path / "b.cfg").write_text("log_level=3\nport 5\n")
    path = str(tmp_path / "main.cfg")
    script, found = parse(Source.load(path))
    assert script.path == path and set(script.files) == {path, str(tmp_path / "b.cfg")}
    assert [(item.span.file, item.span.line, item.code) for item in found] == [
        (str(tmp_path / "b.cfg"), 2, "E001"), (path, 2, "E002")]
    assert found[0].notes == (f"included from {path}:1",) and found[1].notes == ()


def test_faults_of_reading_come_with_those_of_parsing():
    _, found = parse(Source.from_text('route {\n f()\n}\ninclude_file "there_is_none.cfg"\n'))
    assert [item.code for item in found] == ["E002", "E020"]


def test_unreadable_script_gives_an_empty_tree(tmp_path):
    script, found = parse(Source.load(tmp_path / "none.cfg"))
    assert script.items == () and [item.code for item in found] == ["E020"]


def test_lenient_comes_from_the_source_unless_given():
    text = "f();"
    assert [item.code for item in parse(Source.from_text(text))[1]] == ["N703"]
    assert [item.code for item in parse(Source.from_text(text, lenient=False))[1]] == ["E011"]
    assert [item.code for item in parse(Source.from_text(text), lenient=False)[1]] == ["E011"]


def test_grammar_is_built_once():
    assert grammar() is grammar()


def test_every_declared_token_has_words_or_a_cutter():
    tables, vocabulary = grammar()
    kinds = {kind for row in tables.actions.values() for kind in row if kind.isupper() and kind != "$END"}
    known = {kind for table in (vocabulary.words, vocabulary.marks) for kinds_ in table.values() for kind in kinds_}
    assert kinds - known == {"ID", "HOST", "PARAM", "F_NAME", "STR", "VAR", "NET", "PATH"}


def test_deep_nesting_is_no_recursion():
    depth = 3000
    text = "route { " + "if (f()) { " * depth + "g();" + " }" * depth + " }"
    assert parse(Source.from_text(text))[1] == []


def test_parts_are_reached_from_here():
    assert parse_variable("$ru", Source.from_text("$ru").span(0, 3)).name == "ru"
    assert parse_format("a", Source.from_text("a").span(0, 1))[0].parts == ("a",)


def test_tables_are_kept_where_only_the_user_writes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kept_tables() == str(tmp_path / "osip/grammar")
    grammar.__wrapped__()
    kept = (tmp_path / "osip/grammar").read_bytes()
    assert kept and grammar.__wrapped__()[0].start is not None
    (tmp_path / "osip/grammar").write_bytes(kept[:1000])            # a disk that was full
    assert grammar.__wrapped__()[1] is not None and len((tmp_path / "osip/grammar").read_bytes()) > 1000
    (tmp_path / "osip").chmod(0o777)
    assert kept_tables() is False
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")               # must be absolute (XDG base directories)
    monkeypatch.chdir(tmp_path)
    assert kept_tables() is False
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "osip/grammar"))
    assert kept_tables() is False
