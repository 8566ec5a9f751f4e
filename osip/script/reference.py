"""Reach variables while a route runs: AVPs, `$var`, flags, indexes, keys, the `<request>` and `<reply>` views, and
variables handed to functions by reference (variables.md sections 1 and 2)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from osip.core.errors import ParseError
from osip.core.exports.types import Value
from osip.core.run.ctx import Ctx
from osip.core.sip.uri import parse_uri
from osip.script.runtime import ERR, clash, log, number, where

Index = int | str | None


def avp_name(text: str) -> str:
    """Return the name of an AVP: old typed names `i:5` and `s:x` mean `5` and `x`."""
    return text[2:] if text[:2] in ("i:", "s:") else text


def avp(ctx: Ctx, name: str) -> Value:
    """Return the newest value of an AVP."""
    avps = ctx.avps
    if avps:
        values = avps.get(name)
        if values:
            return values[-1]
    return None


def avp_at(ctx: Ctx, name: str, index: Index) -> Value:
    """Return one value of an AVP, 0 the newest, or all of them joined."""
    values = ctx.avps.get(name) if ctx.avps else None
    if not values:
        return None
    if index == "*":
        return ", ".join([str(value) for value in reversed(values)])
    if isinstance(index, int):
        place = -1 - index
        return values[place] if -len(values) <= place < len(values) else None
    return values[-1]


def avp_push(ctx: Ctx, name: str, value: Any) -> bool:
    """Assign with `=`: push on top; NULL removes the newest."""
    if value is ERR:
        return False
    if value is None:
        values = ctx.avps.get(name) if ctx.avps else None
        if values:
            del values[-1]
    else:
        ctx.avp(name).append(value)
    return True


def avp_renew(ctx: Ctx, name: str, value: Any) -> bool:
    """Assign with `:=`, or to `[*]`: replace all values."""
    if value is ERR:
        return False
    values = ctx.avp(name)
    values.clear()
    if value is not None:
        values.append(value)
    return True


def avp_set_at(ctx: Ctx, name: str, index: Index, value: Any) -> bool:
    """Assign to an indexed AVP: replace that element, `*` all, `append` adds the oldest; NULL removes."""
    if value is ERR:
        return False
    if index == "*":
        return avp_renew(ctx, name, value)
    if index == "append":
        if value is not None:
            ctx.avp(name).insert(0, value)
        return value is not None
    values = ctx.avps.get(name) if ctx.avps else None
    if not values or not isinstance(index, int):
        return False
    place = -1 - index
    if not -len(values) <= place < len(values):
        return False
    if value is None:
        del values[place]
    else:
        values[place] = value
    return True


def keep(variables: dict[str, Value], name: str, value: Any) -> bool:
    """Assign a `$var`."""
    if value is ERR:
        return False
    variables[name] = value
    return True


def assign(value: Any, setter: Callable[..., Any], ctx: Ctx, *keys: Any) -> bool:
    """Assign through a variable's setter; False when there is no value or the variable refuses."""
    if value is ERR:
        return False
    return setter(ctx, *keys, value) is not False


def assign_value(value: Any, setter: Callable[..., Any], ctx: Ctx, *keys: Any) -> bool:
    """Assign to a variable that cannot be NULL."""
    if value is None:
        clash("this variable cannot be null")
        return False
    return assign(value, setter, ctx, *keys)


def index_of(value: Value) -> Index:
    """Return an index held in a variable; None when it is none."""
    return number(value, 1)


def key_of(parse: Callable[[str], Any] | None, value: Value) -> Any:
    """Return a key held in a variable; None when it is NULL or does not fit."""
    if value is None:
        return None
    key = str(value)
    if parse is None:
        return key
    try:
        return parse(key)
    except ValueError as error:
        log.error("bad key %r: %s at=%s", key, error, where())
        return None


# --- flags and codes -------------------------------------------------------------------------------------------------

def set_flag(ctx: Ctx, mask: int) -> None:
    """Set message flags."""
    ctx.flags |= mask


def reset_flag(ctx: Ctx, mask: int) -> None:
    """Clear message flags."""
    ctx.flags &= ~mask


def set_branch_flag(ctx: Ctx, mask: int) -> None:
    """Set flags of the R-URI branch."""
    ctx.target.bflags |= mask


def reset_branch_flag(ctx: Ctx, mask: int) -> None:
    """Clear flags of the R-URI branch."""
    ctx.target.bflags &= ~mask


