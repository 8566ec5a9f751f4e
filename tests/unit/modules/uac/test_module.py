"""Words and parameters of uac; what they do to calls is shown in tests/flow."""
from __future__ import annotations

from typing import Any

import pytest

from kit import message
from kit.passage import call
from kit.playbook import SERVER, Playbook
from osip.core.errors import ModuleError
from osip.core.net.endpoint import Source
from osip.core.run.ctx import Ctx
from osip.core.sip.edits import splice
from osip.core.sip.message import parse
from osip.modules.rr import Rr
from osip.modules.tm import Tm
from osip.modules.uac import Uac
from osip.modules.uac.cover import cover
from osip.modules.uac.module import read_algorithms
from osip.modules.uac_auth import UacAuth

ALL = (Tm, Rr, UacAuth, Uac)


def make(classes: Any = ALL, **params: Any) -> tuple[Playbook, Uac]:
    play = Playbook(classes, lambda ctx: 1, params={"uac": params})
    return play, play.modules["uac"]                    # type: ignore[return-value]


def ctx_of(play: Playbook, **more: Any) -> Ctx:
    return Ctx(play.env, parse(message.request(**more)), Source(play.env.sockets[0], "10.0.0.1", 5060))


def after(ctx: Ctx) -> Any:
    return parse(splice(ctx.msg.raw, ctx.edits) if ctx.edits else ctx.msg.raw)


# function, arguments, To tag, mode -> code, From, To
CALLS = [
    ("uac_replace_from", ("A", "sip:n@y"), "", "auto", 1, '"A" <sip:n@y>;tag=a1', "<sip:bob@example.com>"),
    ("uac_replace_from", (None, "sip:n@y"), "", "auto", 1, "<sip:n@y>;tag=a1", "<sip:bob@example.com>"),
    ("uac_replace_from", ("sip:n@y",), "", "none", 1, "<sip:n@y>;tag=a1", "<sip:bob@example.com>"),
    ("uac_replace_to", ("", "sip:n@y"), "", "manual", 1, "<sip:alice@example.com>;tag=a1", "<sip:n@y>"),
    ("uac_replace_to", ("T", ""), "", "auto", 1, "<sip:alice@example.com>;tag=a1", '"T" <sip:bob@example.com>'),
    ("uac_replace_from", ("A", "sip:n@y"), "t", "auto", -1, "<sip:alice@example.com>;tag=a1",
     "<sip:bob@example.com>;tag=t"),
    ("uac_replace_from", ("A", "sip:n@y"), "t", "none", 1, '"A" <sip:n@y>;tag=a1', "<sip:bob@example.com>;tag=t"),
    ("uac_replace_from", ("A", "rubbish"), "", "auto", -1, "<sip:alice@example.com>;tag=a1", "<sip:bob@example.com>"),
    ("uac_replace_from", (None, None), "", "auto", -1, "<sip:alice@example.com>;tag=a1", "<sip:bob@example.com>"),
    ("uac_restore_from", (), "t", "manual", -1, "<sip:alice@example.com>;tag=a1", "<sip:bob@example.com>;tag=t"),
    ("uac_restore_to", (), "t", "manual", -1, "<sip:alice@example.com>;tag=a1", "<sip:bob@example.com>;tag=t"),
]


@pytest.mark.parametrize("name,args,tag,mode,code,from_,to", CALLS)
def test_names(name: str, args: tuple[Any, ...], tag: str, mode: str, code: int, from_: str, to: str) -> None:
    play, uac = make(restore_mode=mode)
    ctx = ctx_of(play, to_tag=tag)
    assert call(uac, ctx, name, *args) == code
    assert (after(ctx).get("From"), after(ctx).get("To")) == (from_, to)
    watchers = play.modules["tm"].armed(ctx).watchers       # type: ignore[attr-defined]
    assert bool(watchers) == (mode == "auto" and code == 1)


