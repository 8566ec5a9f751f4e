"""The only import a module author needs. Re-exports names; holds no logic."""
from osip.core.errors import MIError, ModuleError, OsipError, ParseError, StoreError
from osip.core.exports.declare import (event, function, gauge, hook, mi, needs, param, pvar, slot, stat, table, timer,
                                       transform)
from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.exports.module import Module
from osip.core.exports.spec import Hook, Scope, StatKind
from osip.core.exports.types import (BranchRoute, FailureRoute, FlagName, Parse, Raw, ReplyRoute, RequestRoute, Route,
                                     Static, Value, Var, flag_parser, one_line, posix, regex)
from osip.core.mi import rpc
from osip.core.net.connections import StreamLimits
from osip.core.net.endpoint import (DEFAULT_PORTS, RELIABLE, Dest, Endpoint, LocalSocket, Source, bracket, is_ip,
                                    parse_endpoint)
from osip.core.net.tcp import TcpTransport
from osip.core.net.udp import UdpTransport
from osip.core.run import forward, reply
from osip.core.run.ctx import Ctx, Target
from osip.core.run.env import Env
from osip.core.run.log import python_level
from osip.core.run.words import HeaderWords, UriWords, body_parts, set_body_parts
from osip.core.sip.auth import Auth, find_credentials, parse_auth
from osip.core.sip.address import NameAddr, parse_name_addr, split_commas
from osip.core.sip.build import build_ack, build_cancel, build_reply, build_request
from osip.core.sip.digest import answer_challenge, digest_ha1, is_known_algorithm
from osip.core.sip.edits import Edits, merge, splice
from osip.core.sip.message import Message, Request, Response, check, parse
from osip.core.sip.multipart import Part as BodyPart
from osip.core.sip.multipart import bare_type, parts_of
from osip.core.sip.names import (H_AUTHORIZATION, H_DIVERSION, H_PROXY_AUTHORIZATION, H_RACK,
                                 H_SUPPORTED, H_USER_AGENT, H_ACCEPT, H_ALLOW, H_CALL_ID, H_CONTACT, H_CONTENT_LENGTH, H_CONTENT_TYPE, H_CSEQ,
                                 H_EXPIRES, H_FROM, H_MIN_EXPIRES, H_PATH, H_PRIVACY, H_UNSUPPORTED,
                                 H_MAX_FORWARDS, H_PROXY_AUTHENTICATE, H_PROXY_REQUIRE, H_REASON, H_RECORD_ROUTE,
                                 H_ROUTE, H_TO, H_VIA, H_WWW_AUTHENTICATE, M_ACK, M_BYE, M_CANCEL, M_INVITE, M_OPTIONS,
                                 M_OTHER, M_PRACK, M_REGISTER, METHOD_IDS, canonical_name, header_id, reason_phrase)
from osip.core.sip.params import find_param, is_token, parse_params, quote
from osip.core.sip.sdp import Media, Sdp, parse_sdp
from osip.core.sip.uri import unescape_user, Uri, parse_uri, uri_equal
from osip.core.run.variable import avp_name
from osip.core.store.tables import check_version, create_tables

__all__ = [
    "H_AUTHORIZATION", "H_DIVERSION", "H_PROXY_AUTHORIZATION", "H_RACK", "answer_challenge", "digest_ha1",
    "is_known_algorithm", "is_token", "parse_params", "quote",
    "check_version",
    "create_tables",
    "avp_name",
    "unescape_user", "BodyPart", "body_parts", "parts_of", "set_body_parts",
    "H_SUPPORTED",
    "H_USER_AGENT",
    "BranchRoute", "Ctx", "DEFAULT_PORTS", "Dest", "Diagnostic", "Edits", "Endpoint", "Env", "FailureRoute",
    "FlagName", "H_ACCEPT", "H_ALLOW", "H_CONTENT_LENGTH", "H_MIN_EXPIRES", "H_PATH", "H_PRIVACY", "H_UNSUPPORTED", "Media", "Sdp", "parse_sdp", "H_CALL_ID", "H_CONTACT", "H_CONTENT_TYPE", "H_CSEQ", "H_EXPIRES", "H_FROM",
    "H_MAX_FORWARDS", "H_PROXY_AUTHENTICATE", "H_PROXY_REQUIRE", "H_REASON", "H_RECORD_ROUTE", "H_ROUTE", "H_TO",
    "H_VIA", "H_WWW_AUTHENTICATE", "HeaderWords", "Hook", "LocalSocket", "METHOD_IDS", "MIError", "M_ACK", "M_BYE", "M_CANCEL",
    "M_INVITE", "M_OPTIONS", "M_OTHER", "M_PRACK", "M_REGISTER", "Message", "Module", "ModuleError", "NameAddr",
    "OsipError", "Parse", "ParseError", "RELIABLE", "Raw", "ReplyRoute", "Request", "RequestRoute", "Response",
    "Route", "Scope", "Severity", "Source", "StatKind", "Static", "StoreError", "StreamLimits", "Target",
    "TcpTransport", "UdpTransport", "Uri", "UriWords", "Value", "Var", "Auth", "bare_type", "bracket", "build_ack", "build_cancel", "build_reply",
    "build_request", "canonical_name", "check", "event", "find_credentials", "find_param", "parse_auth", "flag_parser", "forward", "function", "gauge", "header_id", "hook", "is_ip", "merge", "mi",
    "needs", "one_line", "param", "parse", "parse_endpoint", "parse_name_addr", "parse_uri", "posix", "pvar", "python_level", "reason_phrase",
    "regex", "reply", "rpc", "slot", "splice", "split_commas", "stat", "table", "timer", "transform", "uri_equal",
]
