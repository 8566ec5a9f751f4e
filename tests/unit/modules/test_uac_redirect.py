"""Which Contacts of redirections are followed (the flows are in tests/flow/test_redirect.py)."""
from __future__ import annotations

import re
from typing import Any

import pytest

from kit import message
from kit.flows import tm
from kit.playbook import Playbook
from osip.core.run.ctx import Ctx
from osip.core.sip.message import parse
from osip.modules.rr import Rr
from osip.modules.tm import Tm
from osip.modules.uac_redirect import UacRedirect, read_branch_limit, read_filter, read_flags, read_limits

CONTACTS = ("Contact: <sip:c2@10.0.0.3>;q=0.2, <sip:c9@10.0.0.3>;q=0.9\r\nContact: <sip:c0@10.0.0.3>\r\n"
            "Contact: <tel:123>, <sip:d5@10.0.0.4>;q=0.5\r\n")


def redirected(failure: Any, headers: str = CONTACTS, ruri: str = "sip:bob@10.0.0.2", status: int = 302,
               **params: Any) -> tuple[list[int], list[str | None]]:
    """Let bob redirect a call; return what `failure` returned and the URIs of the target set after it."""
    codes: list[int] = []
    targets: list[str | None] = []

    def on_failure(ctx: Ctx) -> int:
        module: Any = ctx.env.modules["uac_redirect"]
        codes.append(failure(module, ctx))
        targets.extend([ctx.target.uri, *[target.uri for target in ctx.targets or ()]])
        return 1

    def route(ctx: Ctx) -> int:
        tm(ctx).t_on_failure(ctx, "F")
        return tm(ctx).t_relay(ctx)
    play = Playbook((Tm, Rr, UacRedirect), route, params={"uac_redirect": params}, F=on_failure)
    play.recv("INVITE", ruri).answer("bob", status, headers=headers)
    return codes, targets


def test_all_in_the_order_of_q() -> None:
    codes, targets = redirected(lambda module, ctx: module.get_redirects(ctx))
    assert codes == [1]
    assert targets == ["sip:c9@10.0.0.3", "sip:d5@10.0.0.4", "sip:c2@10.0.0.3", "sip:c0@10.0.0.3"]


@pytest.mark.parametrize("arguments,count", [(("2",), 2), (("0", "1"), 1), (("3:1",), 1), (("*:2",), 2), (("2:*",), 2),
                                             (("1:3",), 1), (("2", "moved"), 2), (("3", "2"), 2)])
def test_limits(arguments: tuple[str, ...], count: int) -> None:
    total = read_limits(arguments[0])
    each = read_branch_limit(arguments[1]) if len(arguments) > 1 else None
    _, targets = redirected(lambda module, ctx: module.get_redirects(ctx, total, each))
    assert targets == ["sip:c9@10.0.0.3", "sip:d5@10.0.0.4", "sip:c2@10.0.0.3"][:count]


@pytest.mark.parametrize("headers,ruri,status", [
    ("", "sip:bob@10.0.0.2", 302), ("Contact: *\r\n", "sip:bob@10.0.0.2", 302),
    ("Contact: <sip:bob@10.0.0.2>\r\n", "sip:bob@10.0.0.2", 302),
    ("Contact: <sip:c@10.0.0.3\r\n", "sip:bob@10.0.0.2", 302), ("Contact: <mailto:a@b>\r\n", "sip:bob@10.0.0.2", 302),
    ("Contact: <sip:c@10.0.0.3>\r\n", "sip:bob@10.0.0.2", 486)])
def test_nothing_to_follow(headers: str, ruri: str, status: int) -> None:
    assert redirected(lambda module, ctx: module.get_redirects(ctx), headers, ruri, status) == ([-1], [None])


