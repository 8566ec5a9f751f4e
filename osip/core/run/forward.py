"""Send messages on: next hop, the request as it leaves, responses by their Via (RFC 3261 16.6, 16.7, 16.11)."""
from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from osip.core.accel import mypyc_attr
from osip.core.errors import OsipError
from osip.core.net.endpoint import DEFAULT_PORTS, RELIABLE, SECURE, Dest, LocalSocket, is_ip
from osip.core.run import homing
from osip.core.run.ctx import FORCE_RPORT, LOCAL_RPORT, Ctx, Target
from osip.core.run.reply import maddr
from osip.core.sip.address import parse_name_addr, split_commas
from osip.core.sip.build import build_forward, build_forward_reply, enclosed
from osip.core.sip.edits import Edits, merge
from osip.core.sip.mark import mark_copy
from osip.core.sip.message import READER, Response
from osip.core.sip.uri import parse_uri, without_user

if TYPE_CHECKING:
    from osip.core.run.env import Env


_ANSWER_ROUTE: Final[Any] = None if READER is None else READER.answer_route
_NEXT_PLACE: Final[Any] = None if READER is None else READER.next_place
_WITHOUT_USER: Final[Any] = without_user


@mypyc_attr(free_list_len=1)
class Outgoing:
    """What a late edit may ask about the copy that is about to leave (rr writes its header from it)."""
    __slots__ = ("ctx", "dest", "socket_in", "socket_out", "target")

    def __init__(self, ctx: Ctx, dest: Dest, target: Target) -> None:
        self.ctx, self.dest, self.target = ctx, dest, target
        self.socket_in = ctx.source.socket if ctx.source is not None else dest.socket
        self.socket_out = dest.socket


# --- where to ------------------------------------------------------------------------------------------------------

def next_uri(ctx: Ctx, target: Target) -> str:
    """Return the URI of the next hop: the destination URI, the first Path, else the R-URI."""
    if target.du:
        return target.du
    if target.path:
        return parse_name_addr(split_commas(target.path)[0]).uri_text
    return target.uri if target.uri is not None else ctx.msg.ruri       # type: ignore[union-attr]


def clean(ctx: Ctx, target: Target) -> None:
    """Take off a request-URI what may not stand in one: headers and the method parameter (RFC 3261 19.1.1, 16.6 step 2).

    Of one that stands as it was received also `maddr` with port and transport, when they say no more than how it came to
    us (16.4).
    """
    received = target.uri is None
    text: str = ctx.msg.ruri if received else target.uri                # type: ignore[assignment,union-attr]
    if "?" not in text:
        low = text.lower()
        if ";method=" not in low and not (received and ";maddr=" in low):
            return
    uri = parse_uri(text)
    if not uri.is_sip:
        return
    cleaned = uri
    if uri.headers or uri.has_param("method"):
        cleaned = uri.replace(headers="").without_param("method")
    if received and uri.has_param("maddr") and _is_how_it_came(ctx, uri):
        cleaned = cleaned.replace(port=None).without_param("maddr").without_param("transport")
    if cleaned is not uri:
        target.uri = str(cleaned)


