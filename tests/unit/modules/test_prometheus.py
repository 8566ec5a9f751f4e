"""Metrics as Prometheus reads them, by its own parser."""
from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kit.playbook import make_worker
from kit.script import ScriptBook, faults_of
from osip.api import ModuleError, StatKind
from osip.core.run.stats import Stats, total
from osip.modules.httpd import Httpd
from osip.modules.prometheus import Prometheus, parse_rule


def make(**params: Any) -> Any:
    worker, _, _ = make_worker((Httpd, Prometheus), {"prometheus": params})
    stats = worker.env.stats
    stats.register("core", "rcv_requests", lambda: 7, StatKind.COUNTER)
    stats.register("load", "udp:127.0.0.1:5060-load", lambda: 3)
    stats.register("gw", "gw_a_asr", lambda: 50)
    stats.register("gw", "gw_b\"\\_asr", lambda: 60)
    return worker.env.modules["prometheus"]


async def read(module: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], tuple[float, str]]:
    # The parser adds the ending that newer clients give counters.
    return {(sample.name.removesuffix("_total"), tuple(sample.labels.items())): (sample.value, family.type)
            for family in text_string_to_metric_families(await module.text()) for sample in family.samples}


async def test_names_and_types() -> None:
    found = await read(make(statistics=["core:rcv_requests load:"]))
    assert found == {("opensips_rcv_requests", ()): (7.0, "counter"), ("opensips_udp:127_0_0_1:5060_load", ()): (3.0, "gauge")}


async def test_statistics_of_all_workers() -> None:
    module = make(statistics=["core:rcv_requests", "late"])

    async def gather() -> Stats:
        return total([[("core", "rcv_requests", "counter", 9, False, None), ("g", "late", "gauge", 2, False, None)]])
    module.env.workers, module.env.gather_stats = 2, gather
    assert await read(module) == {("opensips_rcv_requests", ()): (9.0, "counter"),
                                  ("opensips_late", ()): (2.0, "gauge")}


@pytest.mark.parametrize(("params", "name", "labels"), [
    ({"group_mode": 1}, "opensips_core_rcv_requests", ()), ({"group_mode": 2}, "opensips_rcv_requests", (("group", "core"),)),
    ({"group_mode": 2, "group_label": "g", "group_prefix": "x_"}, "opensips_rcv_requests", (("g", "x_core"),)),
    ({"prefix": "", "delimiter": "__", "group_mode": 1}, "core__rcv_requests", ())])
async def test_groups(params: dict[str, Any], name: str, labels: Any) -> None:
    assert await read(make(statistics=["rcv_requests"], **params)) == {(name, labels): (7.0, "counter")}


async def test_labels_out_of_names() -> None:
    module = make(statistics=["gw:"], labels=[parse_rule(r"gw: /^gw_(.*)_asr$/asr:gateway=\1,kind=x/")])
    assert await read(module) == {("opensips_asr", (("gateway", "a"), ("kind", "x"))): (50.0, "gauge"),
                                  ("opensips_asr", (("gateway", 'b"\\'), ("kind", "x"))): (60.0, "gauge")}
    assert (await module.text()).count("# TYPE opensips_asr gauge") == 1


async def test_statistics_of_the_script() -> None:
    book = ScriptBook('''modparam("prometheus", "script_route", "scrape") modparam("prometheus", "statistics", "none")
route { exit; }
route[scrape] {
    prometheus_declare_stat("calls", "gauge", "calls now");
    prometheus_push_stat(3, "state", "early");
    prometheus_push_stat(5, "{state=\\"up\\",x=\\"1\\"}");
    prometheus_push_stat(5, "{broken");
    prometheus_declare_stat("plain");
    prometheus_push_stat(9);
    prometheus_declare_stat("odd", "histogram");
}''', "httpd", "prometheus")
    found = await read(book.modules["prometheus"])
    assert found == {("opensips_calls", (("state", "early"),)): (3.0, "gauge"),
                     ("opensips_calls", (("state", "up"), ("x", "1"))): (5.0, "gauge"), ("opensips_plain", ()): (9.0, "counter")}
    book.says("prometheus: '{broken' is no set of labels", 'prometheus: "histogram" is neither counter nor gauge')


def test_words_outside_a_scrape() -> None:
    ScriptBook('route { if (!prometheus_declare_stat("x") && !prometheus_push_stat(1)) xlog("no"); }', "httpd", "prometheus").recv(
        "OPTIONS").says("prometheus: prometheus_declare_stat belongs into script_route",
                        "prometheus: prometheus_push_stat without a declared statistic", "no")


async def test_the_route_must_be_there() -> None:
    book = ScriptBook('modparam("prometheus", "script_route", "x") route { exit; }', "httpd", "prometheus")
    with pytest.raises(ModuleError, match='"x" is no route'):
        await book.modules["prometheus"].child_init(book.env)


@pytest.mark.parametrize("text", ["x", "g: /(/a/", "g: /a/"])
def test_bad_rules(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rule(text)


def test_it_needs_httpd() -> None:
    assert any("httpd" in fault.message for fault in faults_of("route { exit; }", "prometheus"))
