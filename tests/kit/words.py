"""A module of plain words for testing scripts without any real module, and a way to run a script with them."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

from osip.api import (
    Ctx,
    FailureRoute,
    FlagName,
    Hook,
    Module,
    Parse,
    Raw,
    Static,
    Value,
    Var,
    function,
    hook,
    pvar,
    transform,
)
from osip.core.exports.registry import Registry
from osip.core.run.bus import LocalBus
from osip.core.run.env import Env
from osip.core.sip.message import parse as parse_message
from osip.script.builtins.flags import CoreFlags
from osip.script.builtins.message import CoreMessage
from osip.script.builtins.uri import CoreUri
from osip.script.builtins.vars import CoreVars
from osip.script.emit import emit, source
from osip.script.parse import parse
from osip.script.program import Program
from osip.script.source import Source

INVITE = (
    b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\n"
    b"From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n"
    b"X-List: one\r\nX-List: two\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n"
)
RINGING = (
    b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\n"
    b"From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>;tag=b\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def even(text: str) -> int:
    """Convert an even number."""
    number = int(text)
    if number % 2:
        raise ValueError("expected an even number")
    return number


class Words(Module):
    """Words that do next to nothing and remember that they did."""

    name = "words"

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []
        self.hook_result: int | None = None
        self.waits = 0                                  # routes that wait now

    @hook(Hook.BEFORE_WAIT)
    def about_to_wait(self, ctx: Ctx) -> int | None:
        self.waits += self.hook_result != 0
        self.seen.append("wait")
        return self.hook_result

    @hook(Hook.AFTER_WAIT)
    def has_waited(self, ctx: Ctx) -> None:
        self.waits -= 1

    @function()
    def ok(self, ctx: Ctx) -> int:
        """Succeed."""
        self.seen.append("ok")
        return 1

    @function()
    def fail(self, ctx: Ctx) -> int:
        """Fail."""
        self.seen.append("fail")
        return -1

    @function()
    def stop(self, ctx: Ctx) -> int:
        """End the script."""
        self.seen.append("stop")
        return 0

    @function()
    def give(self, ctx: Ctx, code: int) -> int:
        """Return a code."""
        return code

    @function()
    def agree(self, ctx: Ctx) -> bool:
        """Say yes."""
        self.seen.append("agree")
        return True

    @function()
    def nope(self, ctx: Ctx) -> bool:
        """Say no."""
        self.seen.append("nope")
        return False

    @function()
    def mark(self, ctx: Ctx, text: str) -> None:
        """Remember a text."""
        self.seen.append(text)

    @function()
    def tell(self, ctx: Ctx, what: int | str) -> None:
        """Remember a value."""
        self.seen.append(what)

    @function()
    def number(self, ctx: Ctx, number: int, text: str = "none", last: int | None = None) -> int:
        """Remember a number and what follows."""
        self.seen.append((number, text, last))
        return 1

    @function()
    def literal(self, ctx: Ctx, static: Static, raw: Raw) -> None:
        """Remember unexpanded texts."""
        self.seen.append((static, raw))

    @function()
    def search(self, ctx: Ctx, pattern: re.Pattern[str]) -> bool:
        """Search in "ab\\ncd"."""
        return pattern.search("ab\ncd") is not None

    @function()
    def half(self, ctx: Ctx, number: Annotated[int, Parse(even)]) -> int:
        """Remember an even number."""
        self.seen.append(number)
        return 1

    @function()
    def put(self, ctx: Ctx, out: Var, text: str) -> bool:
        """Assign to a variable."""
        self.seen.append(out.get(ctx))
        return out.set(ctx, text)

    @function()
    def named(self, ctx: Ctx, flag: FlagName, route: FailureRoute) -> None:
        """Remember names."""
        self.seen.append((flag, route))

    @function()
    def many(self, ctx: Ctx, *texts: str) -> None:
        """Remember any number of texts."""
        self.seen.append(texts)

    @function()
    def crash(self, ctx: Ctx) -> int:
        """Raise."""
        raise RuntimeError("broken module")

    @function()
    async def slow(self, ctx: Ctx, code: int) -> int:
        """Wait, then return a code."""
        await asyncio.sleep(0)
        self.seen.append(f"slow {code}")
        return code

    @function()
    async def at_once(self, ctx: Ctx, code: int) -> int:
        """Return a code without waiting."""
        self.seen.append(f"at_once {code}")
        return code

    @function()
    async def never(self, ctx: Ctx) -> int:
        """Wait for ever."""
        await asyncio.Event().wait()
        return 1

    @pvar("dual", type="si")
    def dual(self, ctx: Ctx) -> Value:
        """Text that is also a number."""
        return "5060"

    @pvar("bare", type="i")
    def bare(self, ctx: Ctx) -> Value:
        """A number without a text form."""
        return 7

    @pvar("status", type="is")
    def status(self, ctx: Ctx) -> Value:
        """A number with a text form."""
        return 200

    @pvar("address")
    def address(self, ctx: Ctx) -> Value:
        """An address."""
        return "10.1.2.3"

    @pvar("box", type="any", key="required", index=True, nullable=False)
    def box(self, ctx: Ctx, key: str, index: Any) -> Value:
        """A variable that tells how it was read."""
        return f"{key}:{index}"

    @box.setter
    def set_box(self, ctx: Ctx, key: str, index: Any, value: Value) -> bool:
        self.seen.append((key, index, value))
        return key != "locked"

    @transform("s.twice")
    def twice(value: str, times: str = "2") -> str:
        """Repeat a text."""
        return value * int(times)

    @transform("s.len")
    def length(value: str) -> int:
        """Count characters."""
        return len(value)


class Stage:
    """A compiled script with its words and environment."""

    def __init__(self, text: str, *, path: str = "test.cfg", **config: Any) -> None:
        self.registry = Registry((CoreUri, CoreFlags, CoreMessage, CoreVars, Words))
        self.registry.create()
        self.env = Env(registry=self.registry)
        self.env.bus = LocalBus()
        for name, value in config.items():
            setattr(self.env.config, name, value)
        for instance in self.registry.instances.values():
            instance.env = self.env
        self.env.run_route = self._run_route
        self.env.is_myself = lambda host, port=0, proto="": host == "example.com" and port in (0, 5060)
        self.words: Any = self.registry.instances["words"]
        self.script, faults = parse(Source.from_text(text, path))
        assert not [fault for fault in faults if fault.is_error], faults
        self.program: Program = emit(self.script, self.registry, self.env)

    def _run_route(self, route: Any, ctx: Ctx) -> int:
        code = route(ctx)
        if code.__class__ is int:
            return code
        self.env.spawn(code, "route")
        return 0

    def ctx(self, raw: bytes = INVITE) -> Ctx:
        """Return a fresh context over a message."""
        return Ctx(self.env, parse_message(raw), None, 1 if raw is INVITE else 4)

    def run(self, ctx: Ctx | None = None) -> Any:
        """Run the main route."""
        assert self.program.request is not None
        return self.program.request(ctx if ctx is not None else self.ctx())

    @property
    def seen(self) -> list[Any]:
        """What the words remember."""
        return self.words.seen

    def source(self) -> str:
        """Return the emitted text."""
        return source(self.script, self.registry, self.env)


def run(body: str, routes: str = "", **config: Any) -> tuple[Any, list[Any]]:
    """Run statements as the main route; return its code and what the words remember."""
    stage = Stage(f"route {{\n{body}\n}}\n{routes}", **config)
    return stage.run(), stage.seen
