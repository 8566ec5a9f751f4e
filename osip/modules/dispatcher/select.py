"""Choose destinations for a request and keep the rest for failover, in AVPs of the transaction."""
from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from osip.api import Ctx, ParseError, Uri, find_credentials, parse_uri
from osip.modules.dispatcher import algorithm
from osip.modules.dispatcher.flag import SelectFlags
from osip.modules.dispatcher.state import ACTIVE, Destination, Group, Partition

if TYPE_CHECKING:
    from osip.modules.dispatcher.module import Dispatcher

_HASHED: Final = {1: "from", 2: "to", 3: "ruri"}


def order(ds: Dispatcher, ctx: Ctx, group: Group, number: int, flags: SelectFlags) -> list[Destination]:
    """Return the destinations of a set in the order of an algorithm, the last resort at the end."""
    usable, last_resort = algorithm.candidates(group, flags.default or bool(ds.use_default))
    if not usable:
        return last_resort
    key = _key(ds, ctx, number, flags)
    if key is not None:
        found = algorithm.by_hash(usable, key)
    elif number in (4, 5):
        found = algorithm.by_turn(group, usable)
    elif number == 6:
        found = algorithm.by_chance(usable, random.randrange)
    elif number == 9 and ds.pvar_algo_pattern:
        found = algorithm.by_score(usable, lambda destination: _load(ds, ctx, destination))
    elif number == 10 and ds.algo_route:
        found = algorithm.by_score(usable, lambda destination: _route_score(ds, ctx, destination))
    else:
        found = usable
    return found + last_resort


def _key(ds: Dispatcher, ctx: Ctx, number: int, flags: SelectFlags) -> str | None:
    """Return what an algorithm hashes; None when it does not hash."""
    msg: Any = ctx.msg
    if number == 0:
        return str(msg.call_id)
    if number in _HASHED:
        uri = parse_uri(ctx.ruri or "") if number == 3 else msg.from_.uri if number == 1 else msg.to.uri
        return _uri_key(uri, flags.user_only or bool(ds.flags & 1))
    if number == 5:
        credentials = find_credentials(msg)
        return credentials.get("username") or None if credentials is not None else None
    if number == 7 and ds.hash_pvar and ctx.env.program is not None:
        return ctx.env.program.expand(ctx, ds.hash_pvar)
    return None


def _uri_key(uri: Uri, user_only: bool) -> str:
    if user_only and uri.user:
        return uri.user
    return f"{uri.user}@{uri.host.lower()}:{uri.port or 5060}"


def _load(ds: Dispatcher, ctx: Ctx, destination: Destination) -> int | None:
    """Return the value of pvar_algo_pattern for a destination: the smaller the better."""
    text = ds.pvar_algo_pattern.replace("%u", destination.uri).replace("%i", str(destination.order))
    program = ctx.env.program
    value = program.expand(ctx, text) if program is not None else ""
    return int(value) if value.lstrip("-").isdecimal() else None


def _route_score(ds: Dispatcher, ctx: Ctx, destination: Destination) -> int | None:
    """Run algo_route with the destination as its parameter; what it returns is the score."""
    program = ctx.env.program
    route = program.named("route", ds.algo_route) if program is not None else None
    if route is None:
        return None
    outer, ctx.params = ctx.params, (destination.uri, destination.attrs)
    try:
        code = route(ctx)
    finally:
        ctx.params = outer
    if code.__class__ is int:
        return code         # type: ignore[return-value]
    code.close()            # type: ignore[union-attr]
    ctx.env.log.error("dispatcher: route[%s] waits, so it cannot be an algo_route", ds.algo_route)
    return None


