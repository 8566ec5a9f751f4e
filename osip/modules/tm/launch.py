"""Send the copy of a request that a branch stands for, to the first address that takes it (RFC 3261 16.6, 18.1.1)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import Ctx, Dest, forward
from osip.modules.tm.machine import START, TERMINATED

if TYPE_CHECKING:
    from osip.modules.tm.branch import Branch
    from osip.modules.tm.layer import Layer


class Fallback(Dest):
    """An address by UDP that takes what was too long for UDP, since no connection to it could be made."""
    __slots__ = ()


def launch(tm: Layer, branch: Branch, work: Ctx, dests: list[Dest]) -> bool:
    """Build and send a branch; further addresses are kept for fail-over."""
    tx: Any = branch.tx
    server = branch.server
    loop: str = server.loop if server is not None else ""
    headers: bytes = server.headers if server is not None else tx.headers
    env = tm.env
    tm.filtered = 0
    number = -1
    while (number := number + 1) < len(dests):
        dest = dests[number]
        id = env.ids.branch(loop)
        data = forward.build(work, branch.target, dest, id)
        if headers:
            data = with_headers(data, headers)
        if dest.proto == "udp" and dest.__class__ is Dest and forward.is_too_long(env, dest, data):
            dests = by_stream(work, dests, number)
            if dests[number] is not dest:
                number -= 1
                continue
        if forward.blocked(work, dest, data):
            tm.filtered += 1
            continue
        if _send(tm, branch, dest, id, data):
            if number + 1 < len(dests):
                branch.dests, branch.work = dests[number + 1:], work
            return True
        if tx.no_failover and not (number + 1 < len(dests) and dests[number + 1].__class__ is Fallback):
            break
    branch.state, branch.id = TERMINATED, ""
    return False


def _send(tm: Layer, branch: Branch, dest: Dest, id: str, data: bytes) -> bool:
    env = tm.env
    branch.aim(tm, dest, id)
    branch.failed = False
    branch.step(START, data, env.now)
    if branch.failed:
        if env.lost is not None:
            env.lost(dest)
        return False
    branch.started = True
    tm.table.clients[id] = branch
    tm.timers.schedule(branch)
    if tm.enable_stats:
        tm.counts.uac_transactions += 1
    return True


def by_stream(ctx: Ctx, dests: list[Dest], number: int) -> list[Dest]:
    """Return the addresses with a connection put before one by UDP; unchanged when no stream can be had."""
    dest = dests[number]
    stream = forward.stream_to(ctx, dest)
    if stream is None:
        return [*dests[:number], Fallback(dest.proto, dest.host, dest.port, dest.socket), *dests[number + 1:]]
    return [*dests[:number], stream, Fallback(dest.proto, dest.host, dest.port, dest.socket), *dests[number + 1:]]


def with_headers(data: bytes, headers: bytes) -> bytes:
    """Return a request with header lines added at its end."""
    end = data.index(b"\r\n\r\n") + 2
    return data[:end] + headers + data[end:]
