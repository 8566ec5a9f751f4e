"""The module dispatcher: sources, states, script functions, reload."""
from __future__ import annotations

import pytest
import sqlalchemy as sa
from kit.builtin import Holder
from kit.gateways import LIST, Gateways, Tm
from kit.playbook import FakeProgram, make_worker

from osip.api import MIError, ModuleError, parse_partition
from osip.core.store.sql import Stores
from osip.core.store.tables import create_tables
from osip.modules.dispatcher import Dispatcher
from osip.modules.dispatcher.flag import parse_states
from osip.modules.dispatcher.state import ACTIVE, INACTIVE, PROBING


def make(tm=True, **params):
    classes = (Tm, Dispatcher) if tm else (Dispatcher,)
    worker, net, clock = make_worker(classes, {"dispatcher": params})
    stores = Stores(worker.env.config)
    worker.env.sql = stores.sql
    return worker.env, worker.env.modules["dispatcher"], stores


# --- sources -------------------------------------------------------------------------------------------------------

async def test_list_file(tmp_path):
    path = tmp_path / "ds.list"
    path.write_text(LIST)
    env, ds, _ = make(list_file=str(path))
    await ds.child_init(env)
    assert {n: len(g.destinations) for n, g in ds.partitions["default"].groups.items()} == {1: 3, 2: 2}
    assert [d.uri for _, d in ds.partitions["default"].at("10.1.0.2", 5070)] == ["sip:10.1.0.2:5070"]


@pytest.mark.parametrize(("text", "words"), [(None, "cannot read list_file"), ("1 sip:h\nx\n", ":2: ")])
async def test_bad_list_file(tmp_path, text, words):
    path = tmp_path / "ds.list"
    if text is not None:
        path.write_text(text)
    env, ds, _ = make(list_file=str(path))
    with pytest.raises(ModuleError, match=words):
        await ds.child_init(env)


async def test_the_embedded_database_makes_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    env, ds, stores = make()
    await ds.child_init(env)
    assert ds.partitions["default"].groups == {} and (tmp_path / "osip.db").exists()
    await stores.close()


async def fill(url, *rows):
    env, ds, stores = make(db_url=url)
    sql = env.sql(url)
    await create_tables(sql, (ds.rows,))
    for setid, uri, state, weight in rows:
        await sql.execute("INSERT INTO dispatcher (setid, destination, state, weight) VALUES (:s, :u, :t, :w)",
                          {"s": setid, "u": uri, "t": state, "w": weight})
    return env, ds, stores, sql


