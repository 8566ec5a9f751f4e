"""The only import a module author needs. Re-exports names; holds no logic."""
from osip.core.accel import mypyc_attr
from osip.core.errors import MIError, ModuleError, OsipError, ParseError, StoreError, StoreLost
from osip.core.exports.declare import (event, function, gauge, hook, mi, needs, param, pvar, slot, stat, table, timer,
                                       transform)
from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.exports.module import Module
from osip.core.exports.spec import Hook, Role, Scope, StatKind
from osip.core.exports.types import (BranchRoute, FailureRoute, FlagName, Parse, Raw, ReplyRoute, RequestRoute, Route,
                                     Static, Value, Var, flag_parser, one_line, posix, regex)
from osip.core.mi import rpc
from osip.core.mi.access import Caller
from osip.core.net.connections import StreamLimits, worker_of
from osip.core.net.endpoint import (DEFAULT_PORTS, RELIABLE, CapturedSource, Dest, Endpoint, LocalSocket, Source, bracket, is_ip,
                                    parse_endpoint)
from osip.core.net.identity import is_for
from osip.core.net.proxied import trusted_network
from osip.core.net.capture import HepTcp, HepTls, HepUdp
from osip.core.net.hep import HEP_LOG, HEP_RTCP, HEP_SIP, HepFramer, HepPacket, decode_hep, encode_hep
from osip.core.net.hep import PROTOCOLS as HEP_PROTOCOLS
from osip.core.net.sctp import SctpTransport
from osip.core.net.tcp import TcpTransport
from osip.core.net.tls import TlsDomain, TlsDomains, TlsTransport
from osip.core.net.transport import Complaint
from osip.core.net.udp import UdpTransport
from osip.core.net.websocket import WsLimits
from osip.core.net.ws import WssTransport, WsTransport
from osip.core.run import forward, origin, refusal, reply
from osip.core.run.commandtap import TracedCommands
from osip.core.run.config import FACILITIES as LOG_FACILITIES
from osip.core.run.ctx import Ctx, Target
from osip.core.run.env import Env
from osip.core.run.log import origin_of as log_origin
from osip.core.run.log import python_level
from osip.core.run.logline import is_harmless, is_plain, joined
from osip.core.run.outlet import DirectLog
from osip.core.run.outbox import Outbox, Posting
from osip.core.run.preference import Preferences, parse_scheme, parse_urls, script_value
from osip.core.run.recurrence import parse_recurrence
from osip.core.run.rows import RowWriter
from osip.core.run.share import Replicated, SharedCounts
from osip.core.run.table import open_tables, parse_partition
from osip.core.run.timers import Alarm, Timers
from osip.core.run.variable import avp_name, avp_or_none
from osip.core.run.wiretap import Traced
from osip.core.run.words import HeaderWords, UriWords, body_parts, set_body_parts
from osip.core.sip.address import NameAddr, parse_name_addr, split_commas
from osip.core.sip.auth import Auth, find_credentials, parse_auth
from osip.core.sip.binding import contact_line, plain_binding
from osip.core.sip.build import build_ack, build_cancel, build_reply, build_request, enclosed
from osip.core.sip.digest import answer_challenge, digest_ha1, is_known_algorithm, verify_digest
from osip.core.sip.edits import Edits, merge, splice, value_start
from osip.core.sip.fields import value_of
from osip.core.sip.identity import has_plain_user, only_route, request_key
from osip.core.sip.mark import seal
from osip.core.sip.message import Message, Request, Response, check, parse
from osip.core.sip.multipart import Part, bare_type, parts_of
from osip.core.sip.multipart import Part as BodyPart
from osip.core.sip.names import (H_ACCEPT, H_ALLOW, H_AUTHORIZATION, H_CALL_ID, H_CONTACT, H_CONTENT_LENGTH,
                                 H_CONTENT_TYPE, H_CSEQ, H_DIVERSION, H_EXPIRES, H_FROM, H_MAX_FORWARDS, H_MIN_EXPIRES,
                                 H_PATH, H_PRIVACY, H_PROXY_AUTHENTICATE, H_PROXY_AUTHORIZATION, H_PROXY_REQUIRE,
                                 H_RACK, H_REASON, H_RECORD_ROUTE, H_ROUTE, H_SUPPORTED, H_TO, H_UNSUPPORTED,
                                 H_USER_AGENT, H_VIA, H_WWW_AUTHENTICATE, METHOD_IDS, M_ACK, M_BYE, M_CANCEL, M_INVITE,
                                 M_OPTIONS, M_OTHER, M_PRACK, M_REGISTER, canonical_name, header_id, reason_phrase)
