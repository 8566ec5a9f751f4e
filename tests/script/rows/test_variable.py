"""Every variable of the language row by row (variables.md sections 2 to 8): read, indexed, assigned, cleared.

Rows run in a real script over the message below. A reading row is an expression and what `$var(out)` holds after it; a
writing row is what runs before, an expression, and what it then is.
"""
from __future__ import annotations

import os
import re
from typing import Any

import pytest
from kit.row import evaluate, fault
from kit.script import ScriptBook

from osip.core.exports.registry import Registry
from osip.script.builtins import BUILTINS

HEAD = """\
INVITE sip:bob:secret@example.com:5070;transport=tcp;maddr=192.0.2.99?Subject=x SIP/2.0
Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKabc;rport
Max-Forwards: 70
From: "Alice A" <sip:alice@atlanta.example.com:5061>;tag=1928
To: Bob <sip:robert@biloxi.example.com>
Call-ID: a84b4c76e66710@pc33
CSeq: 314159 INVITE
Contact: "A" <sip:alice@192.0.2.1>;q=0.7;expires=60, <sip:a2@192.0.2.2>;methods="INVITE,BYE"
m: <sip:a3@192.0.2.3>;received="sip:192.0.2.7:5066"
User-Agent: phone/1.0
X-Test: one
x-test: two
X-Empty:
P-Asserted-Identity: "Al" <sip:+4912@example.com>, <tel:+4912>
P-Preferred-Identity: "Ali P" <sip:ali@home.example.com>
Remote-Party-ID: <sip:rp@example.com>;party=calling
Refer-To: <sip:refer@example.com>
Diversion: <sip:div@example.com>;reason=no-answer;privacy=off
Authorization: Digest username="alice@realm.example", realm="realm.example", nonce="abc", uri="sip:x@y", \
response="00ff", cnonce="cc", opaque="oo", algorithm=MD5, qop=auth, nc=00000001
Content-Type: multipart/mixed;boundary=b1
"""
BODY = """\
--b1
Content-Type: application/sdp

v=0
o=- 1 1 IN IP4 192.0.2.1
s=-
c=IN IP4 192.0.2.1
t=0 0
m=audio 4000 RTP/AVP 0 8
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
m=video 4002 RTP/AVP 96
c=IN IP4 192.0.2.2
--b1
Content-Type: text/plain

hello
--b1--
"""
RAW = (HEAD + f"Content-Length: {len(BODY) + BODY.count(chr(10))}\n\n" + BODY).replace("\n", "\r\n").encode()
BARE = b"\r\n".join([b"OPTIONS sip:example.com SIP/2.0", b"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1",
                     b"From: <sip:example.org>;tag=1", b"To: <sip:example.com>", b"Call-ID: 1", b"CSeq: 1 OPTIONS",
                     b"Content-Length: 0", b"", b""])
SDP = BODY[BODY.index("v=0"):BODY.index("--b1\nContent-Type: text")].rstrip("\n").replace("\n", "\r\n")