# parameters of our Route besides ftag, From tag of the request -> which function finds something, From, To
A, B, N = "sip:alice@example.com", "sip:bob@example.com", "sip:n@y"
RESTORED = [
    (f"vsf={cover(A, N, None, 'pw')}", "a1", "uac_restore_from", f"<{N}>;tag=a1", f"<{B}>;tag=t"),
    (f"vsf={cover(A, N, '', 'pw')}", "a1", "uac_restore_from", f"<{N}>;tag=a1", f"<{B}>;tag=t"),
    (f"vsf={cover(A, N, chr(34) + 'X' + chr(34), 'pw')}", "a1", "uac_restore_from", f'"X" <{N}>;tag=a1',
     f"<{B}>;tag=t"),
    (f"vst={cover(B, N, None, 'pw')}", "a1", "uac_restore_to", f"<{A}>;tag=a1", f"<{N}>;tag=t"),
    (f"vst={cover(N, A, None, 'pw')}", "zz", "uac_restore_to", f"<{N}>;tag=zz", f"<{B}>;tag=t"),
    (f"vsf={cover(N, B, None, 'pw')}", "zz", "uac_restore_from", f"<{A}>;tag=zz", f"<{N}>;tag=t"),
    (f"vsf={cover(A, N, None, 'other')}", "a1", "", f"<{A}>;tag=a1", f"<{B}>;tag=t"),
    ("vsf=rubbish;vst", "a1", "", f"<{A}>;tag=a1", f"<{B}>;tag=t"),
]


@pytest.mark.parametrize("params,tag,name,from_,to", RESTORED)
@pytest.mark.parametrize("mode", ["auto", "manual", "none"])
@pytest.mark.parametrize("ftag", [";ftag=a1", ""])
def test_restoring(ftag: str, mode: str, params: str, tag: str, name: str, from_: str, to: str) -> None:
    play, uac = make(restore_mode=mode, restore_passwd="pw")
    ctx = ctx_of(play, to_tag="t", from_tag=tag, headers=f"Route: <sip:{SERVER};lr{ftag};{params}>\r\n")
    assert play.modules["rr"].loose_route(ctx) == 1         # type: ignore[attr-defined]
    was = (f"<{A}>;tag={tag}", f"<{B}>;tag=t")
    assert (after(ctx).get("From"), after(ctx).get("To")) == ((from_, to) if mode == "auto" else was)
    if mode == "manual" and name:
        assert call(uac, ctx, name) == 1
        assert (after(ctx).get("From"), after(ctx).get("To")) == (from_, to)


def test_what_is_recorded() -> None:
    play, uac = make(restore_mode="manual")
    ctx = ctx_of(play)
    assert uac.record(ctx) == ""
    uac.uac_replace_from(ctx, None, N)
    uac.uac_inc_cseq(ctx, 2)
    uac.uac_inc_cseq(ctx, 1)
    assert uac.record(ctx) == f";vsf={cover(A, N, None, '')};vsc=3"
    assert make(restore_mode="none")[1].record(ctx) == ";vsc=3"
    inside = ctx_of(play, to_tag="t")
    uac.uac_inc_cseq(inside, 2)
    assert after(inside).cseq == 3 and uac.record(inside) == ""


@pytest.mark.parametrize("n,code", [(1, 1), (0, 1), (-1, -1), (1 << 31, -1)])
def test_inc_cseq(n: int, code: int) -> None:
    play, uac = make()
    ctx = ctx_of(play)
    assert call(uac, ctx, "uac_inc_cseq", n) == code and after(ctx).cseq == 1 + max(n if code == 1 else 0, 0)


def test_nothing_to_answer() -> None:
    play, uac = make()
    assert call(uac, ctx_of(play), "uac_auth") == -1
    play, uac = make((Tm, Rr, Uac))
    assert call(uac, ctx_of(play), "uac_auth") == -1


def test_algorithms() -> None:
    assert read_algorithms("MD5, sha-256") == {"md5", "sha-256"}
    with pytest.raises(ValueError, match="SHA-1|sha-1"):
        read_algorithms("MD5,SHA-1")


def test_avps_of_older_scripts() -> None:
    play, _ = make(auth_realm_avp="$avp(r)", auth_username_avp="$avp(u)", auth_password_avp="$avp(i:3)")
    auth = play.modules["uac_auth"]
    assert (auth.auth_realm_avp, auth.auth_username_avp, auth.auth_password_avp) == ("r", "u", "3")    # type: ignore[attr-defined]
    with pytest.raises(ModuleError, match="is not an AVP"):
        make(auth_realm_avp="r")


def test_credentials_of_older_scripts() -> None:
    play, _ = make(credential=["alice:one:secret"])
    assert play.modules["uac_auth"].get_credentials("one").user == "alice"      # type: ignore[attr-defined]
    with pytest.raises(ModuleError, match="user:realm:password"):
        make(credential=["alice"])
    with pytest.raises(ModuleError, match="uac_auth.so"):
        make((Tm, Rr, Uac), credential=["alice:one:secret"])


def test_one_name_for_two_parameters_is_refused() -> None:
    with pytest.raises(ModuleError, match="two different"):
        make(rr_from_store_param="v", rr_to_store_param="v")
