"""Write findings as SARIF 2.1.0, which code hosts and editors show beside the lines."""
from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.script.catalogue import CATALOGUE
from osip.script.report import clipped

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def render_sarif(found: Sequence[Diagnostic], version: str) -> str:
    """Return all findings as one SARIF log with one run."""
    codes = sorted({one.code for one in found})
    rules = [_rule(code) for code in codes]
    driver = {"name": "osip", "version": version, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints",
           "results": [_result(one, codes.index(one.code)) for one in found]}
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2)


def _rule(code: str) -> dict[str, Any]:
    entry = CATALOGUE.get(code)
    rule: dict[str, Any] = {"id": code}
    if entry is not None:
        rule |= {"shortDescription": {"text": entry.title}, "fullDescription": {"text": entry.explanation}}
    return rule


def _result(one: Diagnostic, rule: int) -> dict[str, Any]:
    text = clipped(one.message) + (f"; {clipped(one.hint)}" if one.hint else "") \
        + "".join(f"\n{clipped(note)}" for note in one.notes)
    result: dict[str, Any] = {"ruleId": one.code, "ruleIndex": rule, "level": _LEVELS[one.severity],
                              "message": {"text": text}}
    span = one.span
    if span.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": quote(span.file.replace("\\", "/"), safe="/:")}}
        if span.line:
            place["region"] = {"startLine": span.line, "startColumn": span.col, "endLine": span.end_line,
                               "endColumn": span.end_col}
        result["locations"] = [{"physicalLocation": place}]
    return result