async def test_sets_of_a_database_and_states_written_back(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    env, ds, stores, sql = await fill(url, (1, "sip:10.1.0.1", 0, "5"), (1, "sip:10.1.0.2", 2, "1"))
    await ds.child_init(env)
    group = ds.partitions["default"].groups[1]
    assert [(d.uri, d.state, d.weight) for d in group.destinations] == [
        ("sip:10.1.0.1", ACTIVE, 5), ("sip:10.1.0.2", PROBING, 1)]
    ds.set_state(ds.partitions["default"], group, group.destinations[0], INACTIVE)
    await ds.flush()
    rows = await sql.fetch("SELECT destination, state FROM dispatcher ORDER BY destination")
    assert [tuple(row.values()) for row in rows] == [("sip:10.1.0.1", 1), ("sip:10.1.0.2", 2)]
    await stores.close()


async def test_states_stay_in_memory_when_they_are_not_persistent(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    env, ds, stores, sql = await fill(url, (1, "sip:10.1.0.1", 0, "5"))
    partition = ds.partitions["default"]
    partition.persistent = False
    await ds.child_init(env)
    ds.set_state(partition, partition.groups[1], partition.groups[1].destinations[0], INACTIVE)
    await ds.destroy()
    assert (await sql.fetch("SELECT state FROM dispatcher"))[0]["state"] == 0
    await stores.close()


async def test_a_table_of_another_version_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    env, ds, stores, sql = await fill(url)
    await sql.execute("UPDATE version SET table_version = 8")
    with pytest.raises(ModuleError, match="version 8, version 9 is needed"):
        await ds.child_init(env)
    await stores.close()


async def test_renamed_table_and_columns(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    env, ds, stores = make(db_url=url, table_name="gw", destination_col="uri")
    sql = env.sql(url)

    def work(connection):
        meta = sa.MetaData()
        tab = sa.Table("gw", meta, *(sa.Column(n, sa.String) for n in (
            "setid", "uri", "socket", "state", "weight", "priority", "attrs", "description", "probe_mode")))
        version = sa.Table("version", meta, sa.Column("table_name", sa.String), sa.Column("table_version", sa.Integer))
        meta.create_all(connection)
        connection.execute(tab.insert(), {"setid": "4", "uri": "sip:10.1.0.1", "state": "0"})
        connection.execute(version.insert(), {"table_name": "gw", "table_version": 9})
    await sql.run(work)
    await ds.child_init(env)
    assert ds.partitions["default"].groups[4].destinations[0].uri == "sip:10.1.0.1"
    await stores.close()


# --- partitions ----------------------------------------------------------------------------------------------------

def test_partitions():
    _, ds, _ = make(list_file="x", partition=[parse_partition(
        "east: list_file=y; dst_avp=$avp(e); ping_from=sip:e@h; persistent_state=0")])
    east = ds.partitions["east"]
    assert (east.list_file, east.dst_avp, east.grp_avp, east.ping_from, east.persistent) == (
        "y", "e", "ds_grp_failover_east", "sip:e@h", False)
    assert ds.partitions.keys() == {"default", "east"}
    _, ds, _ = make(partition=[parse_partition("east: list_file=y")])
    assert ds.partitions.keys() == {"east"}


@pytest.mark.parametrize("text", ["east: colour=red", "east: dst_avp=x"])
def test_bad_partitions(text):
    with pytest.raises(ModuleError, match='partition "east"'):
        make(partition=[parse_partition(text)])


def test_probing_needs_tm():
    with pytest.raises(ModuleError, match="tm"):
        make(tm=False, list_file="x", ds_ping_interval=5)


# --- states --------------------------------------------------------------------------------------------------------

def test_mark_and_event():
    gates = Gateways(params={"ds_probing_threshold": 2})
    heard = []
    gates.env.events.subscribe("E_DISPATCHER_STATUS", "test:", lambda name, params: heard.append(params))
    ctx = gates.ctx()
    assert gates.ds.ds_mark_dst(ctx) == -1
    gates.ds.ds_select_dst(ctx, ("", (1,)), (8,))
    assert gates.ds.ds_mark_dst(ctx, PROBING) == 1 and gates.states() == "AAA"
    assert gates.ds.ds_mark_dst(ctx, PROBING) == 1 and gates.states() == "PAA"
    assert gates.ds.ds_mark_dst(ctx, ACTIVE) == 1 and gates.states() == "AAA"
    assert gates.ds.ds_mark_dst(ctx) == 1 and gates.states() == "IAA"
    assert gates.ds.ds_mark_dst(ctx, PROBING) == 1 and gates.states() == "IAA"
    assert [params["status"] for params in heard] == ["probing", "active", "inactive"]
    assert heard[0] == {"partition": "default", "group": 1, "address": "sip:10.1.0.1", "status": "probing"}


# --- script functions ----------------------------------------------------------------------------------------------

IN_LIST = [     # ip, port, set, active only, pattern, result
    ("10.1.0.1", 5060, -1, 0, None, 1), ("10.1.0.1", 5061, -1, 0, None, -1), ("10.1.0.2", 0, 1, 0, None, 1),
    ("10.1.0.2", 0, 2, 0, None, -1), ("10.1.0.3", 0, -1, 1, None, -1), ("10.1.0.2", 0, -1, 0, "*site=a*", 1),
    ("10.1.0.2", 0, -1, 0, "*site=b*", -1), ("9.9.9.9", 0, -1, 0, None, -1)]


@pytest.mark.parametrize(("ip", "port", "group", "active", "pattern", "result"), IN_LIST)
def test_is_in_list(ip, port, group, active, pattern, result):
    gates = Gateways()
    gates.destination("0.3").state = INACTIVE
    assert gates.ds.ds_is_in_list(gates.ctx(), ip, port, group, None, active, pattern) == result


def test_is_in_list_tells_the_set_and_the_attributes():
    class Program(FakeProgram):
        holder = Holder()

        def variable(self, text):
            assert text == "$var(set)"
            return self.holder
    program = Program()
    gates = Gateways(params={"setid_pvar": "$var(set)", "attrs_avp": "at"}, program=program)
    ctx = gates.ctx()
    gates.ds.ds_is_in_list(ctx, "10.1.0.2", 5070)
    assert program.holder.value == 1 and ctx.avps["at"] == ["weight=1;site=a"]


@pytest.mark.parametrize(("letters", "count"), [("a", 1), ("ip", 2), ("aip", 3), ("i", 1)])
def test_count(letters, count):
    gates = Gateways()
    gates.destination("0.1").state, gates.destination("0.2").state = INACTIVE, PROBING
    out = Holder()
    assert gates.ds.ds_count(gates.ctx(), 1, parse_states(letters), out) == 1 and out.value == count
    assert gates.ds.ds_count(gates.ctx(), 9, parse_states(letters), out) == -1


def test_script_attributes():
    gates = Gateways()
    ctx, out = gates.ctx(), Holder()
    assert gates.ds.ds_push_script_attrs(ctx, "hot", "10.1.0.1", 5060, 1)
    assert not gates.ds.ds_push_script_attrs(ctx, "hot", "10.1.0.1", 5060, 2)
    assert gates.ds.ds_get_script_attrs(ctx, "sip:10.1.0.1", 1, None, out) == 1 and out.value == "hot"
    assert gates.ds.ds_get_script_attrs(ctx, "sip:none", 1, None, out) == -1


@pytest.mark.parametrize("call", [
    lambda ds, ctx: ds.ds_select_dst(ctx, ("east", (1,)), (4,)), lambda ds, ctx: ds.ds_next_dst(ctx, "east"),
    lambda ds, ctx: ds.ds_mark_dst(ctx, ACTIVE, "east"),
    lambda ds, ctx: ds.ds_is_in_list(ctx, "1.1.1.1", 0, -1, "east"),
    lambda ds, ctx: ds.ds_select_domain(ctx, ("", (1,)), (4,), partition="east")])
def test_unknown_partition(call):
    gates = Gateways()
    assert call(gates.ds, gates.ctx()) == -1


# --- reload --------------------------------------------------------------------------------------------------------

async def test_reload_is_whole_or_nothing(tmp_path):
    path = tmp_path / "ds.list"
    path.write_text(LIST)
    env, ds, _ = make(list_file=str(path))
    await ds.child_init(env)
    partition = ds.partitions["default"]
    partition.groups[1].destinations[0].state = INACTIVE
    path.write_text("1 sip:10.1.0.1 0 0\n1 sip:new 0 0\n")
    assert await env.mi.run("ds_reload") == "OK"
    assert [(d.uri, d.state) for d in partition.groups[1].destinations] == [("sip:10.1.0.1", INACTIVE),
                                                                           ("sip:new", ACTIVE)]
    path.write_text("broken\n")
    before = partition.groups
    with pytest.raises(MIError, match="old sets stay"):
        await env.mi.run("ds_reload")
    assert partition.groups is before
    path.write_text("1 sip:10.1.0.1 0 0\n")
    await env.mi.run("ds_reload", {"inherit_state": "0"})
    assert [d.state for d in partition.groups[1].destinations] == [ACTIVE]
    with pytest.raises(MIError):
        await env.mi.run("ds_reload", {"partition": "east"})


async def test_blacklists_follow_the_sets(tmp_path):
    class Words:
        def __init__(self):
            self.rules = {}

        def define(self, name, rules, dynamic):
            self.rules[name] = []

        def add_blacklist_rule(self, ctx, name, net, port):
            self.rules[name].append((net, port))
    path = tmp_path / "ds.list"
    path.write_text(LIST)
    env, ds, _ = make(list_file=str(path), ds_define_blacklist=[("gw", frozenset({2}))])
    words = env.modules["core_blacklist"] = Words()
    await ds.child_init(env)
    assert words.rules == {"gw": [("10.2.0.1", 5060), ("10.2.0.2", 5060)]}


@pytest.mark.parametrize("param", ["dst_avp", "attrs_avp"])
def test_avp_parameters(param):
    assert Dispatcher.spec.param(param).parse("$avp(x)") == "x"


def test_the_old_spelling_of_the_threshold():
    assert Dispatcher.spec.param("ds_probing_threshhold").attr == "ds_probing_threshold"
