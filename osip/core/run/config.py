"""Declare the global parameters of a script (dsl.md section 3) and hold their values.

A parameter without effect in osip says why in `inert`; it is accepted with one informational line.
"""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from osip.core.net.transport import tos_value

INT, TEXT, BOOL = "int", "text", "bool"


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """One global parameter: `kind` is int, text or bool; `inert` is why it does nothing here; `fault` returns what a
    text is not ("must be ..."), "" when it is right."""
    name: str
    kind: str
    default: Any = None
    doc: str = ""
    aliases: tuple[str, ...] = ()
    ge: int | None = None
    le: int | None = None
    choices: tuple[str, ...] = ()
    inert: str = ""
    fault: Callable[[str], str] | None = None


_MEMORY = "memory is managed by Python"
_PROTO = "a parameter of the module proto_tcp"
_TLS = "Of 1.x: a value of the default TLS domains (tls_mgm)."
_LATER = "not acted on yet"
FACILITIES = tuple(f"LOG_{name}" for name in (
    "AUTH", "AUTHPRIV", "CRON", "DAEMON", "FTP", "KERN", "LPR", "MAIL", "NEWS", "SYSLOG", "USER", "UUCP",
    *(f"LOCAL{number}" for number in range(8))))
"""Names of syslog facilities (RFC 5424 section 6.2.1)."""


def _no_tos(text: str) -> str:
    try:
        tos_value(text)
    except ValueError:
        return "must be a number from 0 to 255 or a word like IPTOS_LOWDELAY"
    return ""


def _no_header(text: str) -> str:
    return "" if re.fullmatch(r"[\w!%*.+`'~-]+[ \t]*:[^\r\n]*", text) else 'must be one whole header line, "Name: text"'


def _no_host(text: str) -> str:
    return "" if re.fullmatch(r"[\w.-]+|\[?[0-9A-Fa-f:.]+\]?", text) else "must be a host name or an address"


def _no_mtu_proto(text: str) -> str:
    return "" if text.upper() in ("TCP", "TLS", "SCTP", "UDP") else "must be TCP, TLS, SCTP or UDP"


def _s(name: str, kind: str, default: Any = None, doc: str = "", *aliases: str, **more: Any) -> SettingSpec:
    return SettingSpec(name, kind, default, doc, aliases, **more)


