"""Emit a checked script as Python: AST to Python tree to code objects to `Program` (architecture.md section 10)."""
from __future__ import annotations

from typing import TYPE_CHECKING

from osip.core.run.place import FILES
from osip.script import nodes
from osip.script.emit import route
from osip.script.emit.live import Live
from osip.script.emit.survey import Survey, key_of
from osip.script.emit.unit import Unit
from osip.script.program import Program

if TYPE_CHECKING:
    from osip.core.exports.registry import Registry
    from osip.core.run.env import Env


def emit(script: nodes.Script, registry: Registry, env: Env) -> Program:
    """Compile a script. Its names were checked; one that is unknown all the same fails when it is reached."""
    unit = _unit(script, registry, env)
    program = Program(script.path, unit)
    unit.names.space.update({"_eval": program.eval, "_trace": program.trace, FILES: tuple(script.files)})
    route.show(script.files)
    routes = script.routes()
    names = route.reserve(unit, routes)
    made = [(item, route.emit(unit, item, name)) for item, name in zip(routes, names, strict=True)]
    for item, function in made:
        program.add(key_of(item), function)
    program.timers = route.timers(made)
    program.seal()
    return program


def _unit(script: nodes.Script, registry: Registry, env: Env) -> Unit:
    survey = Survey(script, registry)
    return Unit(registry, env, survey, Live(script, survey))


def source(script: nodes.Script, registry: Registry, env: Env) -> str:
    """Return the Python text that `emit` compiles, for people and tests to read."""
    unit = _unit(script, registry, env)
    routes = script.routes()
    names = route.reserve(unit, routes)
    return "\n".join(route.pen_of(unit, item, name).writer.source() for item, name in zip(routes, names, strict=True))
