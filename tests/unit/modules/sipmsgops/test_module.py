"""Message operations: results, and what shows in what is sent (headers, bodies, options, replies)."""
from __future__ import annotations

import json
import re
from typing import Any

import pytest

from kit.message import request
from kit.passage import Box, Passed, call, pass_through, reply_on_way
from kit.playbook import Playbook
from kit.script import faults_of
from osip.modules.sipmsgops import Sipmsgops

SDP = ("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
       "m=audio 4000 RTP/AVP 0 8 96\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 x=1\r\nm=video 4002 RTP/SAVP 97\r\n"
       "a=rtpmap:97 VP8/90000\r\n")
HEADERS = ("X-One: 1\r\nX-Two: 2\r\nX-One: 3\r\nSupported: path, 100rel\r\nSupported: 100rel\r\nk: timer\r\n"
           "Privacy: id;critical\r\ns: compact\r\n")
PLAIN = request(headers=HEADERS)
WITH_SDP = request(headers="Content-Type: application/sdp\r\n", body=SDP)
MIXED = request(headers='Content-Type: multipart/mixed;boundary="b1"\r\n',
                body=f"--b1\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n"
                     "--b1\r\nContent-Type: application/isup;version=x\r\n"
                     "Content-Disposition: signal\r\n\r\n\x01\x02\r\n--b1--\r\n")


def go(*calls: tuple[Any, ...], raw: bytes = PLAIN, **more: Any) -> Passed:
    return pass_through(Sipmsgops, raw, *calls, **more)


def names(found: Passed) -> list[str]:
    return [found.sent.name(at) for at in range(len(found.sent.headers))]


# --- headers --------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("args", "before", "after"), [
    (("append_hf", "X-New: a\r\n"), "Content-Length", None),
    (("append_hf", "X-New: a"), "Content-Length", None),
    (("append_hf", "X-New: a\r\n", "X-One"), "X-One", "X-Two"),
    (("append_hf", "X-New: a\r\n", "absent"), "Content-Length", None),
    (("append_hf", "X-New: a\r\n", "Subject"), "s", "Content-Length"),
    (("insert_hf", "X-New: a\r\n", "X-Two"), "X-One", "X-Two"),
    (("insert_hf", "X-New: a\r\n", "Call-ID"), "To", "Call-ID"),
])
def test_where_a_header_is_put(args: tuple[str, ...], before: str, after: str | None) -> None:
    found = go(args)
    listed = names(found)
    at = listed.index("X-New")
    assert found.results == [1] and found.sent.get("X-New") == "a"
    assert listed[at - 1] == before and listed[at + 1:at + 2] == ([after] if after else [])


def test_an_inserted_header_is_the_first_of_those_received() -> None:
    assert names(go(("insert_hf", "X-New: a\r\n")))[:3] == ["Via", "X-New", "Via"]


@pytest.mark.parametrize(("calls", "results", "left"), [
    ([("remove_hf", "X-One")], [1], ["X-Two"]),
    ([("remove_hf", "x-one")], [1], ["X-Two"]),
    ([("remove_hf", "absent")], [-1], ["X-One", "X-Two", "X-One"]),
    ([("remove_hf", "X-One"), ("append_hf", "X-One: 9\r\n")], [1, 1], ["X-Two", "X-One"]),
    ([("append_hf", "X-New: 1\r\n"), ("remove_hf", "X-New")], [1, -1], ["X-One", "X-Two", "X-One", "X-New"]),
    ([("append_hf", "X-A: 1\r\n"), ("append_hf", "X-B: 2\r\n")], [1, 1], ["X-One", "X-Two", "X-One", "X-A", "X-B"]),
    ([("remove_hf_re", "^X-O")], [1], ["X-Two"]),
    ([("remove_hf_re", "^x-")], [1], []),
    ([("remove_hf_re", "^O-")], [-1], ["X-One", "X-Two", "X-One"]),
    ([("remove_hf_glob", "X-T*")], [1], ["X-One", "X-One"]),
    ([("remove_hf_glob", "-T*")], [-1], ["X-One", "X-Two", "X-One"]),
])
def test_removing_headers(calls: list[tuple[str, ...]], results: list[int], left: list[str]) -> None:
    found = go(*calls)
    assert found.results == results and [n for n in names(found) if n.startswith("X-")] == left


