"""A phone behind an edge proxy: Path on the way in, Route on the way back (RFC 3327, RFC 5626 in spirit)."""
from __future__ import annotations

from typing import Any

from kit import message
from kit.flows import tm
from kit.playbook import Playbook
from osip.core.net.endpoint import LocalSocket
from osip.core.run.ctx import Ctx
from osip.modules.path import Path
from osip.modules.rr import Rr
from osip.modules.tm import Tm

OUTSIDE, INSIDE = LocalSocket("udp", "10.0.0.9", 5060), LocalSocket("udp", "10.1.0.9", 5080)
REGISTRAR = "10.0.0.2"


def edge() -> Playbook:
    """Return an edge proxy: phones at OUTSIDE, the registrar behind INSIDE."""
    def route(ctx: Ctx) -> int:
        modules: Any = ctx.env.modules
        if ctx.msg.method == "REGISTER":
            modules["path"].add_path_received(ctx)
            ctx.target.du, ctx.target.socket = f"sip:{REGISTRAR}", INSIDE
        else:
            modules["rr"].loose_route(ctx)
        return tm(ctx).t_relay(ctx)
    return Playbook((Tm, Rr, Path), route, sockets=[OUTSIDE, INSIDE], params={"path": {"use_received": 1}})


def test_double_path_and_back() -> None:
    play = edge()
    play.feed(message.request("REGISTER", "sip:example.com", headers="Supported: path\r\n"), port=40123)
    paths = play.sent("REGISTER", "bob").got.get_all("Path")
    assert paths == ["<sip:10.1.0.9:5080;lr;received=sip:10.0.0.1:40123;r2=on>",
                     "<sip:10.0.0.9;lr;received=sip:10.0.0.1:40123;r2=on>"]
    play.answer("bob", 200, "REGISTER").sent(200)
    # The registrar calls the phone, whose Contact it could not reach by itself.
    call = message.request("INVITE", "sip:alice@192.168.1.5:5062", via=f"{REGISTRAR}:5060",
                           headers=f"Route: {paths[0]}, {paths[1]}\r\n")
    play.feed(call, "bob").sent(100, "bob").sent("INVITE")
    play.check(lambda m: m.ruri == "sip:alice@192.168.1.5:5062" and not m.get("Route"))
    # It leaves by the socket that the phone registered at.
    where, raw = [entry for entry in play.net.log if entry[1].startswith(b"INVITE")][-1]
    assert where == "10.0.0.1:40123" and b"Via: SIP/2.0/UDP 10.0.0.9:5060;" in raw
    play.answer("alice", 200).sent(200, "bob")
