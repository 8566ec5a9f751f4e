"""Say why a request may not go on: extensions, loops, hops (RFC 3261 sections 16.3 and 16.6, RFC 5393)."""
from __future__ import annotations

from typing import TYPE_CHECKING

from osip.core.sip.edits import value_start
from osip.core.sip.identity import bears_mark, loop_mark
from osip.core.sip.names import H_MAX_FORWARDS, H_PROXY_REQUIRE, M_ACK, M_CANCEL

if TYPE_CHECKING:
    from osip.core.run.ctx import Ctx


def unsupported(ctx: Ctx) -> str:
    """Return the option tags of Proxy-Require that `supported_proxy_tags` does not name; "" when all is well (16.3).

    A script that takes the header away answers for it itself. ACK and CANCEL are never refused for it.
    """
    msg = ctx.msg
    if value_start(msg, H_PROXY_REQUIRE) < 0 or msg.method_id in (M_ACK, M_CANCEL):
        return ""
    known = {tag.strip().lower() for tag in ctx.env.config.supported_proxy_tags.split(",")}
    lacking: dict[str, None] = {}
    for at in msg.find_all(H_PROXY_REQUIRE):
        if ctx.edits is not None and ctx.edits.is_removed(msg.headers[at][1], msg.line_end(at)):
            continue
        for tag in msg.value(at).split(","):
            tag = tag.strip()
            if tag and tag.lower() not in known:
                lacking[tag] = None
    return ", ".join(lacking)


def loop_part(ctx: Ctx) -> str:
    """Return the loop part of the branches of a request: what its way here depends on, as a keyed hash (16.6 step 8).

    It takes in the fields of RFC 5393 section 4.2.1, and where the request came from, since a script may well route by
    that: a request that comes back another way is a spiral until it comes that way twice. "" when not wanted.
    """
    env = ctx.env
    if not env.quick.loop_detect:
        return ""
    source = ctx.source
    return loop_mark(ctx.msg, env.tag_secret, source.text if source is not None else "")


def is_loop(ctx: Ctx, part: str) -> bool:
    """Say whether a request has been here before, just as it is: one of its Vias bears its own loop part (16.3 step 4)."""
    return part != "" and bears_mark(ctx.msg, part)


def count_hop(ctx: Ctx) -> bool:
    """Count Max-Forwards down when the script did not (16.6 step 3); False when the request may go no further."""
    edits = ctx.edits
    if edits is not None and edits.has_hops:
        return True
    msg = ctx.msg
    start = value_start(msg, H_MAX_FORWARDS)
    if start < 0:
        if edits is None or not any(data.__class__ is bytes and data[:13].lower() == b"max-forwards:"   # type: ignore
                                    for _, _, data in edits.items):
            ctx.edit.set_max_forwards(70)
        return True
    if edits is not None:
        for edit in edits.items:
            if edit[0] <= start < edit[1]:
                return True
    hops = msg.max_forwards
    if not hops:
        return False
    ctx.edit.set_max_forwards(hops - 1)
    return True