# An expression, its value over RAW, and its value over BARE, which has nothing that a request may lack.
READ: list[tuple[str, Any, Any]] = [
    # --- first line and addresses
    ("$rm", "INVITE", "OPTIONS"), ("$rs", None, None), ("$rr", None, None),
    ("$ru", "sip:bob:secret@example.com:5070;transport=tcp;maddr=192.0.2.99?Subject=x", "sip:example.com"),
    ("$ruri", "sip:bob:secret@example.com:5070;transport=tcp;maddr=192.0.2.99?Subject=x", "sip:example.com"),
    ("$rU", "bob", None), ("$ruri.user", "bob", None), ("$rd", "example.com", "example.com"),
    ("$ruri.domain", "example.com", "example.com"), ("$rp", "5070", 5060), ("$rP", "tcp", "UDP"), ("$ru_q", -1, -1),
    ("$ou", "sip:bob:secret@example.com:5070;transport=tcp;maddr=192.0.2.99?Subject=x", "sip:example.com"),
    ("$ouri", "sip:bob:secret@example.com:5070;transport=tcp;maddr=192.0.2.99?Subject=x", "sip:example.com"),
    ("$oU", "bob", None), ("$ouri.user", "bob", None), ("$ouri.domain", "example.com", "example.com"), ("$od", "example.com", "example.com"), ("$op", "5070", 5060), ("$oP", "tcp", "UDP"),
    ("$du", None, None), ("$duri", None, None), ("$dd", None, None), ("$dp", None, None), ("$dP", None, None),
    ("$branch", None, None), ("$msg.branch", RAW.split()[1].decode(), "sip:example.com"), ("$path", None, None),
    ("$msg.branch.last_idx", 0, 0), ("$msg.branch.uri", RAW.split()[1].decode(), "sip:example.com"),
    ("$(msg.branch.uri[1])", None, None), ("$(branch(uri)[0])", None, None), ("$msg.branch.duri", None, None),
    ("$msg.branch.path", None, None), ("$msg.branch.q", None, None), ("$msg.branch.flags", "", ""),
    ("$msg.branch.socket", None, None), ("$msg.branch.attr(x)", None, None), ("$msg.branch.flag(F)", 0, 0),
    ("$branch.flag(F)", 0, 0),
    # --- From, To and other headers
    ("$fu", "sip:alice@atlanta.example.com:5061", "sip:example.org"), ("$from", "sip:alice@atlanta.example.com:5061",
                                                                     "sip:example.org"),
    ("$fU", "alice", None), ("$from.user", "alice", None), ("$fd", "atlanta.example.com", "example.org"),
    ("$from.domain", "atlanta.example.com", "example.org"), ("$fn", '"Alice A"', None), ("$ft", "1928", "1"),
    ("$tu", "sip:robert@biloxi.example.com", "sip:example.com"), ("$to", "sip:robert@biloxi.example.com", "sip:example.com"),
    ("$tU", "robert", None), ("$to.user", "robert", None), ("$td", "biloxi.example.com", "example.com"),
    ("$to.domain", "biloxi.example.com", "example.com"), ("$tn", "Bob", None), ("$tt", None, None),
    ("$ci", "a84b4c76e66710@pc33", "1"), ("$cs", "314159", "1"), ("$cl", len(BODY) + BODY.count("\n"), 0),
    ("$cT", "multipart/mixed;boundary=b1", None), ("$(cT[0])", "application/sdp", None), ("$(cT[1])", "text/plain", None),
    ("$(cT[-1])", "text/plain", None), ("$(cT[2])", None, None), ("$(cT[*])", "application/sdp, text/plain", None),
    ("$ua", "phone/1.0", None), ("$ct", '"A" <sip:alice@192.0.2.1>;q=0.7;expires=60', None),
    ("$(ct[1])", '<sip:a2@192.0.2.2>;methods="INVITE,BYE"', None),
    ("$(ct[-1])", '<sip:a3@192.0.2.3>;received="sip:192.0.2.7:5066"', None), ("$(ct[3])", None, None),
    ("$(ct[*])", '"A" <sip:alice@192.0.2.1>;q=0.7;expires=60, <sip:a2@192.0.2.2>;methods="INVITE,BYE", '
     '<sip:a3@192.0.2.3>;received="sip:192.0.2.7:5066"', None),
    ("$ct.fields(name)", '"A"', None), ("$ct.fields(uri)", "sip:alice@192.0.2.1", None), ("$ct.fields(q)", "0.7", None),
    ("$ct.fields(expires)", "60", None), ("$(ct.fields(methods)[1])", "INVITE,BYE", None),
    ("$(ct.fields(received)[2])", "sip:192.0.2.7:5066", None), ("$ct.fields(params)", "q=0.7;expires=60", None),
    ("$(ct.fields(uri)[*])", "sip:alice@192.0.2.1, sip:a2@192.0.2.2, sip:a3@192.0.2.3", None),
    ("$(ct.fields(q)[1])", None, None), ("$hdr(X-Test)", "one", None), ("$(hdr(x-TEST)[1])", "two", None),
    ("$(hdr(X-Test)[-1])", "two", None), ("$(hdr(X-Test)[2])", None, None), ("$(hdr(X-Test)[*])", "one, two", None),
    ("$hdr(X-Empty)", "", None), ("$hdr(i)", "a84b4c76e66710@pc33", "1"), ("$(hdr(Contact)[1])",
                                                                          '<sip:a3@192.0.2.3>;received="sip:192.0.2.7:5066"', None),
    ("$hdr($var(header))", "one", None), ("$(hdr(X-Test)[$var(one)])", "two", None), ("$hdrcnt(X-Test)", 2, 0),
    ("$hdrcnt(m)", 2, 0), ("$hdrcnt(Nothing)", 0, 0), ("$hdrcnt($var(header))", 2, 0), ("$hdr_name", "Via", "Via"),
    ("$(hdr_name[1])", "Max-Forwards", "From"), ("$(hdr_name[-1])", "Content-Length", "Content-Length"),
    ("$(hdr_name[99])", None, None), ("$(hdr_name[*])", re.sub(r"(?m)^([\w-]+):.*\n(?:\S+=.*\n)?", r"\1, ", HEAD.split("\n", 1)[1])
     + "Content-Length", "Via, From, To, Call-ID, CSeq, Content-Length"),
    ("$ai", "sip:+4912@example.com", None), ("$pu", "sip:ali@home.example.com", None), ("$pU", "ali", None),
    ("$pd", "home.example.com", None), ("$pn", '"Ali P"', None), ("$re", "sip:rp@example.com", None),
    ("$rt", "sip:refer@example.com", None), ("$di", "sip:div@example.com", None), ("$dip", "off", None),
    ("$dir", "no-answer", None), ("$au", "alice", None), ("$aU", "alice@realm.example", None), ("$ad", "realm.example", None),
    ("$ar", "realm.example", None), ("$adu", "sip:x@y", None), ("$an", "abc", None), ("$auth.resp", "00ff", None),
    ("$auth.nonce", "abc", None), ("$auth.cnonce", "cc", None), ("$auth.opaque", "oo", None), ("$auth.alg", "MD5", None),
    ("$auth.qop", "auth", None), ("$auth.nc", "00000001", None), ("$Au", "alice", None), ("$challenge.realm", None, None),
    # --- body
    ("$rb", BODY.replace("\n", "\r\n"), None), ("$(rb[*])", BODY.replace("\n", "\r\n"), None), ("$(rb[0])", SDP, None),
    ("$(rb[1])", "hello", None), ("$(rb[-1])", "hello", None), ("$(rb[2])", None, None), ("$rb(text/plain)", "hello", None),
    ("$(rb(application/sdp)[0])", SDP, None), ("$rb(image/png)", None, None), ("$(rb(text/plain)[1])", None, None),
    ("$sdp", SDP, None), ("$sdp.line(m=)", "m=audio 4000 RTP/AVP 0 8", None), ("$sdp.line(m=[1])", "m=video 4002 RTP/AVP 96", None),
    ("$sdp.line(m=[2])", None, None), ("$sdp.line(m=/RTP)", "RTP/AVP", None), ("$sdp.line(m=/[1])", "4000", None),
    ("$sdp.session(c=)", "c=IN IP4 192.0.2.1", None), ("$sdp.session(m=)", None, None),
    ("$sdp.stream(video/c=)", "c=IN IP4 192.0.2.2", None), ("$sdp.stream(audio[0]/a=rtpmap[1])", "a=rtpmap:8 PCMA/8000", None),
    ("$sdp.stream(text)", None, None), ("$sdp.stream.idx(video)", 1, None), ("$sdp.stream.idx(text)", None, None),
    # --- transport and meta
    ("$si", "10.0.0.1", "10.0.0.1"), ("$src_ip", "10.0.0.1", "10.0.0.1"), ("$sp", 5060, 5060), ("$src_port", 5060, 5060),
    ("$socket_in", "udp:10.0.0.9:5060", "udp:10.0.0.9:5060"), ("$socket_in(ip)", "10.0.0.9", "10.0.0.9"),
    ("$socket_in(port)", 5060, 5060), ("$socket_in(proto)", "UDP", "UDP"), ("$socket_in(af)", "INET", "INET"),
    ("$socket_in(advertised_ip)", "10.0.0.9", "10.0.0.9"), ("$socket_in(advertised_port)", 5060, 5060), ("$socket_in(tag)", None, None),
    ("$socket_in(anycast)", 0, 0), ("$socket_out", "udp:10.0.0.9:5060", "udp:10.0.0.9:5060"), ("$socket_out(ip)", "10.0.0.9",
                                                                                             "10.0.0.9"),
    ("$socket_out(forced)", None, None), ("$proxy_protocol(src_ip)", None, None), ("$Ri", "10.0.0.9", "10.0.0.9"),
    ("$Rp", 5060, 5060), ("$pr", "UDP", "UDP"), ("$proto", "UDP", "UDP"), ("$af", "INET", "INET"),
    ("$fs", "udp:10.0.0.9:5060", "udp:10.0.0.9:5060"), ("$rT", None, None), ("$dis", None, None), ("$mi", 1, 1),
    ("$ml", len(RAW), len(BARE)), ("$mb", RAW.decode(), BARE.decode()), ("$mf", "", ""), ("$bf", "", ""), ("$sf", "", ""),
    ("$msg.flag(F)", 0, 0), ("$msg.is_request", 1, 1), ("$msg.type", "request", "request"),
    # --- process and time
    ("$pp", os.getpid(), os.getpid()), ("$route", "route", "route"), ("$route.name", None, None), ("$route.type", "route", "route"),
    ("$cfg_line", 1, 1), ("$cfg_file", "book.cfg", "book.cfg"), ("$log_level", 2, 2), ("$xlog_level", 2, 2), ("$err.class", 0, 0),
    ("$err.level", 0, 0), ("$err.info", "", ""), ("$err.rcode", 0, 0), ("$err.rreason", "", ""),
    # --- script data, not set yet
    ("$var(none)", None, None), ("$avp(none)", None, None), ("$(avp(none)[0])", None, None), ("$(avp(none)[*])", None, None),
    ("$shv(none)", 0, 0), ("$param(1)", None, None), ("$return(0)", None, None), ("$json(none)", None, None),
    ("$json(none/a)", None, None), ("$json_pretty(none)", None, None), ("$json_compact(none)", None, None),
    ("$json_compact_noescape(none)", None, None), ("$xml(none)", None, None), ("$xml(none/a.val)", None, None),
    ("$env(OSIP_NO_SUCH)", None, None), ("$argv(none)", None, None), ("$stat(core:none)", None, None),
    ("$avp($var(nothing))", None, None), ("$var($var(header))", None, None),
]

