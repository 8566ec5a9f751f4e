"""Read the flags of nathelper's functions: comma lists of words, or the numbers of older scripts."""
from __future__ import annotations

from osip.api import flag_parser

PRIVATE_CONTACT, DIFF_IP_VIA, PRIVATE_VIA, PRIVATE_SDP = ("private-contact", "diff-ip-src-via", "private-via",
                                                          "private-sdp")
DIFF_PORT_VIA, DIFF_IP_CONTACT, DIFF_PORT_CONTACT, CARRIER = ("diff-port-src-via", "diff-ip-src-contact",
                                                              "diff-port-src-contact", "carrier-grade-nat")
TEST_BITS = {1: PRIVATE_CONTACT, 2: DIFF_IP_VIA, 4: PRIVATE_VIA, 8: PRIVATE_SDP, 16: DIFF_PORT_VIA,
             32: DIFF_IP_CONTACT, 64: DIFF_PORT_CONTACT, 128: CARRIER}
ACTIVE, MEDIA_IP, NO_RTPPROXY, ORIGIN_IP, NULL_IPS = ("add-dir-active", "rewrite-media-ip", "add-no-rtpproxy",
                                                      "rewrite-origin-ip", "rewrite-null-ips")
SDP_BITS = {1: ACTIVE, 2: MEDIA_IP, 4: NO_RTPPROXY, 8: ORIGIN_IP, 16: NULL_IPS}
PRESERVE = "preserve-uri"

parse_tests = flag_parser(tuple(TEST_BITS.values()), TEST_BITS)
parse_sdp_flags = flag_parser(tuple(SDP_BITS.values()), SDP_BITS)
parse_contact_flags = flag_parser((PRESERVE,))


def parse_codes(text: str) -> frozenset[int]:
    """Read a comma list of status codes; ValueError for what is none."""
    codes = [word.strip() for word in text.split(",") if word.strip()]
    wrong = next((code for code in codes if not (code.isdecimal() and 100 <= int(code) <= 699)), None)
    if wrong is not None:
        raise ValueError(f'"{wrong}" is no status code')
    return frozenset(int(code) for code in codes)
