"""Make rows of captured messages: each column is what the header says, clipped, or empty when it cannot be read."""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from osip.api import (
    H_AUTHORIZATION,
    H_CONTACT,
    H_CONTENT_TYPE,
    H_DIVERSION,
    H_REASON,
    H_USER_AGENT,
    H_VIA,
    HEP_PROTOCOLS,
    HEP_SIP,
    CapturedSource,
    Message,
    ParseError,
    Source,
    is_ip,
    parse_auth,
    parse_name_addr,
)

COLUMNS = (
    "date dt=1900-01-01 00:00:01, micro_ts i64=0, method char(50)='', reply_reason char(100)='', ruri char(200)='', "
    "ruri_user char(100)='', from_user char(100)='', from_tag char(64)='', to_user char(100)='', to_tag char(64)='', "
    "pid_user char(100)='', contact_user char(120)='', auth_user char(120)='', callid char(255)='', "
    "callid_aleg char(255)='', via_1 char(256)='', via_1_branch char(80)='', cseq char(25)='', "
    "diversion_user char(256)='', reason char(200)='', content_type char(256)='', auth char(256)='', "
    "user_agent char(256)='', source_ip char(60)='', source_port i32u=0, destination_ip char(60)='', "
    "destination_port i32u=0, contact_ip char(60)='', contact_port i32u=0, originator_ip char(60)='', "
    "originator_port i32u=0, proto i32=0, family i32=0, rtp_stat char(256)='', type i32=0, node char(125)='', "
    "custom_field1 char(120)?, custom_field2 char(120)?, custom_field3 char(120)?, msg text")
REPORT_COLUMNS = (
    "date dt=1900-01-01 00:00:01, micro_ts i64=0, correlation_id char(256)='', source_ip char(60)='', "
    "source_port i32u=0, destination_ip char(60)='', destination_port i32u=0, proto i32=0, family i32=0, type i32=0, "
    "node char(125)='', msg text")


class Path(NamedTuple):
    """Between which addresses something went, by what, when, and of which kind it is (HEP)."""
    source: str
    source_port: int
    dest: str
    dest_port: int
    proto: int
    kind: int
    when: float


def path_of(source: Source | None, now: float) -> Path:
    """Return the path of a message: as its HEP packet says, else as it came to this server."""
    if isinstance(source, CapturedSource):
        packet = source.packet
        when = packet.seconds + packet.microseconds / 1e6 if packet.seconds else now
        return Path(packet.source, packet.source_port, packet.dest, packet.dest_port, packet.protocol, packet.kind,
                    when)
    if source is None:
        return Path("", 0, "", 0, 17, HEP_SIP, now)
    socket = source.socket
    return Path(source.host, source.port, socket.host, socket.port, HEP_PROTOCOLS.get(socket.proto, 17), HEP_SIP, now)


def text_of(raw: bytes) -> str:
    """Return bytes as text that every database can hold."""
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


def frame_of(path: Path, node: str) -> dict[str, Any]:
    """Return the columns that all rows have."""
    return {"date": datetime.fromtimestamp(path.when), "micro_ts": int(path.when * 1e6), "source_ip": path.source,
            "source_port": path.source_port, "destination_ip": path.dest, "destination_port": path.dest_port,
            "proto": path.proto, "family": 10 if ":" in path.source else 2, "type": path.kind, "node": node}


def row_of(msg: Message, path: Path, node: str) -> dict[str, Any]:
    """Return the row of a SIP message."""
    row = frame_of(path, node)
    for name, read in _READERS.items():
        try:
            row[name] = _plain(read(msg))
        except (ParseError, ValueError, AttributeError):
            row[name] = ""
    row.update(_contact(msg), callid_aleg="", rtp_stat=_first(msg, "X-RTP-Stat", "P-RTP-Stat"), msg=text_of(msg.raw))
    row["originator_ip"], row["originator_port"] = "", 0
    if not msg.is_request:
        row["method"], row["reply_reason"] = str(msg.status), _plain(msg.reason)      # type: ignore[attr-defined]
        row["ruri"] = row["ruri_user"] = ""
    return row


def report_of(raw: bytes, correlation: str, path: Path, node: str) -> dict[str, Any]:
    """Return the row of a report: RTCP, quality of voice, a log."""
    return {**frame_of(path, node), "correlation_id": _plain(correlation), "msg": text_of(raw)}


def clip(row: dict[str, Any], sizes: dict[str, int]) -> dict[str, Any]:
    """Shorten the texts to what their columns hold."""
    return {name: value[:sizes[name]] if isinstance(value, str) and sizes.get(name) else value
            for name, value in row.items()}


# --- one header each ---------------------------------------------------------------------------------------------

def _plain(value: Any) -> str:
    return str(value or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")


def _first(msg: Message, *names: int | str) -> str:
    return next((value for value in map(msg.get, names) if value), "")


def _user(msg: Message, *names: int | str) -> str:
    value = _first(msg, *names)
    return parse_name_addr(value).uri.user if value else ""


def _auth_user(msg: Message) -> str:
    value = _first(msg, H_AUTHORIZATION, "Proxy-Authorization")
    return parse_auth(value).get("username") or "" if value else ""


_READERS: dict[str, Callable[[Message], Any]] = {
    "method": lambda msg: msg.method, "reply_reason": lambda msg: "",
    "ruri": lambda msg: msg.ruri, "ruri_user": lambda msg: msg.uri.user,            # type: ignore[attr-defined]
    "from_user": lambda msg: msg.from_.uri.user, "from_tag": lambda msg: msg.from_tag,
    "to_user": lambda msg: msg.to.uri.user, "to_tag": lambda msg: msg.to_tag,
    "pid_user": lambda msg: _user(msg, "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"),
    "auth_user": _auth_user, "callid": lambda msg: msg.call_id,
    "via_1": lambda msg: _first(msg, H_VIA), "via_1_branch": lambda msg: msg.via1_branch,
    "cseq": lambda msg: f"{msg.cseq} {msg.cseq_method}", "diversion_user": lambda msg: _user(msg, H_DIVERSION),
    "reason": lambda msg: _first(msg, H_REASON), "content_type": lambda msg: _first(msg, H_CONTENT_TYPE),
    "auth": lambda msg: _first(msg, H_AUTHORIZATION, "Proxy-Authorization"),
    "user_agent": lambda msg: _first(msg, H_USER_AGENT)}


def _contact(msg: Message) -> dict[str, Any]:
    try:
        uri = parse_name_addr(_first(msg, H_CONTACT)).uri
    except (ParseError, ValueError):
        return {"contact_user": "", "contact_ip": "", "contact_port": 0}
    return {"contact_user": _plain(uri.user), "contact_ip": _plain(uri.host) if is_ip(uri.host) else "",
            "contact_port": uri.port or 0}
