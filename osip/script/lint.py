"""Run the opinionated rules over a script that was compiled, and mend old spellings."""
from __future__ import annotations

from osip.core.exports.diagnostic import Diagnostic
from osip.core.exports.registry import Registry
from osip.script import nodes
from osip.script.boot import CheckResult, in_order
from osip.script.check import Rule
from osip.script.check.course import check_course
from osip.script.check.deprecated import apply_edits, check_deprecated, old_spellings
from osip.script.check.flow import check_main
from osip.script.check.literal import check_blacklists, check_doubts
from osip.script.check.style import (check_constant, check_hops, check_never_set, check_order, check_relaying,
                                     check_secrets)
from osip.script.check.unit import Unit

STYLE_RULES: tuple[Rule, ...] = (check_never_set, check_course, check_relaying, check_hops, check_secrets,
                                 check_deprecated, check_constant, check_order, check_doubts,
                                 check_blacklists, check_main)

WHOLE = (check_never_set, check_course)
"""The rules that would take what could not be read for missing."""


def lint(result: CheckResult, registry: Registry) -> list[Diagnostic]:
    """Return the findings of the checker and of the style rules, in order of position."""
    unit = Unit(result.script, registry, bool(result.errors))
    torn = any(one.code.startswith("E0") for one in result.errors)      # some of the script could not be read
    more = [found for rule in STYLE_RULES if not (torn and rule in WHOLE) for found in rule(unit, registry)]
    return in_order([*result.diagnostics, *more], result.script)


def mend(script: nodes.Script, registry: Registry) -> dict[str, str]:
    """Return the files of a script that have old spellings, each with the new ones put in."""
    unit = Unit(script, registry, False)
    return apply_edits(script.files, [edit for old in old_spellings(unit, registry) for edit in old.edits])
