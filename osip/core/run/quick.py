"""Keep the settings that each message is asked about where compiled code reads them at once."""
from __future__ import annotations

import sys
from typing import Any, Final

from osip import __version__

SERVER: Final = f"osip ({__version__} ({sys.platform}))".encode()


class Quick:
    """Settings as they stood when they were last read: at the start and after each reload."""
    __slots__ = ("reply_to_via", "sip_warning", "server", "mhomed", "udp_mtu", "udp_mtu_try_proto", "check_via",
                 "stateless_fwd", "exec_msg_threshold", "max_branches", "loop_detect")

    def __init__(self, config: Any) -> None:
        self.read(config)

    def read(self, config: Any) -> None:
        """Read them from where they are kept."""
        self.reply_to_via = bool(config.reply_to_via)
        self.sip_warning = bool(config.sip_warning)
        self.server: bytes = server_value(config)
        self.mhomed = bool(config.mhomed)
        self.udp_mtu: int = config.udp_mtu
        self.udp_mtu_try_proto: str = config.udp_mtu_try_proto.lower()
        self.check_via = bool(config.check_via)
        self.stateless_fwd = not config.disable_stateless_fwd
        self.exec_msg_threshold: int = config.exec_msg_threshold
        self.max_branches: int = config.max_branches
        self.loop_detect = bool(config.loop_detect)


def server_value(config: Any) -> bytes:
    """Return the value of the Server header that replies carry; empty for none."""
    if not config.server_signature:
        return b""
    line: str = config.server_header
    return line.partition(":")[2].strip().encode() if line else SERVER
