"""Lint a few lines of script below a head that loads the common modules, and say what was found where."""
from __future__ import annotations

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.lint import lint

MODULES = ("proto_udp", "signaling", "sl", "tm", "rr", "maxfwd", "sipmsgops", "textops", "usrloc", "registrar")
HEAD = "socket = udp:127.0.0.1:5060\n" + "".join(f'loadmodule "{name}.so"\n' for name in MODULES)
HOPS = 'if (!mf_process_maxfwd_header(70)) { sl_send_reply(483, "Too Many Hops"); exit; } '
RELAY = HOPS + 'if (has_totag() || is_method("CANCEL")) { loose_route(); t_relay(); exit; } record_route();'


def findings(text: str, ignore: tuple[str, ...] = (), load: tuple[str, ...] = ()) -> list[tuple[str, int]]:
    """Return code and line of every finding in `text`, below the modules to `load`; it must have no errors."""
    registry = Registry(BUILTINS)
    head = HEAD + "".join(f'loadmodule "{name}.so"\n' for name in load)
    result = compile_script(head + text, registry, Config())
    assert result.ok, result.errors
    first = head.count("\n")
    return [(one.code, one.span.line - first) for one in lint(result, registry) if one.code not in ignore]


def in_route(body: str, ignore: tuple[str, ...] = (), load: tuple[str, ...] = ()) -> list[tuple[str, int]]:
    """Return the findings in the body of the main route; line 1 is its first."""
    return [(code, line - 1) for code, line in findings("route {\n" + body + "\n}\n", ignore, load)]
