"""Where a message says that it comes from, and where it came from."""
from __future__ import annotations

import pytest
from kit.message import request
from kit.playbook import make_worker

from osip.core.net.endpoint import LocalSocket, Source
from osip.core.run import origin
from osip.core.run.ctx import Ctx
from osip.core.sip.message import parse
from osip.core.sip.uri import parse_uri


def source(proto: str = "udp", host: str = "192.0.2.7", port: int = 40000) -> Source:
    return Source(LocalSocket(proto, "10.0.0.9", 5060), host, port)


def context(raw: bytes, came: Source) -> Ctx:
    return Ctx(make_worker(())[0].env, parse(raw), came)


@pytest.mark.parametrize(("came", "uri"), [
    (source(), "sip:192.0.2.7:40000"), (source("tcp"), "sip:192.0.2.7:40000;transport=tcp"),
    (source("wss", "2001:db8::7"), "sip:[2001:db8::7]:40000;transport=wss")])
def test_source_uri(came: Source, uri: str) -> None:
    assert origin.source_uri(came) == uri


@pytest.mark.parametrize(("uri", "proto", "mended"), [
    ("sip:a@10.0.0.1", "udp", "sip:a@192.0.2.7:40000"), ("sip:a@10.0.0.1:5070;ob", "udp", "sip:a@192.0.2.7:40000;ob"),
    ("sip:a@x.invalid;transport=ws", "wss", "sip:a@192.0.2.7:40000;transport=wss"),
    ("sip:a@x.invalid;transport=ws;ob", "ws", "sip:a@192.0.2.7:40000;transport=ws;ob"),
    ("sip:a@x.invalid", "tcp", "sip:a@192.0.2.7:40000;transport=tcp"),
    ("sip:a@10.0.0.1;transport=tcp", "tcp", "sip:a@192.0.2.7:40000;transport=tcp")])
def test_at_source(uri: str, proto: str, mended: str) -> None:
    assert str(origin.at_source(parse_uri(uri), source(proto))) == mended


@pytest.mark.parametrize(("via", "port"), [
    ("10.0.0.1:5070", 5070), ("10.0.0.1", 5060), ("10.0.0.1;branch=z9hG4bKx", 5060)])
def test_via_port(via: str, port: int) -> None:
    assert origin.via_port(context(request(via=via, branch=""), source())) == port
    tls = request(via=via, branch="", transport="TLS")
    assert origin.via_port(context(tls, source())) == (5061 if port == 5060 else port)


def test_contacts_that_cannot_be_mended_stay() -> None:
    raw = request().replace(b"Contact: <sip:alice@10.0.0.1>", b"Contact: <sip:a@x>, *, <sip:>, <sip:b@y>;q=1")
    ctx = context(raw, source())
    assert origin.rewrite_contacts(ctx, lambda address: f"<{address.uri.replace(host='z')}>") == 2
    [(_, _, new)] = ctx.edit.items
    assert b"<sip:a@z>, *, <sip:>, <sip:b@z>" in new
    assert origin.rewrite_contacts(context(raw, source()), str) == 0