def note(ctx: Ctx, found: int) -> int:
    """Remember a function's code as `$rc`, inside a condition."""
    ctx.rc = found
    return found


def has_totag(ctx: Ctx) -> bool:
    """Say whether the message belongs to a dialog: To has a tag."""
    msg: Any = ctx.msg
    return bool(msg.to_tag)


# --- other messages --------------------------------------------------------------------------------------------------

def view_request(ctx: Ctx) -> Ctx | None:
    """Return a context over the transaction's request, None when there is none."""
    if ctx.request is None:
        return ctx if ctx.msg.is_request else None
    return ctx if ctx.request is ctx.msg else _view(ctx, ctx.request, 1)


def view_reply(ctx: Ctx) -> Ctx | None:
    """Return a context over the reply, None when there is none."""
    if ctx.reply is None:
        return None if ctx.msg.is_request else ctx
    return ctx if ctx.reply is ctx.msg else _view(ctx, ctx.reply, 4)


def _view(ctx: Ctx, msg: Any, kind: int) -> Ctx:
    view = Ctx(ctx.env, msg, ctx.source, kind)
    view.avps, view.flags, view.tx, view.branch_index = ctx.avps, ctx.flags, ctx.tx, ctx.branch_index
    view.request, view.reply, view.slots = ctx.request, ctx.reply, ctx.slots
    return view


def is_my_uri(ctx: Ctx, uri: Value) -> bool:
    """Tell whether a URI's host and port are ours (`uri == myself`)."""
    if uri is None:
        return False
    try:
        found = parse_uri(str(uri))
    except ParseError:
        return False
    secure = found.scheme == "sips" or (found.param("transport") or "").lower() == "tls"
    return bool(found.host) and bool(ctx.env.is_myself(found.host, found.port or (5061 if secure else 5060)))


def is_my_address(ctx: Ctx, address: Value) -> bool:
    """Tell whether an address is ours, on any port."""
    return address is not None and bool(ctx.env.is_myself(str(address).strip("[]"), 0))


# --- variables by reference ------------------------------------------------------------------------------------------

class Reference:
    """A variable handed to a function: reads and assigns through two small emitted functions."""
    __slots__ = ("_get", "_set", "name")

    def __init__(self, name: str, get: Callable[[Ctx], Value], put: Callable[[Ctx, Value], bool] | None) -> None:
        self.name, self._get, self._set = name, get, put

    def get(self, ctx: Ctx) -> Value:
        """Return the value now."""
        return self._get(ctx)

    def set(self, ctx: Ctx, value: Value) -> bool:
        """Assign; False when the variable refuses or cannot be written."""
        return self._set is not None and bool(self._set(ctx, value))


class Words:
    """Some words to search texts for, as a regular expression without case that has nothing else in it would."""
    __slots__ = ("_search", "_words")

    def __init__(self, words: Sequence[str], search: Callable[[str], Any]) -> None:
        self._words = tuple(word.lower() for word in words)
        self._search = search

    def match(self, value: str | None) -> bool:
        """Tell whether one of the words is in the text; NULL has none."""
        if value is None:
            return False
        if not value.isascii():
            return self._search(value) is not None
        small = value.lower()
        for word in self._words:
            if word in small:
                return True
        return False


class Network:
    """An address or network literal, compared with the texts of variables."""
    __slots__ = ("_known", "_net", "_parse")

    def __init__(self, net: Any, parse: Callable[[str], Any]) -> None:
        self._net, self._parse = net, parse
        self._known: dict[str, Any] = {}

    def match(self, value: Value) -> Any:
        """Tell whether the value is an address inside; -1 when it is no address."""
        if value is None:
            return False
        known: Any = self._known.get(value) if isinstance(value, str) else -1
        if known is None:
            known = self._look(str(value))
        if known is True or known is False:     # not one expression: its type would be that of numbers
            return known
        return clash(f"{value!r} is no IP address")

    def differ(self, value: Value) -> Any:
        """Negate `match`: NULL differs; an error stays one."""
        found: Any = self.match(value)
        if found is True or found is False:
            return not found
        return found

    def _look(self, text: str) -> Any:
        try:
            found: Any = self._parse(text.strip("[]")) in self._net
        except ValueError:
            found = -1
        if len(self._known) >= 1024:
            self._known.clear()
        self._known[text] = found
        return found
