"""What our Record-Route says; test_module.py has the functions."""
from __future__ import annotations

import pytest

from kit import message
from kit.flows import flow
from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.run.ctx import Ctx, Target
from osip.core.run.forward import Outgoing
from osip.core.sip.message import parse
from osip.modules.rr.record import Recorded, write

UDP, OTHER = LocalSocket("udp", "10.0.0.9", 5060), LocalSocket("udp", "192.0.2.1", 5080)
TCP, SIX = LocalSocket("tcp", "10.0.0.9", 5060), LocalSocket("udp", "2001:db8::1", 5060)


@pytest.mark.parametrize("came,left,lines", [
    (UDP, UDP, ["<sip:10.0.0.9;lr;ftag=a1>"]),
    (OTHER, OTHER, ["<sip:192.0.2.1:5080;lr;ftag=a1>"]),
    (UDP, OTHER, ["<sip:192.0.2.1:5080;r2=on;lr;ftag=a1>", "<sip:10.0.0.9;r2=on;lr;ftag=a1>"]),
    (UDP, TCP, ["<sip:10.0.0.9;transport=tcp;r2=on;lr;ftag=a1>", "<sip:10.0.0.9;r2=on;lr;ftag=a1>"]),
    (SIX, SIX, ["<sip:[2001:db8::1];lr;ftag=a1>"])])
def test_lines(came: LocalSocket, left: LocalSocket, lines: list[str]) -> None:
    rr = flow().env.modules["rr"]
    ctx = Ctx(rr.env, parse(message.request("INVITE", from_tag="a1")), Source(came, "10.0.0.1", 5060))
    ctx[rr.recorded] = Recorded(ctx.kind)
    dest = Dest(left.proto, "10.0.0.2", 5060, left)
    assert write(rr.router, Outgoing(ctx, dest, Target())).decode() == "".join(f"Record-Route: {line}\r\n" for line in lines)


def test_a_copy_keeps_to_itself() -> None:
    state = Recorded(1)
    state.params += ";a=b"
    other = state.copy(4)
    other.params += ";c=d"
    assert state.params == ";a=b" and other.params == ";a=b;c=d" and other.kind == 4