MATCH: list[tuple[str, str]] = [
    ("$Ts", r"1[0-9]{9}"), ("$Tsm", r"[0-9]{1,6}"), ("$TS", r"[0-9]+"), ("$Tf", r"\w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}"),
    ("$time(%Y-%m-%d)", r"\d{4}-\d\d-\d\d"), ("$ctime(year)", r"\d{2,4}"), ("$ctime(wday)", "[1-7]"), ("$RANDOM", r"\d+"),
    ("$C(rg)", "\x1b\\[[0-9;]*m"), ("$rc", "1"),
    ("$uuid", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), ("$version", r"\S.*"), ("$stat(core:rcv_requests)", "1"),
    ("$env(PATH)", ".+"),
]


@pytest.mark.parametrize(("expression", "value", "without"), READ, ids=[row[0] for row in READ])
def test_read(expression: str, value: Any, without: Any) -> None:
    given = {"one": 1, "header": "X-Test"}
    for raw, wanted in ((RAW, value), (BARE, without)):
        found = evaluate(expression, given=dict(given), raw=raw)
        assert found == wanted and type(found) is type(wanted)


@pytest.mark.parametrize(("expression", "pattern"), MATCH, ids=[row[0] for row in MATCH])
def test_read_what_differs_from_run_to_run(expression: str, pattern: str) -> None:
    found = evaluate(expression, "sl", "cfgutils", "uuid", raw=RAW)
    assert re.fullmatch(pattern, str(found)), found


