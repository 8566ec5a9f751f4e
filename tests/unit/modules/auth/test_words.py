"""The words of auth as requests run them: a reload changes them, and so does another script."""
from __future__ import annotations

from typing import Any

import pytest
from kit.desk import Desk
from kit.message import request
from kit.registration import register

from osip.api import parse
from osip.modules.auth.guard import COUNTED, FREELY, ONCE

SPECS = {"username_spec": "$u", "password_spec": "$p", "calculate_ha1": 1}


def desk(**params: Any) -> Desk:
    return Desk(params={"auth": {**SPECS, **params}}, values={"$u": "bob", "$p": "secret"})


def test_scripts_call_them_at_once() -> None:
    auth = desk().auth
    for name in ("begin", "finish", "www_challenge", "proxy_challenge", "pv_www_authorize", "pv_proxy_authorize"):
        assert getattr(auth, name) == getattr(auth.words, name)


@pytest.mark.parametrize(("unchecked", "counted", "use"), [(0, 0, ONCE), (0, 1, ONCE), (1, 0, FREELY), (1, 1, COUNTED)])
def test_how_often_a_nonce_may_be_used(unchecked: int, counted: int, use: int) -> None:
    assert desk(disable_nonce_check=unchecked, check_nonce_count=counted).auth.words.use == use


def test_a_reload_is_seen() -> None:
    found = desk()
    found.auth.disable_nonce_check, found.auth.username_spec = 1, ""
    assert found.auth.words.use == ONCE and found.auth.words.is_ready
    for tell in found.auth.env.on_reload:
        tell()
    assert found.auth.words.use == FREELY and not found.auth.words.is_ready


def test_a_new_script_is_asked_for_its_variables() -> None:
    found = desk()
    [one] = found.challenge("")
    assert found.auth.pv_www_authorize(found.answer(one), "") == 1
    old = found.auth.env.program

    class Other:
        def variable(self, text: str) -> Any:
            return old.variable({"$u": "$p", "$p": "$u"}[text])
    found.auth.env.program = Other()
    [one] = found.challenge("")
    assert found.auth.pv_www_authorize(found.answer(one), "") == -1


@pytest.mark.parametrize("word", ["www_challenge", "proxy_challenge"])
def test_no_challenge_for_what_cannot_answer(word: str) -> None:
    found = desk()
    response = parse(b"SIP/2.0 200 OK" + request()[request().index(b"\r\n"):])
    assert getattr(found.auth, word)(found.ctx(request("ACK")), "") == -1
    assert response.status == 200 and found.net.log == []


def test_lines_of_the_script_stay() -> None:
    found = desk()
    ctx = found.ctx(register("<sip:a@h>"))
    ctx.reply_edits = [b"X-One: 1\r\n"]
    assert found.auth.www_challenge(ctx, "r") == 0 and ctx.reply_edits == [b"X-One: 1\r\n"]
    assert b'X-One: 1\r\nWWW-Authenticate: Digest realm="r"' in found.net.log[-1][1]
