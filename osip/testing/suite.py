"""Find test files, run their tests, report: text, JSON, JUnit."""
from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osip.core.errors import OsipError, ScriptError
from osip.script.report import render_text
from osip.testing.coverage import Coverage
from osip.testing.language import Case, load
from osip.testing.stage import Stage
from osip.testing.words import FileFault

ENDING = ".osiptest"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test. `fault` is empty when it passed; `line` is where it failed."""
    path: str
    name: str
    line: int
    seconds: float
    fault: str = ""
    statement: str = ""

    @property
    def passed(self) -> bool:
        """Say whether it passed."""
        return not self.fault


def find(paths: Iterable[str | Path]) -> tuple[list[Path], list[Path]]:
    """Return the test files under paths: `*.osiptest`, and Python tests `test_*.py` or `*_test.py`."""
    plain: list[Path] = []
    python: list[Path] = []
    for given in map(Path, paths):
        if given.is_dir():
            plain += sorted(given.rglob("*" + ENDING))
            python += sorted({*given.rglob("test_*.py"), *given.rglob("*_test.py")})
        elif not given.exists():
            raise OsipError(f"there is no {given}")
        elif given.suffix in (ENDING, ".py"):
            (plain if given.suffix == ENDING else python).append(given)
        else:
            raise OsipError(f"{given} is no test file: those end with {ENDING} or .py")
    return plain, python


def run_case(case: Case, path: str, coverage: Coverage | None = None) -> Result:
    """Run one test."""
    stage, started = Stage(), time.perf_counter()
    line, statement, fault = case.line, "", ""
    try:
        for one in case.statements:
            line, statement = one.line, one.text
            one.run(stage)
    except ScriptError as error:
        fault = f"{error.reason}\n{explained(error)}".rstrip()
    except (AssertionError, OsipError) as error:
        fault = str(error)
    except Exception as error:          # a fault of a module must not end the whole run
        fault = f"{type(error).__name__}: {error}"
    try:
        bench = stage.close()
        if coverage is not None and bench is not None:
            coverage.add(bench.tracer)
    except Exception as error:
        fault = fault or f"the server did not close: {error}"
    return Result(path, case.name, line if fault else case.line, time.perf_counter() - started, fault,
                  statement if fault else "")


def explained(error: ScriptError) -> str:
    """Return the errors of a script with the lines that they stand in."""
    found = [one for one in error.diagnostics if one.is_error]
    files = {one.span.file: Path(one.span.file).read_text("utf-8", "replace") for one in found
             if Path(one.span.file).is_file()}
    return render_text(found, files)


def run_file(path: Path, coverage: Coverage | None = None) -> list[Result]:
    """Run the tests of a file; one that cannot be read is one failed test."""
    try:
        cases = load(path)
    except FileFault as error:
        return [Result(str(path), path.stem, error.line, 0.0, f"column {error.col}: {error.reason}")]
    return [run_case(case, str(path), coverage) for case in cases]


def as_text(results: Sequence[Result], verbose: bool = False) -> str:
    """Return what failed, and with `verbose` also what passed, and the count."""
    out = []
    for one in results:
        if one.passed:
            out += [f"ok      {one.path}: {one.name} ({one.seconds * 1000:.0f} ms)"] * verbose
        else:
            out.append(f"FAILED  {one.path}:{one.line}: {one.name}")
            out += [f"        {one.statement}"] * bool(one.statement)
            out += [f"          {line}" for line in one.fault.split("\n")]
    failed = sum(1 for one in results if not one.passed)
    seconds = sum(one.seconds for one in results)
    return "\n".join([*out, f"{len(results)} tests, {failed} failed, {seconds:.2f} s"])


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """Return results as JSON-ready data."""
    return {"tests": len(results), "failed": sum(1 for one in results if not one.passed), "results": [
        {"file": one.path, "line": one.line, "name": one.name, "passed": one.passed, "seconds": round(one.seconds, 4),
         **({"fault": one.fault, "statement": one.statement} if one.fault else {})} for one in results]}


def as_junit(results: Sequence[Result]) -> str:
    """Return results as a JUnit report, which CI services read."""
    failed = sum(1 for one in results if not one.passed)
    suite = ET.Element("testsuite", name="osip", tests=str(len(results)), failures=str(failed), errors="0",
                       time=f"{sum(one.seconds for one in results):.3f}")
    for one in results:
        case = ET.SubElement(suite, "testcase", classname=one.path, name=one.name, file=one.path, line=str(one.line),
                             time=f"{one.seconds:.3f}")
        if one.fault:
            node = ET.SubElement(case, "failure", message=_legal(one.fault.split("\n")[0]))
            node.text = _legal(f"{one.path}:{one.line}: {one.statement}\n{one.fault}")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, "unicode", xml_declaration=True) + "\n"


def _legal(text: str) -> str:
    """Show the characters that XML cannot hold."""
    return "".join(char if char in "\t\n" or ord(char) >= 32 and not 0xD800 <= ord(char) < 0xE000
                   else f"\\x{ord(char):02x}" for char in text)