# What runs before, an expression, its value, and `$rc` after the last statement before.
WRITE: list[tuple[str, str, Any, int]] = [
    # --- script data
    ('$var(a) = "x";', "$var(a)", "x", 1), ("$var(a) = 5; $var(a) = null;", "$var(a)", None, 1),
    ("$var(a) = 5; $var(a) := null;", "$var(a)", None, 1), ("$var(a) = $avp(none);", "$var(a)", None, 1),
    ('$var(n) = "a b"; $var($var(n)) = 3;', "$var(a b)", 3, 1),
    ("$var(a) = 5; $var(a) = 5 / 0;", "$var(a)", 5, -1),
    ('$avp(a) = "1"; $avp(a) = "2";', "$avp(a)", "2", 1), ('$avp(a) = "1"; $avp(a) = "2";', "$(avp(a)[1])", "1", 1),
    ('$avp(a) = "1"; $avp(a) = "2";', "$(avp(a)[-1])", "1", 1), ('$avp(a) = "1"; $avp(a) = "2";', "$(avp(a)[*])", "2, 1", 1),
    ('$avp(a) = "1"; $avp(a) = "2";', "$(avp(a)[$var(one)])", "1", 1), ('$avp(a) = "1"; $avp(a) = "2";', "$(avp(a)[9])", None, 1),
    ('$avp(a) = "1"; $avp(a) = "2"; $avp(a) := "3";', "$(avp(a)[*])", "3", 1),
    ('$avp(a) = "1"; $avp(a) = "2"; $(avp(a)[*]) = "3";', "$(avp(a)[*])", "3", 1),
    ('$avp(a) = "1"; $avp(a) = "2"; $avp(a) = null;', "$(avp(a)[*])", "1", 1),
    ('$avp(a) = "1"; $avp(a) = "2"; $avp(a) := null;', "$(avp(a)[*])", None, 1),
    ('$avp(a) = "1"; $avp(a) = "2"; $(avp(a)[*]) = null;', "$avp(a)", None, 1),
    ('$avp(a) = "1"; $avp(a) = "2"; $(avp(a)[1]) = null;', "$(avp(a)[*])", "2", 1),
    ('$avp(a) = "1"; $avp(a) = "2"; $(avp(a)[1]) = "x";', "$(avp(a)[*])", "2, x", 1),
    ('$avp(a) = "1"; $(avp(a)[4]) = "x";', "$(avp(a)[*])", "1", -1),
    ('$avp(a) = "1"; $(avp(a)[append]) = "x";', "$(avp(a)[*])", "1, x", 1), ('$avp(i:5) = "x";', "$avp(5)", "x", 1),
    ('$avp(s:name) = "x";', "$avp(name)", "x", 1), ('$var(n) = "dyn"; $avp($var(n)) = 7;', "$avp(dyn)", 7, 1),
    ('$avp(a) = 1; $avp(a) = "b"; $avp(a) = $avp(none);', "$(avp(a)[*])", "1", 1),
    ('$avp(a) = "x"; $avp(a) += "y";', "$avp(a)", "xy", 1),
    ("$shv(s) = 4; $shv(s) += 1;", "$shv(s)", 5, 1), ("$shv(s) = null;", "$shv(s)", 0, 1),
    ('$json(j) := "{\\"a\\":{\\"b\\":[1,\\"x\\",null,{\\"c\\":2}]}}";', "$json(j/a/b[3]/c)", 2, 1),
    ('$json(j) := "[1,2,3]";', "$(json(j)[*])", "1, 2, 3", 1), ('$json(j) := "[1,2,3]";', "$(json(j)[-1])", 3, 1),
    ('$json(j) := "[1,2,3]";', "$json(j[-1])", 3, 1), ('$json(j) := "[1,2,3]";', "$json(j[5])", None, 1),
    ('$json(j) := "[1,2,3]"; $json(j[]) = "x";', "$json(j)", '[1,2,3,"x"]', 1),
    ('$json(j) := "[1,2,3]"; $json(j[0]) = null;', "$json(j)", "[2,3]", 1),
    ('$json(j) := "{}"; $json(j/k) = "v"; $json(j/n) = 5;', "$json(j)", '{"k":"v","n":5}', 1),
    ('$json(j) := "{}"; $json(j/none/k) = "v";', "$json(j)", "{}", -1),
    ('$json(j) := "{\\"k\\":1}"; $json(j/k) = null;', "$json(j)", "{}", 1), ('$json(j) := "no json";', "$json(j)", None, -1),
    ('$json(j) := "{}"; $json(j/k) := "[true]"; ', "$json(j/k[0])", "true", 1), ('$json(j) = "[1]";', "$json(j)", "[1]", 1),
    ('$json(j) := "{}"; $var(k) = "dyn"; $json(j/$var(k)) = 1;', "$json(j/dyn)", 1, 1),
    ('$json(j) := "{\\"k\\":1}";', "$json_pretty(j)", '{\n  "k": 1\n}', 1),
    ('$json(j) := "{\\"k\\": 1}";', "$json_compact(j)", '{"k":1}', 1),
    ('$json(j) := "[\\"\u00e9\\"]";', "$json_compact_noescape(j)", '["\u00e9"]', 1),
    ('$xml(d) = "<a><b x=\\"1\\">t</b><b>u</b></a>";', "$xml(d/a/b[1].val)", "u", 1),
    ('$xml(d) = "<a><b x=\\"1\\">t</b></a>";', "$xml(d/a/b.attr/x)", "1", 1),
    ('$xml(d) = "<a><b>t</b></a>"; $xml(d/a/b.val) = "n";', "$xml(d)", "<a><b>n</b></a>", 1),
    ('$xml(d) = "<a/>"; $xml(d/a) = "<b/>";', "$xml(d/a)", "<a><b /></a>", 1),
    ('$xml(d) = "<a/>"; $xml(d/a.attr/k) = "v";', "$xml(d/a.attr/k)", "v", 1),
    ('$xml(d) = "<a><b/></a>"; $xml(d/a/b) = null;', "$xml(d/a/b)", None, 1), ('$xml(d) = "<a";', "$xml(d)", None, -1),
    ('$xml(d) = "<a/>"; $xml(d/none/c.val) = "x";', "$xml(d/a.val)", "", -1),
    ('$xml(d) = "<a/>"; $xml(d) = null;', "$xml(d)", None, 1),
    ("$stat(core:rcv_requests) = 0;", "$stat(core:rcv_requests)", 0, 1), ("$stat(core:rcv_requests) = 5;",
                                                                         "$stat(core:rcv_requests)", 1, -1),
    # --- request-URI and next hop
    ('$ru = "sip:x@y";', "$ru", "sip:x@y", 1), ('$ruri = "sip:x@y";', "$rU", "x", 1), ('$ru = "";', "$rU", "bob", -1),
    ('$ru = $avp(none);', "$rU", "bob", -1), ('$ru = "rubbish";', "$rU", None, 1), ('$rU = "carol";', "$rU", "carol", 1),
    ("$rU = null;", "$ru", "sip:example.com:5070;transport=tcp;maddr=192.0.2.99?Subject=x", 1), ('$rU = "";', "$rU", None, 1),
    ("$rU = 100;", "$rU", "100", 1), ('$rd = "h.example";', "$ru", "sip:bob:secret@h.example:5070;transport=tcp?Subject=x", 1),
    ('$rd = "";', "$rd", "example.com", -1), ("$rd = $avp(none);", "$rd", "example.com", -1), ("$rp = 5080;", "$rp", "5080", 1),
    ('$rp = "5080";', "$rp", "5080", 1), ("$rp = null;", "$rp", 5060, 1), ("$rp = 70000;", "$rp", "5070", -1),
    ("$ru_q = 500;", "$ru_q", 500, 1), ("$ru_q = 5000;", "$ru_q", 1000, 1), ('$ru = "sip:x@y";', "$oU", "bob", 1),
    ('$du = "sip:10.0.0.5:5080;transport=tcp";', "$du", "sip:10.0.0.5:5080;transport=tcp", 1),
    ('$du = "sip:10.0.0.5:5080;transport=tcp";', "$dd", "10.0.0.5", 1), ('$du = "sip:10.0.0.5:5080";', "$dp", "5080", 1),
    ('$du = "sip:10.0.0.5;transport=tcp";', "$dP", "tcp", 1), ('$du = "sip:10.0.0.5";', "$dp", 5060, 1),
    ('$du = "sip:a"; $du = "rubbish";', "$du", "sip:a", -1), ('$du = "sip:a"; $du = null;', "$du", None, 1),
    ('$dd = "h";', "$du", None, -1), ('$du = "sip:a:1"; $dd = "h";', "$du", "sip:h:1", 1), ('$du = "sip:a:1"; $dp = 2;', "$du",
                                                                                         "sip:a:2", 1),
    ('$du = "sip:a:1"; $dp = null;', "$du", "sip:a", 1), ("$dp = 5;", "$du", None, -1), ('$duri = "sip:a";', "$du", "sip:a", 1),
    # --- branches
    ('$branch = "sip:b@h";', "$branch", "sip:b@h", 1), ('$msg.branch = "sip:b@h";', "$msg.branch", "sip:b@h", 1),
    ('$branch = "sip:b@h"; $branch = "sip:c@h";', "$(branch(uri)[0])", "sip:b@h", 1),
    ('$branch = "sip:b@h"; $branch = "sip:c@h";', "$branch(uri)", "sip:b@h", 1),
    ('$branch = "sip:b@h"; $branch = "sip:c@h";', "$(branch(uri)[*])", "sip:b@h, sip:c@h", 1),
    ('$branch = "sip:b@h"; $branch = "sip:c@h";', "$(branch(uri)[-1])", "sip:c@h", 1),
    ('$branch = "sip:b@h"; $branch = "sip:c@h";', "$(msg.branch.uri[1])", "sip:b@h", 1),
    ('$branch = "sip:b@h"; $branch = "sip:c@h";', "$msg.branch.uri", "sip:c@h", 1),
    ('$branch = "sip:b@h"; $branch = "sip:c@h";', "$msg.branch.last_idx", 2, 1), ('$branch = $avp(none);', "$branch", None, -1),
    ('$branch = "sip:b@h"; $(branch(uri)[0]) = "sip:n@h";', "$branch", "sip:n@h", 1),
    ('$branch = "sip:b@h"; $(branch(duri)[0]) = "sip:n@h";', "$(branch(duri)[0])", "sip:n@h", 1),
    ('$branch = "sip:b@h"; $(branch(q)[0]) = 500;', "$(branch(q)[0])", 500, 1),
    ('$branch = "sip:b@h"; $(branch(path)[0]) = "<sip:p;lr>";', "$(branch(path)[0])", "<sip:p;lr>", 1),
    ('$branch = "sip:b@h"; $(branch(flags)[0]) = "NAT SIP";', "$(branch(flags)[0])", "NAT SIP", 1),
    ('$branch = "sip:b@h"; $(branch(socket)[0]) = "udp:10.0.0.9:5060";', "$(branch(socket)[0])", "udp:10.0.0.9:5060", 1),
    ('$branch = "sip:b@h"; $(branch(socket)[0]) = "udp:1.2.3.4:5060";', "$(branch(socket)[0])", None, -1),
    ('$(branch(uri)[3]) = "sip:n@h";', "$branch", None, -1), ('$branch = "sip:b@h"; $msg.branch.q = "0.5";', "$msg.branch.q",
                                                             "0.5", 1),
    ('$branch = "sip:b@h"; $(msg.branch.duri[0]) = "sip:d";', "$du", "sip:d", 1),
    ('$branch = "sip:b@h"; $msg.branch.duri = "sip:d"; $msg.branch.duri = null;', "$msg.branch.duri", None, 1),
    ('$branch = "sip:b@h"; $msg.branch.attr(k) = 5;', "$(msg.branch.attr(k)[1])", 5, 1),
    ('$branch = "sip:b@h"; $(msg.branch.attr(k)[0]) = "z";', "$msg.branch.attr(k)", None, 1),
    ('$branch = "sip:b@h"; $(msg.branch.flag(F)[1]) = 1;', "$(msg.branch.flag(F)[*])", "0, 1", 1),
    ("$branch.flag(F) = 1;", "$bf", "F", 1), ("$branch.flag(F) = 1; $branch.flag(F) = 0;", "$bf", "", 1),
    ("$(branch.flag(F)[7]) = 1;", "$bf", "", -1), ("$msg.flag(A) = 1; $msg.flag(B) = 1;", "$mf", "A B", 1),
    ("$msg.flag(A) = 1; $msg.flag(A) = null;", "$mf", "", 1), ('setsflag(S);', "$sf", "S", 1),
    ('$ru = "sip:a@h"; append_msg_branch("sip:b@h", "0.5");', "$ds", "Contact: <sip:a@h>, <sip:b@h>;q=0.5", 1),
    ('append_msg_branch("sip:b@h");', "$ds", "Contact: <sip:b@h>", 1), ("$var(x) = 1;", "$ds", None, 1),
    # --- body
    ('$sdp = "v=0\\r\\n";', "$sdp", "v=0\r\n", 1), ("$sdp = null;", "$sdp", None, 1), ('$sdp = "v=0";', "$(rb[1])", "hello", 1),
    ('$sdp.line(s=) = "s=x";', "$sdp.line(s=)", "s=x", 1), ("$sdp.line(s=) = null;", "$sdp.line(s=)", None, 1),
    ("$sdp.line(z=) = null;", "$sdp.line(z=)", None, -1), ('$sdp.stream(video) = null;', "$sdp.stream.idx(video)", None, 1),
    ('$sdp.stream(audio/a=rtpmap[0]) = "a=x";', "$sdp.stream(audio/a=)", "a=x", 1),
    ('$sdp.stream(audio/m=/[1]) = "9";', "$sdp.stream(audio/m=)", "m=audio 9 RTP/AVP 0 8", 1),
    ('$sdp.session(b=) = "b=AS:64";', "$sdp.session(b=)", "b=AS:64", 1),
    # --- sockets, levels
    ('$socket_out = "tcp:10.0.0.9:5060";', "$socket_out", "tcp:10.0.0.9:5060", 1),
    ('$socket_out = "tcp:10.0.0.9:5060";', "$socket_out(forced)", "tcp:10.0.0.9:5060", 1),
    ('$socket_out = "tcp:10.0.0.9:5060"; $socket_out = null;', "$socket_out", "udp:10.0.0.9:5060", 1),
    ('$fs = "tcp:10.0.0.9:5060";', "$socket_out(proto)", "TCP", 1),
    ("$log_level = 4;", "$log_level", 4, 1), ("$log_level = 4; $log_level = null;", "$log_level", 2, 1),
    ("$xlog_level = -1;", "$xlog_level", -1, 1), ("$xlog_level = -1; $xlog_level = null;", "$xlog_level", 2, 1),
    # --- results of routes
    ("route(two, 1, \"x\");", "$return(0)", "a", 3), ("route(two);", "$return(1)", 5, 3), ("route(two);", "$return(2)", None, 3),
    ("route(two);", "$retcode", 3, 3), ("route(two);", "$return($var(one))", 5, 3),
]
ROUTE = ' route[two] { return(3, "a", 5); }'


