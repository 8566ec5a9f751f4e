"""Check that the errors carry what their takers read."""

from __future__ import annotations

import pytest

from osip.core import errors


@pytest.mark.parametrize("kind", ["ParseError", "ScriptError", "ModuleError", "StoreError", "MIError"])
def test_family(kind: str) -> None:
    assert issubclass(getattr(errors, kind), errors.OsipError)


def test_parse_error() -> None:
    error = errors.ParseError("bad Via header", 505, 7, "msg")
    assert (str(error), error.reason, error.code, error.offset, error.partial) == (
        "bad Via header",
        "bad Via header",
        505,
        7,
        "msg",
    )
    assert (errors.ParseError("x").code, errors.ParseError("x").offset) == (400, -1)


def test_script_error() -> None:
    assert errors.ScriptError("x", ["d"]).diagnostics == ["d"]


def test_mi_error() -> None:
    error = errors.MIError(404, "no such thing", "x")
    assert (error.code, error.message, error.data) == (404, "no such thing", "x")