def select(ds: Dispatcher, ctx: Ctx, partition: Partition, sets: tuple[int, ...], algorithms: tuple[int, ...],
           flags: SelectFlags, limit: int, domain: bool) -> int:
    """Do what ds_select_dst and ds_select_domain say: 1 chosen, -1 nothing active."""
    found: list[tuple[Group, Destination]] = []
    for place, number in enumerate(sets):
        group = partition.groups.get(number)
        if group is not None:
            chosen = order(ds, ctx, group, algorithms[min(place, len(algorithms) - 1)], flags)
            found += [(group, destination) for destination in chosen]
    limit = limit or flags.limit
    if limit > 0:
        found = found[:limit]
    if not found:
        return -1
    if flags.append and ctx.avps and ctx.avps.get(partition.dst_avp):
        _store(ctx, partition, found, append=True)
        return 1
    keep = flags.failover or bool(ds.flags & 2)
    _store(ctx, partition, found if keep else found[:1], append=False)
    found[0][1].hits += 1
    return 1 if use(ctx, found[0][1], domain) else -1


def _store(ctx: Ctx, partition: Partition, found: list[tuple[Group, Destination]], append: bool) -> None:
    # The newest value of each AVP belongs to the destination in use; ds_next_dst drops it and uses the next.
    columns: list[tuple[str, list[str | int]]] = [
        (partition.dst_avp, [d.uri for _, d in found]), (partition.grp_avp, [g.id for g, _ in found]),
        (partition.sock_avp, [d.socket.text if d.socket else "" for _, d in found])]
    if partition.attrs_avp:
        columns.append((partition.attrs_avp, [d.attrs for _, d in found]))
    if partition.script_attrs_avp:
        columns.append((partition.script_attrs_avp, [d.script_attrs for _, d in found]))
    for name, values in columns:
        old = ctx.avp(name)
        old[:] = values[::-1] + (old if append else [])
    ctx.avp(partition.cnt_avp)[:] = [len(ctx.avp(partition.dst_avp))]


def use(ctx: Ctx, destination: Destination, domain: bool) -> bool:
    """Send the request to a destination: by `$du`, or by the host and port of the R-URI."""
    target = ctx.target
    if domain:
        try:
            ruri, own = parse_uri(ctx.ruri or ""), parse_uri(destination.uri)
        except ParseError:
            return False
        fresh = ruri.replace(host=own.host, port=own.port)
        transport = own.param("transport")
        target.uri = str(fresh.with_param("transport", transport) if transport else fresh)
    else:
        target.du = destination.uri
    target.socket = destination.socket if destination.socket is not None else target.socket
    return True


def current(ctx: Ctx, partition: Partition) -> Destination | None:
    """Return the destination in use; None when nothing was selected or a reload took it away."""
    uris = ctx.avps.get(partition.dst_avp) if ctx.avps else None
    sets = ctx.avps.get(partition.grp_avp) if ctx.avps else None
    if not uris or not sets:
        return None
    group = partition.groups.get(int(sets[-1])) if str(sets[-1]).lstrip("-").isdecimal() else None
    return group.find(str(uris[-1])) if group is not None else None


def advance(ctx: Ctx, partition: Partition, domain: bool) -> int:
    """Do what ds_next_dst and ds_next_domain say: 1 the next one is used, -1 there is none."""
    if not ctx.avps or not ctx.avps.get(partition.dst_avp):
        return -1
    names = [partition.dst_avp, partition.grp_avp, partition.sock_avp, partition.attrs_avp, partition.script_attrs_avp]
    while True:
        used = current(ctx, partition)
        if used is not None and used.socket is not None and ctx.target.socket is used.socket:
            ctx.target.socket = None            # the next one may not be reached from there
        for name in names:
            values = ctx.avps.get(name) if name else None
            if values:
                values.pop()
        left = ctx.avps[partition.dst_avp]
        ctx.avp(partition.cnt_avp)[:] = [len(left)]
        if not left:
            return -1
        found = current(ctx, partition)
        if found is not None and found.state != ACTIVE and len(left) > 1:
            continue                            # it failed meanwhile; the last one is a last resort
        if found is None:
            try:
                found = Destination(str(left[-1]))
            except ParseError:
                continue
        return 1 if use(ctx, found, domain) else -1