@pytest.mark.parametrize(("body", "expression", "value", "code"), WRITE, ids=[f"{row[0]} {row[1]}" for row in WRITE])
def test_write(body: str, expression: str, value: Any, code: int) -> None:
    book = ScriptBook(f"route {{ {body} $var(code) = $rc; $var(out) = {expression.replace('$rc', '$var(code)')}; }}{ROUTE}"
                      if "retcode" not in expression else
                      f"route {{ {body} $var(out) = {expression}; $var(code) = $var(out); }}{ROUTE}", "sl", "sipmsgops")
    book.env.vars["one"] = 1
    book.feed(RAW)
    found = book.env.vars.get("out")
    assert (found, type(found), book.env.vars["code"]) == (value, type(value), code), list(book.said)


# --- by kind of route: what a variable is there ------------------------------------------------------------------------

PLACES = """
route { t_on_branch("b"); t_on_reply("r"); t_on_failure("f"); $avp(a) = "req"; $var(v) = "kept"; setflag(MF); setbflag(BF);
  $branch = "sip:carol@10.0.0.3"; %(route)s t_relay(); }
branch_route[b] { if ($T_branch_idx == 1) { $bavp(x) = "one"; $bavp(x) = "two"; $tm.branch.attr(n) = 7; } %(branch)s }
onreply_route { %(core)s }
onreply_route[r] { if ($T_branch_idx == 1 && $rs == 486) { %(reply)s } }
failure_route[f] { %(failure)s }
"""
IN_PLACE: dict[str, dict[str, Any]] = {
    "route": {"$T_branch_idx": None, "$T_reply_code": 0, "$T_ruri": None, "$(<request>ru)": "sip:bob@10.0.0.2",
              "$(<reply>rs)": None, "$bavp(x)": None, "$route": "route", "$avp(a)": "req", "$mf": "MF", "$bf": "BF"},
    "branch": {"$T_branch_idx": 1, "$ru": "sip:carol@10.0.0.3", "$ou": "sip:bob@10.0.0.2", "$T_ruri": "sip:carol@10.0.0.3",
               "$bavp(x)": "two", "$(bavp(x)[-1])": "one", "$(bavp(x)[*])": "two, one", "$(bavp(x)[2])": None, "$tm.branch.attr(n)": 7,
               "$tm.branch.uri": "sip:carol@10.0.0.3", "$(tm.branch.uri[0])": "sip:bob@10.0.0.2", "$avp(a)": "req",
               "$route": "branch_route[b]", "$route.name": "b", "$route.type": "branch_route", "$mf": "MF", "$bf": ""},
    "core": {"$ru": None, "$rU": None, "$rd": None, "$rs": 486, "$rr": "Reason", "$rm": "INVITE", "$avp(a)": None,
             "$T_branch_idx": None, "$route.type": "onreply_route", "$msg.is_request": 0, "$msg.type": "reply", "$du": None,
             "$var(v)": "kept", "$tt": "tag-carol", "$si": "10.0.0.3", "$route": "onreply_route"},
    "reply": {"$ru": None, "$T_branch_idx": 1, "$T_ruri": "sip:carol@10.0.0.3", "$T_reply_code": 486, "$rs": 486,
              "$(<request>ru)": "sip:bob@10.0.0.2", "$(<request>hdr(Contact))": "<sip:alice@10.0.0.1>", "$avp(a)": None,
              "$(<request>fU{s.toupper})": "ALICE", "$bavp(x)": "two", "$mf": "MF", "$tm.branch.attr(n)": 7,
              "$route.name": "r", "$(T_branch_last_reply_code[0])": 503, "$(<reply>rs)": 486},
    "failure": {"$ru": "sip:carol@10.0.0.3", "$ou": "sip:bob@10.0.0.2", "$T_branch_idx": 1, "$T_reply_code": 486,
                "$(<reply>rs)": 486, "$(<reply>rr)": "Reason", "$(<reply>tt)": "tag-carol", "$rs": None, "$avp(a)": "req",
                "$rm": "INVITE", "$bavp(x)": "two", "$(T_branch_last_reply_code[0])": 503, "$mf": "MF",
                "$(tm.branch.last_received[1])": 486, "$(tm.branch.uri[*])": "sip:bob@10.0.0.2, sip:carol@10.0.0.3",
                "$(tm.branch.type[0])": "sip", "$route": "failure_route[f]", "$T_fr_timeout": 30, "$tt": None},
}


