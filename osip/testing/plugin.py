"""Test scripts with pytest: the fixture `script`, the marker `osip`, and `*.osiptest` files.

    def test_forward(script):
        script("my.cfg").send("INVITE sip:bob@example.com").expect_relay("sip:bob@10.0.0.2")

Nothing of the server is imported before a test asks for it.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from osip.testing.bench import Bench
    from osip.testing.coverage import Coverage
    from osip.testing.language import Case

ENDING = ".osiptest"
COVERAGE: pytest.StashKey[Coverage] = pytest.StashKey()


class Script:
    """What the fixture gives: call it with a script's path to load one, or use it as the bench of the script that the
    marker `osip` names."""

    def __init__(self, folder: Path, marked: tuple[tuple[Any, ...], dict[str, Any]] | None) -> None:
        self._folder, self._marked = folder, marked
        self.benches: list[Bench] = []

    def __call__(self, path: str | Path = "", **options: Any) -> Bench:
        """Load a script; a relative path starts at the folder of the test file. Options are those of `Bench`."""
        from osip.testing.bench import Bench

        bench = Bench(self._folder / path if path else "", **options)
        self.benches.append(bench)
        return bench

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if not self.benches:
            if self._marked is None:
                raise AttributeError(f'no script is loaded: write script("my.cfg") or @pytest.mark.osip("my.cfg") '
                                     f"before script.{name}")
            self(*self._marked[0], **self._marked[1])
        return getattr(self.benches[-1], name)


@pytest.fixture
def script(request: pytest.FixtureRequest) -> Iterator[Script]:
    """Give a test a script on a virtual network, with a virtual clock (docs/testing.md)."""
    marker = request.node.get_closest_marker("osip")
    found = Script(request.path.parent, (marker.args, marker.kwargs) if marker is not None else None)
    yield found
    coverage = request.config.stash.get(COVERAGE, None)
    for bench in found.benches:
        bench.close()
        if coverage is not None:
            coverage.add(bench.tracer)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("osip", "tests of OpenSIPS-language scripts")
    group.addoption("--osip-cov", action="store_true", help="Report which lines and arms of the scripts ran.")
    group.addoption("--osip-cov-fail-under", type=float, default=0.0, metavar="PERCENT",
                    help="Fail when fewer lines of the scripts ran.")
    group.addoption("--osip-cov-html", default="", metavar="DIR", help="Write the coverage as pages for a browser.")
    group.addoption("--osip-cov-lcov", default="", metavar="FILE", help="Write the coverage as lcov.")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker and begin to count."""
    config.addinivalue_line("markers", "osip(path, **options): the script that the fixture `script` loads")
    wanted = config.getoption("--osip-cov") or config.getoption("--osip-cov-fail-under") \
        or config.getoption("--osip-cov-lcov") or config.getoption("--osip-cov-html")
    if wanted and COVERAGE not in config.stash:
        from osip.testing.coverage import Coverage

        config.stash[COVERAGE] = Coverage()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect test files in plain text."""
    return PlainFile.from_parent(parent, path=file_path) if file_path.suffix == ENDING else None


class PlainFile(pytest.File):
    """A test file in plain text."""

    def collect(self) -> Iterable[pytest.Item]:
        """Make an item of every test."""
        from osip.testing.language import load
        from osip.testing.words import FileFault

        try:
            cases = load(self.path)
        except FileFault as error:
            raise self.CollectError(str(error)) from None
        for case in cases:
            item = PlainItem.from_parent(self, name=case.name)
            item.case = case
            yield item


class PlainItem(pytest.Item):
    """One test of such a file."""
    case: Case

    def runtest(self) -> None:
        """Run it."""
        from osip.testing.suite import run_case

        result = run_case(self.case, str(self.path), self.config.stash.get(COVERAGE, None))
        if not result.passed:
            pytest.fail(f"{result.path}:{result.line}: {result.statement}\n{result.fault}", pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where it stands."""
        return self.path, self.case.line - 1, self.case.name


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail the run when too little was covered."""
    coverage = session.config.stash.get(COVERAGE, None)
    limit = session.config.getoption("--osip-cov-fail-under")
    if coverage is not None and exitstatus == 0 and coverage.line_percent < limit:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Report the coverage."""
    coverage = config.stash.get(COVERAGE, None)
    if coverage is None:
        return
    from osip.testing import coverage as report

    terminalreporter.section("coverage of scripts")
    terminalreporter.write_line(report.as_text(coverage))
    limit = config.getoption("--osip-cov-fail-under")
    if coverage.line_percent < limit:
        terminalreporter.write_line(f"FAILED: {coverage.line_percent:.1f}% of the lines ran, {limit:g}% are wanted")
    if config.getoption("--osip-cov-html"):
        from osip.testing.page import write_pages

        terminalreporter.write_line(f"pages: {write_pages(coverage, config.getoption('--osip-cov-html'))}")
    if config.getoption("--osip-cov-lcov"):
        Path(config.getoption("--osip-cov-lcov")).write_text(report.as_lcov(coverage))
