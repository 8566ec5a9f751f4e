"""Check the trace of routes that nest, wait, loop and share lines."""
from __future__ import annotations

from osip.testing.bench import Bench
from osip.testing.journal import Entered, Step


def steps(body: str) -> list[tuple[int, int, str, int]]:
    with Bench(text='loadmodule "proto_udp.so"\nroute {\n' + body) as made:
        made.send("OPTIONS sip:bob@10.0.0.2")
        assert made.tracer is not None and made.tracer.depth == 0
        return [(step.line, step.col, step.route, step.depth) for step in made.journal.of(Step)]


def test_statements_that_share_a_line() -> None:
    assert [step[:2] for step in steps('$var(a) = 1; if ($var(a) == 1) $var(b) = 2; else $var(b) = 3; exit;\n}')] == [
        (3, 1), (3, 14), (3, 32), (3, 63)]


def test_routes_within_routes() -> None:
    assert steps("route(x);\nexit;\n}\nroute[x] {\nroute(y);\n}\nroute[y] {\nexit;\n}") == [
        (3, 1, "route", 0), (7, 1, "route[x]", 1), (10, 1, "route[y]", 2)]


def test_a_loop_tells_each_round() -> None:
    found = steps("$var(i) = 0;\nwhile ($var(i) < 2)\n$var(i) = $var(i) + 1;\nexit;\n}")
    assert [step[0] for step in found] == [3, 4, 5, 4, 5, 4, 6]


def test_a_route_that_waits() -> None:
    found = steps('cache_store("local", "k", "v");\nroute(x);\n$var(a) = 1;\n}\nroute[x] {\n'
                  'cache_fetch("local", "k", $avp(x));\n}')
    assert [(step[0], step[3]) for step in found] == [(3, 0), (4, 0), (8, 1), (5, 0)]


def test_the_end_of_an_arm_is_not_run_twice() -> None:
    found = steps("if (route(x)) {\n$var(a) = 1;\n}\n}\nroute[x] {\nreturn(-1);\n}")
    assert [step[0] for step in found] == [3, 8]


def test_untraced_benches_count_nothing() -> None:
    with Bench(text='loadmodule "proto_udp.so"\nroute {\nexit;\n}', trace=False) as made:
        made.send("OPTIONS sip:bob@10.0.0.2")
        assert made.tracer is None and not list(made.journal.of(Entered))


def test_what_changes_between_routes_is_no_statements_doing() -> None:
    text = ('loadmodule "proto_udp.so"\nloadmodule "tm.so"\nroute { setflag("M"); t_on_reply("r"); t_relay(); }\n'
            'onreply_route { $var(y) = 1; }\nonreply_route[r] { $var(z) = 1; }\n')
    with Bench(text=text, watch=True) as bench:
        bench.send("INVITE sip:bob@10.0.0.9").answer(180)
        changes = [change for step in bench.journal.events if isinstance(step, Step) for change in step.changes]
    assert [change for change in changes if "flags" in change] == ['flags = "M" (was null)']
