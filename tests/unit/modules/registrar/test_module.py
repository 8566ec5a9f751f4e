"""The module registrar: parameters, statistics, the word that names the socket."""
from __future__ import annotations

import pytest
from kit.registration import Office, invite

from osip.api import ModuleError, forward
from osip.modules.registrar import Registrar


@pytest.mark.parametrize(("params", "words"), [
    ({"pn_enable": 1}, "needs pn_providers"),
    ({"max_expires": 30, "min_expires": 60}, "below min_expires")])
def test_refused_parameters(params, words):
    with pytest.raises(ModuleError, match=words):
        Office({"registrar": params})


def test_statistics():
    office = Office({"registrar": {"max_contacts": 3, "max_expires": 7200}})
    office.register()
    office.register("*", cseq=2)
    get = office.env.stats.get
    assert [get(f"registrar:{n}") for n in ("accepted_regs", "rejected_regs", "max_contacts", "max_expires",
                                            "default_expire")] == [1, 1, 3, 7200, 3600]


def test_add_sock_hdr():
    office = Office()
    ctx = office.ctx(invite("sip:bob@10.0.0.2"))
    assert office.registrar.add_sock_hdr(ctx, "X-Sock")
    [dest] = forward.next_hops(ctx, ctx.target)
    assert b"X-Sock: udp:10.0.0.9:5060\r\n" in forward.build(ctx, ctx.target, dest, "z9hG4bKx")
    ctx.source = None
    assert not office.registrar.add_sock_hdr(ctx, "X-Sock")


@pytest.mark.parametrize(("name", "given", "value"), [("received_avp", "$avp(rcv)", "rcv"), ("attr_avp", "", ""),
                                                      ("mcontact_avp", "$(avp(s:x))", "x")])
def test_avp_parameters(name, given, value):
    assert Registrar.spec.param(name).parse(given) == value
    with pytest.raises(ValueError, match="not an AVP"):
        Registrar.spec.param(name).parse("$var(x)")


def test_old_names():
    assert {"registered", "is_other_contact"} <= {spec.name for spec in Registrar.spec.functions}
