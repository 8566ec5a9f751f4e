"""Give methods, headers and status codes their small ints and their words (RFC 3261 sections 7.3.3 and 21)."""
from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

M_OTHER: Final = 0
M_INVITE: Final = 1
M_ACK: Final = 2
M_CANCEL: Final = 3
M_BYE: Final = 4
M_REGISTER: Final = 5
M_OPTIONS: Final = 6
M_PRACK: Final = 7
M_UPDATE: Final = 8
M_INFO: Final = 9
M_REFER: Final = 10
M_SUBSCRIBE: Final = 11
M_NOTIFY: Final = 12
M_PUBLISH: Final = 13
M_MESSAGE: Final = 14

METHOD_IDS: Final[Mapping[str, int]] = MappingProxyType({
    "INVITE": M_INVITE,
    "ACK": M_ACK,
    "CANCEL": M_CANCEL,
    "BYE": M_BYE,
    "REGISTER": M_REGISTER,
    "OPTIONS": M_OPTIONS,
    "PRACK": M_PRACK,
    "UPDATE": M_UPDATE,
    "INFO": M_INFO,
    "REFER": M_REFER,
    "SUBSCRIBE": M_SUBSCRIBE,
    "NOTIFY": M_NOTIFY,
    "PUBLISH": M_PUBLISH,
    "MESSAGE": M_MESSAGE,
})
# The packet path reads the start line as bytes and wants one lookup for both answers.
METHOD_BYTES: Final[Mapping[bytes, tuple[int, str]]] = MappingProxyType(
    {name.encode(): (number, name) for name, number in METHOD_IDS.items()})

H_OTHER: Final = 0
H_VIA: Final = 1
H_FROM: Final = 2
H_TO: Final = 3
H_CALL_ID: Final = 4
H_CSEQ: Final = 5
H_CONTACT: Final = 6
H_MAX_FORWARDS: Final = 7
H_ROUTE: Final = 8
H_RECORD_ROUTE: Final = 9
H_CONTENT_LENGTH: Final = 10
H_CONTENT_TYPE: Final = 11
H_EXPIRES: Final = 12
H_AUTHORIZATION: Final = 13
H_PROXY_AUTHORIZATION: Final = 14
H_WWW_AUTHENTICATE: Final = 15
H_PROXY_AUTHENTICATE: Final = 16
H_SUPPORTED: Final = 17
H_REQUIRE: Final = 18
H_PROXY_REQUIRE: Final = 19
H_USER_AGENT: Final = 20
H_SERVER: Final = 21
H_ALLOW: Final = 22
H_EVENT: Final = 23
H_PATH: Final = 24
H_MIN_EXPIRES: Final = 25
H_PAI: Final = 26
H_PPI: Final = 27
H_RPID: Final = 28
H_DIVERSION: Final = 29
H_REFER_TO: Final = 30
H_PRIVACY: Final = 31
H_SUBJECT: Final = 32
H_REASON: Final = 33
H_ACCEPT: Final = 34
H_RETRY_AFTER: Final = 35
H_DATE: Final = 36
H_TIMESTAMP: Final = 37
H_UNSUPPORTED: Final = 38
H_SERVICE_ROUTE: Final = 39
H_SESSION_EXPIRES: Final = 40
H_MIN_SE: Final = 41
H_RACK: Final = 42
H_RSEQ: Final = 43
H_REPLACES: Final = 44
H_JOIN: Final = 45
H_REFERRED_BY: Final = 46
H_SUBSCRIPTION_STATE: Final = 47
H_ALLOW_EVENTS: Final = 48
H_SIP_ETAG: Final = 49
H_SIP_IF_MATCH: Final = 50
H_CONTENT_ENCODING: Final = 51
H_CONTENT_DISPOSITION: Final = 52
H_CONTENT_LANGUAGE: Final = 53
H_MIME_VERSION: Final = 54
H_ACCEPT_ENCODING: Final = 55
H_ACCEPT_LANGUAGE: Final = 56
H_ACCEPT_CONTACT: Final = 57
H_REJECT_CONTACT: Final = 58
H_REQUEST_DISPOSITION: Final = 59
H_ALERT_INFO: Final = 60
H_CALL_INFO: Final = 61
H_ERROR_INFO: Final = 62
H_AUTHENTICATION_INFO: Final = 63
H_IDENTITY: Final = 64
H_IDENTITY_INFO: Final = 65
H_IN_REPLY_TO: Final = 66
H_ORGANIZATION: Final = 67
H_PRIORITY: Final = 68
H_REPLY_TO: Final = 69
H_WARNING: Final = 70
H_HISTORY_INFO: Final = 71
H_FLOW_TIMER: Final = 72
H_FEATURE_CAPS: Final = 73
H_P_ACCESS_NETWORK_INFO: Final = 74
H_P_VISITED_NETWORK_ID: Final = 75
H_P_CHARGING_VECTOR: Final = 76
H_P_CHARGING_FUNCTION_ADDRESSES: Final = 77
H_P_ASSOCIATED_URI: Final = 78
H_P_CALLED_PARTY_ID: Final = 79
H_SECURITY_CLIENT: Final = 80
H_SECURITY_SERVER: Final = 81
H_SECURITY_VERIFY: Final = 82
H_SESSION_ID: Final = 83
H_TARGET_DIALOG: Final = 84
H_MAX_BREADTH: Final = 85
H_INFO_PACKAGE: Final = 86
H_RECV_INFO: Final = 87
H_USER_TO_USER: Final = 88
H_GEOLOCATION: Final = 89
H_REFER_SUB: Final = 90