def test_compact_and_long_names_are_the_same() -> None:
    found = go(("is_present_hf", "Subject"), ("is_present_hf", "s"), ("is_present_hf", "Supported"),
               ("is_present_hf", "X-One"), ("is_present_hf", "X-None"), ("remove_hf", "Subject"), ("remove_hf",
                   "Supported"))
    assert found.results == [1, 1, 1, 1, -1, 1, 1]
    assert not {"s", "k", "Supported"} & set(names(found))


def test_append_urihf_writes_the_uri_of_now() -> None:
    def rewrite(ctx: Any) -> None:
        ctx.target.uri = "sip:new@10.0.0.2"
    assert go(("append_urihf", "X-Was: <", ">\r\n"), setup=rewrite).sent.get("X-Was") == "<sip:new@10.0.0.2>"


@pytest.mark.parametrize(("args", "result"), [
    (("is_method", "INVITE"), 1), (("is_method", "BYE|INVITE"), 1), (("is_method", "bye|invite"), 1),
    (("is_method", "BYE"), -1), (("is_method", "BYE | INVITE"), 1), (("is_method", "X-FOO"), -1),
    (("has_totag",), -1), (("is_privacy", "id"), 1), (("is_privacy", "critical"), 1), (("is_privacy", "user"), -1),
    (("list_hdr_has_option", "Supported", "100rel"), 1), (("list_hdr_has_option", "Supported", "TIMER"), 1),
    (("list_hdr_has_option", "Supported", "gruu"), -1), (("list_hdr_has_option", "Require", "100rel"), -1),
    (("has_body",), -1), (("has_body_part",), -1),
    (("is_uri_user_e164", "sip:+49123@x"), 1), (("is_uri_user_e164", "sip:+4@x"), -1),
    (("is_uri_user_e164", "sip:49123@x"), -1), (("is_uri_user_e164", "sip:+123456789012345@x"), 1),
    (("is_uri_user_e164", "sip:+1234567890123456@x"), -1), (("is_uri_user_e164", "tel:+49123"), 1),
])
def test_questions(args: tuple[str, ...], result: int) -> None:
    assert go(args).results == [result]


def test_unknown_methods_and_to_tags() -> None:
    assert go(("is_method", "invite|FROBNICATE"), raw=request("FROBNICATE")).results == [1]
    assert go(("has_totag",), raw=request("BYE", to_tag="x")).results == [1]


def test_a_reply_has_the_method_of_its_cseq() -> None:
    found = go(("is_method", "INVITE"), ("is_method", "BYE"), raw=reply_on_way(request()), response=True)
    assert found.results == [1, -1]


# --- option lists ---------------------------------------------------------------------------------------

@pytest.mark.parametrize(("args", "result", "values"), [
    (("list_hdr_add_option", "Supported", "gruu"), 1, ["path, 100rel, gruu", "100rel", "timer"]),
    (("list_hdr_add_option", "Require", "gruu"), -1, ["path, 100rel", "100rel", "timer"]),
    (("list_hdr_remove_option", "Supported", "100rel"), 1, ["path", "timer"]),
    (("list_hdr_remove_option", "Supported", "PATH"), 1, ["100rel", "100rel", "timer"]),
    (("list_hdr_remove_option", "Supported", "gruu"), -1, ["path, 100rel", "100rel", "timer"]),
])
def test_option_lists(args: tuple[str, ...], result: int, values: list[str]) -> None:
    found = go(args)
    assert found.results == [result] and found.sent.get_all("Supported") == values


