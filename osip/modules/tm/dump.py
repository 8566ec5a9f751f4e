"""Hand a request to another program as text, by a FIFO or a Unix datagram; it answers with MI `t_reply`.

The text has one thing on each line: version `0.3`, action, method, R-URI user, R-URI as it came in, R-URI host,
address and port that it came to, R-URI now, URI of Contact, From, To, Call-ID, From tag, To tag, CSeq number,
transaction id, Route set, next hop, appended headers, all headers, body. The last three end with a line that holds a
dot.
"""
from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from osip.api import H_CONTACT, Complaint, Ctx, Module, ParseError, function, parse_uri
from osip.modules.tm.transaction import Transaction

if TYPE_CHECKING:
    from osip.modules.tm.module import Tm

_FULL = (BlockingIOError, InterruptedError)


def parse_append(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Read `name:header=$var;header=$var`; a part without header is named like its variable."""
    name, colon, rest = text.partition(":")
    found = []
    for part in filter(None, (part.strip() for part in rest.split(";"))):
        left, equals, right = part.partition("=")
        found.append((left.strip(), right.strip()) if equals else (part.lstrip("$"), part))
        if not found[-1][1].startswith("$"):
            raise ValueError(f'"{part}" has no variable: write header=$var')
    if not colon or not name.strip() or not found:
        raise ValueError(f'"{text}" is no tw_append: write "name:header=$var;header=$var"')
    return name.strip(), found


def text_of(tm: Tm, ctx: Ctx, action: str, append: list[tuple[str, str]]) -> bytes:
    """Return a request as text."""
    msg, tx = ctx.msg, ctx.tx
    lines: list[str] = ["0.3", action, msg.method]
    ruri = ctx.ruri or ""
    user = host = ""
    with suppress(ParseError):
        uri = parse_uri(ruri)
        user, host = uri.user, uri.host
    contact = ""
    with suppress(ParseError):
        if msg.ids.find(H_CONTACT) >= 0 and not msg.contact_star and msg.contacts:
            contact = msg.contacts[0].uri_text
    came_to = ctx.source.socket if ctx.source is not None else None
    lines += [user, msg.ruri, host, *((came_to.host, str(came_to.port)) if came_to is not None else ("", "")),
              ruri, contact, *(msg.get(name) or "" for name in ("From", "To")), msg.call_id, msg.from_tag, msg.to_tag,
              str(msg.cseq), tx.id if isinstance(tx, Transaction) else "", ", ".join(msg.get_all("Route")),
              ctx.target.du or ruri]
    for header, variable in append:
        value = tm.env.program.variable(variable).get(ctx) if tm.env.program is not None else None
        if value is not None:
            lines.append(f"{header}: {value}")
    lines.append(".")
    # What a peer sent must not look like two lines.
    head = "\n".join(line.replace("\r", "").replace("\n", " ") for line in lines).encode("utf-8", "surrogateescape")
    headers = msg.raw[msg.head_start:msg.head_end].replace(b"\r\n", b"\n")
    return b"\n".join((head, headers, b".", bytes(msg.body), b".", b""))


class Dumps(Module):
    """Requests as text for other programs."""
    tw_append: list[tuple[str, list[tuple[str, str]]]]
    unix_tx_timeout: int
    complain: Complaint

    def _prepare(self, ctx: Ctx, action: str) -> bytes | int:
        """Make the transaction and return the text, or the code of failure."""
        name, _, extra = action.partition("/")
        append = dict(self.tw_append or ()).get(extra, None) if extra else []
        if append is None:
            self.complain("tm:", "no tw_append is named %s", extra)
            return -1
        if ctx.tx is None:
            made = self.t_newtran(ctx)              # type: ignore[attr-defined]
            if made <= 0:
                return int(made) or -1
        return text_of(self, ctx, name, append)     # type: ignore[arg-type]

    @function(routes="QFB")
    def t_write_req(self, ctx: Ctx, fifo: str, action: str) -> int:
        """Write the request to a FIFO that somebody reads, for `action[/tw_append]`; makes the transaction.

        1, or -1 when nobody reads or the FIFO is full.
        """
        text = self._prepare(ctx, action)
        if isinstance(text, int):
            return text
        try:
            # Without O_NONBLOCK it would wait for a reader; with it a full pipe takes nothing.
            pipe = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.complain("t_write_req:", "cannot write fifo=%s: %s", fifo, error.strerror)
            return -1
        try:
            written = os.write(pipe, text)
        except _FULL:
            written = 0
        except OSError as error:
            self.complain("t_write_req:", "fifo=%s: %s", fifo, error.strerror)
            return -1
        finally:
            os.close(pipe)
        if written < len(text):
            self.complain("t_write_req:", "fifo=%s is full: %d of %d bytes written", fifo, written, len(text))
            return -1
        return 1

    @function(routes="QFB")
    async def t_write_unix(self, ctx: Ctx, path: str, action: str) -> int:
        """Send the request to a Unix datagram socket, for `action[/tw_append]`; makes the transaction.

        1, or -1 when it was not taken within unix_tx_timeout.
        """
        text = self._prepare(ctx, action)
        if isinstance(text, int):
            return text
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.setblocking(False)
            try:
                one.connect(path)
                sending = asyncio.get_running_loop().sock_sendall(one, text)
                await asyncio.wait_for(sending, self.unix_tx_timeout or None)
            except TimeoutError:
                self.complain("t_write_unix:", "socket=%s took nothing in %d s", path, self.unix_tx_timeout)
                return -1
            except OSError as error:
                self.complain("t_write_unix:", "socket=%s: %s", path, error.strerror or error)
                return -1
        return 1
