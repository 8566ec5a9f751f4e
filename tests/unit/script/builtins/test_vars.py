"""Check script variables, AVPs, parameters."""
from __future__ import annotations

import pytest
from kit.builtin import Holder, Words


def test_var_and_shv() -> None:
    words = Words()
    ctx = words.ctx()
    assert words.get(ctx, "var", "x") is None and words.get(ctx, "shv", "x") == 0
    assert words.set(ctx, "var", 5, "x") and words.get(words.ctx(), "var", "x") == 5
    assert words.set(ctx, "shv", "a", "x") and words.get(ctx, "shv", "x") == "a"
    assert words.set(ctx, "var", None, "x") and words.get(ctx, "var", "x") is None
    assert words.set(ctx, "shv", None, "x") and words.get(ctx, "shv", "x") == 0


@pytest.mark.parametrize(("steps", "values"), [
    ([(None, 1), (None, 2)], [2, 1]), ([(None, 1), ("append", 2)], [1, 2]), ([(None, 1), (None, 2), ("*", 3)], [3]),
    ([(None, 1), (None, 2), (0, 9)], [9, 1]), ([(None, 1), (None, 2), (-1, 9)], [2, 9]),
    ([(None, 1), (None, 2), (None, None)], [1]), ([(None, 1), (None, 2), (1, None)], [2]),
    ([(None, 1), ("*", None)], []), ([(None, None)], []),
])
def test_avp(steps: list[tuple[object, object]], values: list[object]) -> None:
    words = Words()
    ctx = words.ctx()
    for index, value in steps:
        assert words.set(ctx, "avp", value, "x", index)             # type: ignore[arg-type]
    assert [words.get(ctx, "avp", "x", at) for at in range(len(values) + 1)] == [*values, None]
    assert words.get(ctx, "avp", "x", "*") == (", ".join(map(str, values)) or None)
    assert words.get(ctx, "avp", "x") == (values[0] if values else None)


def test_avp_refuses_and_old_names() -> None:
    words = Words()
    ctx = words.ctx()
    assert not words.set(ctx, "avp", 1, "x", 3) and not words.set(ctx, "avp", None, "x", "append")
    words.set(ctx, "avp", "v", "i:5")
    assert words.get(ctx, "avp", "5") == words.get(ctx, "avp", "s:5") == "v"
    assert words.get(words.ctx(), "avp", "5") is None
    with pytest.raises(ValueError):
        words.get(ctx, "avp", "s:")


def test_parameters() -> None:
    words = Words()
    ctx = words.ctx()
    ctx.params, ctx.returns, ctx.rc = ("a", 2), ("x",), -7
    assert [words.get(ctx, "param", key) for key in ("1", "2", "3", "0", "name")] == ["a", 2, None, None, None]
    assert [words.get(ctx, "return", key) for key in ("0", "1")] == ["x", None]
    assert words.get(ctx, "rc") == words.get(ctx, "retcode") == -7
    ctx.params, ctx.event = (), {"group": 1, "address": "sip:a"}
    assert [words.get(ctx, "param", key) for key in ("group", "1", "2", "3", "none")] == [1, 1, "sip:a", None, None]
    ctx.params = ("inner",)
    assert words.get(ctx, "param", "1") == "inner"
    with pytest.raises(ValueError):
        words.get(ctx, "return", "x")


def test_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    words = Words()
    ctx = words.ctx()
    monkeypatch.setenv("OSIP_TEST_WORD", "here")
    words.env.config.argv["site"] = "a"
    assert words.get(ctx, "env", "OSIP_TEST_WORD") == "here" and words.get(ctx, "argv", "site") == "a"
    assert words.get(ctx, "env", "OSIP_TEST_NONE") is None and words.get(ctx, "argv", "none") is None


def test_functions() -> None:
    words = Words()
    ctx = words.ctx()
    out, seconds, micro = Holder(), Holder(), Holder()
    assert words.call(ctx, "pv_printf", out, "text") == 1 and out.value == "text"
    assert words.call(ctx, "avp_printf", Holder(accepts=False), "text") == -1
    words.env.wall = lambda: 1700000000.25                          # type: ignore[method-assign]
    assert words.call(ctx, "get_timestamp", seconds, micro) == 1
    assert (seconds.value, micro.value) == (1700000000, 250000)
    words.set(ctx, "avp", "v", "x")
    assert words.call(ctx, "avp_print") == 1
