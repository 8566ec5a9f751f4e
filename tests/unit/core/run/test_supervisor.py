"""The master of several workers, with real processes that only do as they are told."""
from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.peer import free_port
from osip.core.errors import OsipError
from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.exports.registry import Registry
from osip.core.net.endpoint import LocalSocket
from osip.core.net.udp import UdpTransport
from osip.core.run import supervisor
from osip.core.run.config import Config
from osip.core.run.crew import CrewWorker
from osip.core.run.env import Env
from osip.core.run.line import Line, pack
from osip.core.run.supervisor import FIRST_PAUSE, LONGEST_PAUSE, STEADY, Member, Supervisor

BAD = Diagnostic("E101", "unknown function")
Act = Callable[["Child"], None]


class Child:
    """What a forked process does in place of a worker: obey, and write down what it heard."""

    def __init__(self, number: int, line: Line, journal: Path, is_first: bool) -> None:
        self.number, self.line, self.journal, self.is_first = number, line, journal, is_first
        self.refuses, self.stays = False, False

    def note(self, *words: Any) -> None:
        with self.journal.open("a") as file:
            file.write(" ".join(map(str, (self.number, *words))) + "\n")

    def serve(self, act: Act, early: Act) -> int:
        early(self)
        self.line.send("ready", [f"hello from {self.number}"])
        act(self)
        while True:
            select.select([self.line], [], [])
            order, files = self.line.receive()
            if not order:
                return 3
            self.note(*order[:2] if order[0] == "peer" else order[:1], *(["with", len(files)] if files else []))
            if order[0] == "leave" and not self.stays:
                return 0
            if order[0] == "drain":
                self.line.send("drained")
            elif order[0] == "prepare":
                self.line.send("prepared", order[1], pack([BAD] if self.refuses else []))
            elif order[0] == "commit":
                self.line.send("swapped", order[1], pack([Diagnostic("W1", "by the way", severity=Severity.WARNING)]))
            elif order[0] == "reloaded":
                self.note("found", *(one[0] for one in order[2]))
                self.line.send("shutdown", False)


class Change:
    def __init__(self, found: list[Diagnostic]) -> None:
        self.found = found


class Reloader:
    """The script's side of a reload."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []
        self.fresh: list[LocalSocket] = []
        self.swapped = 0

    def prepare(self) -> Change:
        return Change(list(self.found))

    def new_sockets(self, change: Change) -> list[LocalSocket]:
        return self.fresh

    def swap(self, change: Change) -> None:
        self.swapped += 1


class Stage:
    """A supervisor whose workers are children as above."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, workers: int = 2) -> None:
        registry = Registry()
        registry.create()
        self.port = free_port()
        worker = CrewWorker(Env(Config(), registry), registry, [LocalSocket("udp", "127.0.0.1", self.port)], workers)
        self.journal, self.reloader = folder / "journal", Reloader()
        self.act: Act = lambda child: None              # once it is ready
        self.early: Act = lambda child: None            # before
        self.ready = 0
        self.on_ready: Callable[[], None] = lambda: None

        def sit(worker: Any, number: int, groups: Any, line: Line, links: Any, reloader: Any, is_first: bool,
                **options: Any) -> int:
            child = Child(number, line, self.journal, is_first)
            child.note("first" if is_first else "again", *sorted(links))
            return child.serve(self.act, self.early)
        monkeypatch.setattr(supervisor, "sit", sit)
        self.master = Supervisor(worker, self.reloader, grace=60.0, pid_file=str(folder / "pid"), ready=self._ready)
        self.master._transports["udp"] = UdpTransport(worker.env.config)

    def _ready(self) -> None:
        self.ready += 1
        self.on_ready()

    def run(self) -> list[str]:
        self.master.run()
        return self.lines()

    def lines(self) -> list[str]:
        return self.journal.read_text().splitlines()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def test_a_life(stage: Stage, tmp_path: Path) -> None:
    def act() -> None:
        (tmp_path / "seen").write_text((tmp_path / "pid").read_text())
        os.kill(os.getpid(), signal.SIGTERM)
    stage.on_ready = act
    lines = stage.run()
    assert [line for line in lines if line[0] == "0"] == ["0 first", "0 peer 1 with 1", "0 drain", "0 leave"]
    assert [line for line in lines if line[0] == "1"] == ["1 first 0", "1 drain", "1 leave"]
    assert lines[0] == "0 first" and stage.ready == 1
    drained = max(lines.index("0 drain"), lines.index("1 drain"))
    assert drained < min(lines.index("0 leave"), lines.index("1 leave")), "all are drained before any leaves"
    assert stage.master.worker.env.announcements == ["hello from 0"]
    assert (tmp_path / "seen").read_text() == f"{os.getpid()}\n" and not (tmp_path / "pid").exists()
    assert all(not member.pid for member in stage.master.members)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_worker_that_dies_is_replaced(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    first: list[int] = []

    def kill() -> None:
        first.extend(member.pid for member in stage.master.members)
        os.kill(first[1], signal.SIGKILL)

    def act(child: Child) -> None:
        if not child.is_first:
            child.line.send("shutdown", False)
    stage.on_ready, stage.act = kill, act
    lines = stage.run()
    assert "1 again 0" in lines and lines.count("0 first") == 1 and lines.count("0 peer 1 with 1") == 2
    assert f"worker ended worker=w1 pid={first[1]} code=-9 replaced_in=0" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "sent"), [(signal.SIGTERM, ["drain", "leave"]), (signal.SIGINT, ["leave"]),
                                              (signal.SIGUSR1, ["dump", "leave"])])
