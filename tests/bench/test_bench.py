"""The command itself: what it refuses, and what it does when a part fails."""

from __future__ import annotations

import importlib.util
import sys

import pytest
from kit.server import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "scripts"))

from bench.server import BenchError  # noqa: E402  (found through the line above)

_spec = importlib.util.spec_from_file_location("bench_command", CHECKOUT / "scripts/bench.py")  # a package has its name
assert _spec is not None and _spec.loader is not None
bench = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bench)


@pytest.mark.parametrize(("words", "told"), [
    ("options --only kamailio --workers 2", "--workers is for osip: leave out --only kamailio"),
    ("auth --only kamailio", "--peer kamailio measures that one beside it"),
    ("call --store sqlite", "--store belongs to the command register")])
def test_words_that_do_not_fit(words: str, told: str, monkeypatch: pytest.MonkeyPatch,
                               capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.py", *words.split()])
    with pytest.raises(SystemExit) as ended:
        bench.main()
    assert ended.value.code == 2 and told in capsys.readouterr().err


def test_a_store_that_fails_leaves_the_rows_of_others(monkeypatch: pytest.MonkeyPatch,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    def measured(name: str, store: str, *_: object) -> dict[str, object]:
        if store == "postgresql":
            raise BenchError("no room")
        return {"store": store, "server": name, "users": 5, "lost": 0}
    monkeypatch.setattr(bench, "measure_store", measured)
    monkeypatch.setattr(bench, "Generator", lambda core: None)
    monkeypatch.setattr(bench, "_cores", lambda: (0, 0))
    monkeypatch.setattr(bench.os, "sched_setaffinity", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["bench.py", "register", "--store", "all", "--peer", "kamailio"])
    assert bench.main() == 1
    out, err = capsys.readouterr()
    assert "bench: osip, postgresql: no room" in err and err.count("REGISTER/s") == 7
    assert [line.split()[:2] for line in out.splitlines()[2:]] == [
        ["memory", "osip"], ["memory", "kamailio"], ["sqlite", "osip"], ["sqlite", "kamailio"], ["mariadb", "osip"],
        ["mariadb", "kamailio"], ["redis", "osip"]]