SETTINGS: tuple[SettingSpec, ...] = (
    _s("abort_on_assert", BOOL, 0, "A failed assert() stops the server."),
    _s("advertised_address", TEXT, "", "Address shown in Via and Record-Route instead of the socket's.",
       fault=_no_host),
    _s("advertised_port", INT, 0, "Port shown in Via and Record-Route.", ge=0, le=65535),
    _s("auto_aliases", BOOL, 0, "Add the DNS names of the sockets to the aliases."),
    _s("auto_scaling_cycle", INT, 1, "Length of a scaling check.", inert="the number of workers is fixed"),
    _s("check_via", BOOL, 0, "Drop replies whose top Via is not ours."),
    _s("chroot", TEXT, "", "Root folder to change to.", inert="use the service manager's confinement"),
    _s("db_default_url", TEXT, "", "Database of modules that have no db_url of their own."),
    _s("db_max_async_connections", INT, 10, "Connections for each worker and database.", ge=1),
    _s("db_version_table", TEXT, "version", "Table of schema versions."),
    _s("debug_mode", BOOL, 0, "Foreground, log level 4, standard error only."),
    _s("disable_503_translation", BOOL, 0, "Relay a 503 as it is instead of 500."),
    _s("disable_core_dump", BOOL, 0, "No core files, whatever kills the server."),
    _s("disable_dns_blacklist", BOOL, 1, "0: failed destinations are avoided for a while."),
    _s("disable_dns_failover", BOOL, 0, "Do not try further addresses of a name."),
    _s("disable_stateless_fwd", BOOL, None, "Drop responses that match no transaction."),
    _s("dns", BOOL, 0, "Compare Via host and source by DNS.", inert="addresses are compared as they are"),
    _s("rev_dns", BOOL, 0, "Look the source address up in DNS.", inert="addresses are compared as they are"),
    _s("dns_retr_no", INT, None, "Tries of a DNS query.", ge=1),
    _s("dns_retr_time", INT, None, "Seconds for a DNS try.", ge=1),
    _s("dns_servers_no", INT, None, "How many of the system's DNS servers to ask.", ge=1),
    _s("dns_try_ipv6", BOOL, 0, "Ask for AAAA records, too; IPv4 addresses are tried first."),
    _s("dns_try_naptr", BOOL, 1, "Ask for NAPTR records first."),
    _s("dns_use_search_list", BOOL, 1, "Ask for names without a dot in the domains of the system's search list."),
    _s("enable_asserts", BOOL, 0, "Check assert() statements."),
    _s("event_pkg_threshold", INT, 0, "Memory event.", inert=_MEMORY, ge=0, le=100),
    _s("event_shm_threshold", INT, 0, "Memory event.", inert=_MEMORY, ge=0, le=100),
    _s("exec_dns_threshold", INT, 0, "Warn of DNS queries slower than this (microseconds).", "execdnsthreshold"),
    _s("exec_msg_threshold", INT, 0, "Warn of messages slower than this (microseconds).", "execmsgthreshold"),
    _s("tcp_threshold", INT, 0, "Warn of stream sends slower than this (microseconds).", "tcpthreshold",
       inert="a send never blocks"),
    _s("log_event_enabled", BOOL, 0, "Raise E_CORE_LOG for log lines."),
    _s("log_event_level_filter", INT, 0, "Level limit of E_CORE_LOG (0 = log_level)."),
    _s("log_json_buf_size", INT, 6144, "Longest JSON log line.", ge=16),
    _s("log_msg_buf_size", INT, 4096, "Longest line.", ge=16),
    _s("log_level", INT, 2, "-3 alert -2 critical -1 error 1 warning 2 notice 3 info 4 debug.", "debug", ge=-3, le=9),
    _s("log_prefix", TEXT, "", "Stands before every log line."),
    _s("log_stdout", BOOL, 0, "Keep standard output open.", inert="standard output stays open"),
    _s("loop_detect", BOOL, 1, "Refuse requests that come round again unchanged (RFC 5393)."),
    _s("max_while_loops", INT, 10000, "Rounds of a while.", ge=1),
    _s("max_branches", INT, 12, "Branches of one request, the R-URI's included.", ge=1, le=64),
    _s("maxbuffer", INT, 262144, "Receive buffer of UDP sockets (bytes)."),
    _s("mcast_loopback", BOOL, 0, "Multicast reaches this machine."),
    _s("mcast_ttl", INT, -1, "Multicast hops.", ge=-1, le=255),
    _s("mem_warming", BOOL, 0, "", "mem_warming_enabled", inert=_MEMORY),
    _s("mem_warming_percentage", INT, 75, inert=_MEMORY), _s("mem_warming_pattern_file", TEXT, "", inert=_MEMORY),
    _s("shm_hash_split_percentage", INT, 1, inert=_MEMORY), _s("shm_secondary_hash_size", INT, 8, inert=_MEMORY),
    _s("shm_memlog_size", INT, 0, inert=_MEMORY), _s("memlog", INT, 15, "", "mem_log", inert=_MEMORY),
    _s("memdump", INT, 14, "", "mem_dump", inert=_MEMORY),
    _s("mhomed", BOOL, 0, "Choose the sending socket by the system's routes."),
    _s("open_files_limit", INT, -1, "Limit of open files."),
    _s("pi_framework", TEXT, "", "Provisioning file of pi_http.", inert="a parameter of the module pi_http"),
    _s("poll_method", TEXT, "", "How to wait for sockets.", inert="the event loop chooses"),
    _s("pv_print_buf_size", INT, 20000, "Longest result of a format string (bytes).", ge=16),
    _s("query_buffer_size", INT, 0, "Rows that accounting and tracing gather for one insert; 0: what waits at the moment."),
    _s("query_flush_time", INT, 0, "Seconds after which gathered rows are written in any case; 0: 5 seconds."),
    _s("restart_persistency_cache_file", TEXT, ".osip_cache", "Where cachedb_local keeps its entries over a restart."),
    _s("restart_persistency_size", INT, 0, inert=_MEMORY),
    _s("server_header", TEXT, "", "Whole Server header line of local replies.", fault=_no_header),
    _s("user_agent_header", TEXT, "", "Whole User-Agent header line of own requests.", fault=_no_header),
    _s("server_signature", BOOL, 1, "Add Server to local replies."),
    _s("supported_proxy_tags", TEXT, "", "Option tags that Proxy-Require may name; others are answered with 420."),
    _s("sip_warning", BOOL, 0, "Add a Warning header to local replies."),
    _s("stderror_enabled", BOOL, 1, "Log to standard error."),
    _s("syslog_enabled", BOOL, 0, "Log to syslog."),
    _s("stderror_level_filter", INT, 0, "Level limit of standard error (0 = log_level)."),
    _s("syslog_level_filter", INT, 0, "Level limit of syslog (0 = log_level)."),
    _s("stderror_log_format", TEXT, "plain_text", "Form of lines.", choices=("plain_text", "json", "json_cee")),
    _s("syslog_log_format", TEXT, "plain_text", "Form of lines.", choices=("plain_text", "json", "json_cee")),
    _s("syslog_facility", TEXT, "LOG_DAEMON", "Syslog facility.", "log_facility", choices=FACILITIES),
    _s("syslog_name", TEXT, "", "Name in syslog lines.", "log_name"),
    _s("log_stderror", BOOL, None, "Log to standard error instead of syslog (old name)."),
    _s("tcp_accept_aliases", INT, 0, "0 never, 1 when Via has alias, 2 always.", ge=0, le=2),
    _s("tcp_connect_timeout", INT, 100, "Milliseconds to connect.", ge=1),
    _s("tcp_connection_lifetime", INT, 120, "Seconds without traffic before a connection is closed.", ge=1),
    _s("tcp_keepalive", BOOL, 1, "TCP keep-alive."), _s("tcp_keepcount", INT, 0, "Probes."),
    _s("tcp_keepidle", INT, 0, "Seconds before the first probe."),
    _s("tcp_keepinterval", INT, 0, "Seconds between probes."),
    _s("tcp_max_connections", INT, 2048, "Connections at a time.", ge=1),
    _s("tcp_max_msg_time", INT, 4, "Seconds in which a message must be complete.", ge=1),
    _s("tcp_no_new_conn_bflag", TEXT, "", "Branch flag: only reuse a connection."),
    _s("tcp_no_new_conn_rplflag", TEXT, "", "Message flag: replies only reuse a connection."),
    _s("tcp_socket_backlog", INT, 10, "Connections waiting to be accepted.", "tcp_listen_backlog", ge=1),
    _s("tcp_threads", INT, None, inert="streams share the worker's loop"),
    _s("tcp_workers", INT, 1, "Worker processes when there are stream sockets; each serves all sockets, so the larger "
       "of the numbers counts.", "tcp_children", ge=0),
    _s("udp_workers", INT, 1, "Worker processes when there are UDP sockets; one for each core is enough, since a "
       "worker never blocks.", "children", ge=0),
    _s("timer_workers", INT, 1, "Workers for timers.", inert="each worker keeps its own timers"),
    _s("tos", TEXT, "", "IP type of service: a number or IPTOS_LOWDELAY and the like.", fault=_no_tos),
    _s("wdir", TEXT, "", "Working folder to change to once the script is read.", "workdir"),
    _s("worker_reactor_timeout", INT, 1000, inert="the event loop chooses"),
    _s("xlog_buf_size", INT, 4096, "Longest xlog line (bytes).", ge=16),
    _s("xlog_force_color", BOOL, 0, "Let $C(xy) colour."),
    _s("xlog_level", INT, 2, "Limit of xlog and xdbg.", ge=-3, le=9),
    _s("xlog_print_level", INT, 2, "Level of xlog without one.", "xlog_default_level", ge=-3, le=9),
    _s("fork", BOOL, 1, "no = stay in the foreground.", inert="osip stays in the foreground"),
    _s("port", INT, 0, "Port of sockets that name none.", ge=0, le=65535),
    _s("reply_to_via", BOOL, 0, "Send local replies to the Via address, not to the source."),
    _s("user", TEXT, "", "User to run as.", "uid"), _s("group", TEXT, "", "Group to run as.", "gid"),
    _s("disable_tcp", BOOL, 0, inert="load proto_tcp or not"), _s("disable_tls", BOOL, 0,
                                                                  inert="load proto_tls or not"),
    _s("tcp_poll_method", TEXT, "", inert="the event loop chooses"), _s("tcp_send_timeout", INT, 0, inert=_PROTO),
    _s("tcp_async", BOOL, 1, inert=_PROTO), _s("tcp_async_max_postponed_chunks", INT, 0, inert=_PROTO),
    _s("tcp_async_local_connect_timeout", INT, 0, inert=_PROTO),
    _s("tcp_async_local_write_timeout", INT, 0, inert=_PROTO),
    _s("tcp_crlf_pingpong", BOOL, 1, inert=_PROTO), _s("tcp_max_msg_chunks", INT, 4, inert=_PROTO),
    _s("tcp_parallel_read_on_workers", INT, 0, inert="streams share the worker's loop"),
    *(_s(name, TEXT, "", _TLS) for name in (
        "tls_method", "tls_verify", "tls_verify_server", "tls_verify_client", "tls_require_certificate",
        "tls_require_client_certificate", "tls_certificate", "tls_private_key", "tls_ca_list", "tls_ca_dir",
        "tls_ciphers_list", "tls_dh_params", "tls_ec_curve")),
    _s("tls_port_no", INT, 0, "Of 1.x: port of TLS sockets that name none.", ge=1, le=65535),
    _s("tls_handshake_timeout", INT, 0, "Of 1.x: seconds in which a TLS handshake must be done.", ge=1),
    _s("tls_client_domain_avp", TEXT, "", "Of 1.x: AVP that names the TLS client domain."),
    _s("tls_send_timeout", INT, 0, inert="a send never blocks"), _s("tls_log", INT, 0, inert="log_level counts"),
    _s("bin_children", INT, 0, inert="set use_workers at the socket"),
    _s("avp_aliases", TEXT, "", "Of 1.x: further names of AVPs, `name=i:1;other=s:x`."),
    _s("udp_mtu", INT, 0, "Requests longer than this go by udp_mtu_try_proto when there is such a socket (0 = never; "
       "RFC 3261 wants 1300).", ge=0),
    _s("udp_mtu_try_proto", TEXT, "TCP", "Protocol of requests longer than udp_mtu: TCP, TLS, SCTP, or UDP to leave them.",
       fault=_no_mtu_proto),
)
BY_NAME = {name: spec for spec in SETTINGS for name in (spec.name, *spec.aliases)}