def test_headers_and_method_of_a_contact_are_left_out() -> None:
    headers = "Contact: <sip:c@10.0.0.3;method=BYE;x=y?Subject=z>, <sip:c@10.0.0.3;x=y>\r\n"
    assert redirected(lambda module, ctx: module.get_redirects(ctx), headers)[1] == ["sip:c@10.0.0.3;x=y"]


def test_sips_follows_sips_only() -> None:
    headers = "Contact: <sip:c@10.0.0.3>, <sips:d@10.0.0.4>\r\n"
    seen: list[Any] = []

    def failure(module: Any, ctx: Ctx) -> int:
        ctx.msg.ruri = "sips:bob@10.0.0.2"              # type: ignore[union-attr]
        code = module.get_redirects(ctx)
        seen.append(ctx.target.uri)
        return code                                     # type: ignore[no-any-return]
    redirected(failure, headers)
    assert seen == ["sips:d@10.0.0.4"]


def test_what_the_target_held_is_gone() -> None:
    def failure(module: Any, ctx: Ctx) -> int:
        ctx.target.du, ctx.target.path, ctx.target.bflags = "sip:10.0.0.4", "<sip:x;lr>", 3
        code = module.get_redirects(ctx)
        assert (ctx.target.du, ctx.target.path, ctx.target.bflags, ctx.target.q) == (None, None, 0, 900)
        return code                                     # type: ignore[no-any-return]
    assert redirected(failure)[0] == [1]


# parameters, calls (function, expression, flags) -> users that are followed
FILTERS = [
    ({}, [], "c9 d5 c2 c0"),
    ({"deny_filter": "c2"}, [], "c9 d5 c0"),
    ({"deny_filter": "10.0.0.3"}, [], "d5"),
    ({"default_filter": "deny"}, [], ""),
    ({"default_filter": "deny", "accept_filter": "C9|c2"}, [], "c9 c2"),
    ({"deny_filter": "10.0.0.3", "accept_filter": "c9"}, [], "c9 d5"),
    ({"default_filter": "deny"}, [("accept", "d5", "")], "d5"),
    ({"deny_filter": "c9"}, [("deny", "c2", "")], "d5 c0"),
    ({"deny_filter": "c9"}, [("deny", "c2", "reset_default")], "c9 d5 c0"),
    ({"deny_filter": "c9"}, [("deny", "c2", ""), ("deny", "c0", "reset_added")], "d5 c2"),
    ({"deny_filter": "c9"}, [("deny", "c2", ""), ("deny", "c0", "reset_all")], "c9 d5 c2"),
    ({"default_filter": "deny", "accept_filter": "c"}, [("accept", "d", "reset_default")], "d5"),
]


@pytest.mark.parametrize("params,calls,users", FILTERS)
def test_filters(params: dict[str, Any], calls: list[tuple[str, str, str]], users: str) -> None:
    for name in ("deny_filter", "accept_filter"):
        if name in params:
            params = {**params, name: read_filter(params[name])}

    def failure(module: Any, ctx: Ctx) -> int:
        for kind, pattern, flags in calls:
            add = module.set_accept_filter if kind == "accept" else module.set_deny_filter
            assert add(ctx, re.compile(pattern, re.IGNORECASE), read_flags(flags)) == 1
        return module.get_redirects(ctx)                # type: ignore[no-any-return]
    codes, targets = redirected(failure, **params)
    assert codes == [1 if users else -1]
    assert [uri[4:6] for uri in targets if uri] == users.split()


@pytest.mark.parametrize("read,text", [(read_filter, "("), (read_flags, "reset_some"), (read_limits, "many"),
                                       (read_limits, "1:x"), (read_limits, "-1")])
def test_bad_values(read: Any, text: str) -> None:
    with pytest.raises(ValueError):
        read(text)


def test_outside_a_transaction() -> None:
    play = Playbook((Tm, UacRedirect), lambda ctx: 1)
    module: Any = play.modules["uac_redirect"]
    assert module.get_redirects(Ctx(play.env, parse(message.request()), None)) == -1
