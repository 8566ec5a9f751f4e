"""Be the edge proxy of RFC 5626: tokens in Path and Record-Route lead requests back to the flow of a phone."""
from __future__ import annotations

import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

from osip.api import (Ctx, Env, LocalSocket, Module, Route, Source, bracket, find_param, function, is_ip, needs, param,
                      parse_endpoint, parse_params, slot, stat)

FLOW = "flow"
SIGNATURE = 12
NONE, FAILED, FORGED = -1, -2, -3
FOUND, SENDER = 1, 2


class Flow:
    """One way to a phone: our socket, its address, and on streams the connection."""
    __slots__ = ("socket", "host", "port", "conn")

    def __init__(self, socket: LocalSocket, host: str, port: int, conn: int) -> None:
        self.socket, self.host, self.port, self.conn = socket, host, port, conn

    @property
    def uri(self) -> str:
        """The flow as a destination; the mark keeps a new connection from being made."""
        proto = self.socket.proto
        return f"sip:{bracket(self.host)}:{self.port};transport={proto};ob"

    def is_source(self, source: Source | None) -> bool:
        """Say whether a message came by this flow."""
        return source is not None and (source.socket, source.host, source.port, source.conn) == (
            self.socket, self.host, self.port, self.conn)

    def is_alive(self, env: Env) -> bool:
        """Say whether the connection is still there; nobody knows of a datagram's flow."""
        return not self.conn or env.is_connected(self.socket.proto, self.host, self.port, self.conn)


class Flows:
    """The tokens that the Record-Route of one request carries."""
    __slots__ = ("tokens",)

    def __init__(self) -> None:
        self.tokens: list[str] = []


class Outbound(Module):
    """Flow tokens of an edge proxy (RFC 5626 section 5)."""

    flow_secret = param("", doc="Secret that signs flow tokens. Without one it is made up at each start: the flows of "
                                "streams do not outlive the server anyway.")
    path = needs("path")
    rr = needs("rr")
    recorded = slot(Flows)

    failed_flows = stat("Requests to a flow that was gone (430).")
    forged_tokens = stat("Flow tokens that this server did not make (403).")

    def mod_init(self) -> None:
        """Make the key; take part in Record-Route."""
        self.key = sha256(str(self.flow_secret).encode()).digest() if self.flow_secret else os.urandom(32)
        self.rr.tails.append(self._tail)

    # --- tokens ------------------------------------------------------------------------------------------------------

    def token(self, source: Source) -> str:
        """Return the token of the flow that a message came by."""
        text = f"{source.conn:x}/{source.host}/{source.port}/{source.socket.text}".encode()
        return urlsafe_b64encode(self._sign(text) + text).decode().rstrip("=")

    def _sign(self, text: bytes) -> bytes:
        return hmac.new(self.key, text, sha256).digest()[:SIGNATURE]

    def flow(self, token: str) -> Flow | None:
        """Return the flow of a token; None when it was not made here or its socket is no more."""
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
            text = raw[SIGNATURE:]
            if not hmac.compare_digest(raw[:SIGNATURE], self._sign(text)):
                return None
            conn, host, port, where = text.decode().split("/", 3)
            end = parse_endpoint(where)
        except ValueError:
            return None
        socket = self.env.find_socket(end.proto, end.host, end.port)
        return Flow(socket, host, int(port), int(conn, 16)) if socket is not None and is_ip(host) else None

    # --- functions ---------------------------------------------------------------------------------------------------

    @function(routes=Route.REQUEST)
    def add_path_flow(self, ctx: Ctx) -> int:
        """Put a Path on top by which the registrar reaches the sender's flow; `ob` in it says that we keep flows.

        -1 for a request that came through another proxy: the flow would be that one's.
        """
        msg: Any = ctx.msg
        if ctx.source is None or len(msg.vias) != 1:
            return NONE
        self.path.add(ctx, f";{FLOW}={self.token(ctx.source)};ob")
        return 1

    @function(routes="QBF")
    def record_flow(self, ctx: Ctx) -> int:
        """Let the Record-Route lead requests of the dialog back to the sender's flow; call it beside record_route."""
        if ctx.source is None:
            return NONE
        self._note(ctx, self.token(ctx.source))
        return 1

    @function(routes=Route.REQUEST)
    def follow_flow(self, ctx: Ctx) -> int:
        """Send the request on by the flow that our Route names; call it after loose_route.

        1 it will go there; 2 it came from there and goes its own way; -1 the Route names no flow. A flow that is gone
        is answered 430 (-2), a token that is not ours 403 (-3); not ACK.
        """
        params = self.rr.route_params(ctx)
        tokens = [value for name, value in parse_params(";" + params) if name.lower() == FLOW and value] \
            if params else []
        if not tokens:
            return NONE
        flows = []
        for token in tokens:
            flow = self.flow(token)
            if flow is None:
                self.forged_tokens += 1
                return self._refuse(ctx, 403, "Forbidden", FORGED)
            flows.append((token, flow))
        others = [pair for pair in flows if not pair[1].is_source(ctx.source)]
        if not others:
            return SENDER
        # Of two, the caller's was noted first.
        token, flow = others[0] if len(others) == 1 or self._is_upstream(ctx, params or "") else others[-1]
        if not flow.is_alive(self.env):
            self.failed_flows += 1
            return self._refuse(ctx, 430, "Flow Failed", FAILED)
        ctx.target.du, ctx.target.socket = flow.uri, flow.socket
        self._note(ctx, token)
        return FOUND

    # --- inside ------------------------------------------------------------------------------------------------------

    def _refuse(self, ctx: Ctx, code: int, reason: str, result: int) -> int:
        if ctx.msg.method != "ACK":
            self.env.reply(ctx, code, reason)
        return result

    def _is_upstream(self, ctx: Ctx, params: str) -> bool:
        tag = find_param(parse_params(";" + params), "ftag")
        return bool(tag) and tag != ctx.msg.from_tag

    def _note(self, ctx: Ctx, token: str) -> None:
        noted: Flows | None = ctx[self.recorded]
        if noted is None:
            noted = ctx[self.recorded] = Flows()
        if token not in noted.tokens:
            noted.tokens.append(token)

    def _tail(self, ctx: Ctx) -> str:
        noted: Flows | None = ctx[self.recorded]
        return "".join(f";{FLOW}={token}" for token in noted.tokens) if noted is not None else ""
