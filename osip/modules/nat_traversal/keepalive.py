"""Send the requests that keep the way through a NAT open. Any answer will do, and none is waited for."""
from __future__ import annotations

from typing import TYPE_CHECKING

from osip.api import Dest, LocalSocket, ParseError, build_request, is_ip, origin, parse_endpoint, parse_uri

if TYPE_CHECKING:
    from osip.modules.nat_traversal.endpoint import Endpoint
    from osip.modules.nat_traversal.module import NatTraversal

MARK = "nattrav."
"""How the From tag of a keepalive begins."""


class Keepalive:
    """Ping the endpoints of one slot at each turn."""
    __slots__ = ("_nat", "_turn", "sent")

    def __init__(self, nat: NatTraversal) -> None:
        self._nat = nat
        self._turn = self.sent = 0

    def turn(self) -> None:
        """Ping those whose turn it is, and forget those without a reason."""
        nat, now = self._nat, self._nat.env.wall()
        self._turn += 1
        for endpoint in nat.endpoints.slot(self._turn):
            if nat.endpoints.expire(endpoint, now):
                self.send(endpoint)

    def send(self, endpoint: Endpoint) -> bool:
        """Ping one endpoint from the socket that it talks to; on a stream only when its connection is there."""
        nat, env = self._nat, self._nat.env
        try:
            uri = parse_uri(endpoint.uri)
        except ParseError:
            return False
        proto = (uri.param("transport") or "udp").lower()
        socket = self._socket(endpoint.socket, proto, ":" in uri.host)
        if socket is None or not is_ip(uri.host):
            return False
        dest = Dest(proto, uri.host.strip("[]"), origin.port_of(uri), socket)
        dest.only_reuse = proto != "udp"
        sender = nat.keepalive_from or f"sip:keepalive@{socket.sent_by.rpartition(':')[0]}"
        event = b"Event: keep-alive\r\n" if nat.keepalive_method == "NOTIFY" else b""
        data = build_request(nat.keepalive_method, endpoint.uri, f"<{sender}>;tag={MARK}{env.ids.next()}",
                             f"<{endpoint.uri}>", env.ids.call_id(), 1,
                             socket.via_start + f"{env.ids.branch()};rport\r\n".encode(), headers=event + nat.extra)
        self.sent += 1
        return env.send(data, dest)

    def _socket(self, text: str, proto: str, is_ipv6: bool) -> LocalSocket | None:
        """Return our socket by its name; another fitting one when the script has it no more."""
        env = self._nat.env
        try:
            place = parse_endpoint(text)
        except ValueError:
            return env.pick_socket(proto, is_ipv6)
        found = env.find_socket(place.proto, place.host.strip("[]"), place.port)
        return found if found is not None and found.proto == proto else env.pick_socket(proto, is_ipv6)
