"""Old words on URIs: users by their credentials, and look-ups that are not there."""
from __future__ import annotations

import logging
from typing import Any

import pytest

from kit.message import request
from kit.passage import Box, call, pass_through
from kit.playbook import make_worker
from osip.core.run.ctx import Ctx
from osip.core.sip.message import parse
from osip.modules.uri import Uri

AUTH = 'Proxy-Authorization: Digest username="{}", realm="example.com", nonce="n", uri="sip:x", response="r"\r\n'


@pytest.mark.parametrize(("user", "args", "result", "counted"), [
    ("alice", ("is_user", "alice"), 1, (0, 0)), ("alice", ("is_user", "bob"), -1, (0, 0)), ("", ("is_user", "alice"),
        -1, (0, 0)),
    ("alice", ("db_check_from",), 1, (1, 0)), ("Alice@example.com", ("check_from",), 1, (1, 0)),
    ("alice", ("db_check_to",), -1, (0, 1)), ("bob", ("check_to",), 1, (1, 0)), ("", ("check_to",), -1, (0, 1)),
])
def test_users(user: str, args: tuple[str, ...], result: int, counted: tuple[int, int]) -> None:
    worker, _, _ = make_worker((Uri,))
    uri = worker.registry.instances["uri"]
    ctx = Ctx(worker.env, parse(request(headers=AUTH.format(user) if user else "")), None)
    assert call(uri, ctx, *args) == result
    assert (worker.env.stats.get("uri:positive checks"), worker.env.stats.get("uri:negative_checks")) == counted


@pytest.mark.parametrize("args", [
    ("db_does_uri_exist",), ("does_uri_exist",), ("db_get_auth_id", "sip:a@b", Box(), Box()), ("aaa_does_uri_exist",),
    ("does_uri_user_exist", "x"),
])
def test_what_is_not_there_fails_and_says_so(args: tuple[Any, ...], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "osip.uri"):
        assert pass_through(Uri, request(), args).results == [-1]
    assert "auth_" in caplog.text


def test_the_words_shared_with_sipmsgops() -> None:
    found = pass_through(Uri, request(ruri="sip:b@10.0.0.2;a"), ("has_totag",), ("uri_param", "a"), ("add_uri_param",
        "x=1"))
    assert found.results == [-1, 1, 1] and found.sent.ruri == "sip:b@10.0.0.2;a;x=1"