# The index of a name is its header id.
_CANONICAL: Final = (
    "",
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Max-Forwards",
    "Route",
    "Record-Route",
    "Content-Length",
    "Content-Type",
    "Expires",
    "Authorization",
    "Proxy-Authorization",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Supported",
    "Require",
    "Proxy-Require",
    "User-Agent",
    "Server",
    "Allow",
    "Event",
    "Path",
    "Min-Expires",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Remote-Party-ID",
    "Diversion",
    "Refer-To",
    "Privacy",
    "Subject",
    "Reason",
    "Accept",
    "Retry-After",
    "Date",
    "Timestamp",
    "Unsupported",
    "Service-Route",
    "Session-Expires",
    "Min-SE",
    "RAck",
    "RSeq",
    "Replaces",
    "Join",
    "Referred-By",
    "Subscription-State",
    "Allow-Events",
    "SIP-ETag",
    "SIP-If-Match",
    "Content-Encoding",
    "Content-Disposition",
    "Content-Language",
    "MIME-Version",
    "Accept-Encoding",
    "Accept-Language",
    "Accept-Contact",
    "Reject-Contact",
    "Request-Disposition",
    "Alert-Info",
    "Call-Info",
    "Error-Info",
    "Authentication-Info",
    "Identity",
    "Identity-Info",
    "In-Reply-To",
    "Organization",
    "Priority",
    "Reply-To",
    "Warning",
    "History-Info",
    "Flow-Timer",
    "Feature-Caps",
    "P-Access-Network-Info",
    "P-Visited-Network-ID",
    "P-Charging-Vector",
    "P-Charging-Function-Addresses",
    "P-Associated-URI",
    "P-Called-Party-ID",
    "Security-Client",
    "Security-Server",
    "Security-Verify",
    "Session-ID",
    "Target-Dialog",
    "Max-Breadth",
    "Info-Package",
    "Recv-Info",
    "User-to-User",
    "Geolocation",
    "Refer-Sub",
)
_COMPACT: Final[Mapping[str, int]] = MappingProxyType({
    "a": H_ACCEPT_CONTACT, "b": H_REFERRED_BY, "c": H_CONTENT_TYPE, "d": H_REQUEST_DISPOSITION,
    "e": H_CONTENT_ENCODING, "f": H_FROM, "i": H_CALL_ID, "j": H_REJECT_CONTACT, "k": H_SUPPORTED,
    "l": H_CONTENT_LENGTH, "m": H_CONTACT, "n": H_IDENTITY_INFO, "o": H_EVENT, "r": H_REFER_TO, "s": H_SUBJECT,
    "t": H_TO, "u": H_ALLOW_EVENTS, "v": H_VIA, "x": H_SESSION_EXPIRES, "y": H_IDENTITY,
})


def _spellings() -> dict[str, int]:
    """List the spellings that are common on the wire; any other costs one more lookup in lower case."""
    out: dict[str, int] = {}
    for number, name in enumerate(_CANONICAL):
        if number:
            for spelling in (name, name.lower(), name.upper(), "-".join(p.capitalize() for p in name.split("-"))):
                out[spelling] = number
    for letter, number in _COMPACT.items():
        out[letter] = out[letter.upper()] = number
    return out


HEADER_IDS: Final[Mapping[str, int]] = MappingProxyType(_spellings())
# A plain dict, since a bound `get` of it is what the scanner calls for every line.
HEADER_BYTES: Final = {name.encode(): number for name, number in HEADER_IDS.items()}
_TOKEN: Final = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]+").fullmatch


class _HeaderNames(dict[bytes, int]):
    """Map header names as they stand on the wire to ids; KeyError for what cannot be a name at all."""

    def __missing__(self, name: bytes) -> int:
        if not _TOKEN(name):
            raise KeyError(name)
        return self.get(name.lower(), H_OTHER)


# One C call for each line when it is mapped over the names of a message.
HEADER_ID_OF: Final = _HeaderNames(HEADER_BYTES).__getitem__


def header_id(name: bytes | str) -> int:
    """Return the id of a header name in any case or in its compact form; H_OTHER when it is not known."""
    if isinstance(name, bytes):
        found = HEADER_BYTES.get(name)
        return HEADER_BYTES.get(name.strip().lower(), H_OTHER) if found is None else found
    found = HEADER_IDS.get(name)
    return HEADER_IDS.get(name.strip().lower(), H_OTHER) if found is None else found


def canonical_name(number: int) -> str:
    """Return the full name of a header id; empty for H_OTHER."""
    return _CANONICAL[number]


def method_id(name: str) -> int:
    """Return the id of a method; M_OTHER when it is not known. Methods are case-sensitive."""
    return METHOD_IDS.get(name, M_OTHER)


REASONS: Final[Mapping[int, str]] = MappingProxyType({
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    417: "Unknown Resource-Priority",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    424: "Bad Location Information",
    425: "Bad Alert Message",
    428: "Use Identity Header",
    429: "Provide Referrer Identity",
    430: "Flow Failed",
    433: "Anonymity Disallowed",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded",
    469: "Bad Info Package",
    470: "Consent Needed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    555: "Push Notification Service Not Supported",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
})
_CLASSES: Final = ("", "Trying", "OK", "Multiple Choices", "Bad Request", "Server Internal Error", "Busy Everywhere")


def reason_phrase(code: int) -> str:
    """Return the words of a status code; those of its class's first code when it is not known."""
    found = REASONS.get(code)
    if found is None:
        found = _CLASSES[code // 100] if 100 <= code <= 699 else "Unknown"
    return found
