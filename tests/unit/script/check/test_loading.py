"""`loadmodule` lines: what cannot be loaded is one finding at its line."""
from __future__ import annotations

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script


def codes(result):
    return [(one.span.line, one.span.col, one.code) for one in result.diagnostics]


def test_unknown_module(compiled):
    result = compiled('loadmodule "proto_udp.so"\nsocket=udp:127.0.0.1\nloadmodule "proto_upd.so"\nroute { exit; }')
    assert codes(result) == [(3, 12, "E301")]
    assert "proto_udp" in result.diagnostics[0].hint


def test_broken_module_keeps_its_traceback_in_notes(compiled):
    result = compiled('loadmodule "proto_udp.so"\nsocket=udp:127.0.0.1\nloadmodule "broken.so"\nroute { exit; }')
    assert codes(result) == [(3, 12, "E302")]
    assert result.diagnostics[0].message == 'module "broken" could not be loaded: boom'
    assert result.diagnostics[0].notes == ("Traceback", "  boom")


def test_module_that_raises_anything(compiled):
    result = compiled('loadmodule "proto_udp.so"\nsocket=udp:127.0.0.1\nloadmodule "worse.so"\nroute { exit; }')
    assert codes(result) == [(3, 12, "E302")]
    assert any("RuntimeError: boom" in note for note in result.diagnostics[0].notes)


def test_loaded_twice(compiled):
    result = compiled('loadmodule "proto_udp.so"\nloadmodule "proto_udp"\nsocket=udp:127.0.0.1\nroute { exit; }')
    assert codes(result) == [(2, 12, "W610")] and result.ok


def test_need_that_is_not_loaded(compiled):
    result = compiled('loadmodule "proto_udp"\nloadmodule "kinds"\nmodparam("kinds", "mode", 1)\n'
                      'socket=udp:127.0.0.1\nroute { exit; }')
    assert codes(result) == [(2, 12, "E307")]
    assert result.diagnostics[0].hint == 'add loadmodule "sl.so"'


def test_hiding_a_built_in_module(tmp_path):
    (tmp_path / "maxfwd.py").write_text(
        '"""Another one."""\nfrom osip.api import Module\n\n\nclass Maxfwd(Module):\n    """Nothing."""\n')
    script = tmp_path / "a.cfg"
    script.write_text('mpath = "."\nloadmodule "maxfwd.so"\nroute { ; }\n')
    found = compile_script(script, Registry(), Config(), need_socket=False)
    assert codes(found) == [(2, 12, "W609")] and found.ok


def test_mpath_in_order(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "hello.py").write_text(
        '"""Greet."""\nfrom osip.api import Module, function\n\n\nclass Hello(Module):\n    @function()\n'
        "    def hello(self, ctx, name: str) -> bool:\n        return True\n")
    script = tmp_path / "a.cfg"
    script.write_text('loadmodule "hello"\nmpath = "mine"\nloadmodule "hello.so"\nroute { hello("x"); }\n')
    found = compile_script(script, Registry(), Config(), need_socket=False)
    assert [(one.span.line, one.code) for one in found.diagnostics] == [(1, "E301")]
    script.write_text('mpath = "mine"\nloadmodule "hello.so"\nroute { hello("x"); }\n')
    assert compile_script(script, Registry(), Config(), need_socket=False).diagnostics == []
