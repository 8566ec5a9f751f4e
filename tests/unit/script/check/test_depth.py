"""What is nested too deeply for a compiled program; and that what is not, compiles."""

from __future__ import annotations

import pytest

from osip.core.run.config import Config
from osip.core.run.env import Env
from osip.main import new_registry
from osip.script.boot import compile_script
from osip.script.check.depth import BLOCKS, CHAIN, EXPRESSION, LOOPS
from osip.script.emit import emit

MAKE = {
    "if": lambda n: 'if ($rm == "x") {' * n + "exit;" + "}" * n,
    "if without braces": lambda n: 'if ($rm == "x") ' * n + "exit;",
    "loop": lambda n: 'while ($rm == "x") {' * n + "exit;" + "}" * n,
    "and": lambda n: "if (1" + ' && $rm == "x"' * n + ") exit;",
    "plus": lambda n: "$var(x) = 1" + " + $var(y)" * n + ";",
    "brackets": lambda n: "$var(x) = " + "(1 + " * n + "1" + ")" * n + ";",
    "not": lambda n: "if (" + "!" * n + "$var(x)) exit;",
    "else if": lambda n: "if (1) exit;" + ' else if ($rm == "x") exit;' * n,
}
LIMITS = {"if": BLOCKS, "if without braces": BLOCKS, "loop": LOOPS, "else if": CHAIN}


def compiled(text: str) -> list[str]:
    """Check and emit a route; return the codes of its errors."""
    registry, config = new_registry(), Config()
    result = compile_script(f"route {{ {text} }}\n", registry, config, need_socket=False)
    if result.ok:
        registry.create()
        emit(result.script, registry, Env(config, registry))
    return [one.code for one in result.errors]


@pytest.mark.parametrize("what", MAKE)
def test_up_to_the_limit_it_compiles_and_above_it_is_one_finding(what: str) -> None:
    most = LIMITS.get(what, EXPRESSION - 4)  # an assignment or condition counts as well
    assert compiled(MAKE[what](most)) == []
    for more in (max(most + 10, 200), 3000):
        assert compiled(MAKE[what](more)) == ["E025"]


def test_depth_is_told_once_for_a_route_and_for_each() -> None:
    deep = MAKE["if"](BLOCKS + 1)
    registry = new_registry()
    found = compile_script(
        f"route {{ {deep} {deep} }}\nroute[a] {{ {deep} }}\n", registry, Config(), need_socket=False
    )
    assert [(one.code, one.span.line) for one in found.errors] == [("E025", 1), ("E025", 2)]
