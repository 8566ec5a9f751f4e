"""Frozen descriptions: the few things that they compute."""
from __future__ import annotations

import dataclasses

import pytest

from osip.core.exports.spec import FunctionSpec, MiSpec, ParamSpec, Scope, Spec
from osip.core.exports.types import Arg, Route


@pytest.mark.parametrize(("optional", "required"), [((), 0), ((False,), 1), ((True,), 0), ((False, True), 1), ((True,
    False), 2),
                                                    ((True, False, True), 2)])
def test_required_arguments(optional: tuple[bool, ...], required: int) -> None:
    args = tuple(Arg(str(number), "str", flag) for number, flag in enumerate(optional))
    assert FunctionSpec("f", "m", "f", Route.ANY, args, "int", False, "").required == required


def test_canonical_name() -> None:
    assert MiSpec("get", "statistics", "core", "get", (), (), Scope.ANY, "").canonical == "statistics:get"


@pytest.mark.parametrize(("name", "found"), [("new", True), ("old", True), ("other", False)])
def test_parameters_have_old_names(name: str, found: bool) -> None:
    spec = Spec("m", "", params=(ParamSpec("new", "m", "new", 1, (int,), "", aliases=("old",)),))
    assert (spec.param(name) is not None) == found


def test_a_spec_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Spec("m", "").name = "n"        # type: ignore[misc]
