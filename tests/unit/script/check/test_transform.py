"""Arguments of transformations: how many, and of which kind."""
from __future__ import annotations

import pytest
from kit.findings import HEAD

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.check.transform import transform_name


@pytest.mark.parametrize(("chain", "is_right"), [
    ("{s.select,a,b}", False), ("{s.select,1,b}", True), ("{s.select,1,,}", True), ("{s.select,-1,ab}", False),
    ("{s.select,$var(i),.}", True), ("{s.width,x}", False), ("{s.width,-1}", False), ("{s.width,5}", True),
    ("{param.valueat,zz}", False), ("{param.valueat,-1}", True), ("{param.value,zz}", True), ("{ip.matches,foo}", False),
    ("{ip.matches,10.0.0.0/8}", True), ("{ip.matches,10.1.2.3}", True), ("{s.substr,1}", False), ("{s.substr,1,0}", True),
    ("{s.substr,x,0}", False), ("{csv.value,x}", False), ("{s.index,a}", True), ("{s.index,a,b}", False),
    ("{s.fill.left,ab,8}", True), ("{s.fill.left,8,ab}", False), ("{sdp.line,m}", True),
])
def test_arguments(chain: str, is_right: bool) -> None:
    text = f'{HEAD}route {{ $var(i) = 1; xlog("$(ru{chain})"); exit; }}\n'
    found = compile_script(text, Registry(BUILTINS), Config()).diagnostics
    assert [one.code for one in found] == ([] if is_right else ["E108"]), found


def test_name() -> None:
    assert [transform_name(name) for name in ("nameaddr.0.uri", "nameaddr.-1.uri", "s.len")] == [
        "nameaddr.uri", "nameaddr.uri", "s.len"]
