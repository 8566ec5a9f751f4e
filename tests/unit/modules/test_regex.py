"""Perl's expressions, alone and in groups."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit.passage import Box
from kit.playbook import make_worker
from osip.api import MIError, ModuleError
from osip.modules.regex import Regex, compile_pcre

GROUPS = "# numbers\n[0]\n^00\n^\\+\n\n[1]\nexample\\.(com|net)$\n"


def make(path: Path | None = None, **params: Any) -> Any:
    if path is not None:
        params["file"] = str(path)
    return make_worker((Regex,), {"regex": params})[0].env.modules["regex"]


@pytest.mark.parametrize(("text", "pattern", "found"), [
    ("alice", "^ali", "ali"), ("Alice", "^ali", None), ("Alice", "/^ali/i", "Ali"), ("a\nb", "(?m)^b$", "b"),
    ("x42", r"(?<n>\d+)", "42"), ("x", "(", None), ("a1b", "a(?=1)", "a")])
def test_match(text: str, pattern: str, found: str | None) -> None:
    box = Box()
    assert make().pcre_match(None, text, pattern, box) == (-1 if found is None else 1)
    assert box.values == ([] if found is None else [found])


def test_groups(tmp_path: Path) -> None:
    path = tmp_path / "groups"
    path.write_text(GROUPS)
    module = make(path)
    cases = [("0049", 0, 1), ("+49", 0, 1), ("49", 0, -1), ("a.example.net", 1, 1), ("a.EXAMPLE.net", 1, -1), ("x", 7, -1)]
    assert [(text, group, module.pcre_match_group(None, text, group)) for text, group, _ in cases] == cases
    assert make(path, pcre_caseless=1).pcre_match_group(None, "a.EXAMPLE.net", 1) == 1
    path.write_text("[2]\n^7\n")
    module.mi_reload()
    assert (module.mi_match_group("77", 2), module.mi_match_group("0049", 0)) == ("Match", "Not Match")
    path.write_text("[2]\n(\n")
    with pytest.raises(MIError, match="bad regular expression"):
        module.mi_reload()
    assert module.mi_match_group("77", 2) == "Match"        # a bad file changes nothing


@pytest.mark.parametrize(("text", "params", "words"), [
    ("[30]\nx\n", {}, "max_groups is 20"), ("[0]\n(\n", {}, "bad regular expression"),
    ("[0]\nabcdef\n", {"group_max_size": 5}, "longer than group_max_size=5")])
def test_bad_file(tmp_path: Path, text: str, params: dict[str, Any], words: str) -> None:
    path = tmp_path / "groups"
    path.write_text(text)
    with pytest.raises(ModuleError, match=words):
        make(path, **params)
    with pytest.raises(ModuleError, match="cannot read"):
        make(tmp_path / "none")


def test_management() -> None:
    module = make()
    assert (module.mi_match("abc", "^a"), module.mi_match("abc", "^b")) == ("Match", "Not Match")
    with pytest.raises(MIError, match="bad regular"):
        module.mi_match("x", "(")
    with pytest.raises(MIError, match="no parameter file"):
        module.mi_reload()


@pytest.mark.parametrize(("value", "expression", "out"), [
    ("aXbX", "/X/-/", "a-bX"), ("aXbX", "/x/-/gi", "a-b-"), ("+4930", r"/^\+(\d\d)/00\1 /", "0049 30"), ("x", "/(/y/", None),
    ("x", "?", None), (None, "/a/b/", None), ("a/b", r"#/#\\#", "a\\b")])
def test_subst(value: str | None, expression: str, out: str | None) -> None:
    assert make().subst(value, expression) == out


def test_the_cache_keeps_flags_apart() -> None:
    assert compile_pcre("a").flags != compile_pcre("a", 2).flags
