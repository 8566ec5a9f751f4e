"""Follow redirections: the Contacts of 3xx responses become branches (RFC 3261 sections 8.1.3.4, 16.5 and 16.7)."""
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from osip.api import (Complaint, Ctx, Module, Parse, ParseError, Response, Route, Target, Uri, function, needs, param,
                      parse_uri, regex, slot, uri_equal)

_FLAGS = ("", "reset_all", "reset_default", "reset_added")


def read_filter(text: str) -> re.Pattern[str] | None:
    """Compile a filter of a parameter; "" is none."""
    try:
        return regex(text) if text else None
    except re.error as error:
        raise ValueError(f'"{text}" is no regular expression: {error}') from None


def read_flags(text: str) -> str:
    """Read the flags of a set_..._filter call."""
    if text.strip() not in _FLAGS:
        raise ValueError(f'unknown flag "{text}"; known: {", ".join(_FLAGS[1:])}')
    return text.strip()


def read_limits(text: str) -> tuple[int, int | None]:
    """Read a number of contacts, or `total:branch` of older scripts; 0 and `*` mean any number."""
    total, colon, branch = text.strip().partition(":")
    return _limit(total), _limit(branch) if colon else None


def _limit(text: str) -> int:
    text = text.strip()
    if text in ("*", ""):
        return 0
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'"{text}" is no number of contacts')
    return int(text)


def read_branch_limit(text: str) -> int | None:
    """Read the number of contacts of one response; None for the accounting reason that older scripts give here."""
    try:
        return _limit(text)
    except ValueError:
        return None


class Filters:
    """The filters of one transaction; `default` ones come from the parameters, `added` ones from the script."""
    __slots__ = ("default", "added")

    def __init__(self, default: re.Pattern[str] | None) -> None:
        self.default = default
        self.added: list[re.Pattern[str]] = []

    def add(self, pattern: re.Pattern[str], flags: str) -> None:
        """Add a filter, after dropping what the flags name."""
        if flags in ("reset_all", "reset_default"):
            self.default = None
        if flags in ("reset_all", "reset_added"):
            self.added.clear()
        self.added.append(pattern)

    def match(self, text: str) -> bool:
        """Tell whether one of the filters is found in a URI."""
        return any(pattern.search(text) for pattern in (self.default, *self.added) if pattern is not None)


