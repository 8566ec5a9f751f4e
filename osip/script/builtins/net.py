"""Know where a message came from, steer where it leaves, forward without state (variables.md section 6,
core_functions.md section 5)."""
from __future__ import annotations

from typing import Annotated, Any

from osip.api import (
    DEFAULT_PORTS,
    Ctx,
    Dest,
    Endpoint,
    Env,
    LocalSocket,
    Module,
    OsipError,
    Parse,
    Value,
    function,
    is_ip,
    parse_endpoint,
    pvar,
)
from osip.core.run import forward as relay
from osip.core.run import onward
from osip.core.run.ctx import FORCE_ALIAS, FORCE_RPORT, LOCAL_RPORT, REPLY_TO_VIA
from osip.script.builtins import reader
from osip.script.builtins.value import number_of

VIA_FLAGS = {"force-rport": FORCE_RPORT, "add-local-rport": LOCAL_RPORT, "reply-to-via": REPLY_TO_VIA,
             "force-tcp-alias": FORCE_ALIAS}
SOCKET_FIELDS = ("ip", "port", "proto", "advertised_ip", "advertised_port", "tag", "anycast", "af")


def _via_flags(text: str) -> int:
    mask = 0
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part not in VIA_FLAGS:
            raise ValueError(f'unknown flag "{part}"; known: {", ".join(VIA_FLAGS)}')
        mask |= VIA_FLAGS[part]
    return mask


def _socket_field(text: str) -> str:
    if text not in SOCKET_FIELDS:
        raise ValueError(f"expected one of {', '.join(SOCKET_FIELDS)}")
    return text


def _proxy_field(text: str) -> str:
    if text not in ("src_ip", "src_port", "dst_ip", "dst_port", "af"):
        raise ValueError("expected src_ip, src_port, dst_ip, dst_port or af")
    return text


def _out_field(text: str) -> str:
    return text if text == "forced" else _socket_field(text)


ViaFlags = Annotated[int, Parse(_via_flags)]
Address = Annotated[Endpoint, Parse(parse_endpoint)]


def find_socket(env: Env, text: str) -> LocalSocket | None:
    """Find one of our sockets by `proto:host[:port]` or by its tag; None when there is no such socket."""
    if text.startswith("bond:"):
        return _bond(env, text[5:])
    for socket in env.sockets:
        if text == socket.text or (socket.tag and text == socket.tag):
            return socket
    try:
        wanted = parse_endpoint(text)
    except ValueError:
        return None
    host = wanted.host.lower()
    for socket in env.sockets:
        if ((not wanted.proto or wanted.proto == socket.proto) and host in (socket.host.lower(),
                                                                           socket.adv_host.lower())
                and (not wanted.port or wanted.port in (socket.port, socket.adv_port))):
            return socket
    return None


def _bond(env: Env, name: str) -> LocalSocket | None:
    """Return a stand-in for the sockets of a bond; the one that fits is chosen when the destination is known."""
    members = tuple([found for text in env.config.bonds.get(name, ()) if (found := find_socket(env, text)) is not None])
    if not members:
        return None
    first = members[0]
    stand_in = LocalSocket(first.proto, first.host, first.port, first.adv_host, first.adv_port, first.tag)
    stand_in.members = members
    return stand_in


