"""What is ours, what is remembered of it, and whose state a branch has; test_module.py has the functions."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from kit.flows import flow
from osip.core.net.endpoint import Source
from osip.core.run.ctx import BRANCH, Ctx
from osip.core.sip.message import parse
from osip.core.sip.uri import parse_uri


def parts() -> tuple[Any, Ctx]:
    rr: Any = flow().env.modules["rr"]
    return rr.router, Ctx(rr.env, parse(message.request("INVITE")), Source(rr.env.sockets[0], "10.0.0.1", 5060))


@pytest.mark.parametrize("uri,expected", [
    ("sip:10.0.0.9", True), ("sip:10.0.0.9:5060;lr", True), ("sips:10.0.0.9:5060", True), ("sip:10.0.0.9:5099", False),
    ("sip:10.0.0.8", False), ("tel:10009", False)])
def test_what_is_ours(uri: str, expected: bool) -> None:
    router, _ = parts()
    assert router.is_ours(parse_uri(uri)) is expected
    if uri.startswith("sip:"):
        address = uri[4:].partition(";")[0].encode()
        assert router.is_own(address) is expected and router.own[address] is expected


def test_a_user_to_ignore() -> None:
    router, _ = parts()
    router.ignore_user = "gone"
    assert not router.is_ours(parse_uri("sip:gone@10.0.0.9")) and router.is_ours(parse_uri("sip:other@10.0.0.9"))


def test_a_branch_has_a_state_of_its_own() -> None:
    router, ctx = parts()
    router.state(ctx).params += ";a=1"
    ctx.kind = BRANCH
    own = router.state(ctx)
    own.params += ";b=2"
    assert router.state(ctx) is own and own.params == ";a=1;b=2" and router.route_params(ctx) is None


def test_a_reload_forgets_addresses() -> None:
    router, _ = parts()
    router.is_own(b"10.0.0.9:5060")
    router.shown[b"Via: x"] = "10.0.0.9"
    for called in router.env.on_reload:
        called()
    assert not router.own and not router.shown


def test_a_new_name_of_ours_is_seen_in_routes() -> None:
    """What a module adds to `myself` counts for Routes, although answers are remembered."""
    router, _ = parts()
    assert not router.is_own(b"mine.example")
    router.env.own_names.append(lambda host: host == "mine.example")
    for called in router.env.on_own_names:
        called()
    assert router.is_own(b"mine.example")