def test_headers_by_pattern_go_into_two_variables() -> None:
    keys, values = Box(), Box()
    assert go(("get_glob_headers_values", "X-*", keys, values)).results == [1]
    # The newest value of an AVP is its index 0, so they are pushed from the last to the first.
    assert keys.values == ["X-One", "X-Two", "X-One"] and values.values == ["3", "2", "1"]
    assert go(("get_glob_headers_values", "Y-*", keys, values)).results == [-1]


def test_message_as_json() -> None:
    out = Box()
    assert go(("sip_to_json", out), raw=WITH_SDP).results == [1]
    told = json.loads(out.values[0])
    assert told["first_line"] == "INVITE sip:bob@10.0.0.2 SIP/2.0" and told["body"] == SDP
    assert told["headers"]["Call-ID"] == ["call-1"]
    broken = request(headers="X-A: ?\r\n").replace(b"?", b"\xff")
    assert go(("sip_to_json", out), raw=broken).results == [-1]


# --- the R-URI ------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("uri", "args", "result", "left"), [
    ("sip:b@10.0.0.2;lr;a=1", ("ruri_has_param", "lr"), 1, None),
    ("sip:b@10.0.0.2;lr;a=1", ("ruri_has_param", "a"), -1, None),
    ("sip:b@10.0.0.2;lr;a=1", ("ruri_has_param", "a", "1"), 1, None),
    ("sip:b@10.0.0.2;lr;a=1", ("ruri_has_param", "A", "2"), -1, None),
    ("sip:b@10.0.0.2;lr;a=1", ("uri_param", "lr"), 1, None),
    ("sip:b@10.0.0.2", ("ruri_add_param", "x=1"), 1, "sip:b@10.0.0.2;x=1"),
    ("sip:b@10.0.0.2;y", ("add_uri_param", "x"), 1, "sip:b@10.0.0.2;y;x"),
    ("sip:b@10.0.0.2", ("ruri_add_param", ""), -1, "sip:b@10.0.0.2"),
    ("sip:b@10.0.0.2;y;x=1", ("ruri_del_param", "y"), 1, "sip:b@10.0.0.2;x=1"),
    ("sip:b@10.0.0.2;y", ("del_uri_param", "z"), -1, "sip:b@10.0.0.2;y"),
    ("sip:b@10.0.0.2", ("ruri_tel2sip",), 1, "sip:b@10.0.0.2"),
])
def test_uri_words(uri: str, args: tuple[str, ...], result: int, left: str | None) -> None:
    found = go(args, raw=request(ruri=uri))
    assert found.results == [result] and found.sent.ruri == (left or uri)


def test_tel_becomes_sip_at_the_domain_of_from() -> None:
    def elsewhere(ctx: Any) -> None:
        ctx.target.du = "sip:10.0.0.2"
    found = go(("ruri_tel2sip",), raw=request(ruri="tel:+1-212.555(0)1"), setup=elsewhere)
    assert found.ctx.ruri == "sip:+121255501@example.com;user=phone"


# --- bodies ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("raw", "args", "result"), [
    (WITH_SDP, ("has_body",), 1), (WITH_SDP, ("has_body", "application/sdp"), 1), (WITH_SDP, ("has_body",
        "text/plain"), -1),
    (MIXED, ("has_body", "multipart/mixed"), 1), (MIXED, ("has_body", "application/sdp"), -1),
    (MIXED, ("has_body_part", "application/sdp"), 1), (MIXED, ("has_body_part", "application/isup"), 1),
    (MIXED, ("has_body_part", "text/plain"), -1), (WITH_SDP, ("has_body_part", "application/sdp"), 1),
    (MIXED, ("has_body_part",), 1),
])
def test_is_there_a_body(raw: bytes, args: tuple[str, ...], result: int) -> None:
    assert go(args, raw=raw).results == [result]