from osip.core.sip.params import find_param, is_token, parse_params, quote
from osip.core.sip.sdp import Media, Sdp, parse_sdp
from osip.core.sip.uri import Uri, escape_user, parse_uri, plain_address, unescape_user, uri_equal
from osip.core.store.cache import CacheUrl, LocalCache, parse_cache_url
from osip.core.store.remote import Remote
from osip.core.store.snapshot import read as read_snapshot
from osip.core.store.snapshot import write as write_snapshot
from osip.core.store.quick import Lookup
from osip.core.store.sql import Sql, Tuning, first_row
from osip.core.store.sql import hide as hide_password
from osip.core.store.tables import check_version, create_tables
from osip.core.store.tally import Tally

__all__ = [
    "CacheUrl", "hide_password", "LocalCache", "parse_cache_url", "read_snapshot", "Remote", "Sql", "StoreLost", "Tuning",
    "write_snapshot",
    "Alarm", "answer_challenge", "Auth", "avp_name", "avp_or_none", "bare_type", "body_parts", "BodyPart", "bracket", "BranchRoute",
    "build_ack", "build_cancel", "build_reply", "build_request", "canonical_name", "Caller", "check", "check_version", "CapturedSource", "Complaint", "decode_hep", "enclosed", "encode_hep", "HepFramer", "HepPacket", "HepTcp", "HepTls", "is_for", "TlsDomains", "HepUdp",
    "HEP_LOG", "HEP_PROTOCOLS", "HEP_RTCP", "HEP_SIP", "log_origin", "RowWriter", "Traced", "TracedCommands",
    "contact_line", "create_tables", "Ctx", "DEFAULT_PORTS", "Dest", "Diagnostic", "digest_ha1", "DirectLog",
    "Edits", "Endpoint", "Env", "escape_user", "event",
    "FailureRoute",
    "find_credentials", "find_param", "first_row", "flag_parser", "FlagName", "forward", "function", "gauge", "H_ACCEPT", "H_ALLOW",
    "H_AUTHORIZATION", "H_CALL_ID", "H_CONTACT", "H_CONTENT_LENGTH", "H_CONTENT_TYPE", "H_CSEQ", "H_DIVERSION",
    "H_EXPIRES", "H_FROM", "H_MAX_FORWARDS", "H_MIN_EXPIRES", "H_PATH", "H_PRIVACY", "H_PROXY_AUTHENTICATE",
    "H_PROXY_AUTHORIZATION", "H_PROXY_REQUIRE", "H_RACK", "H_REASON", "H_RECORD_ROUTE", "H_ROUTE", "H_SUPPORTED",
    "H_TO", "H_UNSUPPORTED", "H_USER_AGENT", "H_VIA", "H_WWW_AUTHENTICATE", "has_plain_user", "header_id",
    "HeaderWords", "Hook", "hook", "is_harmless", "is_ip", "is_known_algorithm", "is_plain", "is_token", "joined", "LocalSocket", "LOG_FACILITIES", "Lookup",
    "M_ACK", "M_BYE", "M_CANCEL", "M_INVITE", "M_OPTIONS",
    "M_OTHER", "M_PRACK", "M_REGISTER", "Media", "merge", "Message", "METHOD_IDS", "mi", "MIError", "Module",
    "ModuleError", "mypyc_attr", "NameAddr", "needs", "one_line", "only_route", "open_tables", "origin", "OsipError", "Outbox", "param", "Parse", "parse",
    "parse_auth",
    "parse_endpoint", "parse_name_addr", "parse_params", "parse_partition", "parse_recurrence", "parse_scheme", "parse_sdp", "parse_uri", "parse_urls", "ParseError", "Part", "parts_of",
    "plain_address", "plain_binding", "posix", "Posting", "Preferences", "pvar", "python_level", "quote", "Raw", "reason_phrase", "refusal", "regex", "RELIABLE", "Replicated", "reply",
    "ReplyRoute", "Role", "Request", "request_key", "RequestRoute", "Response", "Route", "rpc", "Scope", "script_value", "SctpTransport", "seal", "Sdp", "set_body_parts", "Severity", "SharedCounts", "slot",
    "Source", "splice", "split_commas", "stat", "Static", "StatKind", "StoreError", "StreamLimits", "table", "Tally", "Target", "Timers",
    "TcpTransport", "timer", "TlsDomain", "TlsTransport", "transform", "trusted_network", "UdpTransport", "unescape_user", "Uri", "uri_equal", "UriWords", "Value",
    "value_of", "value_start", "Var", "verify_digest", "WsLimits", "WssTransport", "WsTransport", "worker_of",
]
