"""Run commands of the system; the script waits, the worker does not."""
from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import suppress
from typing import Any

from osip.api import Ctx, Module, ParseError, Raw, Target, Var, avp_name, canonical_name, function, param, parse_uri

MOST_OUTPUT = 32 * 1024
MOST_AT_ONCE = 64
_NAMES = re.compile(r"\s*([^;\s]+)\s*")


class Exec(Module):
    """External commands."""

    time_to_kill = param(0, ge=0, live=True, doc="Seconds after which a command is killed; 0 never.")
    setvars = param(0, ge=0, le=1, live=True, doc="Give commands the message in variables SIP_HF_*, SIP_RURI and more.")

    def mod_init(self) -> None:
        """Begin with nothing running."""
        self.running: set[asyncio.subprocess.Process] = set()

    async def destroy(self) -> None:
        """Kill what still runs."""
        for process in list(self.running):
            _kill(process)

    # --- running -------------------------------------------------------------------------------------------------

    def _environment(self, ctx: Ctx, more: dict[str, str]) -> dict[str, str]:
        found = dict(os.environ)
        if self.setvars:
            found.update(_message_variables(ctx))
        found.update(more)
        return {name: value.replace("\0", "") for name, value in found.items()}

    async def _run(self, ctx: Ctx, command: str, stdin: str | None, env: dict[str, str], out: bool,
                   err: bool) -> tuple[str, str] | None:
        """Run by /bin/sh and return what was written, at most 32 KiB each; None when it could not be started."""
        if len(self.running) >= MOST_AT_ONCE:
            self.env.log.error("exec: %d commands run already; this one does not command=%r", MOST_AT_ONCE, command)
            return None
        none = asyncio.subprocess.DEVNULL
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", command.replace("\0", ""), stdin=none if stdin is None else pipe,
                stdout=pipe if out else none, stderr=pipe if err else none, env=self._environment(ctx, env),
                start_new_session=True)
        except (OSError, ValueError) as error:
            self.env.log.error("exec: cannot start command=%r reason=%s", command, error)
            return None
        self.running.add(process)
        try:
            async with asyncio.timeout(self.time_to_kill or None):
                texts = await asyncio.gather(_feed(process, stdin), _most(process.stdout), _most(process.stderr))
                await process.wait()
        except TimeoutError:
            self.env.log.error("exec: killed after %d s command=%r", self.time_to_kill, command)
            return None
        finally:
            self.running.discard(process)
            _kill(process)          # what it left behind in its session, too
        return texts[1], texts[2]

    @function("QFLSTVR", deferred="exec_deferred")
    async def exec(self, ctx: Ctx, command: str, stdin: str | None = None, stdout: Var | None = None,
                   stderr: Var | None = None, envavp: Var | None = None) -> int:
        """Run a command by /bin/sh; the outputs become one value each. Without output variables nobody waits for it.

        1 when it ran, whatever its exit status; -1 when it could not or was killed.
        """
        if stdout is None and stderr is None:
            self.env.spawn(self._run(ctx, command, stdin, _variables(ctx, envavp), False, False), "exec")
            return 1
        texts = await self._run(ctx, command, stdin, _variables(ctx, envavp), stdout is not None, stderr is not None)
        if texts is None:
            return -1
        for variable, text in zip((stdout, stderr), texts, strict=True):
            if variable is not None and text:
                variable.set(ctx, text)
        return 1

    async def exec_deferred(self, ctx: Ctx, command: str, stdin: str | None = None, stdout: Var | None = None,
                            stderr: Var | None = None, envavp: Var | None = None) -> int:
        """Run a command for `async()`: each line of its output becomes a value."""
        texts = await self._run(ctx, command, stdin, _variables(ctx, envavp), True, False)
        if texts is None:
            return -1
        if stdout is not None:
            for line in texts[0].splitlines():
                stdout.set(ctx, line)
        return 1

    # --- the words of 2.x ----------------------------------------------------------------------------------------

    @function("QFL")
    async def exec_msg(self, ctx: Ctx, command: str) -> int:
        """Run a command with the message on its standard input."""
        texts = await self._run(ctx, command, ctx.msg.raw.decode("utf-8", "surrogateescape"), {}, False, False)
        return -1 if texts is None else 1

    @function("QF")
    async def exec_dset(self, ctx: Ctx, command: str) -> int:
        """Run a command with the R-URI as its argument; its lines become the R-URI and branches. -1 without any."""
        texts = await self._run(ctx, f"{command} {_quoted(ctx.ruri or '')}", None, {}, True, False)
        uris = [line.strip() for line in (texts[0].splitlines() if texts else ()) if line.strip()]
        try:
            for uri in uris:
                parse_uri(uri)
        except ParseError as error:
            self.env.log.error("exec: exec_dset: %s", error)
            return -1
        if not uris:
            return -1
        ctx.target.uri = uris[0]
        for uri in uris[1:]:
            ctx.add_target(Target(uri))
        return 1

    @function("QFRL")
    async def exec_avp(self, ctx: Ctx, command: str, avps: Raw | None = None) -> int:
        """Run a command; its n-th line goes to the n-th of "$avp(a);$avp(b)", by default `$avp(1)`, `$avp(2)`…"""
        texts = await self._run(ctx, command, None, {}, True, False)
        if texts is None:
            return -1
        try:
            names = [avp_name(name) for name in _NAMES.findall(avps)] if avps else None
        except ValueError as error:
            self.env.log.error("exec: exec_avp: %s", error)
            return -1
        for number, line in enumerate(texts[0].splitlines()):
            if names is not None and number >= len(names):
                break
            ctx.avp(names[number] if names else str(number + 1)).append(line)
        return 1

    @function("QFRL")
    def exec_getenv(self, ctx: Ctx, name: str, result: Var | None = None) -> int:
        """Read a variable of the environment into a variable, by default `$avp(1)`; -1 when it is not set."""
        value = os.environ.get(name)
        if value is None:
            return -1
        if result is None:
            ctx.avp("1").append(value)
            return 1
        return 1 if result.set(ctx, value) is not False else -1


