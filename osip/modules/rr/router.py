"""Hold what the files of this package share: settings, listeners, what was asked for. Compiled, unlike the module."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osip.api import DEFAULT_PORTS, Ctx, Route, parse_uri
from osip.modules.rr import follow, record
from osip.modules.rr.record import Recorded

if TYPE_CHECKING:
    from osip.api import Env, Uri

BRANCH: Final = int(Route.BRANCH)
MOST_OWN: Final = 256
"""Addresses of Routes that are remembered as ours or not."""


class Router:
    """Record and follow routes.

    `watchers` are called as (ctx, route parameters) when loose_route has consumed a Route of ours and set the next hop;
    `tails` as (ctx) when a Record-Route is written: they return more parameters for it (`;name=value`) or "". `own` says
    of the `host[:port]` of Routes seen lately whether they are ours, `shown` how sockets stand in a Record-Route, `starts` how most such lines begin.
    """
    __slots__ = ("env", "recorded", "watchers", "tails", "own", "shown", "starts", "append_fromtag", "enable_double_rr",
                 "add_username", "ignore_user", "complain")
    env: Env                # from `begin` on

    def __init__(self, recorded: Any) -> None:
        self.recorded = recorded                # the slot of a message's Recorded
        self.watchers: list[Any] = []
        self.tails: list[Any] = []
        self.own: dict[bytes, bool] = {}
        self.shown: dict[bytes, str] = {}
        self.starts: dict[bytes, bytes] = {}
        self.append_fromtag = self.enable_double_rr = True
        self.add_username = False
        self.ignore_user: str | None = None
        self.complain: Any = None

    def begin(self, module: Any) -> None:
        """Take over the environment and the parameters of the module."""
        self.env = module.env
        self.append_fromtag, self.add_username = bool(module.append_fromtag), bool(module.add_username)
        self.enable_double_rr, self.ignore_user = bool(module.enable_double_rr), module.ignore_user
        self.complain = module.complain if module.enable_socket_mismatch_warning else None
        self.env.on_reload.append(self.forget)
        self.env.on_own_names.append(self.forget)

    def forget(self) -> None:
        """Look anew at what is ours and how it is called: a reload may have changed it."""
        self.own.clear()
        self.shown.clear()
        self.starts.clear()

    # --- recording -----------------------------------------------------------------------------------------------

    def state(self, ctx: Ctx) -> Recorded:
        """Return what is known of this request, made on first use; a branch route has its own."""
        state: Recorded | None = ctx[self.recorded]
        if state is None:
            state = ctx[self.recorded] = Recorded(ctx.kind)
        elif ctx.kind == BRANCH and state.kind != BRANCH:
            state = ctx[self.recorded] = state.copy(BRANCH)
        return state

    def record_route(self, ctx: Ctx, params: str | None = None) -> int:
        """Add our Record-Route, written when the request is sent; -1 the second time."""
        return self.record(ctx, (), params)

    def record(self, ctx: Ctx, preset: tuple[str, ...], params: str | None) -> int:
        """Add a Record-Route, of the addresses of `preset` if there are any."""
        state = self.state(ctx)
        if state.done or not ctx.msg.is_request:
            return -1
        state.done = True
        state.preset = preset
        if params:
            state.params += params if params[0] == ";" else ";" + params
        ctx.edit.insert_hf(self.finish)
        return 1

    def finish(self, out: Any) -> bytes:
        """Write the lines of the copy that is about to leave."""
        return record.write(self, out)

    # --- following -----------------------------------------------------------------------------------------------

    def loose_route(self, ctx: Ctx) -> int:
        """Consume our Route headers and set the next hop; see the module's function."""
        return follow.loose_route(self, ctx)

    def route_params(self, ctx: Ctx) -> str | None:
        """Return the parameters of the Route of ours that was consumed; None before loose_route."""
        state: Recorded | None = ctx[self.recorded]
        return state.route if state is not None else None

    def is_ours(self, uri: Uri) -> bool:
        """Say whether a URI is one that we put into a Record-Route or Path: it names us."""
        if not uri.is_sip or (self.ignore_user is not None and uri.user == self.ignore_user):
            return False
        transport = (uri.param("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
        port = uri.port or DEFAULT_PORTS.get(transport, 5060)
        return bool(self.env.is_myself(uri.host, port))

    def is_own(self, address: bytes) -> bool:
        """Say whether `host[:port]` of a Route is ours, as it is asked again and again."""
        own = self.own.get(address)
        if own is None:
            if len(self.own) >= MOST_OWN:
                self.own.clear()
            own = self.own[address] = self.is_ours(parse_uri("sip:" + address.decode("ascii")))
        return own
