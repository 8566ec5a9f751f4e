"""Every transformation row by row (variables.md section 9): its example, its edges, and what it cannot take.

A row is a value, a chain of transformations, and what comes out: text, a number, or None for NULL. Rows run in a real
script, `$var(out) = $(var(v){chain});`, so that what is a number counts as one.
"""
from __future__ import annotations

from typing import Any

import pytest
from kit.row import evaluate, fault, printed
from kit.script import ScriptBook

from osip.main import new_registry

SDP = ("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
       "m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
       "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n")
SESSION, AUDIO, VIDEO = SDP[:SDP.index("m=audio")], SDP[SDP.index("m=audio"):SDP.index("m=video")], \
    SDP[SDP.index("m=video"):]
URI = "sip:bob:secret@example.com:5070;transport=tcp;lr;user=phone;ttl=5;maddr=192.0.2.9;method=INVITE;r2=on?Subject=x"
VIA = "SIP/2.0/UDP 192.0.2.1:5066;branch=z9hG4bKabc;received=192.0.2.7;rport=5067;x=y"
ADDRESSES = '"Bob, B" <sip:bob@example.com;lr>;q=0.7;ob, sip:carol@example.com;q=0.1'

ROWS: list[tuple[Any, str, Any]] = [
    # --- s. lengths, numbers, digests
    ("hello", "{s.len}", 5), ("", "{s.len}", 0), ("é", "{s.len}", 2), (-15, "{s.len}", 3),
    ("12abc", "{s.int}", 12), ("-7", "{s.int}", -7), ("+7", "{s.int}", 7), ("abc", "{s.int}", 0), ("", "{s.int}", 0),
    (42, "{s.int}", 42), ("007", "{s.int}", 7),
    ("hello", "{s.md5}", "5d41402abc4b2a76b9719d911017c592"), ("", "{s.md5}", "d41d8cd98f00b204e9800998ecf8427e"),
    (1234, "{s.md5}", "81dc9bdb52d04dc20036dbd8313ed055"),
    ("abc", "{s.sha1}", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("abc", "{s.sha224}", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
    ("abc", "{s.sha256}", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("abc", "{s.sha384}{s.len}", 96), ("abc", "{s.sha512}{s.substr,0,16}", "ddaf35a193617aba"),
    ("what do ya want for nothing?", "{s.sha1_hmac,Jefe}", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    ("what do ya want for nothing?", "{s.sha224_hmac,Jefe}",
     "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"),
    ("what do ya want for nothing?", "{s.sha256_hmac,$var(key)}",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ("x", "{s.sha384_hmac,k}{s.len}", 96), ("x", "{s.sha512_hmac,k}{s.len}", 128),
    ("123456789", "{s.crc32}", "3421780262"),
    # --- s. case, blanks, parts
    ("BoB-1É", "{s.tolower}", "bob-1É"), ("bob", "{s.toupper}", "BOB"), ("abc", "{s.reverse}", "cba"),
    (" \t\r\n abc \r\n", "{s.trim}", "abc"), ("  abc ", "{s.triml}", "abc "), ("  abc ", "{s.trimr}", "  abc"),
    (" \t ", "{s.trim}", ""),
    ("abcdef", "{s.substr,2,3}", "cde"), ("abcdef", "{s.substr,-2,0}", "ef"), ("abcdef", "{s.substr,0,-1}", "abcde"),
    ("abcdef", "{s.substr,3,0}", "def"), ("abcdef", "{s.substr,4,9}", "ef"), ("abcdef", "{s.substr,6,1}", None),
    ("abcdef", "{s.substr,-7,1}", None), ("abcdef", "{s.substr,$var(one),$var(two)}", "bc"), ("", "{s.substr,0,1}", None),
    ("abcdef", "{s.substr, 1 , 2 }", "bc"), ("abcdef", "{s.substr,$var(text),1}", None),
    ("abcdef", "{s.substr,$var(null),1}", None), (123456, "{s.substr,0,3}", "123"),
    ("a,b,c", "{s.select,1,,}", "b"), ("a;b;c", "{s.select,-1,;}", "c"), ("a;b;c", "{s.select,-3,;}", "a"),
    ("a;;c", "{s.select,1,;}", ""), ("a;b", "{s.select,2,;}", None), ("a;b", "{s.select,-3,;}", None),
    ("a b", "{s.select,1, }", "b"), ("a@b", "{s.select,$var(one),@}", "b"), ("ab", "{s.select,0,;}", "ab"),
    ("abc:abc", "{s.index,bc}", 1), ("abc:abc", "{s.index,bc,2}", 5), ("abc:abc", "{s.index,bc,5}", 5),
    ("abc:abc", "{s.index,bc,6}", None), ("abc:abc", "{s.index,x}", None), ("abc:abc", "{s.index,a,-3}", 4),
    ("abc:abc", "{s.index,a,-7}", 0), ("abc:abc", "{s.index,$var(letter)}", 1),
    ("abc:abc", "{s.rindex,bc}", 5), ("abc:abc", "{s.rindex,bc,4}", 1), ("abc:abc", "{s.rindex,bc,5}", 5),
    ("abc:abc", "{s.rindex,bc,0}", None), ("abc:abc", "{s.rindex,a,-4}", 0), ("abc:abc", "{s.rindex,x}", None),
    ("485", "{s.fill.left,abc,8}", "bcabc485"), ("485", "{s.fill.left,0,6}", "000485"), ("485", "{s.fill.left,0,3}", "485"),
    ("485", "{s.fill.left,0,2}", "485"), ("485", "{s.fill.right,abc,8}", "485abcab"), (485, "{s.fill.right,0,6}", "485000"),
    ("abc", "{s.width,5}", "abc  "), ("abc", "{s.width,2}", "ab"), ("abc", "{s.width,0}", ""), ("abc", "{s.width,3}", "abc"),
    ("abc", "{s.width,$var(two)}", "ab"),
    # --- s. encodings
    ("abz", "{s.encode.hexa}", "61627a"), ("61627A", "{s.decode.hexa}", "abz"), ("6", "{s.decode.hexa}", None),
    ("zz", "{s.decode.hexa}", None), ("255", "{s.dec2hex}", "ff"), (255, "{s.dec2hex}", "ff"), ("x", "{s.dec2hex}", None),
    ("FF", "{s.hex2dec}", "255"), ("ff", "{s.hex2dec}", "255"), ("xyz", "{s.hex2dec}", None),
    ("Hello", "{s.b64encode}", "SGVsbG8="), ("SGVsbG8=", "{s.b64decode}", "Hello"), ("SGVs!bG8=", "{s.b64decode}", "Hel"),
    ("", "{s.b64encode}", ""), ("", "{s.b64decode}", ""), ("caf\u00e9", "{s.b64encode}{s.b64decode}", "caf\u00e9"),
    ("hello", "{s.xor,secret}{s.encode.hexa}", "1b000f1e0a"), ("hello", "{s.xor,$var(key)}{s.xor,$var(key)}", "hello"),
    ("it's \"a\\b\"", "{s.escape.common}", "it\\'s \\\"a\\\\b\\\""), ("it\\'s \\\"a\\\\b\\\"", "{s.unescape.common}",
                                                                 "it's \"a\\b\""),
    ("al ice@x", "{s.escape.user}", "al%20ice%40x"), ("al%20ice%40x", "{s.unescape.user}", "al ice@x"),
    ("100%", "{s.unescape.user}", "100%"), ("a=b;c d", "{s.escape.param}", "a%3Db%3Bc%20d"),
    ("a%3Db%3Bc%20d", "{s.unescape.param}", "a=b;c d"), ("100%", "{s.unescape.param}", "100%"),
    ("Thu, 21 Feb 2002 13:02:03 GMT", "{s.date2unix}", 1014296523), ("yesterday", "{s.date2unix}", None),
    ("$rm of $(var(key){s.toupper}) for $$1", "{s.eval}", "INVITE of JEFE for $1"), ("plain", "{s.eval}", "plain"),
    ("$nosuch", "{s.eval}", None), ("$avp(none)", "{s.eval}", "<null>"), ("$rm$", "{s.eval}", None),
    # --- uri.
    (URI, "{uri.user}", "bob"), (URI, "{uri.host}", "example.com"), (URI, "{uri.domain}", "example.com"),
    (URI, "{uri.passwd}", "secret"), (URI, "{uri.port}", 5070), (URI, "{uri.schema}", "sip"),
    (URI, "{uri.params}", "transport=tcp;lr;user=phone;ttl=5;maddr=192.0.2.9;method=INVITE;r2=on"),
    (URI, "{uri.param,Transport}", "tcp"), (URI, "{uri.param,lr}", ""), (URI, "{uri.param,none}", None),
    (URI, "{uri.param,$var(name)}", "5"), (URI, "{uri.headers}", "Subject=x"), (URI, "{uri.transport}", "tcp"),
    (URI, "{uri.ttl}", "5"), (URI, "{uri.uparam}", "phone"), (URI, "{uri.maddr}", "192.0.2.9"),
    (URI, "{uri.method}", "INVITE"), (URI, "{uri.lr}", None), ("sip:a@b;lr=on", "{uri.lr}", "on"), (URI, "{uri.r2}", "on"),
    ("sip:example.com", "{uri.user}", None), ("sip:example.com", "{uri.passwd}", None), ("sip:example.com", "{uri.port}", None),
    ("sip:example.com", "{uri.params}", None), ("sip:example.com", "{uri.headers}", None),
    ("sip:example.com", "{uri.transport}", None), ("sip:example.com", "{uri.r2}", None),
    ("sips:a@[2001:db8::1]:5061", "{uri.host}", "[2001:db8::1]"), ("sips:a@b", "{uri.schema}", "sips"),
    ("tel:+1-201-555", "{uri.schema}", "tel"), ("tel:+12015550123;phone-context=example.com", "{uri.user}", "+12015550123"),
    ("tel:+1201;isub=1", "{uri.param,isub}", "1"), ("urn:service:sos", "{uri.schema}", "urn"), ("bob", "{uri.user}", None),
    ("sip:a@b:99999", "{uri.port}", None), ("", "{uri.host}", None), ("sip:a@b:x", "{uri.user}", None),
    # --- via.
    (VIA, "{via.name}", "SIP"), (VIA, "{via.version}", "2.0"), (VIA, "{via.transport}", "UDP"),
    (VIA, "{via.host}", "192.0.2.1"), (VIA, "{via.domain}", "192.0.2.1"), (VIA, "{via.port}", 5066),
    (VIA, "{via.comment}", None), ("SIP/2.0/UDP h (first)", "{via.comment}", "first"),
    (VIA, "{via.params}", "branch=z9hG4bKabc;received=192.0.2.7;rport=5067;x=y"), (VIA, "{via.param,X}", "y"),
    (VIA, "{via.param,none}", None), ("SIP/2.0/UDP h;rport", "{via.param,rport}", ""), (VIA, "{via.branch}", "z9hG4bKabc"),
    (VIA, "{via.received}", "192.0.2.7"), (VIA, "{via.rport}", "5067"), ("SIP/2.0/TCP h", "{via.port}", None),
    ("SIP/2.0/TCP h", "{via.branch}", None), ("SIP/2.0/TCP h", "{via.params}", None), ("rubbish", "{via.host}", None),
    ("", "{via.name}", None), (VIA, "{via.param,$var(letter)}", None),
    # --- param.
    ("a=1;b=2;c", "{param.value,b}", "2"), ("a=1;b=2;c", "{param.value,B}", "2"), ("a=1;b=2;c", "{param.value,c}", ""),
    ("a=1;b=2;c", "{param.value,d}", None), ('a="x;y";b', "{param.value,a}", "x;y"),
    ("a=1;b=2", "{param.value,$var(letter)}", "2"), ("a=1;b=2;c", "{param.exist,c}", 1), ("a=1", "{param.exist,z}", 0),
    ("a=1;b=2;c", "{param.valueat,1}", "2"), ("a=1;b=2;c", "{param.valueat,-3}", "1"), ("a=1;b", "{param.valueat,1}", ""),
    ("a=1", "{param.valueat,5}", None), ("a=1;b=2;c", "{param.name,0}", "a"), ("a=1;b=2;c", "{param.name,-1}", "c"),
    ("a=1", "{param.name,$var(one)}", None), ("a=1;b=2;c", "{param.count}", 3), ("", "{param.count}", 0),
    ("a=1;", "{param.count}", 1),
    # --- nameaddr.
    (ADDRESSES, "{nameaddr.name}", '"Bob, B"'), (ADDRESSES, "{nameaddr.uri}", "sip:bob@example.com;lr"),
    (ADDRESSES, "{nameaddr.len}", len('"Bob, B" <sip:bob@example.com;lr>')), (ADDRESSES, "{nameaddr.param,q}", "0.7"),
    (ADDRESSES, "{nameaddr.param,ob}", ""), (ADDRESSES, "{nameaddr.param,none}", None),
    (ADDRESSES, "{nameaddr.params}", "q=0.7;ob"), (ADDRESSES, "{nameaddr.1.uri}", "sip:carol@example.com"),
    (ADDRESSES, "{nameaddr.-1.param,q}", "0.1"), (ADDRESSES, "{nameaddr.0.name}", '"Bob, B"'),
    (ADDRESSES, "{nameaddr.1.name}", None), (ADDRESSES, "{nameaddr.2.uri}", None), (ADDRESSES, "{nameaddr.-3.uri}", None),
    ("sip:bob@example.com", "{nameaddr.uri}", "sip:bob@example.com"), ("Bob <sip:b@c>", "{nameaddr.name}", "Bob"),
    ("<sip:b@c>", "{nameaddr.params}", None), ("<sip:b@c", "{nameaddr.uri}", None),
    (ADDRESSES, "{nameaddr.uri}{uri.host}", "example.com"),
    # --- ip.
    ("192.0.2.1", "{ip.pton}{s.encode.hexa}", "c0000201"), ("2001:db8::1", "{ip.pton}{s.len}", 16),
    ("c0000201", "{s.decode.hexa}{ip.ntop}", "192.0.2.1"), ("20010db8000000000000000000000001",
                                                           "{s.decode.hexa}{ip.ntop}", "2001:db8::1"),
    ("abc", "{ip.ntop}", None), ("host", "{ip.pton}", None), ("192.0.2.1", "{ip.pton}{ip.family}", "INET"),
    ("::1", "{ip.pton}{ip.family}", "INET6"), ("192.0.2.1", "{ip.isip}", 1), ("::1", "{ip.isip}", 1), ("[::1]", "{ip.isip}", 1),
    ("host", "{ip.isip}", 0), ("300.1.1.1", "{ip.isip}", 0), ("192.0.2.1", "{ip.isip4}", 1), ("::1", "{ip.isip4}", 0),
    ("::1", "{ip.isip6}", 1), ("192.0.2.1", "{ip.isip6}", 0), ("10.0.0.1", "{ip.isprivate}", 1),
    ("172.31.255.255", "{ip.isprivate}", 1), ("172.32.0.1", "{ip.isprivate}", 0), ("192.168.1.1", "{ip.isprivate}", 1),
    ("100.64.0.1", "{ip.isprivate}", 1), ("127.9.9.9", "{ip.isprivate}", 1), ("8.8.8.8", "{ip.isprivate}", 0),
    ("192.168.2.134", "{ip.matches,192.168.2.0/24}", 1), ("192.168.3.1", "{ip.matches,192.168.2.0/24}", 0),
    ("::1", "{ip.matches,192.168.2.0/24}", None), ("2001:db8::9", "{ip.matches,2001:db8::/32}", 1),
    ("10.1.2.3", "{ip.matches,$var(net)}", 1), ("10.1.2.3", "{ip.matches,$var(rubbish)}", None),
    # --- csv.
    ("a,b,c", "{csv.count}", 3), ('a,"b,c","d ""e"""', "{csv.count}", 3), ("", "{csv.count}", 1),
    ("a,b,c", "{csv.value,1}", "b"), ('a,"b,c"', "{csv.value,1}", "b,c"), ('a,"d ""e"""', "{csv.value,-1}", 'd "e"'),
    ("a,,c", "{csv.value,1}", ""), ("a,b", "{csv.value,2}", None), ("a,b", "{csv.value,-3}", None),
    ("a,b,c", "{csv.value,$var(two)}", "c"),
    # --- sdp.
    (SDP, "{sdp.line,m}", "m=audio 4000 RTP/AVP 0 8"), (SDP, "{sdp.line,m,1}", "m=video 4002 RTP/AVP 96"),
    (SDP, "{sdp.line,m,2}", None), (SDP, "{sdp.line,a=rtpmap:8}", "a=rtpmap:8 PCMA/8000"), (SDP, "{sdp.line,z}", None),
    (SDP, "{sdp.line,a,-1}", "a=rtpmap:96 H264/90000"), (SDP, "{sdp.stream,0}", AUDIO), (SDP, "{sdp.stream,-1}", VIDEO),
    (SDP, "{sdp.stream,audio}", AUDIO), (SDP, "{sdp.stream,text}", None), (SDP, "{sdp.stream,2}", None),
    (SDP, "{sdp.stream-delete,audio}", SESSION + VIDEO), (SDP, "{sdp.stream-delete,1}", SESSION + AUDIO),
    (SDP, "{sdp.stream-delete,-2}", SESSION + VIDEO), (SDP, "{sdp.stream-delete,text}", None),
    (SDP, "{sdp.stream,$var(one)}", VIDEO), ("rubbish", "{sdp.stream,0}", None),
    # --- re.
    ("abc-123-abc", "{re.subst,/abc/x/}", "x-123-abc"), ("abc-123-abc", "{re.subst,/abc/x/g}", "x-123-x"),
    ("ABC", "{re.subst,/abc/x/}", "ABC"), ("ABC", "{re.subst,/abc/x/i}", "x"),
    ("sip:bob@h", "{re.subst,/^sip:([a-z]+)@(.*)$/\\2:\\1/}", "h:bob"), ("a/b", "{re.subst,#/#-#}", "a-b"),
    ("abc", "{re.subst,/b/$var(key)/}", "aJefec"), ("abc", "{re.subst,$var(subst)}", "aXc"), ("abc", "{re.subst,/z/x/}", "abc"),
    ("a\nb", "{re.subst,/a.b/x/s}", "x"), ("aaa", "{re.subst,/a{2}/b/}", "ba"), ("abc", "{re.subst,/b//}", "ac"),
    ("abc", "{re.subst,$var(text)}", None),
    # --- chains
    ("sip:Bob@Example.COM", "{uri.host}{s.tolower}{s.len}", 11), ("x", "{uri.host}{s.len}", None),
]

GIVEN = {"rubbish": "10.0.0.0/99", "one": 1, "two": "2", "text": "word", "key": "Jefe", "letter": "b", "name": "ttl", "net": "10.0.0.0/8",
         "subst": "/b/X/"}
LEAST = {"s.substr": "0,1", "s.select": "0,;", "s.index": "a", "s.rindex": "a", "s.fill.left": "0,3",
         "s.fill.right": "0,3", "s.width": "1", "s.xor": "k", "uri.param": "p", "via.param": "p", "param.value": "p",
         "param.exist": "p", "param.valueat": "0", "param.name": "0", "nameaddr.param": "p", "csv.value": "0",
         "ip.matches": "10.0.0.0/8", "sdp.line": "m", "sdp.stream": "0", "sdp.stream-delete": "0",
         "re.subst": "/a/b/"}
FAMILIES = {"s", "uri", "via", "param", "nameaddr", "ip", "csv", "sdp", "re"}
CORE = sorted(name for name in new_registry().transform_names() if name.split(".")[0] in FAMILIES
              and not name.startswith("ip.resolve"))         # they may wait: tests/script/test_resolve.py


@pytest.mark.parametrize(("value", "chain", "result"), ROWS, ids=[f"{at}{row[1]}" for at, row in enumerate(ROWS)])
def test_row(value: Any, chain: str, result: Any) -> None:
    found = evaluate(f"$(var(v){chain})", given={**GIVEN, "v": value})
    assert found == result and type(found) is type(result)


def test_no_transformation_is_left_out() -> None:
    used = {piece.split(",")[0].strip() for _, chain, _ in ROWS for piece in chain[1:-1].split("}{")}
    assert [name for name in CORE if name not in used] == []


@pytest.mark.parametrize("name", CORE)
def test_null_stays_null_and_says_nothing(name: str) -> None:
    arguments = LEAST.get(name) or ("k" if "hmac" in name else "")
    text = f"$(avp(none){{{name}{',' if arguments else ''}{arguments}}})"
    assert printed(text) == ["<null>"]


@pytest.mark.parametrize("name", CORE)
def test_the_checker_counts_arguments(name: str) -> None:
    arguments = LEAST.get(name) or ("k" if "hmac" in name else "")
    if arguments:
        assert fault(f'xlog("$(ru{{{name}}})");') == "E108"
    assert fault(f'xlog("$(ru{{{name}{"," * bool(arguments)}{arguments}}})");') == 0
    if name not in ("s.select", "re.subst"):                # there a comma may be part of the argument
        assert fault(f'xlog("$(ru{{{name},1,2,3,4}})");') == "E108"


@pytest.mark.parametrize(("expression", "code"), [
    ("/a/b/", 0), ("/a/b/gis", 0), ("/a/b", "E009"), ("/a[/b/", "E403"), ("/a/b/x", "E403"), ("/$rU/b/", 0), ("a", "E009")])
def test_the_checker_reads_substitutions(expression: str, code: str | int) -> None:
    assert fault(f'xlog("$(ru{{re.subst,{expression}}})");') == code


@pytest.mark.parametrize(("given", "text", "why"), [
    ("$(avp(" * 3000, "$(var(v){s.eval})", "not closed"), ("$(avp(" * 300 + "x" + "))" * 300, "$(var(v){s.eval})",
                                                           "too many variables"),
    ("$(var(v){s.eval})", "$(var(v){s.eval})", "evaluates itself"), ("$(rm{nope})", "$(var(v){s.eval})", "nope"),
    ("$(rm{s.substr})", "$(var(v){s.eval})", "wrong number of arguments"), ("$ct.fields(zz)", "$(var(v){s.eval})", "zz"),
    ("$(rm[2])", "$(var(v){s.eval})", "no index"),
])
def test_a_text_that_cannot_be_evaluated_is_null_and_one_line(given: str, text: str, why: str) -> None:
    said = printed(text, given={"v": given})
    assert len(said) == 2 and said[1] == "<null>" and why in said[0] and len(said[0]) < 300


def test_texts_that_peers_send_leave_nothing_behind() -> None:
    book = ScriptBook('route { $var(x) = $(hdr(X){s.eval}); }', "sl")
    book.recv(headers="X: $json(first/a)\r\n")
    before = len(book.env.program.space)
    for number in range(600):
        book.recv(headers=f"X: $json(t{number}/a) $(sdp.line(a{number}=))\r\n", branch=f"z9hG4bK-{number}")
    assert len(book.env.program.space) == before and len(book.env.program._expanders) <= 512