def test_adding_a_part_makes_a_multipart() -> None:
    found = go(("add_body_part", "hello", "text/plain"), raw=WITH_SDP)
    assert found.results == [1]
    boundary = re.search("boundary=(.*)", found.sent.content_type)
    assert found.sent.content_type.startswith("multipart/mixed;") and boundary
    assert found.sent.content_length == len(found.sent.body)
    pieces = found.sent.body.decode().split("--" + boundary[1])
    assert pieces[1] == f"\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n"
    assert pieces[2] == "\r\nContent-Type: text/plain\r\n\r\nhello\r\n" and pieces[3] == "--\r\n"


def test_the_first_part_stands_bare() -> None:
    found = go(("add_body_part", "hello", "text/plain"))
    assert found.sent.body == b"hello" and found.sent.content_type == "text/plain"
    found = go(("add_body_part", "hello", "text/plain", "X-Part: 1\r\n"))
    assert b"Content-Type: text/plain\r\nX-Part: 1\r\n\r\nhello" in found.sent.body


@pytest.mark.parametrize(("args", "result", "kind", "has", "lacks"), [
    (("remove_body_part", "application/isup"), 1, "application/sdp", b"v=0", b"\x01\x02"),
    (("remove_body_part", "application/isup", "revert"), 1, "multipart/mixed", b"\x01\x02", b"v=0"),
    (("remove_body_part",), 1, "", b"", b"v=0"),
    (("strip_body",), 1, "", b"", b"v=0"),
    (("filter_body", "application/sdp"), 1, "application/sdp", b"v=0", b"\x01\x02"),
    (("filter_body", "text/plain"), -1, "multipart/mixed", b"v=0", b"\xff"),
    (("remove_body_part", "text/plain"), -1, "multipart/mixed", b"v=0", b"\xff"),
])
def test_removing_parts(args: tuple[str, ...], result: int, kind: str, has: bytes, lacks: bytes) -> None:
    found = go(args, raw=MIXED)
    assert found.results == [result]
    assert (found.sent.content_type or "").partition(";")[0] == kind
    assert has in found.sent.body and lacks not in found.sent.body


def test_the_part_as_changed_so_far() -> None:
    out = Box()
    found = go(("codec_delete", "opus"), ("get_updated_body_part", "application/sdp", out), ("has_body_part",
        "application/sdp"),
               ("get_updated_body_part", "text/plain", out), raw=MIXED)
    assert found.results == [1, 1, 1, -1] and "opus" not in out.values[0] and len(out.values) == 1


# --- codecs ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("args", "result", "formats"), [
    (("codec_exists", "PCMU"), 1, "0 8 96"), (("codec_exists", "opus", "48000"), 1, "0 8 96"),
    (("codec_exists", "opus", "8000"), -1, "0 8 96"), (("codec_exists", "G729"), -1, "0 8 96"),
    (("codec_exists_re", "^pcm"), 1, "0 8 96"), (("codec_exists_re", "^cm"), -1, "0 8 96"),
    (("codec_delete", "pcma"), 1, "0 96"), (("codec_delete", "opus"), 1, "0 8"), (("codec_delete", "G729"), -1,
        "0 8 96"),
    (("codec_delete_re", "^PCM"), 1, "96"), (("codec_delete_except_re", "PCMA|VP8"), 1, "8"),
    (("codec_move_up", "opus"), 1, "96 0 8"), (("codec_move_up", "PCMU"), -1, "0 8 96"),
    (("codec_move_down", "PCMU"), 1, "8 96 0"), (("codec_move_up_re", "PCMA|opus"), 1, "8 96 0"),
    (("codec_move_down_re", "PCM."), 1, "96 0 8"),
])
def test_codecs(args: tuple[str, ...], result: int, formats: str) -> None:
    for raw in (WITH_SDP, MIXED):
        found = go(args, raw=raw)
        assert found.results == [result]
        assert f"m=audio 4000 RTP/AVP {formats}\r\n".encode() in found.sent.body
        assert found.sent.content_length == len(found.sent.body)
        assert (b"rtpmap:96" in found.sent.body) == ("96" in formats)
    assert go(args).results == [-1], "no body, no codec"


