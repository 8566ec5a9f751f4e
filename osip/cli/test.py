"""`osip test`: run the tests of scripts, with coverage."""
from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from osip.cli.output import FAILED, USAGE, fail, show_json
from osip.core.errors import OsipError


class _Collector:
    """A pytest plugin that gathers what Python tests say, in the form of the plain ones."""

    def __init__(self, coverage: Any) -> None:
        self._coverage = coverage
        self.results: list[Any] = []

    def pytest_configure(self, config: Any) -> None:
        from osip.testing.plugin import COVERAGE

        if self._coverage is not None:
            config.stash[COVERAGE] = self._coverage

    def pytest_runtest_logreport(self, report: Any) -> None:
        from osip.testing.suite import Result

        if report.when == "call" or report.failed:
            path, line, name = report.location
            self.results.append(Result(path, name, (line or 0) + 1, report.duration,
                                       report.longreprtext if report.failed else ""))

    def pytest_collectreport(self, report: Any) -> None:
        from osip.testing.suite import Result

        if report.failed:
            self.results.append(Result(report.nodeid, "collection", 1, 0.0, report.longreprtext))


def run_python(files: list[Path], coverage: Any) -> list[Any]:
    """Run Python tests by pytest, quietly; their results."""
    import contextlib
    import io

    try:
        import pytest
    except ImportError:
        fail("Python tests need pytest: pip install pytest", USAGE)
    collector = _Collector(coverage)
    plugins: list[Any] = [collector]
    if not any(point.name == "osip" for point in _entry_points()):
        plugins.append("osip.testing.plugin")           # osip runs from a checkout that was not installed
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["-q", "-p", "no:cacheprovider", "--no-header", *map(str, files)], plugins=plugins)
    return collector.results


def _entry_points() -> Any:
    from importlib.metadata import entry_points

    return entry_points(group="pytest11")


def wanted(paths: tuple[str, ...]) -> tuple[list[Path], list[Path]]:
    """Return the test files that are asked for; ends with a usage error when there are none."""
    from osip.testing.suite import find

    try:
        plain, python = find(paths or (".",))
    except OsipError as error:
        fail(str(error), USAGE)
    named = {Path(path) for path in paths}
    # In a folder only the Python tests that use the fixture are meant, not those of the whole project.
    python = [path for path in python if path in named or "script" in path.read_text("utf-8", "replace")]
    if not plain and not python:
        fail(f"no tests found in {' '.join(paths) or 'this folder'}: write *.osiptest files, or test_*.py with the "
             "fixture script", USAGE)
    return plain, python


@click.command()
@click.argument("paths", nargs=-1)
@click.option("-v", "--verbose", is_flag=True, help="Show the tests that pass too.")
@click.option("-o", "--output", type=click.Choice(("text", "json", "junit")), default="text", show_default=True,
              help="Form of the report.")
@click.option("--cov", is_flag=True, help="Report which lines and arms of the scripts ran.")
@click.option("--cov-fail-under", type=float, default=0.0, metavar="PERCENT", help="Fail when fewer lines ran.")
@click.option("--cov-lcov", metavar="FILE", type=click.Path(dir_okay=False), help="Write the coverage as lcov.")
@click.option("--cov-json", metavar="FILE", type=click.Path(dir_okay=False), help="Write the coverage as JSON.")
@click.option("--cov-html", metavar="DIR", type=click.Path(file_okay=False),
              help="Write the coverage as pages for a browser.")
def test(paths: tuple[str, ...], verbose: bool, output: str, cov: bool, cov_fail_under: float,
         **files: str | None) -> None:
    """Run the tests of scripts: *.osiptest files, and Python tests that use the fixture `script`.

    Exits 0 when all pass, 1 when one fails or too little ran, 2 when there is nothing to run.
    """
    from osip.testing import coverage as report
    from osip.testing import suite

    plain, python = wanted(paths)
    started = time.perf_counter()
    counted = report.Coverage() if cov or cov_fail_under or any(files.values()) else None
    try:
        results = [one for path in plain for one in suite.run_file(path, counted)]
    except OsipError as error:
        fail(str(error), USAGE)
    results += run_python(python, counted) if python else []
    if output == "json":
        show_json(suite.as_json(results) | ({"coverage": report.as_json(counted)} if counted else {}))
    elif output == "junit":
        click.echo(suite.as_junit(results), nl=False)
    else:
        click.echo(suite.as_text(results, verbose))
    bad = any(not one.passed for one in results) or not results
    if counted is not None:
        bad = _coverage(counted, output, cov_fail_under, files) or bad
    click.echo(f"{time.perf_counter() - started:.2f} s in all", err=True) if verbose else None
    raise SystemExit(FAILED if bad else 0)


def _coverage(counted: Any, output: str, limit: float, files: dict[str, str | None]) -> bool:
    """Show and write the coverage; return whether it is too small."""
    import json

    from osip.testing import coverage as report
    from osip.testing.page import write_pages

    if output == "text":
        click.echo("\n" + report.as_text(counted))
    try:
        if files["cov_lcov"]:
            Path(files["cov_lcov"]).write_text(report.as_lcov(counted))
        if files["cov_json"]:
            Path(files["cov_json"]).write_text(json.dumps(report.as_json(counted), indent=1) + "\n")
        if files["cov_html"]:
            click.echo(f"pages: {write_pages(counted, files['cov_html'])}", err=True)
    except OSError as error:
        fail(f"cannot write {error.filename}: {error.strerror}", FAILED)
    if counted.line_percent < limit:
        click.echo(f"osip: {counted.line_percent:.1f}% of the lines ran, {limit:g}% are wanted", err=True)
        return True
    return False
