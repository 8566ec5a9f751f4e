"""A mid-registrar between phones and a main registrar that tests play, with the network in memory."""
from __future__ import annotations

from typing import Any

from kit import message
from kit.sleeper import Sleeper

MODULES = ("tm", "sl", "signaling", "usrloc", "mid_registrar", "rr", "maxfwd", "sipmsgops", "event_route", "path")
SCRIPT = '''modparam("mid_registrar", "mode", %(mode)d) %(params)s
route {
  if (is_method("REGISTER")) {
    $avp(extra) = "x=1";
    mid_registrar_save("location" %(save)s);
    $var(rc) = $retcode;
    xlog("save $var(rc)");
    if ($var(rc) == 1) { $ru = "sip:10.0.0.4"; t_relay(); }
    exit;
  }
  mid_registrar_lookup("location" %(lookup)s);
  $var(rc) = $retcode;
  xlog("lookup $var(rc)");
  if ($var(rc) == 2) exit;
  if ($var(rc) < 0) { t_reply(404, "Not Found"); exit; }
  t_relay();
}
'''
US = "10.0.0.9"


class Midway(Sleeper):
    """Phones register with `register`; the main registrar, dave, grants what `grant` says."""

    def __init__(self, mode: int, params: str = "", save: str = "", lookup: str = "") -> None:
        super().__init__(SCRIPT % {"mode": mode, "params": params, "save": save, "lookup": lookup}, *MODULES)
        self.usrloc: Any = self.modules["usrloc"]
        self.mid: Any = self.modules["mid_registrar"]
        self.usrloc.monotonic = lambda: self.env.now
        self.env.wall = lambda: 1_800_000_000.0 + self.env.now      # type: ignore[method-assign]

    def contact(self) -> Any:
        """Return the contacts of the last REGISTER that the main registrar got."""
        return self.inbox("dave")[-1].contacts

    def count(self) -> int:
        """Count the REGISTERs that the main registrar got, copies apart."""
        return len({(msg.call_id, msg.cseq) for msg in self.inbox("dave")})

    def grant(self, expires: int | None = None, more: str = "", status: int = 200, headers: str = "") -> Any:
        """Let the main registrar accept what it got last, for so many seconds (None: as asked); return the answer."""
        asked = self.inbox("dave")[-1]
        values = []
        for address in asked.contacts:
            life = address.expires if address.expires is not None else asked.expires
            if life:
                values.append(f"<{address.uri_text}>;expires={life if expires is None else expires}")
        text = ", ".join(values + ([more] if more else []))
        lines = f"Contact: {text}\r\n" if text and status == 200 else ""
        before = len(self.replies("bob"))
        self.feed(message.response(asked, status, headers=lines + headers), "dave")
        self._collect()
        found = [msg for msg in self.received.get("bob", []) if not msg.is_request]
        return found[-1] if len(found) > before else None

    def local(self, aor: str = "bob@example.com") -> list[tuple[str, int]]:
        """List the contacts here with the seconds that they have left."""
        now = self.env.now
        return [(c.uri, round(c.expires - now)) for c in self.usrloc.domain("location").valid(aor, now)]

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and expired contacts go."""
        self.clock.advance(seconds, step=1.0)
        self.usrloc.sweep()