class CoreNet(Module):
    """Addresses of the message, sockets, stateless forwarding."""
    name = "core_net"

    def mod_init(self) -> None:
        """Give the flags bits that keep connections from being made."""
        config = self.env.config
        if config.tcp_no_new_conn_bflag:
            self.env.no_new_conn = self.env.branch_flags.bit(config.tcp_no_new_conn_bflag)
        if config.tcp_no_new_conn_rplflag:
            self.env.no_new_conn_reply = self.env.message_flags.bit(config.tcp_no_new_conn_rplflag)

    # --- where from, where to ------------------------------------------------------------------------------------

    @pvar("si", aliases=("src_ip",), plain=reader.source_ip)
    def si(self, ctx: Ctx) -> Value:
        """The IP address that the packet came from."""

    @pvar("sp", type="is", aliases=("src_port",), plain=reader.source_port)
    def sp(self, ctx: Ctx) -> Value:
        """The port that the packet came from."""

    @pvar("socket_in", key="optional", key_parse=_socket_field, type="any")
    def socket_in(self, ctx: Ctx, field: str | None) -> Value:
        """The receiving socket as `proto:ip:port`, or one field of it."""
        return _field(ctx.source.socket, field) if ctx.source else None

    @pvar("Ri")
    def receive_ip(self, ctx: Ctx) -> Value:
        """The IP address of the receiving socket."""
        return ctx.source.socket.host if ctx.source else None

    @pvar("Rp", type="is")
    def receive_port(self, ctx: Ctx) -> Value:
        """The port of the receiving socket."""
        return ctx.source.socket.port if ctx.source else None

    @pvar("pr", aliases=("proto",))
    def receive_proto(self, ctx: Ctx) -> Value:
        """The protocol of the receiving socket."""
        return ctx.source.socket.proto.upper() if ctx.source else None

    @pvar("af")
    def receive_af(self, ctx: Ctx) -> Value:
        """The address family of the receiving socket: INET or INET6."""
        return _field(ctx.source.socket, "af") if ctx.source else None

    @pvar("socket_out", key="optional", key_parse=_out_field, type="any")
    def socket_out(self, ctx: Ctx, field: str | None) -> Value:
        """The socket that will be used: the forced one, else the receiving one; `forced` gives only the former."""
        forced = ctx.target.socket
        if field == "forced":
            return forced.text if forced else None
        socket = forced or (ctx.source.socket if ctx.source else None)
        return _field(socket, field) if socket else None

    @socket_out.setter
    def set_socket_out(self, ctx: Ctx, field: str | None, value: Value) -> bool:
        return field is None and self.set_fs(ctx, value)

    @pvar("fs")
    def fs(self, ctx: Ctx) -> Value:
        """The socket that will be used, as `$socket_out`."""
        return self.socket_out(ctx, None)

    @fs.setter
    def set_fs(self, ctx: Ctx, value: Value) -> bool:
        if value is None:
            ctx.target.socket = None
            return True
        return self.force_send_socket(ctx, str(value))

    @pvar("proxy_protocol", key="required", key_parse=_proxy_field, type="any")
    def proxy_protocol(self, ctx: Ctx, field: str) -> Value:
        """A field of the PROXY protocol header; NULL, as no transport reads that header yet."""
        return None

    @pvar("dis")
    def dis(self, ctx: Ctx) -> Value:
        """NULL: an obsolete name."""
        return None

    # --- steering ------------------------------------------------------------------------------------------------

    @function()
    def force_send_socket(self, ctx: Ctx, socket: str) -> bool:
        """Send this request from one of our sockets, `proto:ip[:port]`."""
        found = find_socket(self.env, socket)
        if found is None:
            self.env.log.warning("socket %r is none of ours, the choice stays as it was", socket)
            return False
        ctx.target.socket = found
        return True

    @function()
    def set_advertised_address(self, ctx: Ctx, address: str) -> bool:
        """Show this address in the Via and Record-Route of this message."""
        if not address:
            return False
        ctx.adv_host = address.strip("[]")
        return True

    @function()
    def set_advertised_port(self, ctx: Ctx, port: str) -> bool:
        """Show this port in the Via and Record-Route of this message."""
        number = number_of(port)
        if number is None or not 0 < number < 65536:
            return False
        ctx.adv_port = number
        return True

    @function()
    def set_via_handling(self, ctx: Ctx, flags: ViaFlags) -> None:
        """Choose how Via is treated: force-rport, add-local-rport, reply-to-via, force-tcp-alias."""
        ctx.via_flags |= flags

    @function(aliases=("add_rport",))
    def force_rport(self, ctx: Ctx) -> None:
        """Treat the received top Via as if it asked for rport (RFC 3581)."""
        ctx.via_flags |= FORCE_RPORT

    @function(aliases=("force_local_rport",))
    def add_local_rport(self, ctx: Ctx) -> None:
        """Ask for rport in our own Via."""
        ctx.via_flags |= LOCAL_RPORT

    @function(aliases=("add_tcp_alias",))
    def force_tcp_alias(self, ctx: Ctx, port: int | None = None) -> bool:
        """Reuse this connection for requests towards its peer's address and `port`, or the port of its Via."""
        source = ctx.source
        if source is None or not source.socket.reliable:
            return False
        ctx.via_flags |= FORCE_ALIAS
        alias = getattr(source.socket.transport, "alias", None)
        if port is None:
            port = ctx.msg.via1.port or DEFAULT_PORTS[source.socket.proto]
        return alias is not None and bool(alias(source.conn, port))

    @function()
    def tcp_close_conn(self, ctx: Ctx, connection: str) -> bool:
        """Close a stream connection by its id or by its peer, `[proto:]ip:port`; -1 when there is none."""
        number, peer = number_of(connection), None
        if number is None:
            try:
                peer = parse_endpoint(connection)
            except ValueError:
                return False
        for socket in self.env.sockets:
            transport: Any = socket.transport
            if not hasattr(transport, "disconnect") or (peer and peer.proto and peer.proto != socket.proto):
                continue
            found = number
            if peer is not None:
                conn = transport.connections.find(Dest(socket.proto, peer.host, peer.port))
                found = conn.id if conn is not None else None
            if found is not None and transport.disconnect(found):
                return True
        return False

    @function()
    def socket_belongs_to_bond(self, ctx: Ctx, socket: str, bond: str) -> bool:
        """Say whether a socket is a member of a bond."""
        found = find_socket(self.env, socket)
        members = self.env.config.bonds.get(bond, ())
        return found is not None and any(find_socket(self.env, text) is found for text in members)

    # --- sending -------------------------------------------------------------------------------------------------

    @function(plain=onward.forward)
    def forward(self, ctx: Ctx, dest: Address | None = None) -> bool:
        """Relay the request without state: to `[proto:]host[:port]`, else to the next hop, else to the R-URI.

        Answers by itself, and counts as done, where a proxy must refuse: 483 without hops left, 420 to extensions that
        it does not know. It never forks: with appended branches it fails (RFC 3261 section 16.11).
        """
        return onward.forward(ctx, dest)

    @function()
    def send(self, ctx: Ctx, dest: Address, headers: str | None = None) -> bool:
        """Send the bytes as received, without a Via; header lines may be put behind the first line."""
        raw = ctx.msg.raw
        if headers:
            start = ctx.msg.head_start
            lines = headers if headers.endswith("\r\n") else headers + "\r\n"
            raw = raw[:start] + lines.encode("utf-8", "surrogateescape") + raw[start:]
        proto = dest.proto or (ctx.source.socket.proto if ctx.source else "udp")
        if is_ip(dest.host):
            hop = Dest(proto, dest.host, dest.port or (5061 if proto == "tls" else 5060), ctx.target.socket)
            return not relay.blocked(ctx, hop, raw) and bool(self.env.send(raw, hop))
        uri = onward.uri_of(Endpoint(proto, dest.host, dest.port))
        hops = self.env.resolve(uri, ctx.target.socket)
        if hops is None:
            self.env.spawn(self._send_later(ctx, raw, uri), "send")
            return True
        return any(not relay.blocked(ctx, hop, raw) and self.env.send(raw, hop) for hop in hops)

    async def _send_later(self, ctx: Ctx, raw: bytes, uri: str) -> None:
        try:
            hops = await self.env.resolve_wait(uri, ctx.target.socket)
            any(not relay.blocked(ctx, hop, raw) and self.env.send(raw, hop) for hop in hops)
        except OsipError as error:
            self.env.log.warning("not sent to=%s error=%s", uri, error)


def _field(socket: LocalSocket, field: str | None) -> Value:
    if field is None:
        return socket.text
    if field == "af":
        return "INET6" if socket.is_ipv6 else "INET"
    if field == "anycast":
        return int(bool(socket.options.get("anycast")))
    values: dict[str, Value] = {"ip": socket.host, "port": socket.port, "proto": socket.proto.upper(),
                                "advertised_ip": socket.adv_host, "advertised_port": socket.adv_port,
                                "tag": socket.tag or None}
    return values[field]
