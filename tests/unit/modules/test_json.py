"""Linked and merged trees."""
from __future__ import annotations

import pytest

from kit.passage import Box
from kit.playbook import make_worker
from kit.script import ScriptBook
from osip.modules.json import Json


def test_link() -> None:
    ScriptBook('''route {
    $json(a) := "{\\"in\\":{\\"n\\":1}}";
    if (json_link($json(b), $json(a/in))) { $json(b/n) = 2; xlog("$json(a/in/n)"); }
    if (!json_link($json(b), $json(none))) xlog("none");
}''', "json").recv("OPTIONS").says("2", "none")


@pytest.mark.parametrize(("main", "patch", "out"), [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'), ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'), ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'), ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('["a","b"]', '["c"]', '["c"]'), ('{"a":"foo"}', "null", "null"), ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}')])
def test_merge(main: str, patch: str, out: str) -> None:
    module = make_worker((Json,))[0].env.modules["json"]
    box = Box()
    assert module.json_merge(None, main, patch, box) == 1
    assert box.values == [out]


@pytest.mark.parametrize(("main", "patch"), [("{", "{}"), ("{}", "x"), ("{}", '{"a":' * 500 + "1" + "}" * 500)])
def test_no_merge(main: str, patch: str) -> None:
    module = make_worker((Json,))[0].env.modules["json"]
    assert module.json_merge(None, main, patch, Box()) == -1
