"""Wire a script into a running server. The single file that knows every floor; it holds no logic of its own."""
from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osip.core.errors import OsipError, ScriptError
from osip.core.exports.diagnostic import Diagnostic
from osip.core.exports.registry import Registry
from osip.core.net.endpoint import DEFAULT_PORTS, RELIABLE, LocalSocket, parse_endpoint
from osip.core.net.listen import every, expand, name_aliases
from osip.core.run import log
from osip.core.run.config import Config
from osip.core.run.crew import CrewWorker
from osip.core.run.env import Env
from osip.core.run.management import CoreCommands
from osip.core.run.master import Master
from osip.core.run.program import Program
from osip.core.run.reload import apply, check_modules
from osip.core.run.supervisor import Supervisor
from osip.core.run.upkeep import CoreUpkeep
from osip.core.run.worker import Worker
from osip.script.boot import CheckResult, compile_script
from osip.script.builtins import BUILTINS
from osip.script.emit import emit

_log = logging.getLogger("osip.core")

MOST_WORKERS = 64


@dataclass(slots=True)
class Options:
    """What the command line says; empty values leave the script's."""
    path: str
    listen: tuple[str, ...] = ()
    log_level: int | None = None
    log_format: str | None = None
    stderr: bool = False
    debug: bool = False
    argv: dict[str, str] = field(default_factory=dict)
    defines: dict[str, str] = field(default_factory=dict)
    preprocessor: str = ""
    pid_file: str = ""
    user: str = ""
    group: str = ""
    grace: float = 10.0
    udp_workers: int | None = None
    tcp_workers: int | None = None


@dataclass(slots=True)
class Prepared:
    """A new script, ready to take the place of the running one; without a program when it has errors."""
    result: CheckResult
    registry: Registry
    config: Config
    program: Program | None
    found: list[Diagnostic]
    sockets: list[LocalSocket] = field(default_factory=list)


@dataclass(slots=True)
class Server:
    """A server that is ready to run."""
    options: Options
    result: CheckResult
    worker: Worker
    reloading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def master(self, ready: Callable[[], None], is_daemon: bool = False) -> Master | Supervisor:
        """Return what runs it: several workers need one that looks after them."""
        config, options = self.worker.env.config, self.options
        rest: dict[str, Any] = dict(grace=options.grace, pid_file=options.pid_file, user=options.user or config.user,
                                    group=options.group or config.group, ready=ready)
        if isinstance(self.worker, CrewWorker):
            return Supervisor(self.worker, self, is_daemon=is_daemon, **rest)
        return Master(self.worker, self.reload, **rest)

    async def reload(self, dry_run: bool = False) -> list[Diagnostic]:
        """Check and compile the script again and swap it in, parameters, settings and new sockets included.

        The work is done beside the packet path, the swap in one step. With errors nothing changes; with `dry_run`
        nothing changes in any case.
        """
        async with self.reloading:
            new = await asyncio.to_thread(self.prepare)
            errors = [d for d in new.found if d.is_error]
            if errors:
                _log.error("reload refused errors=%d first=%s:%d:%d %s %s", len(errors), errors[0].span.file,
                           errors[0].span.line, errors[0].span.col, errors[0].code, errors[0].message)
            elif not dry_run:
                self.swap(new)
            return new.found

    def prepare(self) -> Prepared:
        """Check the script and compile it beside the running one."""
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
        new = Prepared(result, checked, config, program, found)
        if program is not None:
            try:
                new.sockets = listen_sockets(self.options, result, config)      # may ask for names: not while swapping
            except OsipError as error:
                found.append(Diagnostic("E311", str(error)))
        return new

    def new_sockets(self, new: Prepared) -> list[LocalSocket]:
        """Return the sockets that a changed script adds."""
        present = {socket.text for socket in self.worker.env.sockets}
        return [socket for socket in new.sockets if socket.text not in present]

    def swap(self, new: Prepared) -> None:
        """Put what was prepared in use."""
        try:
            new.found += apply(self.worker, new.registry, new.config, new.sockets)
        except OsipError as error:
            new.found.append(Diagnostic("E311", str(error)))
            _log.error("reload refused error=%s", error)
            return
        self.worker.set_program(new.program)        # type: ignore[arg-type]
        self.result = new.result
        _log.info("script reloaded path=%s routes=%d", self.options.path, new.program.route_count())


def new_registry() -> Registry:
    """Return a registry that holds the language's own words and nothing else."""
    return Registry((CoreCommands, CoreUpkeep, *BUILTINS))


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
    if config.wdir:
        change_folder(options, config.wdir)
    sockets = listen_sockets(options, result, config)
    registry.create()
    env = Env(config, registry)
    workers = count_workers(config, sockets)
    worker = CrewWorker(env, registry, sockets, workers) if workers > 1 else Worker(env, registry, sockets)
    env.sql = worker.stores.sql
    worker.init_modules()
    env.begin_program()
    worker.set_program(emit(result.script, registry, env))
    server = Server(options, result, worker)
    env.reload = server.reload
    return server


def change_folder(options: Options, folder: str) -> None:
    """Work in a folder from now on (`wdir`); a reload still finds the script. OsipError when it cannot be entered."""
    options.path = os.path.abspath(options.path)
    if options.pid_file:
        options.pid_file = os.path.abspath(options.pid_file)
    try:
        os.chdir(folder)
    except OSError as error:
        raise OsipError(f"wdir: cannot change to {folder}: {error.strerror}") from None


def count_workers(config: Config, sockets: list[LocalSocket]) -> int:
    """Return how many worker processes the script asks for; each serves all sockets, so the largest number counts."""
    if config.debug_mode:
        return 1
    is_stream = {socket.proto in RELIABLE for socket in sockets}
    wanted = [1, *(int(str(socket.options.get("use_workers") or 1)) for socket in sockets)]
    wanted += [config.tcp_workers] if True in is_stream else []
    wanted += [config.udp_workers] if False in is_stream else []
    if max(wanted) > MOST_WORKERS:
        _log.warning("workers=%d are too many, there will be %d: one for each core is enough", max(wanted),
                     MOST_WORKERS)
    return min(max(wanted), MOST_WORKERS)


def override(options: Options, config: Config) -> None:
    """Let the command line have the last word."""
    if options.udp_workers is not None:
        config.udp_workers = options.udp_workers
    if options.tcp_workers is not None:
        config.tcp_workers = options.tcp_workers
    if options.debug:
        config.set("debug_mode", 1)
    if options.log_level is not None:
        config.log_level = options.log_level
    if options.log_format:
        form = "plain_text" if options.log_format == "text" else options.log_format
        config.stderror_log_format = config.syslog_log_format = form
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
        named = {listen.text for listen in result.sockets}
        for listen in result.sockets:
            # A socket of its own counts more than the one that 0.0.0.0 or * makes on the same address.
            sockets += [socket for socket in expand(listen.proto, listen.host, listen.port, listen.adv_host,
                                                    listen.adv_port, listen.tag, listen.options)
                        if not every(listen.host) or socket.text not in named]
    if not sockets:
        raise OsipError("no socket to listen on: add socket = udp:127.0.0.1:5060 to the script, or -l udp:HOST:PORT")
    for socket in sockets:
        if config.advertised_address or config.advertised_port:
            socket.advertise(config.advertised_address or socket.adv_host, config.advertised_port or socket.adv_port)
    return sockets
