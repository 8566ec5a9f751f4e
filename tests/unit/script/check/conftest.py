"""Give the rule tests a small vocabulary of fake modules and a `findings(text)` that checks a script."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import pytest

from osip.api import (
    FailureRoute,
    FlagName,
    Module,
    Parse,
    Raw,
    ReplyRoute,
    RequestRoute,
    Static,
    Var,
    function,
    needs,
    param,
    pvar,
    transform,
)
from osip.core.errors import ModuleError
from osip.core.exports.diagnostic import Diagnostic
from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import CheckResult, compile_script


def percent(text: str) -> int:
    """Convert a text of 0 to 100; ValueError with words otherwise."""
    if not text.isdigit() or int(text) > 100:
        raise ValueError(f'"{text}" is not 0 to 100')
    return int(text)


def key_field(key: str) -> str:
    if key not in ("ip", "port"):
        raise ValueError("known: ip, port")
    return key


class Words(Module):
    """Stand in for the language's own words."""
    name = "core_words"

    @function()
    def setflag(self, ctx: Any, flag: FlagName) -> bool: ...
    @function()
    def setbflag(self, ctx: Any, flag: FlagName, index: int | str | None = None) -> bool: ...
    @function()
    def strip(self, ctx: Any, count: int) -> bool: ...
    @function()
    def seturi(self, ctx: Any, uri: str) -> bool: ...
    @function()
    def forward(self, ctx: Any, dest: str = "") -> bool: ...
    @pvar("rm", type="si")
    def get_rm(self, ctx: Any) -> str: ...
    @pvar("ru", aliases=("ruri",), nullable=False)
    def get_ru(self, ctx: Any) -> str: ...
    @get_ru.setter
    def set_ru(self, ctx: Any, value: Any) -> None: ...
    @pvar("var", key="required", type="any")
    def get_var(self, ctx: Any, key: str) -> str: ...
    @get_var.setter
    def set_var(self, ctx: Any, key: str, value: Any) -> None: ...
    @pvar("avp", key="required", index=True, type="any")
    def get_avp(self, ctx: Any, key: str, index: Any) -> str: ...
    @get_avp.setter
    def set_avp(self, ctx: Any, key: str, index: Any, value: Any) -> None: ...
    @pvar("hdr", key="required", index=True)
    def get_hdr(self, ctx: Any, key: str, index: Any) -> str: ...
    @pvar("socket_in", key="optional", key_parse=key_field)
    def get_socket_in(self, ctx: Any, key: str) -> str: ...
    @pvar("msg.flag", key="required", type="i")
    def get_flag(self, ctx: Any, key: str) -> int: ...
    @get_flag.setter
    def set_flag(self, ctx: Any, key: str, value: Any) -> None: ...
    @transform("s.len")
    def s_len(value: Any) -> int: ...
    @transform("s.select")
    def s_select(value: Any, index: Any, sep: Any) -> str: ...


class Tm(Module):
    """Stand in for the transaction module."""
    name = "tm"
    fr_timeout = param(5, ge=1, le=600)
    prefix = param("x", choices=("x", "y"), aliases=("old_prefix",))
    both = param(0, kind=(int, str), parse=lambda value: percent(str(value)))
    gone = param(0, removed="it never did")

    @function(routes="QFR")
    def t_relay(self, ctx: Any, flags: str = "") -> int: ...
    @function(routes="QF")
    def t_reply(self, ctx: Any, code: int, reason: str) -> int: ...
    @function(routes="QB")
    def t_on_failure(self, ctx: Any, route: FailureRoute) -> bool: ...
    @function(routes="Q")
    def t_on_reply(self, ctx: Any, route: ReplyRoute) -> bool: ...
    @pvar("T_code", type="i")
    def get_code(self, ctx: Any) -> int: ...


class Kinds(Module):
    """Take one argument of every kind."""
    name = "kinds"
    sl = needs("sl", when="mode")
    mode = param(0)

    @function()
    def k_str(self, ctx: Any, text: str) -> bool: ...
    @function()
    def k_static(self, ctx: Any, text: Static) -> bool: ...
    @function()
    def k_raw(self, ctx: Any, text: Raw) -> bool: ...
    @function()
    async def k_slow(self, ctx: Any, text: str) -> bool: ...
    @function()
    def k_re(self, ctx: Any, pattern: re.Pattern) -> bool: ...
    @function()
    def k_var(self, ctx: Any, out: Var) -> bool: ...
    @function()
    def k_parsed(self, ctx: Any, share: Annotated[str, Parse(percent)]) -> bool: ...
    @function()
    def k_route(self, ctx: Any, route: RequestRoute | None = None) -> bool: ...
    @function()
    def k_many(self, ctx: Any, first: int, second: str | None, third: int) -> bool: ...
    @function()
    def k_any(self, ctx: Any, first: int | str, second: int | str = "", third: int | str = "") -> bool: ...
    @function()
    def k_all(self, ctx: Any, *texts: str) -> bool: ...


class ProtoUdp(Module):
    """Stand in for the UDP transport."""
    name = "proto_udp"
    transport = "udp"


MODULES = {cls.name: cls for cls in (Tm, Kinds, ProtoUdp)}


def load(text: str, mpaths: list[str], base: str = ".") -> tuple[type[Module], str]:
    """Find a fake module as the loader would find a real one."""
    name = text.removesuffix(".so")
    if name == "broken":
        raise ModuleError('module "broken" could not be loaded: boom\nTraceback\n  boom')
    if name == "worse":
        raise RuntimeError("boom")
    if name not in MODULES:
        raise ModuleError(f'no module "{name}"')
    return MODULES[name], f"osip.modules.{name}"


HEAD = ('loadmodule "proto_udp.so" loadmodule "tm.so" loadmodule "kinds.so" socket = udp:127.0.0.1:5060\n')


@pytest.fixture
def vocabulary() -> Registry:
    """Return a registry with every fake module loaded."""
    registry = Registry([Words])
    for cls in MODULES.values():
        registry.add(cls)
    return registry


@pytest.fixture
def compiled() -> Callable[..., CheckResult]:
    """Return a function that checks a whole script text."""
    def run(text: str, config: Config | None = None, registry: Registry | None = None) -> CheckResult:
        text = text if "\n" in text else text + "\n"
        return compile_script(text, registry or Registry([Words]), config or Config(), load=load)
    return run


@pytest.fixture
def findings(compiled: Callable[..., CheckResult]) -> Callable[..., list[str]]:
    """Return a function giving `line:col code` of each finding; the text stands below one line that loads all."""
    def run(text: str, head: str = HEAD) -> list[str]:
        return [short(found) for found in compiled(head + text).diagnostics]
    return run


def short(found: Diagnostic) -> str:
    """Return the position and code of a finding."""
    return f"{found.span.line}:{found.span.col} {found.code}"
