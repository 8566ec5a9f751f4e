"""Hand messages to the network: which transport takes one, from which of our sockets."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.core.net.endpoint import RELIABLE
from osip.core.net.port import UdpPort
from osip.core.run import forward

if TYPE_CHECKING:
    from collections.abc import Callable

    from osip.core.net.endpoint import Dest
    from osip.core.run.env import Env


class Sender:
    """The way out of a worker; `transports` maps protocols to what moves them.

    With several workers `elsewhere` is asked first about streams: True when another worker has taken the message.
    """
    __slots__ = ("_env", "_transports", "elsewhere")

    def __init__(self, env: Env, transports: dict[str, Any]) -> None:
        self._env, self._transports = env, transports
        self.elsewhere: Callable[[bytes, Dest], bool] | None = None

    def send(self, data: bytes, dest: Dest) -> bool:
        """Hand a message to the network; False when it could not be sent."""
        socket = dest.socket
        if socket is not None and socket.is_udp and not dest.only_reuse and dest.proto == "udp":
            port = socket.transport
            if isinstance(port, UdpPort):       # the usual case, in one step
                return port.send(data, dest)
        if self.elsewhere is not None and dest.proto in RELIABLE and self.elsewhere(data, dest):
            return True
        return self.send_here(data, dest)

    def send_here(self, data: bytes, dest: Dest) -> bool:
        """Hand a message to the network from this worker; False when it could not be sent."""
        socket = dest.socket
        transport = self._transports.get(dest.proto)
        if transport is None or (dest.only_reuse and hasattr(transport, "reaches") and not transport.reaches(dest)):
            return False
        if socket is None or socket.proto != dest.proto:
            env = self._env
            if socket is None and env.quick.mhomed:
                socket = forward.towards(env, dest)
            dest.socket = env.pick_socket(dest.proto, ":" in dest.host, socket)
            if dest.socket is None:
                return False
        return bool(transport.send(data, dest))
