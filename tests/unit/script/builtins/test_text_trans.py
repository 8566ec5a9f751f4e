"""Check the `sdp.` and `re.` transformations."""
from __future__ import annotations

import pytest
from kit.builtin import Words

SDP = ("v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\na=tool:x\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\nm=video 5000 RTP/AVP 31\r\n"
       "a=recvonly\r\nm=audio 6000 RTP/AVP 8\r\n")
AUDIO, VIDEO, MORE = ("m=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n", "m=video 5000 RTP/AVP 31\r\na=recvonly\r\n",
                      "m=audio 6000 RTP/AVP 8\r\n")
SESSION = SDP[:SDP.index("m=")]


@pytest.mark.parametrize(("name", "value", "args", "result"), [
    ("sdp.line", SDP, ("m",), "m=audio 4000 RTP/AVP 0"), ("sdp.line", SDP, ("a", "1"), "a=sendrecv"),
    ("sdp.line", SDP, ("a", "-1"), "a=recvonly"), ("sdp.line", SDP, ("a=recv",), "a=recvonly"),
    ("sdp.line", SDP, ("k",), None), ("sdp.line", SDP, ("m", "7"), None),
    ("sdp.stream", SDP, ("0",), AUDIO), ("sdp.stream", SDP, ("-1",), MORE), ("sdp.stream", SDP, ("video",), VIDEO),
    ("sdp.stream", SDP, ("text",), None), ("sdp.stream", SDP, ("9",), None),
    ("sdp.stream-delete", SDP, ("audio",), SESSION + VIDEO), ("sdp.stream-delete", SDP, ("1",), SESSION + AUDIO + MORE),
    ("sdp.stream-delete", SDP, ("text",), None), ("sdp.stream", "v=0", ("0",), None),
    ("re.subst", "abcabc", ("/b/X/",), "aXcabc"), ("re.subst", "abcabc", ("/b/X/g",), "aXcaXc"),
    ("re.subst", "abc", ("/B/X/",), "abc"), ("re.subst", "abc", ("/B/X/i",), "aXc"),
    ("re.subst", "sip:bob@h", (r"/^sip:(.*)@(.*)$/\2-\1/",), "h-bob"), ("re.subst", "a/b", (r"#/#\\#",), "a\\b"),
    ("re.subst", "a/b", (r"/\//-/",), "a-b"), ("re.subst", "a,b", ("/a", "b/x", "y/"), "x,y"),
    ("re.subst", "a1", ("/[[:digit:]]/d/",), "ad"), ("re.subst", "a\nb", ("/a.b/x/s",), "x"),
    ("re.subst", "a\nb", ("/a.b/x/",), "a\nb"), ("re.subst", "abc", ("/b/",), None), ("re.subst", "abc", ("/b/x/q",),
                                                                                     None),
    ("re.subst", "abc", ("/(/x/",), None), ("re.subst", "abc", (r"/b/\9/",), "ac"),
])
def test_transform(name: str, value: str, args: tuple[str, ...], result: object) -> None:
    assert Words().transform(name, value, *args) == result
