"""Check JSON trees."""
from __future__ import annotations

import pytest
from kit.builtin import Words

from osip.api import Ctx
from osip.script.builtins.json_tree import parse_path

TEXT = '{"a": {"b": [1, "two", {"c": null}], "é": 1.5}, "t": true}'


@pytest.fixture
def made() -> tuple[Words, Ctx]:
    words = Words()
    ctx = words.ctx()
    assert words.set(ctx, "json", TEXT, "j", "*")
    return words, ctx


@pytest.mark.parametrize(("path", "index", "value"), [
    ("j/a/b[0]", None, 1), ("j/a/b[1]", None, "two"), ("j/a/b[-1]", None, '{"c":null}'), ("j/a/b[9]", None, None),
    ("j/a/b[2]/c", None, None), ("j/t", None, "true"), ("j/none", None, None), ("none", None, None),
    ("j/a/b/x", None, None), ("j[0]", None, None), ("j/a/b", 1, "two"), ("j/a/b", 9, None),
    ("j/a", 0, None), ("j/$var(k)/b[$var(i)]", None, "two"), ("j/$var(none)", None, None),
])
def test_read(made: tuple[Words, Ctx], path: str, index: int | None, value: object) -> None:
    words, ctx = made
    words.env.vars.update(k="a", i=1)
    assert words.get(ctx, "json", path, index) == value


def test_print(made: tuple[Words, Ctx]) -> None:
    words, ctx = made
    assert words.get(ctx, "json_compact", "j/a") == '{"b":[1,"two",{"c":null}],"\\u00e9":1.5}'
    assert words.get(ctx, "json_compact_noescape", "j/a") == '{"b":[1,"two",{"c":null}],"é":1.5}'
    assert words.get(ctx, "json_pretty", "j/a/b[2]") == '{\n  "c": null\n}'
    assert words.get(ctx, "json_pretty", "none") is None


@pytest.mark.parametrize(("path", "index", "value", "ok", "result"), [
    ("j/a/n", None, "x", True, ("j/a/n", "x")), ("j/a/b[]", None, 7, True, ("j/a/b[3]", 7)),
    ("j/a/b[0]", None, "z", True, ("j/a/b[0]", "z")), ("j/a/n", "*", "[1]", True, ("j/a/n", "[1]")),
    ("j/a/n", None, "[1]", True, ("j/a/n", "[1]")), ("j/none/x", None, 1, False, ("j/none/x", None)),
    ("j/a/b[9]", None, 1, False, ("j/a/b[9]", None)), ("j/a", "*", "{bad", False, ("j/a/b[0]", 1)),
    ("j/a/b", None, None, True, ("j/a/b", None)), ("j/a/b[0]", None, None, True, ("j/a/b[0]", "two")),
    ("j", None, None, True, ("j", None)), ("new", None, "v", True, ("new", "v")), ("j/a/b", 0, "i", True,
                                                                                  ("j/a/b[0]", "i")),
    ("j/a[0]", None, 1, False, ("j/a/b[0]", 1)),
])
def test_write(made: tuple[Words, Ctx], path: str, index: object, value: object, ok: bool,
               result: tuple[str, object]) -> None:
    words, ctx = made
    assert words.set(ctx, "json", value, path, index) is ok         # type: ignore[arg-type]
    assert words.get(ctx, "json", result[0]) == result[1]


def test_a_parsed_array_is_one() -> None:
    words = Words()
    ctx = words.ctx()
    words.set(ctx, "json", "[5]", "p", "*")
    words.set(ctx, "json", "[5]", "t")
    assert words.get(ctx, "json", "p[0]") == 5 and words.get(ctx, "json", "t[0]") is None


@pytest.mark.parametrize("path", ["", "/a", "j/a[x]", "j//a", "j[1"])
def test_bad_paths(path: str) -> None:
    with pytest.raises(ValueError):
        parse_path(path)
