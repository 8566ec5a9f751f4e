"""Management commands of dispatcher."""
from __future__ import annotations

import pytest
from kit.gateways import Gateways

from osip.api import MIError
from osip.modules.dispatcher import mi
from osip.modules.dispatcher.state import Destination


def run(gates, name, params):
    return gates.env.mi.run(name, params)


def test_list():
    gates = Gateways()
    [default] = run(gates, "ds_list", [])["PARTITIONS"]
    assert default["name"] == "default" and [s["id"] for s in default["SETS"]] == [1, 2]
    assert default["SETS"][0]["Destinations"][0] == {"URI": "sip:10.1.0.1", "state": "Active", "first_hit_counter": 0}


def test_full_list():
    gates = Gateways("1 sip:10.1.0.1 0 7 weight=2;socket=udp:10.0.0.9:5062\n")
    gates.destination("0.1").description, gates.destination("0.1").script_attrs = "d", "s"
    [default] = run(gates, "dispatcher:list", {"full": "1", "partition": "default"})["PARTITIONS"]
    assert default["SETS"][0]["Destinations"][0] == {
        "URI": "sip:10.1.0.1", "state": "Active", "first_hit_counter": 0, "socket": "udp:10.0.0.9:5062",
        "attr": "weight=2;socket=udp:10.0.0.9:5062", "script_attr": "s", "weight": 2, "priority": 7,
        "description": "d", "resolved_addresses": ["10.1.0.1:5060"]}


SET = [     # state, group, address, states of set 1 afterwards
    ("i", "1", "sip:10.1.0.1", "IAA"), ("p", "default:1", "10.1.0.2:5070", "APA"), ("i", "1", "10.1.0.2", "AIA"),
    ("inactive", "1", "sip:10.1.0.3;transport=tcp", "AAI"), ("a", "1", "10.1.0.1", "AAA")]


@pytest.mark.parametrize(("state", "group", "address", "states"), SET)
def test_set_state(state, group, address, states):
    gates = Gateways()
    assert run(gates, "ds_set_state", [state, group, address]) == "OK"
    assert gates.states() == states


@pytest.mark.parametrize(("command", "params", "code"), [
    ("ds_set_state", ["x", "1", "sip:10.1.0.1"], 400), ("ds_set_state", ["a", "9", "sip:10.1.0.1"], 404),
    ("ds_set_state", ["a", "east:1", "sip:10.1.0.1"], 404), ("ds_set_state", ["a", "1", "sip:10.1.0.1:5099"], 404),
    ("ds_set_state", ["a", "x", "sip:10.1.0.1"], 404), ("ds_list", {"partition": "east"}, 404),
    ("ds_push_script_attrs", ["x", "9.9.9.9", "0"], 404)])
def test_refusals(command, params, code):
    with pytest.raises(MIError) as raised:
        run(Gateways(), command, params)
    assert raised.value.code == code


@pytest.mark.parametrize(("text", "same"), [
    ("sip:h.example:5070;transport=tcp", True), ("h.example:5070;transport=tcp", True), ("H.example", True),
    ("h.example:5070", True), ("h.example:5060", False), ("other", False), ("<sip:h.example:5070>", True)])
def test_matches(text, same):
    assert mi.matches(Destination("sip:h.example:5070;transport=tcp"), text) is same


@pytest.mark.parametrize(("params", "pushed"), [
    (["x", "10.1.0.1", "5060"], True), (["x", "10.1.0.1", "0", "1"], True), (["x", "10.1.0.1", "0", "2"], False),
    (["x", "10.1.0.1", "5070"], False)])
def test_push_script_attrs(params, pushed):
    gates = Gateways()
    if pushed:
        assert run(gates, "ds_push_script_attrs", params) == "OK"
    else:
        with pytest.raises(MIError):
            run(gates, "ds_push_script_attrs", params)
    assert gates.destination("0.1").script_attrs == ("x" if pushed else "")
