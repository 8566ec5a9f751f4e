"""Several osip servers and the phones that call each other through them."""
from __future__ import annotations

import json
import re
import socket
import urllib.request
from typing import Any

from kit.peer import HOST
from kit.server import Running
from kit.udp_phone import UdpPhone


def mi(server: Running, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.mi_port}/mi", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as reply:
        answer = json.load(reply)
    assert "result" in answer, answer
    return answer["result"]


def final(phone: UdpPhone, call_id: str = "") -> int:
    """Return the code of the next final answer, of this call if one is named: others may be repeated."""
    phone.socket.settimeout(5)
    while True:
        answer = phone.socket.recv(65535)
        code = int(answer.split(b" ", 2)[1])
        if code >= 200 and call_id.encode() in answer:
            return code


class Loose(socket.socket):
    """A socket that sends to one address and hears everybody: other nodes call, too."""
    peer: tuple[str, int] = (HOST, 0)

    def connect(self, address: Any) -> None:
        self.peer = address

    def send(self, data: bytes, flags: int = 0) -> int:
        return self.sendto(data, self.peer)


class Phone(UdpPhone):
    """A phone that every node may call."""

    def __init__(self, user: str, port: int) -> None:
        super().__init__(user, port)
        self.socket.close()
        self.socket = Loose(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, self.port))
        self.socket.connect((HOST, port))


def call(caller: UdpPhone, callee: Any) -> None:
    """Call through the caller's server; the INVITE has to reach the callee."""
    call_id = f"call-{next(caller.count)}"
    caller.request("INVITE", f"sip:{callee.user}@localhost", call_id=call_id)
    invite = callee.expect("INVITE")
    assert invite.call_id == call_id
    host, port = re.search(r"UDP ([\d.]+):(\d+)", invite.get("Via")).groups()       # type: ignore[union-attr]
    own, callee.socket.peer = callee.socket.peer, (host, int(port))
    callee.reply(invite, 486, "Busy Here")
    callee.socket.peer = own
    assert final(caller, call_id) == 486
