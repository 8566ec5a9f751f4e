"""Routes: defined, unique, allowed calls along every path, unused ones."""
from __future__ import annotations

import pytest

CASES = [
    # text on line 2; findings
    ('route { route(A); } route[A] { exit; }', []),
    ('route { route(on); route(0x10); } route[on] { exit; } route[0x10] { exit; }', []),
    ('route { route(on); } route[1] { exit; }', ['2:15 E201', '2:28 W603']),
    ('route { route(a); } route[A] { exit; }', ['2:15 E201']),
    ('route { route(B); route(B); }', ['2:15 E201']),
    ('route { route("B"); }', ['2:15 E201']),
    ('route { route($var(x)); } route[A] { exit; }', []),
    ('route { route("A_$rm"); } route[A_X] { exit; } route[B] { exit; }', ['2:54 W603']),
    ('route { t_on_failure("F"); } failure_route[F] { exit; }', []),
    ('route { t_on_failure("G"); }', ['2:22 E201']),
    ('route { t_on_failure(""); }', []),
    ('route { t_on_failure("$var(x)"); } failure_route[F] { exit; }', []),
    ('route { k_route("R"); k_route(); }', ['2:17 E201']),
    ('route { async(k_slow("x"), R); } route[R] { exit; }', []),
    ('route { async(k_slow("x"), R); }', ['2:28 E201']),
    ('route { launch(k_slow("x"), R); }', ['2:29 E201']),
    ('route { exit; } route { exit; }', ['2:17 E202']),
    ('route { exit; } route[0] { exit; }', ['2:23 E202']),
    ('route { route(1); } route[1] { exit; } route["1"] { exit; }', ['2:46 E202']),
    ('route { exit; } timer_route[a, 5] { exit; } timer_route[a, 5] { exit; }', []),
    ('route { exit; } onreply_route { t_reply(404, "a"); }', ['2:33 E203']),
    ('route { route(A); } route[A] { t_on_reply("R"); } onreply_route[R] { route(A); }', ['2:32 E203']),
    ('route { route($var(x)); } route[A] { t_on_reply(""); } onreply_route { route($var(x)); }', []),
    ('route { exit; } startup_route { async(k_slow("x"), R); } route[R] { exit; }', ['2:33 E203']),
    ('route { exit; } route[A] { exit; }', ['2:23 W603']),
    ('route { exit; } route[A] { route(A); }', ['2:23 W603']),
    ('route { k_static("uses A"); } route[A] { exit; }', []),
    ('route { exit; } local_route { exit; } error_route { exit; } event_route[E_X] { exit; }', []),
]


@pytest.mark.parametrize("text, expected", CASES)
def test_routes(findings, text, expected):
    assert findings(text) == expected


def test_path_is_named(compiled):
    text = ('loadmodule "proto_udp" loadmodule "tm" socket=udp:127.0.0.1\n'
            'route { t_on_failure("X"); route(A); }\nfailure_route[X] { route(A); }\n'
            'route[A] { route(B); }\nroute[B] { t_on_reply(""); }')
    found = compiled(text).diagnostics
    assert [(one.message, one.span.line) for one in found] == [
        ('"t_on_reply" cannot be called here, reached by failure_route[X] -> route[A] -> route[B]', 5)]


def test_suggests_the_near_name_and_its_line(compiled):
    text = ('loadmodule "proto_udp" loadmodule "tm" socket=udp:127.0.0.1\nroute { t_on_failure("to_vm"); }\n'
            'failure_route[to_voicemail] { exit; }\nfailure_route[to_vn] { exit; }')
    found = compiled(text).diagnostics
    assert found[0].hint.startswith('did you mean "to_vn" (line 4)')


def test_async_needs_tm(findings):
    head = 'loadmodule "proto_udp" loadmodule "kinds" socket=udp:127.0.0.1\n'
    assert findings('route { async(k_slow("x"), R); } route[R] { exit; }', head=head) == ["2:9 E205"]
