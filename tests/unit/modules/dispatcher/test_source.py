"""Sets from a text file and from SQL."""
from __future__ import annotations

import pytest
from kit.gateways import Gateways

from osip.api import ModuleError
from osip.modules.dispatcher.source import find_file, find_socket, from_rows, parse_list


@pytest.fixture(scope="module")
def env():
    return Gateways().env


LINES = [       # line, set, state, weight, priority, attributes, socket
    ("1 sip:h", 1, 0, 1, 0, "", None), ("2\tsip:h\t0\t0\tweight=5;site=a", 2, 0, 5, 0, "weight=5;site=a", None),
    ("1 sip:h 1 7 weight=2 ; x", 1, 1, 2, 7, "weight=2 ; x", None), ("1 sip:h 2", 1, 2, 1, 0, "", None),
    ("1 sip:h 0 50 a=b", 1, 0, 50, 50, "a=b", None), ("1 sip:h 0 0 weight=1 # why", 1, 0, 1, 0, "weight=1", None),
    ("1 sip:h 0 0 socket=udp:10.0.0.9:5062", 1, 0, 1, 0, "socket=udp:10.0.0.9:5062", "udp:10.0.0.9:5062")]


@pytest.mark.parametrize(("line", "number", "state", "weight", "priority", "attrs", "socket"), LINES)
def test_line(env, line, number, state, weight, priority, attrs, socket):
    groups = parse_list(f"# header\n\n{line}\n", "list", env)
    [group] = groups.values()
    [found] = group.destinations
    assert (group.id, found.state, found.weight, found.priority, found.attrs) == (number, state, weight, priority,
                                                                                 attrs)
    assert (found.socket.text if found.socket else None) == socket


@pytest.mark.parametrize("line", ["1", "x sip:h", "1 tel:5", "1 sip:h x", "1 sip:h 0 0 weight=y"])
def test_bad_line(env, line):
    with pytest.raises(ModuleError, match="^list:2: "):
        parse_list(f"1 sip:ok\n{line}\n", "list", env)


def row(**more):
    return {"setid": 1, "destination": "sip:h", "socket": None, "state": 0, "weight": "1", "priority": 0,
            "attrs": None, "description": None, "probe_mode": 0, **more}


@pytest.mark.parametrize(("changes", "name", "value"), [
    ({}, "weight", 1), ({"weight": "40"}, "weight", 40), ({"weight": "fs:cli"}, "weight", 1), ({"weight": None},
                                                                                            "weight", 1),
    ({"state": 2}, "state", 2), ({"state": 9}, "state", 1), ({"priority": 3}, "priority", 3),
    ({"destination": "10.0.0.5:5070"}, "uri", "sip:10.0.0.5:5070"), ({"attrs": "x"}, "attrs", "x"),
    ({"description": "d"}, "description", "d"), ({"probe_mode": 1}, "probe_mode", 1)])
def test_row(env, changes, name, value):
    [found] = from_rows([row(**changes)], env)[1].destinations
    assert getattr(found, name) == value


def test_bad_rows_are_left_out(env):
    assert from_rows([row(destination="sip:"), row(setid=2)], env).keys() == {2}


def test_sockets(env):
    assert find_socket(env, "") is None and find_socket(env, "udp:1.1.1.1:1") is None
    assert find_socket(env, "::") is None
    assert find_socket(env, "udp:10.0.0.9:5060") is env.sockets[0]


def test_find_file(env, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    beside = tmp_path / "etc"
    beside.mkdir()
    (beside / "ds.list").write_text("")
    env.program.path = str(beside / "osip.cfg")
    assert find_file("ds.list", env) == beside / "ds.list"
    (tmp_path / "ds.list").write_text("")
    assert str(find_file("ds.list", env)) == "ds.list"
    assert find_file(str(beside / "ds.list"), env) == beside / "ds.list"
