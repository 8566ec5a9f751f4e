"""The whole way of a script: order, repetition, what stops further findings."""
from __future__ import annotations

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS


def run(text, **options):
    options.setdefault("need_socket", False)
    return compile_script(text, Registry(), Config(), **options)


def test_findings_are_in_order_of_position():
    result = run("route {\n  frob1();\n  route(X);\n}\nnosuch = 5\nroute { ; }\n")
    assert [(one.span.line, one.code) for one in result.diagnostics] == [
        (2, "E101"), (3, "E201"), (5, "E502"), (6, "E202")]
    assert not result.ok and len(result.errors) == 4


def test_missing_file_is_one_finding(tmp_path):
    result = compile_script(tmp_path / "none.cfg", Registry(), Config())
    assert [one.code for one in result.diagnostics] == ["E020"]


def test_syntax_fault_does_not_ask_for_sockets_or_hide_other_faults():
    result = run("route {\n  route(X)\n  frob();\n}\nroute[X] { ; }\n", need_socket=True)
    assert [(one.span.line, one.code) for one in result.diagnostics] == [(2, "E002"), (3, "E101")]


def test_route_whose_head_is_broken_is_not_reported_as_missing():
    result = run("route {\n  route(X);\n}\nroute[X {\n  exit;\n}\n")
    assert [one.code for one in result.diagnostics if one.code == "E201"] == []
    assert not result.ok


def test_includes_keep_their_own_positions(tmp_path):
    (tmp_path / "part.cfg").write_text("route[X] {\n  frob();\n}\n")
    (tmp_path / "a.cfg").write_text('route { route(X); }\ninclude_file "part.cfg"\n')
    result = compile_script(tmp_path / "a.cfg", Registry(), Config(), need_socket=False)
    assert [(one.span.file.rsplit("/", 1)[-1], one.span.line, one.code) for one in result.diagnostics] == [
        ("part.cfg", 2, "E101")]


def test_a_snippet_may_lack_the_rest_of_its_script() -> None:
    text = 'if (!t_relay()) { sl_send_reply("500", "x"); }\nroute(NATMANAGE);\n$var(a) = $no_such;\n'
    result = compile_script(text, Registry(BUILTINS), Config())
    assert result.ok and {d.code for d in result.diagnostics} == {"N703", "E101", "E102", "E201", "E505"}
    assert all(d.severity == "warning" for d in result.diagnostics)
    assert not compile_script(text + "$var(b) = ;\n", Registry(BUILTINS), Config()).ok