@pytest.mark.parametrize("place", IN_PLACE)
def test_by_kind_of_route(place: str) -> None:
    rows = IN_PLACE[place]
    reads = " ".join([f"$var(out{at}) = {expression};" for at, expression in enumerate(rows)])
    book = ScriptBook(PLACES % {name: reads if name == place else ";" for name in IN_PLACE})
    book.recv("INVITE").sent(100).sent("INVITE", "bob").sent("INVITE", "carol")
    book.answer("bob", 503).answer("carol", 486).sent(486)
    found = {expression: book.env.vars.get(f"out{at}", "unset") for at, expression in enumerate(rows)}
    assert found == rows, list(book.said)


CHALLENGE = ('Digest realm="r.example", nonce="abc", opaque="oo", algorithm=AKAv1-MD5, qop="auth,auth-int", ik="11", '
             'ck="22"')


@pytest.mark.parametrize(("field", "value"), [
    ("realm", "r.example"), ("nonce", "abc"), ("opaque", "oo"), ("algorithm", "AKAv1-MD5"), ("qop", "auth,auth-int"),
    ("ik", "11"), ("ck", "22")])
@pytest.mark.parametrize("header", ["WWW-Authenticate", "Proxy-Authenticate"])
def test_challenge(field: str, value: str, header: str) -> None:
    book = ScriptBook(f"route {{ t_relay(); }} onreply_route {{ $var(out) = $challenge.{field}; }}")
    book.recv("INVITE").sent(100).sent("INVITE", "bob").answer("bob", 401, headers=f"{header}: {CHALLENGE}\r\n")
    assert book.env.vars["out"] == value


