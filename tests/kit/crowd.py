"""Many users on one UDP socket that register with digest (RFC 8760's MD5 is enough here), as fast as they are answered."""
from __future__ import annotations

import asyncio
import hashlib
import re
import socket
from collections.abc import Iterable

from kit.peer import HOST

WINDOW = 100                # requests under way at once
AGAIN = 1.0                 # seconds until a request is sent again
PASSWORD = "secret"


def md5(text: str) -> str:
    """Return the digest that RFC 2617 works with."""
    return hashlib.md5(text.encode()).hexdigest()


class Crowd(asyncio.DatagramProtocol):
    """Users u0, u1... of a domain; `accepted` are those whose last REGISTER was answered with 200."""

    def __init__(self, server: int, domain: str = "example.com") -> None:
        self.server, self.domain, self.port = (HOST, server), domain, 0
        self.accepted: dict[int, int] = {}              # user -> expires
        self.refused: dict[int, int] = {}
        self._cseq: dict[int, int] = {}
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._count = 0

    @classmethod
    async def open(cls, server: int) -> Crowd:
        """Open the socket."""
        _, made = await asyncio.get_running_loop().create_datagram_endpoint(lambda: cls(server), local_addr=(HOST, 0))
        return made

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        """Note the port and make room for what arrives at once."""
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Hand an answer to the one who waits for it."""
        found = re.search(rb"Call-ID: reg-(\d+)@.*?CSeq: (\d+)", data, re.DOTALL)
        future = self._waiting.get(int(found[1])) if found else None
        if found and future is not None and not future.done() and int(found[2]) == self._cseq[int(found[1])]:
            future.set_result(data)

    async def _ask(self, user: int, expires: int, authorization: str) -> bytes:
        self._cseq[user] = self._cseq.get(user, 0) + 1
        self._count += 1
        me = f"sip:u{user}@{self.domain}"
        raw = (f"REGISTER sip:{self.domain} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bK{self.port}x"
               f"{self._count}\r\nMax-Forwards: 70\r\nFrom: <{me}>;tag=f{user}\r\nTo: <{me}>\r\nCall-ID: reg-{user}@{self.port}\r\n"
               f"CSeq: {self._cseq[user]} REGISTER\r\nContact: <sip:u{user}@{HOST}:{self.port}>;expires={expires}\r\n"
               f"User-Agent: crowd\r\n{authorization}Content-Length: 0\r\n\r\n").encode()
        future = self._waiting[user] = asyncio.get_running_loop().create_future()
        while True:
            self.transport.sendto(raw, self.server)
            try:
                return await asyncio.wait_for(asyncio.shield(future), AGAIN)
            except TimeoutError:
                continue

    async def _register(self, user: int, expires: int) -> None:
        raw = await self._ask(user, expires, "")
        tries = 0
        while raw.startswith(b"SIP/2.0 401") and (not tries or b"stale=true" in raw and tries < 5):
            tries += 1                  # a nonce may be too old by the time that a busy machine looks at it
            realm, nonce = (re.search(rf'{name}="([^"]*)"'.encode(), raw)[1].decode()     # type: ignore[index]
                            for name in ("realm", "nonce"))
            uri = f"sip:{self.domain}"
            answer = md5(f"{md5(f'u{user}:{realm}:{PASSWORD}')}:{nonce}:{md5(f'REGISTER:{uri}')}")
            raw = await self._ask(user, expires, f'Authorization: Digest username="u{user}", realm="{realm}", nonce="{nonce}", '
                                                 f'uri="{uri}", response="{answer}"\r\n')
        code = int(raw.split(b" ", 2)[1])
        if code == 200:
            self.accepted[user] = expires
        else:
            self.refused[user] = code

    async def register(self, users: Iterable[int], expires: int = 600) -> None:
        """Register all of them; ends when each has a final answer."""
        todo = iter(users)

        async def work() -> None:
            for user in todo:
                await self._register(user, expires)
        await asyncio.gather(*(work() for _ in range(WINDOW)))

    @property
    def online(self) -> set[int]:
        """Return the users that have a binding, by what they were told."""
        return {user for user, expires in self.accepted.items() if expires}
