"""Run osipctl in this process: in an empty folder, without the settings of this machine, with a server that is played."""
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from osip.cli.client import Unreachable
from osip.cli.ctl import osipctl
from osip.cli.ctl import rc as settings
from osip.core.errors import MIError

Ctl = Callable[..., Result]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, where the embedded database will be."""
    monkeypatch.chdir(tmp_path)
    for name in ("SIP_DOMAIN", "OSIP_DB_URL", "OSIP_MI", "OSIPCTLRC", "OSIP_PID_FILE", "OSIP_MI_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(settings, "PLACES", (str(tmp_path / "opensipsctlrc"),))
    return tmp_path


@pytest.fixture
def ctl() -> Ctl:
    """Return a runner `ctl(*words, stdin="")`."""
    def invoke(*words: object, stdin: str = "") -> Result:
        result = CliRunner().invoke(osipctl, [str(word) for word in words], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result
    return invoke


@pytest.fixture
def rows(ctl: Ctl) -> Callable[..., list[dict[str, Any]]]:
    """Return a runner that gives the answer as objects."""
    def run(*words: object) -> list[dict[str, Any]]:
        done = ctl("-o", "json", *words)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)          # type: ignore[no-any-return]
    return run


@dataclass
class Played:
    """A server that is played: what it answers by command, and what it was asked."""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def call(self, command: str, params: Any = None, *, url: str = "", timeout: float = 10.0) -> Any:
        self.asked.append((command, params if params is not None else []))
        self.urls.append(url)
        answer = self.answers.get(command, MIError(-32601, "Method not found"))
        if isinstance(answer, (MIError, Unreachable)):
            raise answer
        return answer(params) if callable(answer) else answer


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    """Play the server."""
    server = Played()
    for module in ("site", "command"):
        monkeypatch.setattr(f"osip.cli.ctl.{module}.call", server.call)
    return server