class BlacklistRule(NamedTuple):
    """One rule of a `dst_blacklist`; empty fields mean any."""
    net: str
    is_negated: bool
    proto: str
    port: int
    pattern: str


class Config:
    """Values of the global parameters, an attribute each; `aliases` holds (proto, host, port, subdomains)."""

    def __init__(self) -> None:
        for spec in SETTINGS:
            setattr(self, spec.name, spec.default)
        self.aliases: list[tuple[str | None, str, int | None, bool]] = []
        self.blacklists: list[tuple[str, tuple[str, ...], tuple[BlacklistRule, ...]]] = []   # name, flags, rules
        self.bonds: dict[str, tuple[str, ...]] = {}     # sockets by name, of `socket = bond:NAME {...}`
        self.secrets: set[str] = set()          # values that no log line may show
        self.argv: dict[str, str] = {}
        self.worker = ""                        # stands in log lines when there are several workers

    def set(self, name: str, value: Any) -> None:
        """Set one checked value by its name or old name."""
        spec = BY_NAME[name]
        if name == "debug":                             # old name; same scale
            value = int(value)
        setattr(self, spec.name, value)
        if spec.name == "log_stderror":
            self.stderror_enabled, self.syslog_enabled = value, int(not value)
        if spec.name == "debug_mode" and value:
            self.log_level, self.stderror_enabled, self.syslog_enabled = 4, 1, 0