def _is_how_it_came(ctx: Ctx, uri: Any) -> bool:
    """Say whether `maddr`, port and transport of a URI name the address at which the request reached us."""
    if ctx.source is None:
        return False
    socket = ctx.source.socket
    proto = (uri.param("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
    port = uri.port or DEFAULT_PORTS.get(proto, 0)
    return proto == socket.proto and port in (socket.port, socket.adv_port) and ctx.env.is_myself(uri.param("maddr"), 0)


def next_hops(ctx: Ctx, target: Target) -> list[Dest] | None:
    """Return where a target's copy may go, best first; None when a name must be asked for (`next_hops_wait`).

    The target's URI is made fit for a request-URI (`clean`).
    ParseError for a URI that is none, OsipError for one that cannot be reached.
    """
    env = ctx.env
    if target.uri is None and not target.du and not target.path and _NEXT_PLACE is not None and env.default_proto:
        place: tuple[str, int, str] | None = _NEXT_PLACE(ctx.msg)
        if place is not None:                           # an address as it stands: nothing to look up
            proto = place[2] or (env.default_proto if target.socket is None else target.socket.proto)
            socket = socket_for(ctx, target)
            if proto == "udp" and socket is not None and socket.is_udp and not socket.is_ipv6 \
                    and not socket.members and not (env.quick.mhomed and target.socket is None):
                hop = Dest("udp", place[0], place[1] or 5060, socket)       # nothing to choose either
                hop.only_reuse = bool(target.bflags & env.no_new_conn)
                return [hop]
            return _with_sockets(ctx, target, [Dest(proto, place[0], place[1] or DEFAULT_PORTS[proto])], True)
    text: str = ctx.msg.ruri if target.uri is None else target.uri      # type: ignore[union-attr]
    if "?" in text or ";" in text:
        clean(ctx, target)
    uri: str = _WITHOUT_USER(next_uri(ctx, target))           # so that one entry serves all who are behind an address
    known: tuple[str, str, int] | None = env.literals.get((uri, target.socket))
    if known is not None:
        return _with_sockets(ctx, target, [Dest(known[0], known[1], known[2])], True)
    found = env.resolve(uri, target.socket)
    return None if found is None else _with_sockets(ctx, target, found)


async def next_hops_wait(ctx: Ctx, target: Target) -> list[Dest]:
    """Like `next_hops`, asking DNS."""
    found = await ctx.env.resolve_wait(next_uri(ctx, target), target.socket)
    return _with_sockets(ctx, target, found)


def _with_sockets(ctx: Ctx, target: Target, found: list[Dest], are_ours: bool = False) -> list[Dest]:
    env = ctx.env
    near = socket_for(ctx, target)
    out: list[Dest] = []
    # A flow of a registered phone (`;ob`) is there or it is not: nobody listens at the other end.
    reuse = bool(target.bflags & env.no_new_conn) or (target.du is not None and target.du.endswith(";ob"))
    for dest in found:
        # The resolver's values are shared with its cache: unless these are ours take copies.
        socket = None
        if target.socket is None and env.quick.mhomed:
            socket = towards(env, dest)
        if socket is None:
            socket = near if near is not None and not near.members and near.proto == dest.proto \
                and near.is_ipv6 == (":" in dest.host) else env.pick_socket(dest.proto, ":" in dest.host, near)
        if socket is not None:
            hop = dest if are_ours else Dest(dest.proto, dest.host, dest.port, socket, dest.conn)
            hop.socket = socket
            hop.only_reuse = reuse
            if dest.proto in SECURE:
                hop.name = dest.name
                if env.choose_tls is not None:
                    env.choose_tls(ctx, hop)
            out.append(hop)
    if found and not out:
        raise OsipError(f"no socket of ours can send to {found[0]}")
    return out


def towards(env: Env, dest: Dest) -> LocalSocket | None:
    """Return our socket on the address from which the system's routes lead to a destination (`mhomed`)."""
    own = env.egress(dest.host)
    return env.find_socket(dest.proto, own) if own else None


def socket_for(ctx: Ctx, target: Target) -> LocalSocket | None:
    """Return the socket to send from: the forced one, else the one that the message came in on."""
    if target.socket is not None:
        return target.socket
    return ctx.source.socket if ctx.source is not None else None


# --- requests ------------------------------------------------------------------------------------------------------

def build(ctx: Ctx, target: Target, dest: Dest, branch_id: str, edits: Edits | None = None) -> bytes:
    """Build the request as it leaves for one target: own Via on top, the peer's Via completed, every edit in place.

    `edits` are the branch's own, laid over those of the request.
    """
    msg, source = ctx.msg, ctx.source
    socket = dest.socket
    assert socket is not None
    work = ctx.edits
    if edits is not None:
        work = edits if work is None else merge(work, edits)
    if target.path:
        work = Edits(msg) if work is None else work.copy()
        work.insert_hf("Route: " + target.path)
    out = Outgoing(ctx, dest, target)
    host = dest.host
    if host >= "224" and (host[:3] < "24" or host[:2].lower() == "ff"):
        branch_id += group_params(ctx.env, host)
    if source is None:
        return build_forward(msg, target.uri, via_line(ctx, socket, branch_id), work, out)      # type: ignore[arg-type]
    if source.conn:
        if not source.mark:
            source.mark = homing.mark(ctx.env, source)
        branch_id += source.mark
    # A browser's Via names no port that could be answered, and it asks for no rport (RFC 7118 section 5).
    force_rport = bool(ctx.via_flags & FORCE_RPORT) or source.socket.proto in ("ws", "wss")
    return build_forward(msg, target.uri, via_line(ctx, socket, branch_id), work, out,          # type: ignore[arg-type]
                         source.host, source.port, force_rport)


def group_params(env: Env, host: str) -> str:
    """Return what our Via says about a request to a multicast group (RFC 3261 section 18.1.1); "" for other hosts."""
    if not is_ip(host) or not ip_address(host).is_multicast:
        return ""
    hops = env.config.mcast_ttl
    # Without the parameter the system sends to the own network only.
    return f";maddr=[{host}]" if ":" in host else f";maddr={host};ttl={hops if hops >= 0 else 1}"


def via_line(ctx: Ctx, socket: LocalSocket, branch_id: str) -> bytes:
    """Build our Via line; `set_advertised_address` and `add_local_rport` change it for one message."""
    tail = b";rport\r\n" if ctx.via_flags & LOCAL_RPORT else b"\r\n"
    if ctx.adv_host or ctx.adv_port:
        own = LocalSocket(socket.proto, socket.host, socket.port, ctx.adv_host or socket.adv_host,
                          ctx.adv_port or socket.adv_port)
        return own.via_start + branch_id.encode() + tail
    return enclosed(socket.via_start, branch_id, tail)


def stateless_branch(ctx: Ctx) -> str:
    """Return the branch of a stateless copy: the same for every copy of a request, its CANCEL and its ACK (16.11)."""
    return "z9hG4bK.s" + mark_copy(ctx.msg)          # type: ignore[arg-type]


def send_stateless(ctx: Ctx, dests: list[Dest]) -> bool:
    """Forward the request of `ctx` without state to the first address that takes it."""
    for dest in dests:
        branch = stateless_branch(ctx)
        data = build(ctx, ctx.target, dest, branch)
        if is_too_long(ctx.env, dest, data) and send_by_stream(ctx, ctx.target, dest, branch):
            return True
        if not blocked(ctx, dest, data) and ctx.env.hand(data, dest):
            ctx.env.dispatch.fwd_requests += 1
            return True
    return False


def is_too_long(env: Env, dest: Dest, data: bytes) -> bool:
    """Say whether a request is too long for a datagram (RFC 3261 section 18.1.1); `udp_mtu` 0 sets no limit."""
    limit = env.quick.udp_mtu
    return bool(limit) and dest.proto == "udp" and len(data) > limit


def stream_to(ctx: Ctx, dest: Dest) -> Dest | None:
    """Return the same hop by what `udp_mtu_try_proto` names; None when we have no socket for it, or that is UDP.

    The default port of UDP becomes that of the other protocol, as for TLS they differ; any other port stays.
    """
    env = ctx.env
    proto: str = env.quick.udp_mtu_try_proto
    socket = None if proto == "udp" else env.pick_socket(proto, ":" in dest.host, dest.socket)
    if socket is None:
        return None
    stream = Dest(proto, dest.host, DEFAULT_PORTS[proto] if dest.port == DEFAULT_PORTS["udp"] else dest.port, socket)
    stream.name, stream.only_reuse = dest.name, dest.only_reuse
    if proto in SECURE and env.choose_tls is not None:
        env.choose_tls(ctx, stream)
    return stream


def send_by_stream(ctx: Ctx, target: Target, dest: Dest, branch_id: str) -> bool:
    """Send a request without state by a stream instead of UDP; False when that is not possible."""
    stream = stream_to(ctx, dest)
    if stream is None:
        return False
    data = build(ctx, target, stream, branch_id)
    if blocked(ctx, stream, data) or not ctx.env.send(data, stream):
        return False
    ctx.env.dispatch.fwd_requests += 1
    return True


def blocked(ctx: Ctx, dest: Dest, data: bytes) -> bool:
    """Say whether a blacklist that this message uses keeps a copy of it from going to a destination."""
    check = ctx.env.blocked
    return check is not None and check(ctx, dest, data)


# --- responses -----------------------------------------------------------------------------------------------------

def build_response(ctx: Ctx, response: Response | None = None) -> bytes:
    """Build the response as it goes on: our Via off, the edits of the onreply routes in place."""
    msg = response if response is not None else ctx.msg
    return build_forward_reply(msg, ctx.edits, None)                    # type: ignore[arg-type]


def response_dest(env: Env, response: Response, socket: LocalSocket | None = None) -> Dest | None:
    """Say where a response goes by its second Via (RFC 3261 section 18.2.2); None without one or when that is a name."""
    vias = response.vias
    if len(vias) < 2:
        return None
    via = vias[1]
    proto = via.transport.lower()
    host = ""
    if "addr" in via.params_text.lower() and proto not in RELIABLE:
        host = maddr(via, via.received or via.host, env.sockets)
    if host:
        port = via.port or DEFAULT_PORTS.get(proto, 5060)
    else:
        host = via.received or via.host
        port = int(via.rport) if via.rport and via.rport.isdigit() else via.port or DEFAULT_PORTS.get(proto, 5060)
    if not is_ip(host) or port > 65535:
        return None
    if socket is not None and socket.proto != proto:
        socket = None
    where = Dest(proto, host, port, socket)
    where.name = via.host
    if proto in RELIABLE:
        where.conn = homing.connection(env, vias[0], via)
    return where


def send_response(ctx: Ctx) -> bool:
    """Forward a response without state (16.7 without a response context): its top Via must be ours."""
    msg = ctx.msg
    env = ctx.env
    if _ANSWER_ROUTE is not None:
        found = _ANSWER_ROUTE(msg)
        if found is not None:
            return _send_by_route(ctx, found)
    via = msg.via1
    if not env.is_myself(via.host, via.port or 0):
        return False
    where = response_dest(env, msg, ctx.source.socket if ctx.source else None)   # type: ignore[arg-type]
    if where is None:
        vias = msg.vias
        if len(vias) < 2 or vias[1].received or vias[1].rport or is_ip(vias[1].host):
            return False
        return env.homing.send(build_response(ctx), vias[1], ctx.source.socket if ctx.source else None)
    if where.socket is None:
        where.socket = env.pick_socket(where.proto, ":" in where.host, ctx.source.socket if ctx.source else None)
    return env.hand(build_response(ctx), where)


def _send_by_route(ctx: Ctx, route: tuple[str, int, str, int, str]) -> bool:
    """Forward a response by UDP to where the accelerator found that it goes."""
    own_host, own_port, host, port, name = route
    env = ctx.env
    if not env.is_myself(own_host, own_port):
        return False
    near = ctx.source.socket if ctx.source is not None else None
    where = Dest("udp", host, port, near if near is not None and near.proto == "udp" else None)
    where.name = name
    if where.socket is None:
        where.socket = env.pick_socket("udp", False, near)
    return env.hand(build_response(ctx), where)
