"""See what a statement changed: variables, flags, the destination set, headers, the answer to be."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from osip.core.run.ctx import Ctx
from osip.core.run.env import Env

NULL = "null"


class Watch:
    """Compare the state of a context with the last look at it; `skip` names what is not told."""

    def __init__(self, env: Env, skip: frozenset[str] = frozenset()) -> None:
        self._env, self._skip = env, skip
        self._known: dict[int, tuple[Ctx, dict[str, str]]] = {}
        self._vars: dict[str, str] = {}
        self._edits: dict[int, int] = {}

    def changes(self, ctx: Ctx) -> list[str]:
        """Return what is different since the last look, as `name = value (was old)`."""
        now = self._state(ctx)
        known = self._known.get(id(ctx))
        before = known[1] if known is not None else now
        self._known[id(ctx)] = (ctx, now)           # holding the context keeps its id from being used again
        own = {f"$var({name})": shown(value) for name, value in self._env.vars.items()}
        found = self._between(before, now) + self._between(self._vars, own)
        self._vars = own
        return found + self._headers(ctx)

    def _between(self, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
        names = [name for name in dict.fromkeys((*before, *now)) if name not in self._skip]
        return [f"{name} = {now.get(name, NULL)} (was {before.get(name, NULL)})" for name in names
                if before.get(name, NULL) != now.get(name, NULL)]

    def _state(self, ctx: Ctx) -> dict[str, str]:
        env, target = self._env, ctx.target
        state: dict[str, Any] = {"$rc": ctx.rc, "$ru": _ruri(ctx), "$du": target.du, "$path": target.path,
                                 "flags": env.message_flags.listing(ctx.flags) or None,
                                 "branch flags": env.branch_flags.listing(target.bflags) or None,
                                 "q": target.q / 1000 if target.q >= 0 else None,
                                 "send socket": target.socket.text if target.socket is not None else None}
        for name, values in (ctx.avps or {}).items():
            state[f"$avp({name})"] = (values[0] if len(values) == 1 else list(reversed(values))) if values else None
        for place, branch in enumerate(ctx.targets or (), 1):
            state[f"branch {place}"] = " ".join(filter(None, (branch.uri, branch.du and f"via {branch.du}")))
        for place, line in enumerate(ctx.reply_edits or (), 1):
            state[f"reply header {place}"] = line
        return {name: shown(value) for name, value in state.items() if value is not None}

    def _headers(self, ctx: Ctx) -> list[str]:
        """Return the edits to the message that are new."""
        items = ctx.edits.items if ctx.edits is not None else []
        seen = self._edits.get(id(ctx), len(items))     # a branch starts with the edits of its request
        self._edits[id(ctx)] = len(items)
        raw = ctx.msg.raw
        found = []
        for start, end, new in items[seen:]:
            name = next((f"{ctx.msg.name(at)}: " for at, header in enumerate(ctx.msg.headers)
                         if start != end and header[2] <= start and end <= header[3]), "")
            old = name + raw[start:end].decode("utf-8", "replace").strip()
            if callable(new):
                found.append(f"message: {_word(new)} written when it leaves")
            elif not new:
                found.append(f"message: - {old}")
            else:
                text = new.decode("utf-8", "replace").strip().replace("\r\n", " | ")
                found.append(f"message: {old} -> {text}" if old else f"message: + {text}")
        return found


def _ruri(ctx: Ctx) -> str | None:
    return ctx.ruri if ctx.msg.is_request else None


def _word(late: Any) -> str:
    owner = getattr(late, "__self__", None)
    named = getattr(late, "__name__", type(late).__name__) if owner is None else type(owner).__name__
    return "a header of " + str(named).strip("_")


def shown(value: Any) -> str:
    """Return a value as the trace writes it."""
    if value is None:
        return NULL
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace").strip()
    return f'"{value}"' if isinstance(value, str) else str(value)
