"""Read every torture message and compare with the reading that its JSON file expects (RFC 4475, RFC 5118).

`verdict` is good or bad; a bad one is refused by `parse`, by `check` or by `check(deep=True)`, as `stage` says, with
the reply `code`; of a good one `forwarded_uri` is the request-URI with which it goes on. `answerable` tells whether the error carries a message that a reply can be built from.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.flows import flow
from osip.core.errors import ParseError
from osip.core.sip.build import build_forward, build_reply
from osip.core.sip.framing import Framer
from osip.core.sip.message import Request, Response, check, parse
from osip.core.sip.sdp import parse_sdp
from osip.core.sip.uri import parse_uri

FOLDER = Path(__file__).parent
CASES = sorted(FOLDER.glob("*/*.sip"))


def read(case: Path) -> tuple[bytes, dict]:
    return case.read_bytes(), json.loads(case.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_reading(case: Path) -> None:
    raw, expect = read(case)
    if expect["verdict"] == "bad":
        check_refused(raw, expect)
    else:
        msg = parse(raw)
        assert check(msg, deep=True) is None
        check_fields(msg, expect)
        check_addresses(msg, expect)


def check_refused(raw: bytes, expect: dict) -> None:
    if expect["stage"] == "parse":
        with pytest.raises(ParseError) as caught:
            parse(raw)
        error = caught.value
        assert (error.partial is not None) == expect["answerable"]
        if error.partial is not None:
            reply = parse(build_reply(error.partial, error.code, "x", "t1", received="192.0.2.77", rport=9))
            assert reply.status == error.code and reply.call_id == error.partial.get("Call-ID")
    else:
        msg = parse(raw)
        error = check(msg, deep=expect["stage"] == "deep")
        assert error is not None
        if expect["stage"] == "deep":
            assert check(msg) is None
        if msg.is_request:
            assert parse(build_reply(msg, error.code, "x", "t1")).status == error.code
    assert error.code == expect["code"]
    assert error.reason == expect.get("reason", error.reason)


def check_fields(msg: Request | Response, expect: dict) -> None:
    assert msg.method == expect["method"]
    if "status" in expect:
        assert isinstance(msg, Response)
        assert (msg.status, msg.reason) == (expect["status"], expect["phrase"])
    if "ruri" in expect:
        assert msg.ruri == expect["ruri"]
    for name, value in expect.get("fields", {}).items():
        assert getattr(msg, name) == value, name
    for name, values in expect.get("headers", {}).items():
        assert msg.get_all(name) == values, name
    if "uri" in expect:
        uri = parse_uri(msg.ruri)
        for name, value in expect["uri"].items():
            assert getattr(uri, name) == (tuple(value) if isinstance(value, list) else value), name
    check_body(msg, expect)


def check_body(msg: Request | Response, expect: dict) -> None:
    if "body_text" in expect:
        assert msg.body == expect["body_text"].encode()
    if "body_size" in expect:
        assert len(msg.body) == expect["body_size"]
    if "frames" in expect:
        assert len(Framer().feed(msg.raw)) == expect["frames"]
    if "sdp_addresses" in expect:
        sdp = parse_sdp(msg.body)
        assert [sdp.address(media) for media in sdp.media] == expect["sdp_addresses"]


def check_addresses(msg: Request | Response, expect: dict) -> None:
    if "vias" in expect:
        assert [[via.transport, via.host, via.port, via.branch] for via in msg.vias] == expect["vias"]
    if "via_count" in expect:
        assert len(msg.vias) == expect["via_count"]
    if "received" in expect:
        assert msg.via1.received == expect["received"]
    if "contacts" in expect:
        assert [[c.display, c.uri_text, c.q] for c in msg.contacts] == expect["contacts"]
    if "contact_params" in expect:
        assert [list(pair) for pair in msg.contacts[0].params] == expect["contact_params"]
    if "routes" in expect:
        assert [route.uri_text for route in msg.routes] == expect["routes"]
    if "from_" in expect:
        assert [msg.from_.display, msg.from_.uri_text] == expect["from_"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_forwarded_message_reads_the_same(case: Path) -> None:
    raw, expect = read(case)
    if expect["verdict"] == "bad" or "status" in expect:
        pytest.skip("only good requests are forwarded")
    msg = parse(raw)
    sent = parse(build_forward(msg, None, b"Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKx\r\n"))
    assert check(sent, deep=True) is None
    assert sent.via1_branch == "z9hG4bKx"
    assert [str(via) for via in sent.vias[1:]] == [str(via) for via in msg.vias]
    assert sent.body == msg.body
    assert sent.content_length == len(msg.body)
    assert (sent.ruri, sent.call_id, sent.cseq, sent.from_tag) == (msg.ruri, msg.call_id, msg.cseq, msg.from_tag)


@pytest.mark.parametrize("case", [case for case in CASES if "forwarded_uri" in read(case)[1]], ids=lambda case: case.stem)
def test_forwarded_request_uri(case: Path) -> None:
    raw, expect = read(case)
    play = flow()
    play.net.names["example.com"] = ["10.0.0.2"]
    play.feed(raw).sent(expect["method"], "bob").check(lambda msg: msg.ruri == expect["forwarded_uri"])


def test_every_message_has_its_reading() -> None:
    assert {case.stem for case in FOLDER.glob("*/*.sip")} == {case.stem for case in FOLDER.glob("*/*.json")}
    assert len(CASES) >= 60
