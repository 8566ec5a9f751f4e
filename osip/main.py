"""Wire a script into a running server. The single file that knows every floor; it holds no logic of its own."""
from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from osip.core.errors import OsipError, ScriptError
from osip.core.exports.diagnostic import Diagnostic
from osip.core.exports.registry import Registry
from osip.core.net.endpoint import DEFAULT_PORTS, LocalSocket, parse_endpoint
from osip.core.net.listen import expand, name_aliases
from osip.core.run import log
from osip.core.run.config import Config
from osip.core.run.env import Env
from osip.core.run.management import CoreCommands
from osip.core.run.master import Master
from osip.core.run.program import Program
from osip.core.run.reload import apply, check_modules
from osip.core.run.worker import Worker
from osip.script.boot import CheckResult, compile_script
from osip.script.builtins import BUILTINS
from osip.script.emit import emit

_log = logging.getLogger("osip.core")


@dataclass(slots=True)
class Options:
    """What the command line says; empty values leave the script's."""
    path: str
    listen: tuple[str, ...] = ()
    log_level: int | None = None
    stderr: bool = False
    debug: bool = False
    argv: dict[str, str] = field(default_factory=dict)
    defines: dict[str, str] = field(default_factory=dict)
    preprocessor: str = ""
    pid_file: str = ""
    user: str = ""
    group: str = ""
    grace: float = 10.0


@dataclass(slots=True)
class Prepared:
    """A new script, ready to take the place of the running one; without a program when it has errors."""
    result: CheckResult
    registry: Registry
    config: Config
    program: Program | None
    found: list[Diagnostic]


@dataclass(slots=True)
class Server:
    """A server that is ready to run."""
    options: Options
    result: CheckResult
    worker: Worker
    reloading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def master(self, ready: Callable[[], None]) -> Master:
        config, options = self.worker.env.config, self.options
        return Master(self.worker, self.reload, grace=options.grace, pid_file=options.pid_file,
                      user=options.user or config.user, group=options.group or config.group, ready=ready)

    async def reload(self, dry_run: bool = False) -> list[Diagnostic]:
        """Check and compile the script again and swap it in, parameters, settings and new sockets included.

        The work is done beside the packet path, the swap in one step. With errors nothing changes; with `dry_run`
        nothing changes in any case.
        """
        async with self.reloading:
            new = await asyncio.to_thread(self._prepare)
            errors = [d for d in new.found if d.is_error]
            if errors:
                _log.error("reload refused errors=%d first=%s:%d:%d %s %s", len(errors), errors[0].span.file,
                           errors[0].span.line, errors[0].span.col, errors[0].code, errors[0].message)
            elif not dry_run:
                self._swap(new)
            return new.found

    def _prepare(self) -> Prepared:
        checked, config = new_registry(), Config()
        result = check(self.options, checked, config)
        running = self.worker.registry
        found = list(result.diagnostics) + (check_modules(running, checked) if result.ok else [])
        program = None
        if not any(d.is_error for d in found):
            self.worker.env.begin_program()
            program = emit(result.script, running, self.worker.env)
            for instance in running.instances.values():
                found += instance.reload_check(program)
        override(self.options, config)
        return Prepared(result, checked, config, program, found)

    def _swap(self, new: Prepared) -> None:
        try:
            new.found += apply(self.worker, new.registry, new.config,
                               listen_sockets(self.options, new.result, new.config))
        except OsipError as error:
            new.found.append(Diagnostic("E311", str(error)))
            _log.error("reload refused error=%s", error)
            return
        self.worker.set_program(new.program)        # type: ignore[arg-type]
        self.result = new.result
        _log.info("script reloaded path=%s routes=%d", self.options.path, new.program.route_count())


def new_registry() -> Registry:
    """Return a registry that holds the language's own words and nothing else."""
    return Registry((CoreCommands, *BUILTINS))


def check(options: Options, registry: Registry, config: Config) -> CheckResult:
    """Read and check a script with the words that the command line adds."""
    config.argv = dict(options.argv)
    return compile_script(Path(options.path), registry, config, defines=options.defines,
                          preprocessor=options.preprocessor, need_socket=not options.listen)


def build(options: Options) -> Server:
    """Make a server from a script; ScriptError carries its diagnostics, OsipError says what else is wrong."""
    registry, config = new_registry(), Config()
    result = check(options, registry, config)
    if not result.ok:
        raise ScriptError(f"{options.path} has {len(result.errors)} error(s)", result.diagnostics, result.script)
    override(options, config)
    log.set_up(config)
    sockets = listen_sockets(options, result, config)
    registry.create()
    env = Env(config, registry)
    worker = Worker(env, registry, sockets)
    env.sql = worker.stores.sql
    worker.init_modules()
    env.begin_program()
    worker.set_program(emit(result.script, registry, env))
    server = Server(options, result, worker)
    env.reload = server.reload
    return server


def override(options: Options, config: Config) -> None:
    """Let the command line have the last word."""
    if options.debug:
        config.set("debug_mode", 1)
    if options.log_level is not None:
        config.log_level = options.log_level
    if options.stderr:
        config.stderror_enabled = 1


def listen_sockets(options: Options, result: CheckResult, config: Config) -> list[LocalSocket]:
    """Return the sockets to open: those of `-l`, else those of the script."""
    sockets: list[LocalSocket] = []
    for text in options.listen:
        try:
            end = parse_endpoint(text)
        except ValueError as error:
            raise OsipError(f"-l {text}: {error}") from None
        port = end.port or config.port or DEFAULT_PORTS.get(end.proto or "udp", 5060)
        sockets += expand(end.proto or "udp", end.host, port)
    if not options.listen:
        config.aliases += name_aliases(result.sockets)
        for listen in result.sockets:
            sockets += expand(listen.proto, listen.host, listen.port, listen.adv_host, listen.adv_port, listen.tag,
                              listen.options)
    if not sockets:
        raise OsipError("no socket to listen on: add socket = udp:127.0.0.1:5060 to the script, or -l udp:HOST:PORT")
    for socket in sockets:
        if config.advertised_address or config.advertised_port:
            socket.advertise(config.advertised_address or socket.adv_host, config.advertised_port or socket.adv_port)
    return sockets