async def _feed(process: asyncio.subprocess.Process, text: str | None) -> None:
    if text is None or process.stdin is None:
        return
    with suppress(BrokenPipeError, ConnectionResetError):       # it need not read
        process.stdin.write(text.encode("utf-8", "surrogateescape"))
        await process.stdin.drain()
    process.stdin.close()


async def _most(stream: asyncio.StreamReader | None) -> str:
    """Read to the end, keep the first 32 KiB."""
    if stream is None:
        return ""
    kept = bytearray()
    while part := await stream.read(65536):
        kept += part[:MOST_OUTPUT - len(kept)]
    return kept.decode("utf-8", "surrogateescape")


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _variables(ctx: Ctx, envavp: Var | None) -> dict[str, str]:
    """Name the values of an AVP OSIPS_EXEC_0, OSIPS_EXEC_1… from the newest on."""
    if envavp is None:
        return {}
    try:
        values: list[Any] = ctx.avp(avp_name(envavp.name))[::-1]
    except ValueError:
        value = envavp.get(ctx)
        values = [] if value is None else [value]
    return {f"OSIPS_EXEC_{number}": str(value) for number, value in enumerate(values)}


def _message_variables(ctx: Ctx) -> dict[str, str]:
    msg = ctx.msg
    found: dict[str, list[str]] = {}
    for number, start, value_start, end in msg.headers:
        name = canonical_name(number) or msg.raw[start:value_start].decode("utf-8", "surrogateescape").rstrip(": \t")
        key = "SIP_HF_" + re.sub(r"\W", "_", name.upper(), flags=re.ASCII)
        found.setdefault(key, []).append(msg.raw[value_start:end].decode("utf-8", "surrogateescape").strip())
    out = {key: ", ".join(values) for key, values in found.items()}
    if ctx.source is not None:
        out["SIP_SRCIP"] = ctx.source.host
    if msg.is_request:
        out |= {"SIP_METHOD": msg.method, "SIP_RURI": ctx.ruri or "", "SIP_ORURI": msg.ruri,    # type: ignore[union-attr]
                "SIP_USER": _user(ctx.ruri or "")}
    return out


def _user(uri: str) -> str:
    try:
        return parse_uri(uri).user
    except ParseError:
        return ""
