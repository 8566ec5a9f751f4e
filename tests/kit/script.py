"""Play call flows against a script: `ScriptBook(text).recv("INVITE").sent(100)`, real from parser to modules.

Network, names and clock are fakes, as in `kit.playbook`. `said` lists what the script (xlog) and the server logged.
"""
from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kit.clock import FakeClock
from kit.net import FakeNet
from kit.playbook import SERVER, Playbook
from osip.core.exports import loader
from osip.core.exports.diagnostic import Diagnostic
from osip.core.net.endpoint import LocalSocket
from osip.core.run.config import Config
from osip.core.run.env import Env, Ids
from osip.core.run.log import python_level
from osip.core.run.worker import Worker
from osip.main import new_registry
from osip.script.boot import CheckResult, compile_script
from osip.script.emit import emit
from osip.script.emit.survey import Survey
from osip.script.source import Source

MODULES = ("tm", "sl", "rr", "maxfwd", "sipmsgops", "textops", "signaling", "uri")
NAME = "book.cfg"


def has_module(*names: str) -> bool:
    """Say whether all these modules exist."""
    return set(names) <= set(loader.available())


def with_modules(text: str, modules: tuple[str, ...]) -> str:
    """Return a script with `loadmodule` before its first line, which keeps its number."""
    return " ".join(f'loadmodule "{name}.so"' for name in modules) + " " + text


def faults_of(text: str, *modules: str) -> list[Diagnostic]:
    """Check a script; return its errors."""
    source = Source.from_text(with_modules(text, modules or MODULES), NAME)
    return compile_script(source, new_registry(), Config(), need_socket=False).errors


class Listener(logging.Handler):
    """Keep log lines as text."""

    def __init__(self) -> None:
        super().__init__(1)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(record.getMessage())


class ScriptBook(Playbook):
    """A playbook over a script; `modules` are loaded besides those that the script names, `config` sets parameters.

    The sockets are udp and tcp port 5060 of the server unless others are given.
    """

    def __init__(self, text: str | Path, *modules: str, sockets: list[LocalSocket] | None = None,
                 **config: Any) -> None:
        source = Source.load(text) if isinstance(text, Path) else \
            Source.from_text(with_modules(text, modules or MODULES), NAME)
        settings, registry = Config(), new_registry()
        self.result: CheckResult = compile_script(source, registry, settings, need_socket=False)
        assert self.result.ok, [(one.code, one.span.line, one.message) for one in self.result.errors]
        for name, value in config.items():
            settings.set(name, value)
        registry.create()
        env = Env(settings, registry)
        env.ids = Ids(b"\x01\x02")
        if sockets is None:
            sockets = [LocalSocket("udp", SERVER, 5060), LocalSocket("tcp", SERVER, 5060)]
        self.worker = Worker(env, registry, sockets)
        self.net = FakeNet()
        self.env, self.modules = env, registry.instances
        env.send, env.resolve, env.resolve_wait = self.net.send, self.net.resolve, self.net.resolve_wait
        self.clock = FakeClock(env)
        self._listen(settings)
        self.worker.init_modules()
        self._waits = bool(Survey(self.result.script, registry).waits)
        self.worker.set_program(emit(self.result.script, registry, env))
        self.worker.start_route_timers()
        self.received, self.got, self.last_in = {}, None, b""

    def feed(self, raw: bytes, peer: str = "alice", proto: str = "udp", port: int = 5060) -> Playbook:
        """Hand bytes to the server; routes that may wait come to their end."""
        return self._complete(lambda: super(ScriptBook, self).feed(raw, peer, proto, port))

    def advance(self, seconds: float) -> Playbook:
        """Let time pass."""
        return self._complete(lambda: super(ScriptBook, self).advance(seconds))

    def _complete(self, work: Callable[[], Playbook]) -> Playbook:
        """Work in an event loop where a route may need one, and the test has none."""
        if not self._waits:
            return work()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._until_done(work))
        return work()

    async def _until_done(self, work: Callable[[], Playbook]) -> Playbook:
        done = work()
        while self.env._tasks:
            await next(iter(self.env._tasks))
        return done

    def _listen(self, settings: Config) -> None:
        logger = logging.getLogger("osip")
        for old in [one for one in logger.handlers if isinstance(one, Listener)]:
            logger.removeHandler(old)
        logger.setLevel(python_level(settings.log_level))
        self._listener = Listener()
        logger.addHandler(self._listener)

    @property
    def said(self) -> list[str]:
        """All log lines so far."""
        return self._listener.lines

    def says(self, *lines: str) -> ScriptBook:
        """Expect that exactly these lines were logged since the last time."""
        found = list(self.said)
        self.said.clear()
        assert found == list(lines), found
        return self
