"""Probing destinations."""
from __future__ import annotations

import pytest
from kit.gateways import Gateways

from osip.modules.dispatcher import probe


def asked(gates):
    return [ruri.removeprefix("sip:10.") for _, ruri, _ in gates.tm.asked]


DUE = [     # parameters, states of set 1, who is asked
    ({}, "APA", ["1.0.2:5070"]), ({"ds_probing_mode": 1, "ds_probing_list": frozenset({1})}, "AIP",
                                  ["1.0.1", "1.0.3;transport=tcp"]), ({"ds_probing_list": frozenset({2})}, "PPP", []),
    ({}, "III", [])]


@pytest.mark.parametrize(("params", "states", "who"), DUE)
def test_who_is_asked(params, states, who):
    gates = Gateways(params=params)
    for destination, state in zip(gates.partition.groups[1].destinations, states, strict=True):
        destination.state = "AIP".index(state)
    gates.ds.probe_all()
    assert asked(gates) == who


def test_a_destination_may_ask_to_be_probed_always():
    gates = Gateways()
    gates.destination("0.1").probe_mode = 1
    gates.ds.probe_all()
    assert asked(gates) == ["1.0.1"]


def test_what_is_asked():
    gates = Gateways(params={"ds_probing_mode": 1, "ds_ping_method": "INFO", "ds_ping_from": "sip:me@here",
                             "ds_ping_maxfwd": 1, "ds_probing_sock": "udp:10.0.0.9:5062"})
    gates.ds.probe_all()
    method, ruri, more = gates.tm.asked[0]
    assert (method, ruri, more["from"], more["to"], more["max_forwards"]) == (
        "INFO", "sip:10.1.0.1", "<sip:me@here>", "<sip:10.1.0.1>", 1)
    assert more["socket"] is gates.env.sockets[1]


def test_a_partition_has_its_own_from_and_method():
    gates = Gateways(params={"ds_probing_mode": 1})
    gates.partition.ping_from, gates.partition.ping_method = "sip:own@h", "NOTIFY"
    gates.ds.probe_all()
    assert gates.tm.asked[0][0] == "NOTIFY" and gates.tm.asked[0][2]["from"] == "<sip:own@h>"


def test_enough_failures_take_it_out_and_one_answer_brings_it_back():
    gates = Gateways(params={"ds_probing_mode": 1, "ds_probing_threshold": 2, "options_reply_codes": frozenset({404})})
    steps = [(408, "AAA"), (404, "AAA"), (503, "AAA"), (503, "PPP"), (408, "PPP"), (200, "AAA"), (500, "AAA")]
    for code, states in steps:
        gates.ds.probe_all()
        gates.tm.answer(code)
        assert gates.states() == states, (code, states)


def test_provisional_answers_mean_nothing():
    gates = Gateways(params={"ds_probing_mode": 1, "ds_probing_threshold": 1})
    gates.ds.probe_all()
    gates.tm.answer(100)
    assert gates.states() == "AAA"


def test_an_answer_that_comes_after_a_change():
    gates = Gateways(params={"ds_probing_mode": 1, "ds_probing_threshold": 1})
    gates.ds.probe_all()
    pending, gates.tm.asked = gates.tm.asked, []
    gates.destination("0.1").state = 1                              # an operator switched it off
    gates.partition.replace({1: gates.partition.groups[1]}, True)   # and set 2 went away
    for _, _, more in pending:
        more["callback"](503, None)
    assert gates.states() == "IPP"


def test_a_request_that_cannot_be_sent_is_a_failure():
    from osip.api import OsipError

    gates = Gateways(params={"ds_probing_mode": 1, "ds_probing_threshold": 1})

    def refuse(*_, **__):
        raise OsipError("no")
    gates.tm.request = refuse
    gates.ds.probe_all()
    assert gates.states() == "PPP"


async def test_names_are_resolved_now_or_later():
    gates = Gateways("1 sip:fast.example 0 0\n1 sip:slow.example:5070 0 0\n1 sip:none.example 0 0\n"
                     "1 sip:10.9.9.9 0 0\n")
    gates.net.names = {"fast.example": ["10.3.0.1", "10.3.0.2"], "slow.example": ["10.3.0.3"]}
    gates.net.slow = {"slow.example"}
    for _, destination in gates.partition.all():
        destination.addresses = ()
    await probe.resolve_all(gates.ds, gates.partition)
    found = {d.host: d.addresses for _, d in gates.partition.all()}
    assert found == {"fast.example": (("10.3.0.1", 5060), ("10.3.0.2", 5060)), "slow.example": (("10.3.0.3", 5070),),
                     "none.example": (), "10.9.9.9": (("10.9.9.9", 5060),)}
    assert [d.host for _, d in gates.partition.at("10.3.0.2", 5060)] == ["fast.example"]
