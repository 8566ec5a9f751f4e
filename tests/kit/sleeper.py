"""A phone that sleeps until a push notification wakes it, for tests of registrars that send them."""
from __future__ import annotations

from typing import Any

from kit import message
from kit.script import ScriptBook

PUSH = ";pn-provider=apns;pn-prid=ZTY4;pn-param=DEF"
EVENT = '''event_route[E_UL_CONTACT_REFRESH] {
  xlog("wake $param(aor) $param(reason) $param(req_callid) $param(uri)");
}'''


class Sleeper(ScriptBook):
    """Bob's phone, his server, and Alice who calls; `text` is put around the words of a registrar.

    `kinds` counts what was logged; the phone is at 10.0.0.2, Alice at 10.0.0.1.
    """

    def __init__(self, text: str, *modules: str, **more: Any) -> None:
        super().__init__(text + EVENT, *modules, **more)
        self.cseq = 0

    def register(self, contact: str = f"<sip:bob@10.0.0.2:5060{PUSH}>", *, expires: int = 600, peer: str = "bob",
                 to: str = "bob", call_id: str = "reg-1", headers: str = "") -> Any:
        """Let the phone register; return the answer."""
        self.cseq += 1
        raw = message.request("REGISTER", "sip:example.com", branch=f"z9hG4bKr{self.cseq}{to}", call_id=call_id,
                              cseq=self.cseq, via="10.0.0.2:5060", headers=f"Expires: {expires}\r\n{headers}")
        raw = raw.replace(b"Contact: <sip:alice@10.0.0.1>\r\n", f"Contact: {contact}\r\n".encode() if contact else b"")
        raw = raw.replace(b"<sip:bob@example.com>", f"<sip:{to}@example.com>".encode())
        self.feed(raw, peer)
        self._collect()
        replies = [msg for msg in self.received.get(peer, []) if not msg.is_request and msg.cseq == self.cseq
                   and msg.method == "REGISTER"]
        return replies[-1] if replies else None

    def wakes(self) -> list[str]:
        """Return the reasons for which phones were to be woken since the last time."""
        found = [line.split()[2] for line in self.said if line.startswith("wake ")]
        self.said.clear()
        return found

    def inbox(self, peer: str = "bob") -> list[Any]:
        """List the requests that a peer got."""
        self._collect()
        return [msg for msg in self.received.get(peer, []) if msg.is_request]

    def requests(self, peer: str = "bob") -> list[str]:
        """List the methods of the requests that a peer got."""
        return [msg.method for msg in self.inbox(peer)]

    def replies(self, peer: str = "alice") -> list[int]:
        """List the codes that a peer got."""
        self._collect()
        return [msg.status for msg in self.received.get(peer, []) if not msg.is_request]
