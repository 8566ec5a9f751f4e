"""Literal arguments by their meaning, and calls that async() and launch() take."""
from __future__ import annotations

import pytest
from kit.findings import HEAD

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.lint import lint

NEVER = [
    ('sl_send_reply(99, "x");', ["E408"]), ('t_reply(700, "x");', ["E408"]), ('sl_send_reply("404", "x");', []),
    ("strip(-1);", ["E408"]), ("strip(3);", []), ("force_tcp_alias(99999);", ["E408"]), ('setport("abc");', ["E408"]),
    ('setport("5070");', []), ('append_branch("sip:x", "2.0");', ["E408"]), ('append_branch("sip:x", "abc");', ["E408"]),
    ('append_branch("sip:x@y", "0.7");', []), ('seturi("not a uri");', ["E408"]), ('seturi("sip:$rU@a.b");', []),
    ('seturi("tel:+4930");', []), ('force_send_socket("udp:9.9.9.9:5060");', ["E408"]),
    ('force_send_socket("udp:127.0.0.1:5060"); force_send_socket("127.0.0.1");', []),
    ('force_send_socket(udp:127.0.0.1:5061);', ["E408"]), ('force_send_socket("$var(x)"); $var(x) = "a";', []),
    ('cache_store("redis", "a", "b");', ["E408"]), ('cache_store("local", "a", "b");', []),
    ('async(t_relay(), R);', ["E206"]), ('async(is_myself("x"), R);', ["E206"]), ('async(xlog("a"), R);', ["E206"]),
    ('async(raise_event("E_X"), R);', ["E206"]), ('async(usleep(1), $var(r));', ["E206"]), ('async(usleep(1), R);', []),
    ('launch(t_relay(), R);', ["E206"]), ('launch(usleep(1), R);', []),
    ('failure_route', ["E203"]),
]

DOUBTS = [
    ('log(9, "x");', "W645"), ('log(-3, "x");', ""), ('if (is_method("INVITE||BYE")) exit;', "W645"),
    ('if (is_method("INVITE|BYE")) exit;', ""), ('t_on_reply("");', "W645"), ('use_blacklist("nolist");', "W645"),
    ('use_blacklist("mine");', ""), ('append_hf("noheader");', "W645"), ('append_hf("X-A: 1\\r\\n");', ""),
    ('append_hf("$var(x)"); $var(x) = "a";', ""), ('t_relay("noauto477");', "W645"), ('t_relay("0x02");', ""),
]

TAIL = "\nroute[R] { exit; }\ndst_blacklist = mine : { 10.9.0.0/16 }\n"


def codes(body: str, is_lint: bool) -> list[str]:
    registry = Registry(BUILTINS)
    text = f'{HEAD}loadmodule "cfgutils.so"\nroute {{ {body} }}{TAIL}'
    if body == "failure_route":         # sl_send_reply: modules.md gives it to request and error routes
        text = f'{HEAD}route {{ t_on_failure("F"); }}\nfailure_route[F] {{ sl_send_reply(404, "x"); }}\n'
    result = compile_script(text, registry, Config())
    found = lint(result, registry) if is_lint else result.diagnostics
    return [one.code for one in found if one.code not in ("W603", "W630") and (not is_lint or one.code == "W645")]


@pytest.mark.parametrize(("body", "expected"), NEVER, ids=[body for body, _ in NEVER])
def test_what_can_never_work(body: str, expected: list[str]) -> None:
    assert codes(body, False) == expected


@pytest.mark.parametrize(("body", "expected"), DOUBTS, ids=[body for body, _ in DOUBTS])
def test_what_is_hardly_meant(body: str, expected: str) -> None:
    assert codes(body, True) == [expected] * bool(expected)


def test_a_socket_of_the_command_line_may_be_meant() -> None:
    text = HEAD.replace("udp:127.0.0.1:5060", "udp:127.0.0.1:5061") + 'route { force_send_socket("udp:127.0.0.2:5060"); }\n'
    assert compile_script(text, Registry(BUILTINS), Config(), need_socket=False).ok
    for wild in ("*", "eth0", "0.0.0.0"):
        other = text.replace("udp:127.0.0.1:5061", f"udp:{wild}:5061")
        assert compile_script(other, Registry(BUILTINS), Config()).ok


@pytest.mark.parametrize(("head", "code"), [
    ("timer_route[T]", "E014"), ("timer_route[T, 0]", "E014"), ("timer_route[T, 5]", ""),
    ("timer_route[T, 5] { exit; }\ntimer_route[T, 5]", ""), ("event_route[E_FOO] { exit; }\nevent_route[E_FOO]", "E202"),
])
def test_heads(head: str, code: str) -> None:
    found = compile_script(f"{HEAD}route {{ exit; }}\n{head} {{ exit; }}\n", Registry(BUILTINS), Config()).diagnostics
    assert [one.code for one in found] == [code] * bool(code)
