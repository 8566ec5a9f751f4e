"""Know the names and addresses that are this server's own."""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from osip.core.run.env import Env


class Myself:
    """What a worker is reached by: its sockets, what they advertise, the script's aliases, modules' names."""
    __slots__ = ("_env",)

    def __init__(self, env: Env) -> None:
        self._env = env

    def is_myself(self, host: str, port: int = 0, proto: str = "") -> bool:
        """Say whether a host (and port, 0 = any) is one of our sockets, advertised names, aliases or local domains."""
        env = self._env
        for socket in env.sockets:
            if (host == socket.host or host == socket.adv_host) and (not port or port == socket.port) \
                    and (not proto or proto == socket.proto):
                return True                     # as nearly always, with nothing to be said about case or brackets
        host = host.strip("[]").lower()
        for socket in env.sockets:
            if host in (socket.host, socket.adv_host.lower()) and port in (0, socket.port, socket.adv_port) \
                    and (not proto or proto == socket.proto):
                return True
        for a_proto, a_host, a_port, subdomains in env.config.aliases:
            name = a_host.strip("[]").lower()
            if (host == name or (subdomains and host.endswith("." + name))) \
                    and (not port or a_port is None or port == a_port) \
                    and (not proto or a_proto is None or proto == a_proto):
                return True
        for knows in env.own_names:                     # of modules: none of them knows of ports and protocols
            if knows(host):
                return True
        return False