class UacRedirect(Module):
    """Recursion on 3xx responses."""

    deny_filter = param(None, kind=str, parse=read_filter, live=True, doc="Contacts that are never tried.")
    accept_filter = param(None, kind=str, parse=read_filter, live=True, doc="Contacts that are always tried.")
    default_filter = param("accept", choices=("accept", "deny"), live=True,
                           doc="What becomes of a contact that no filter names.")
    acc_function = param(None, kind=str, removed="redirections are accounted for as any branch, see acc")
    acc_db_table = param(None, kind=str, removed="redirections are accounted for as any branch, see acc")
    tm = needs("tm")
    denied = slot(Filters)
    accepted = slot(Filters)

    def mod_init(self) -> None:
        """Start without complaints."""
        self.complain = Complaint(self.env.log, clock=lambda: self.env.now)

    # --- filters -------------------------------------------------------------------------------------------------

    @function(routes=Route.FAILURE)
    def set_deny_filter(self, ctx: Ctx, filter: re.Pattern, flags: Annotated[str, Parse(read_flags)] = "") -> int:
        """Refuse Contacts of this call that the expression is found in.

        The flags drop earlier filters first: reset_default that of the parameter, reset_added those of this call,
        reset_all both.
        """
        self._filters(ctx, self.denied, self.deny_filter).add(filter, flags)
        return 1

    @function(routes=Route.FAILURE)
    def set_accept_filter(self, ctx: Ctx, filter: re.Pattern, flags: Annotated[str, Parse(read_flags)] = "") -> int:
        """Accept Contacts of this call that the expression is found in, even if a deny filter names them."""
        self._filters(ctx, self.accepted, self.accept_filter).add(filter, flags)
        return 1

    @staticmethod
    def _filters(ctx: Ctx, place: Any, default: re.Pattern[str] | None) -> Filters:
        found: Filters | None = ctx[place]
        if found is None:
            found = ctx[place] = Filters(default)
        return found

    def is_accepted(self, ctx: Ctx, uri: str) -> bool:
        """Tell whether a Contact may be tried: accept filters first, then deny filters, then the default."""
        if (ctx[self.accepted] or Filters(self.accept_filter)).match(uri):
            return True
        if self.default_filter == "deny":
            return False
        return not (ctx[self.denied] or Filters(self.deny_filter)).match(uri)

    # --- recursion -----------------------------------------------------------------------------------------------

    @function(routes=Route.FAILURE)
    def get_redirects(self, ctx: Ctx, max_total: Annotated[Any, Parse(read_limits)] | None = None,
                      max_branch: Annotated[Any, Parse(read_branch_limit)] | None = None) -> int:
        """Make branches of the Contacts of all 3xx responses, highest q first; the first becomes the R-URI.

        Then t_relay. A URI that this transaction has tried already is left out, so that two redirecting servers cannot
        send a call in circles (RFC 3261 section 16.5); a SIPS request follows SIPS only. -1 when nothing is left.
        Limits of 0 or none mean any number, tm's own bound on branches holds.
        """
        tx = ctx.tx
        if tx is None or tx.is_local:
            return -1
        total, of_branch = max_total if max_total is not None else (0, None)
        each = (max_branch if max_branch is not None else of_branch) or 0
        known = [uri for uri in (_parsed(text) for text in _tried(ctx)) if uri is not None]
        found: list[tuple[int, str]] = []
        for reply in _redirects(ctx):
            found += self._contacts(ctx, reply, each, known)
        found.sort(key=lambda pair: -pair[0])               # stable: equal ones stay in the order of the responses
        if total:
            del found[total:]
        if not found:
            return -1
        q, uri = found[0]
        target = ctx.target                                 # in place: others hold on to it
        target.uri, target.q, target.du, target.path, target.socket = uri, q, None, None, None
        target.bflags, target.attrs = 0, None
        for q, uri in found[1:]:
            if not ctx.add_target(Target(uri, q=q)):
                self.complain("uac_redirect:", "contacts left out, the set is full call_id=%s", ctx.msg.call_id)
                break
        return 1

    def _contacts(self, ctx: Ctx, reply: Response, limit: int, known: list[Uri]) -> list[tuple[int, str]]:
        """Return q and URI of the Contacts of one response that may be tried; `known` grows by them."""
        try:
            contacts = sorted(reply.contacts, key=lambda contact: -contact.q)
        except ParseError:
            return []
        secure = (ctx.msg.ruri or "")[:5].lower() == "sips:"        # type: ignore[union-attr]
        found: list[tuple[int, str]] = []
        for contact in contacts:
            uri = _parsed(contact.uri_text)
            if uri is None or not uri.is_sip or (secure and uri.scheme != "sips"):
                continue
            if any(uri_equal(uri, other) for other in known) or not self.is_accepted(ctx, contact.uri_text):
                continue
            known.append(uri)
            found.append((contact.q, str(uri)))
            if len(found) == limit:
                break
        return found


def _redirects(ctx: Ctx) -> Iterator[Response]:
    """Return the 3xx responses of this round, the chosen one first."""
    chosen = ctx.reply
    if chosen is not None and 300 <= chosen.status < 400:
        yield chosen
    for branch in ctx.tx.branches[ctx.tx.round_start:]:
        reply = branch.reply
        if reply is not None and reply is not chosen and 300 <= reply.status < 400:
            yield reply


def _tried(ctx: Ctx) -> Iterator[str]:
    for branch in ctx.tx.branches:
        uri = branch.target.uri
        yield uri if uri is not None else ctx.msg.ruri      # type: ignore[union-attr]
    for target in ctx.targets or ():
        if target.uri is not None:
            yield target.uri


def _parsed(text: str) -> Uri | None:
    """Return a URI as it may stand in a request line; None when it is none (RFC 3261 section 19.1.1)."""
    try:
        uri = parse_uri(text)
    except ParseError:
        return None
    if uri.headers or uri.has_param("method"):
        return uri.replace(headers="").without_param("method")
    return uri
