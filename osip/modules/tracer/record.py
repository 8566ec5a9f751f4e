"""Hold one thing that is traced: a message that came or went, or a line about it."""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from osip.api import Message


class End(NamedTuple):
    """One end of what is traced."""
    proto: str
    host: str
    port: int


NOWHERE = End("udp", "127.0.0.1", 0)


@dataclass(slots=True)
class Record:
    """What is traced. `kind` is sip, xlog or rest; of the latter two `raw` is a text."""
    when: float
    call_id: str
    raw: bytes
    source: End
    dest: End
    direction: str = "in"
    method: str = ""
    status: str = ""
    from_tag: str = ""
    attrs: str | None = None
    kind: str = "sip"
    log_kind: int = 0           # of HEP, for xlog

    @property
    def text(self) -> str:
        """What was said, as text that every database and log can hold."""
        return self.raw.decode("utf-8", "replace").replace("\0", "\ufffd")

    def columns(self) -> dict[str, Any]:
        """Return all values but the time, by the names of the reference's table."""
        return {"callid": self.call_id, "trace_attrs": self.attrs, "msg": self.text, "method": self.method,
                "status": self.status, "from_proto": self.source.proto, "from_ip": self.source.host,
                "from_port": self.source.port, "to_proto": self.dest.proto, "to_ip": self.dest.host,
                "to_port": self.dest.port, "fromtag": self.from_tag, "direction": self.direction}

    def line(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps({"time": round(self.when, 6), "type": self.kind, **self.columns()}, ensure_ascii=True)


def record_of(msg: Message, raw: bytes, when: float, source: End, dest: End, direction: str) -> Record:
    """Make the record of a message."""
    status = "" if msg.is_request else str(msg.status)                  # type: ignore[attr-defined]
    method = msg.method if msg.is_request else msg.cseq_method
    return Record(when, msg.call_id, raw, source, dest, direction, method, status, msg.from_tag)
