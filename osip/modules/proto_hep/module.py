"""HEP, the protocol of captured traffic: sockets that receive it, and servers that it is sent to."""
from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from osip.api import (
    HEP_LOG,
    HEP_SIP,
    Complaint,
    Ctx,
    Env,
    HepPacket,
    HepTcp,
    HepTls,
    HepUdp,
    Module,
    ModuleError,
    StatKind,
    StreamLimits,
    encode_hep,
    function,
    needs,
    param,
)
from osip.modules.proto_hep.sender import Patience, Sender, parse_server

_CHUNK = 65536
_NEVER_BLOCKS = "a send never blocks; what waits is bounded by hep_async_max_postponed_chunks"


class ProtoHep(Module):
    """HEP sockets (`hep_udp`, `hep_tcp`, and with tls_mgm `hep_tls`) and capture servers by name.

    A captured message runs through the script as if it had come from its true source; nothing is answered.
    """
    transport = "hep_udp hep_tcp hep_tls"
    hep_port = param(9060, ge=1, le=65535, doc="Port of HEP sockets that name none; without it 9061 for hep_tls.")
    hep_send_timeout = param(100, ge=1, doc="Milliseconds in which a connection to a server must be made.")
    hep_max_msg_chunks = param(32, removed="a packet has at most 64 kB")
    hep_async = param(1, removed=_NEVER_BLOCKS)
    hep_async_max_postponed_chunks = param(32, ge=1, doc="Most that waits for a server, in 64 kB.")
    hep_async_local_write_timeout = param(10, removed=_NEVER_BLOCKS)
    hep_capture_id = param(1, ge=0, le=4294967295, live=True, doc="Number of this server in what it sends.")
    compressed_payload = param(0, ge=0, le=1, live=True, doc="Compress payloads (version 3).")
    hep_id = param(multiple=True, kind=str, parse=parse_server,
                   doc='Server to send to: "[id] ip:port; transport=tcp; version=3".')
    homer5_on = param(1, ge=0, le=1, live=True, doc="1: correlations are text with homer5_delim; 0: JSON (Homer 6).")
    homer5_delim = param(":", live=True, doc="Between the values of a correlation for Homer 5.")
    hep_max_retries = param(5, ge=1, doc="Connections in a row that may fail before a rest.")
    hep_retry_cooldown = param(3600, ge=0, doc="Seconds of that rest.")
    tls_mgm = needs("tls_mgm", optional=True)

    def mod_init(self) -> None:
        """Check the names of the servers."""
        names = [server.id for server in self.hep_id]
        double = next((name for name in names if names.count(name) > 1), None)
        if double is not None:
            raise ModuleError(f'proto_hep: hep_id "{double}" is there twice')
        self.senders: dict[str, Sender] = {}
        self.take: Any = None                   # sees every packet that is received: sipcapture
        self._own: dict[str, int] = {}          # servers that modules asked for -> how many did
        self.bad = 0

    def make_transport(self, env: Env) -> dict[str, Any]:
        """Return the transports of this worker by their protocol."""
        made: list[HepUdp | HepTcp | HepTls] = [HepUdp(env.config),
                                                HepTcp(env.config, env.timers, StreamLimits(env.config))]
        if self.tls_mgm is not None:
            tls = HepTls(env.config, env.timers, StreamLimits(env.config), domains=self.tls_mgm)
            if env.workers > 1:
                tls.on_session = self.tls_mgm.share
            made.append(tls)
        for one in made:
            one.take = self.take
        for name in ("received", "bad", "other"):
            env.stats.register("proto_hep", name, lambda name=name: sum(
                getattr(one.inlet, name) for one in made if one.inlet is not None), StatKind.COUNTER)
        return {one.proto: one for one in made}

    async def child_init(self, env: Env) -> None:
        """Start to send."""
        patience = Patience(self.hep_send_timeout / 1000, self.hep_max_retries, float(self.hep_retry_cooldown),
                            self.hep_async_max_postponed_chunks * _CHUNK)
        self._complain = Complaint(env.log, clock=lambda: env.now)
        self._patience = patience
        self.senders = {server.id: Sender(server, patience, self._complain, self.tls_mgm) for server in self.hep_id}
        for sender in self.senders.values():
            sender.start()

    async def destroy(self) -> None:
        """Stop to send."""
        for sender in self.senders.values():
            await sender.close()

    def add_server(self, text: str) -> str:
        """Send to one more server, written as in `hep_id`, from now on; return its name. ValueError for bad texts."""
        server = parse_server(text)
        name = f"{server.host}:{server.port};{server.transport};{server.version}"
        self._own[name] = self._own.get(name, 0) + 1
        if name not in self.senders:
            sender = self.senders[name] = Sender(replace(server, id=name), self._patience, self._complain, self.tls_mgm)
            sender.start()
        return name

    async def drop_server(self, name: str) -> None:
        """Give up a server that `add_server` added, when nobody else uses it."""
        self._own[name] -= 1
        if not self._own[name]:
            del self._own[name]
            await self.senders.pop(name).close()

    def send(self, id: str, packet: HepPacket) -> bool:
        """Send a packet to the server of this name; for other modules. False when it cannot be taken."""
        sender = self.senders.get(id)
        if sender is None:
            self._complain("hep_id", "there is no hep_id %r; there are: %s", id, ", ".join(self.senders) or "none")
            return False
        packet.version = sender.server.version
        if packet.version < 3 and packet.kind != HEP_SIP:
            self._complain("hep_version", "id=%s: version %d can carry SIP alone", id, packet.version)
            return False
        packet.capture_id = packet.capture_id or self.hep_capture_id
        if not packet.seconds:
            packet.seconds, packet.microseconds = divmod(int(self.env.wall() * 1e6), 1_000_000)
        try:
            return sender.send(encode_hep(packet, bool(self.compressed_payload) and packet.version == 3))
        except ValueError as error:
            self._complain("hep_packet", "id=%s reason=%s", id, error)
            return False

    @function("QFRBL")
    def correlate(self, ctx: Ctx, id: str, type1: str, corr1: str, type2: str, corr2: str) -> bool:
        """Tell a capture server that two ids of different kinds belong together; -1 when it cannot be told."""
        if self.homer5_on:
            text = self.homer5_delim.join((type1, corr1, type2, corr2))
        else:
            text = json.dumps({type1: corr1, type2: corr2})
        source, socket = ctx.source, ctx.source.socket if ctx.source is not None else None
        here = (socket.host, socket.port) if socket is not None else ("127.0.0.1", 0)
        there = (source.host, source.port) if source is not None else here
        return self.send(id, HepPacket(*there, *here, text.encode("utf-8", "surrogateescape"), kind=HEP_LOG,
                                       correlation=corr1))