def test_signals(stage: Stage, number: int, sent: list[str]) -> None:
    def act() -> None:
        os.kill(os.getpid(), number)
        if number == signal.SIGUSR1:
            os.kill(os.getpid(), signal.SIGINT)
    stage.on_ready = act
    lines = stage.run()
    assert [line for line in lines if line.startswith("1")][1:] == [f"1 {word}" for word in sent]


def test_a_hang_up_is_told_to_all(stage: Stage) -> None:
    """Whatever becomes of the reload: a lost pipe is made again by it."""
    def act() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGINT)
    stage.on_ready = act
    assert {"0 hang_up", "1 hang_up"} <= set(stage.run())


def test_a_daemon_lets_go_of_the_terminal(stage: Stage) -> None:
    stage.master._is_daemon = True
    stage.on_ready = lambda: os.kill(os.getpid(), signal.SIGINT)
    assert {"0 detach", "1 detach"} <= set(stage.run())


def test_a_start_that_fails(stage: Stage) -> None:
    def act(child: Child) -> None:
        if child.number == 1:
            child.line.send("failed", "httpd cannot listen", os.getpid())
            os._exit(1)
    stage.early = act
    with pytest.raises(OsipError, match="httpd cannot listen"):
        stage.run()
    assert stage.ready == 0 and all(not member.line or member.pid for member in stage.master.members)


def test_a_worker_that_dies_again_and_again(stage: Stage) -> None:
    reader, writer = os.pipe()

    def act(child: Child) -> None:
        if child.number == 1:
            if child.is_first:
                os.read(reader, 1)      # one that dies before all are up is a start that failed
            os._exit(7)
    stage.act = act
    stage.on_ready = lambda: os.write(writer, b"x")     # type: ignore[assignment,return-value]
    deaths: list[int] = []
    on_death = Member.on_death

    def note(member: Member, now: float) -> float:
        deaths.append(member.number)
        if len(deaths) == 3:
            stage.master._leave()
        return on_death(member, now)
    Member.on_death = note                                              # type: ignore[method-assign]
    try:
        stage.run()
    finally:
        Member.on_death = on_death                                      # type: ignore[method-assign]
        os.close(reader)
        os.close(writer)
    assert deaths[:3] == [1, 1, 1]


def test_a_worker_that_does_not_leave_is_killed(stage: Stage, monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(supervisor, "LEAVE_SECONDS", 0.2)

    def act(child: Child) -> None:
        child.stays = child.number == 0
    stage.act = act
    stage.on_ready = lambda: os.kill(os.getpid(), signal.SIGINT)
    stage.run()
    assert "worker does not leave: killed worker=w0" in capsys.readouterr().err


def ask_reload(child: Child) -> None:
    if child.number == 1:
        child.line.send("reload", 5, False)


def test_a_reload_reaches_all(stage: Stage) -> None:
    stage.act = ask_reload
    lines = stage.run()
    for number in (0, 1):
        assert [f"{number} prepare", f"{number} commit"] == [line for line in lines if line.startswith(str(number))
                                                             and ("prepare" in line or "commit" in line)]
    assert "1 found W1" in lines and stage.reloader.swapped == 1


def test_one_that_cannot_stops_all(stage: Stage) -> None:
    def act(child: Child) -> None:
        child.refuses = child.number == 0
        ask_reload(child)
    stage.act = act
    lines = stage.run()
    assert "1 found E101" in lines and {"0 abort", "1 abort"} <= set(lines) and stage.reloader.swapped == 0
    assert not [line for line in lines if "commit" in line]


def test_an_error_in_the_script_bothers_no_worker(stage: Stage) -> None:
    stage.act = ask_reload
    stage.reloader.found = [BAD]
    lines = stage.run()
    assert "1 found E101" in lines and not [line for line in lines if "prepare" in line]


def test_a_reload_brings_a_socket(stage: Stage) -> None:
    stage.act = ask_reload
    fresh = LocalSocket("udp", "127.0.0.1", free_port())
    stage.reloader.fresh = [fresh]
    lines = stage.run()
    count = 2 if stage.master.worker.offered[fresh.text].strays is not None else 1
    assert f"0 commit with {count}" in lines and "1 commit with 1" in lines


def test_a_silent_worker_does_not_hold_a_reload(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "RELOAD_SECONDS", 0.3)

    def act(child: Child) -> None:
        ask_reload(child)
        if child.number == 0:
            while True:
                signal.pause()
    stage.act = act
    monkeypatch.setattr(supervisor, "LEAVE_SECONDS", 0.2)
    assert "1 found E311" in stage.run()


def test_pauses_between_deaths() -> None:
    member, now, pauses = Member(0), 100.0, []
    for _ in range(12):
        member.started = now
        now += 1
        pauses.append(member.on_death(now))
    assert pauses[:4] == [0.0, FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4] and pauses[-1] == LONGEST_PAUSE
    member.started = now
    assert member.on_death(now + STEADY + 1) == 0.0 and member.deaths == 0, "it ran well in between"