@pytest.mark.parametrize(("kind", "body", "expression", "value"), [
    ("error_route", "", "$err.class", 1), ("error_route", "", "$err.level", 3), ("error_route", "", "$err.rcode", 400),
    ("error_route", "", "$route", "error_route"),
])
def test_error_route(kind: str, body: str, expression: str, value: Any) -> None:
    book = ScriptBook(f"route {{ exit; }} {kind} {{ {body} $var(out) = {expression}; }}")
    book.feed(BARE.replace(b"CSeq: 1 OPTIONS", b"CSeq: x"))
    assert book.env.vars.get("out") == value


@pytest.mark.parametrize(("text", "code"), [
    ("$var(x) = $nosuch;", "E102"), ("$var(x) = $var;", "E104"), ("$var(x) = $rm(x);", "E104"), ("$var(x) = $(rm[1]);", "E105"),
    ("$var(x) = $ct.fields(no);", "E104"), ("$var(x) = $ctime(no);", "E104"), ("$rm = 1;", "E106"), ("$ru = null;", "E405"),
    ("$rd = null;", "E405"), ("$ru_q = null;", "E405"), ("$hdr(X) = 1;", "E106"),
    ("$var(x) = $(<other>ru);", "E107"), ("$var(x) = $(avp(a)[x]);", "E009"), ("$var(x) = $(avp(a)[append]);", "E105"),
    ("$socket_in = 1;", "E106"), ("$dd = null;", "E405"), ("$rc = 1;", "E106"), ("$var(x) = $(ru{s.nope});", "E103"),
    ("$var(x) = $json([);", "E104"), ("$var(x) = $xml(/);", "E104"), ("$var(x) = $return(x);", "E104"),
])
def test_the_checker_knows(text: str, code: str) -> None:
    assert fault(text) == code


def test_no_variable_is_left_out() -> None:
    rows = [row[0] for row in (*READ, *MATCH)] + [f"{row[0]} {row[1]}" for row in WRITE]
    rows += [f"$challenge.{field}" for field in ("algorithm", "realm", "nonce", "opaque", "qop", "ik", "ck")]
    rows += [expression for place in IN_PLACE.values() for expression in place]
    read = set(re.findall(r"\$\(?(?:<\w+>)?([A-Za-z_][\w.]*)", " ".join(rows) + " " + PLACES))
    assert [name for name in Registry(BUILTINS).pvar_names() if name not in read] == []
