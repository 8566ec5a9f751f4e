"""State laws of the SIP floor: round trips, splicing, framing (seeded by hypothesis)."""

from __future__ import annotations

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from osip.core.errors import ParseError
from osip.core.sip.address import parse_name_addr, split_commas
from osip.core.sip.edits import splice
from osip.core.sip.framing import PING, Framer
from osip.core.sip.message import parse
from osip.core.sip.params import build_params, parse_params, quote
from osip.core.sip.uri import Uri, parse_uri, uri_equal
from osip.core.sip.via import Via, parse_via

LAWS = settings(max_examples=200, deadline=None, derandomize=True, database=None)
TOKEN = st.text(string.ascii_letters + string.digits + "-.!%*_+'~", min_size=1, max_size=8)
USER = st.text(string.ascii_letters + string.digits + "-_.!~*'()&=+$,;?/%", min_size=1, max_size=10)
HOST = st.sampled_from(["h", "example.com", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
PORT = st.none() | st.integers(0, 65535)
PARAMS = st.lists(st.tuples(TOKEN, st.none() | TOKEN), max_size=4).map(tuple)
TEXT = st.text(max_size=20).filter(lambda text: not set(text) & set("\r\n") and text == text.strip())
URIS = st.builds(
    Uri,
    scheme=st.sampled_from(["sip", "sips"]),
    user=st.just("") | USER,
    host=HOST,
    port=PORT,
    params=PARAMS,
    headers=st.sampled_from(["", "a=b", "a=b&c=%20"]),
)


@LAWS
@given(URIS)
def test_uri_round_trip(uri: Uri) -> None:
    again = parse_uri(str(uri))
    for name in ("scheme", "user", "password", "host", "port", "params", "headers", "is_ipv6"):
        assert getattr(again, name) == getattr(uri, name), name
    assert again.build() == str(uri)
    assert uri_equal(again, uri)


@LAWS
@given(URIS, URIS)
def test_equality_has_no_sides(one: Uri, two: Uri) -> None:
    assert uri_equal(one, two) == uri_equal(two, one)


@LAWS
@given(st.text(max_size=30))
def test_what_parses_is_written_back(text: str) -> None:
    for function in (parse_uri, parse_via, parse_name_addr):
        try:
            value = function(text)
        except ParseError:
            continue
        if function is parse_uri:
            assert str(value) == text
        else:
            assert str(function(str(value))) == str(value)


@LAWS
@given(URIS, TEXT, PARAMS, st.booleans())
def test_name_addr_round_trip(uri: Uri, display: str, params: tuple, quoted: bool) -> None:
    name = quote(display) if quoted else ""
    text = f"{name} <{uri}>{build_params(params)}"
    addr = parse_name_addr(text)
    assert (addr.uri_text, addr.params) == (str(uri), params)
    assert addr.display_name == (display if quoted else "")
    assert split_commas(f"{text}, {text}") == [text.strip()] * 2


@LAWS
@given(st.sampled_from(["UDP", "TCP", "X-1"]), HOST, PORT, PARAMS)
def test_via_round_trip(transport: str, host: str, port: int | None, params: tuple) -> None:
    via = Via(transport, host, port, build_params(params))
    again = parse_via(str(via))
    assert (again.transport, again.host, again.port, again.params) == (transport, host, port, params)


@LAWS
@given(PARAMS)
def test_params_round_trip(params: tuple) -> None:
    assert parse_params(build_params(params)) == params


RAW = bytes(range(65, 91))
PLACES = st.tuples(st.integers(0, 26), st.integers(0, 26), st.binary(max_size=3)).map(
    lambda edit: (min(edit[:2]), max(edit[:2]), edit[2])
)


@LAWS
@given(st.lists(PLACES, max_size=8))
def test_splice_is_what_one_edit_after_the_other_gives(items: list) -> None:
    kept: list = []
    for first, last, data in items:
        if not any(first < end and start < last for start, end, _ in kept):
            kept.append((first, last, data))
    expected = RAW
    # From the back, so that offsets stay good; inserts at one place in the order of the calls, before a replacement.
    order = sorted(range(len(kept)), key=lambda at: (kept[at][0], kept[at][1], at), reverse=True)
    for at in order:
        first, last, data = kept[at]
        expected = expected[:first] + data + expected[last:]
    assert splice(RAW, items) == expected


@LAWS
@given(st.lists(PLACES, max_size=5))
def test_splice_of_nothing_new_keeps_all_else(items: list) -> None:
    assert splice(RAW, [(first, last, RAW[first:last]) for first, last, _ in items if first != last]) == RAW


MESSAGES = st.sampled_from(
    [
        b"BYE sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 200 OK\r\nl: 6\r\n\r\n\r\n\r\n\r\n",
        b"MESSAGE sip:a SIP/2.0\r\nContent-Length : 5\r\nX: y\r\n z\r\n\r\nhello",
        b"ACK sip:a SIP/2.0\r\nTo: b\r\n\r\n",
        b"\r\n\r\n",
        b"\r\n",
    ]
)


@LAWS
@given(st.lists(MESSAGES, max_size=6), st.lists(st.integers(0, 200), max_size=12))
def test_any_split_of_a_stream_frames_the_same(parts: list, cuts: list) -> None:
    stream = b"".join(parts)
    whole = Framer().feed(stream)
    framer, out, last = Framer(), [], 0
    for cut in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
        out += framer.feed(stream[last:cut])
        last = cut
    assert out == whole
    assert [item for item in whole if item is not PING] == [part for part in parts if part.strip()]


@LAWS
@given(st.lists(st.tuples(TOKEN, TEXT), max_size=6), st.binary(max_size=10))
def test_headers_read_back(pairs: list, body: bytes) -> None:
    lines = "".join(f"Q-{name}: {value}\r\n" for name, value in pairs)
    raw = f"OPTIONS sip:a SIP/2.0\r\n{lines}\r\n".encode("utf-8", "surrogateescape") + body
    msg = parse(raw)
    assert [(msg.name(at), msg.value(at)) for at in range(len(msg.headers))] == [(f"Q-{n}", v) for n, v in pairs]
    assert msg.body == body