@pytest.mark.parametrize(("args", "result", "gone"), [
    (("stream_exists", "video"), 1, b"\0"), (("stream_exists", "video", "RTP/SAVP"), 1, b"\0"),
    (("stream_exists", "audio", "SAVP"), -1, b"\0"), (("stream_exists", "text"), -1, b"\0"),
    (("stream_delete", "video"), 1, b"VP8"), (("stream_delete", "text"), -1, b"\0"),
])
def test_streams(args: tuple[str, ...], result: int, gone: bytes) -> None:
    found = go(args, raw=WITH_SDP)
    assert found.results == [result] and gone not in found.sent.body


@pytest.mark.parametrize(("old", "new", "result"), [
    ("", "", -1), ("c=IN IP4 10.0.0.1", "c=IN IP4 0.0.0.0", 1), ("a=fmtp", "a=sendonly\r\na=fmtp", 2),
    ("a=fmtp", "a=inactive\r\na=fmtp", 2), ("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n", 2), ("a=fmtp",
        "a=recvonly\r\na=fmtp", -1)])
def test_hold(old: str, new: str, result: int) -> None:
    raw = request(headers="Content-Type: application/sdp\r\n", body=SDP.replace(old, new, 1) if old else SDP)
    assert go(("is_audio_on_hold",), raw=raw).results == [result]


def test_a_broken_sdp_is_no_exception() -> None:
    raw = request(headers="Content-Type: application/sdp\r\n", body="not sdp at all\r\n")
    assert go(("codec_delete", "opus"), ("codec_exists", "opus"), ("is_audio_on_hold",), ("stream_delete", "audio"),
              raw=raw).results == [-1, -1, -1, -1]


# --- replies --------------------------------------------------------------------------------------------

def test_what_a_local_reply_carries() -> None:
    def route(ctx: Any) -> int:
        ops = book.modules["sipmsgops"]
        call(ops, ctx, "append_to_reply", "X-A: 1\r\n")
        call(ops, ctx, "append_to_reply", "X-B: 2")
        call(ops, ctx, "append_to_reply", "Content-Type: text/plain\r\n")
        call(ops, ctx, "append_body_to_reply", "hello")
        call(ops, ctx, "append_time")
        book.env.reply(ctx, 200, "OK")
        return 0
    book = Playbook((Sipmsgops,), route)
    book.recv("OPTIONS").sent(200)
    assert book.got.get("X-A") == "1" and book.got.get("X-B") == "2" and book.got.body == b"hello"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", book.got.get("Date"))
    assert book.got.get_all("Content-Type") == ["text/plain"]
    book.recv("OPTIONS", call_id="other").sent(200).check(lambda msg: len(msg.get_all("X-A")) == 1)


@pytest.mark.parametrize("kind", ["route", "failure_route[F]", "branch_route[B]", "local_route", "error_route"])
def test_where_append_time_may_stand(kind: str) -> None:
    faults = faults_of(f"{kind} {{ append_time(); }}", "sipmsgops")
    assert not any(one.code == "E203" for one in faults)


@pytest.mark.parametrize(("status", "code", "reason", "result"), [
    (404, 480, "Gone away", 1), (503, 603, "No", 1), (180, 183, "Progress", 1), (200, 202, "Accepted", 1),
    (180, 200, "OK", -1), (200, 404, "No", -1), (404, 200, "OK", -1), (200, 99, "X", -1), (404, 700, "X", -1)])
def test_the_status_of_a_reply(status: int, code: int, reason: str, result: int) -> None:
    found = go(("change_reply_status", code, reason), raw=reply_on_way(request(), status, reason="Old"), response=True)
    assert found.results == [result]
    assert (found.sent.status, found.sent.reason) == ((code, reason) if result == 1 else (status, "Old"))
    assert len(found.sent.vias) == 1
