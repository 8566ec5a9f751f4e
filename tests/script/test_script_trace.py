"""What `script_trace` prints: one line for each action, also for those inside conditions and sub-routes."""

from __future__ import annotations

from kit.script import ScriptBook

TEXT = """route {
    $var(x) = 1;
    script_trace(1, "$rm $var(x)", "me");
    $var(x) = 2;
    if (is_method("INVITE") && !route(sub)) {
        setflag("F");
    }
    while ($var(x) < 3)
        $var(x) = $var(x) + 1;
    script_trace();
    xlog("done");
}
route[sub] {
    return(-1);
}"""


def test_each_action_is_a_line() -> None:
    steps = [
        ("4", "core assign", "1"),
        ("5", "core if", "2"),
        ("5", "module is_method", "2"),
        ("5", "core route", "2"),
        ("14", "core return", "2"),
        ("6", "core setflag", "2"),
        ("8", "core while", "2"),
        ("9", "core assign", "2"),
        ("10", "core script_trace", "3"),
    ]
    ScriptBook(TEXT).recv("INVITE").says(
        *[f"[Script Trace][book.cfg:{line}][me][{action}] -> (INVITE {x})" for line, action, x in steps], "done"
    )


def test_it_ends_with_the_top_route() -> None:
    book = ScriptBook('route { if (is_method("INVITE")) script_trace(1, "x"); xlog("a"); }').recv("INVITE")
    assert len(book.said) == 2
    book.said.clear()
    book.recv("OPTIONS").says("a")


def test_it_goes_where_the_log_goes() -> None:
    ScriptBook('route { script_trace(4, "x"); xlog("a"); }').recv("INVITE").says("a")
    assert len(ScriptBook('route { script_trace(4, "x"); xlog("a"); }', log_level=4).recv("INVITE").said) == 2


def test_a_script_without_it_pays_nothing() -> None:
    book = ScriptBook('route { if (is_method("INVITE")) setflag("F"); }')
    assert "_trace" not in book.env.program.request.__code__.co_names  # type: ignore[union-attr]
