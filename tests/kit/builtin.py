"""Call the language's own words without a script: an environment with their instances, and contexts over messages."""
from __future__ import annotations

from typing import Any

from osip.api import Ctx, Env, LocalSocket, Route, Source, Value, parse
from osip.core.exports.registry import Registry
from osip.core.run.bus import LocalBus
from osip.core.run.dispatch import Dispatch
from osip.core.run.events import Events
from osip.core.run.stats import Stats
from osip.script.builtins import BUILTINS

INVITE = """\
INVITE sip:bob:pw@example.com:5070;transport=tcp;maddr=10.9.9.9?x=y SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5066;branch=z9hG4bKabc;rport
Max-Forwards: 70
From: "Alice A" <sip:alice@atlanta.example.com:5061>;tag=1928
To: <sip:bob@biloxi.example.com>
Call-ID: a84b4c76e66710@pc33
CSeq: 314159 INVITE
Contact: "A" <sip:alice@192.0.2.1>;q=0.7;expires=60, <sip:a2@192.0.2.2>;methods="INVITE,BYE"
m: <sip:a3@192.0.2.3>
User-Agent: phone/1.0
X-Test: one
X-Test: two
Content-Type: text/plain
Content-Length: 4

body"""

RINGING = """\
SIP/2.0 180 Ringing
Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1
From: <sip:alice@example.com>;tag=1
To: <sip:bob@example.com>;tag=2
Call-ID: x@y
CSeq: 7 INVITE
Content-Length: 0

"""


class Holder:
    """A variable handed over by reference."""

    def __init__(self, name: str = "$var(out)", value: Value = None, accepts: bool = True) -> None:
        self.name, self.value, self.accepts = name, value, accepts

    def get(self, ctx: Ctx) -> Value:
        """Return the value."""
        return self.value

    def set(self, ctx: Ctx, value: Value) -> bool:
        """Keep the value unless this variable refuses."""
        if self.accepts:
            self.value = value
        return self.accepts


class Words:
    """The built-in words of one environment; `sent` lists what was sent, as (bytes, destination)."""

    def __init__(self) -> None:
        self.registry = Registry(BUILTINS)
        self.registry.create()
        self.env = Env(registry=self.registry)
        self.env.bus = LocalBus()
        self.env.events, self.env.stats = Events(self.env), Stats()
        self.env.dispatch = Dispatch(self.env, self.registry)
        self.sent: list[tuple[bytes, Any]] = []
        self.env.send = lambda data, dest: not self.sent.append((data, dest))
        self.env.is_myself = lambda host, port=0, proto="": host == "10.0.0.1" and port in (0, 5060)
        self.socket = LocalSocket("udp", "10.0.0.1", 5060, adv_host="edge.example.com", tag="main")
        self.other = LocalSocket("tcp", "10.0.0.1", 5080)
        self.env.sockets = [self.socket, self.other]
        for instance in self.registry.instances.values():
            instance.env = self.env
            instance.mod_init()

    def ctx(self, text: str = INVITE, kind: int = Route.REQUEST) -> Ctx:
        """Return a context over a message, which came from 192.0.2.1:5066."""
        self.env.dispatch.number += 1
        raw = text.replace("\n", "\r\n").encode("utf-8", "surrogateescape")
        return Ctx(self.env, parse(raw), Source(self.socket, "192.0.2.1", 5066), int(kind))

    def get(self, ctx: Ctx, name: str, key: Any = None, index: Any = None) -> Value:
        """Read a variable as emitted code does."""
        spec = self.registry.pvar(name)
        assert spec is not None, name
        return getattr(self.registry.instances[spec.module], spec.getter)(ctx, *self._keys(spec, key, index))

    def set(self, ctx: Ctx, name: str, value: Value, key: Any = None, index: Any = None) -> bool:
        """Assign a variable as emitted code does."""
        spec = self.registry.pvar(name)
        assert spec is not None and spec.setter, name
        if value is None and not spec.nullable:
            return False
        setter = getattr(self.registry.instances[spec.module], spec.setter)
        return setter(ctx, *self._keys(spec, key, index), value) is not False

    def call(self, ctx: Ctx, name: str, *args: Any) -> Any:
        """Call a function with converted arguments; True, False and None become 1, -1 and 1."""
        spec = self.registry.function(name)
        assert spec is not None, name
        found = getattr(self.registry.instances[spec.module], spec.attr)(ctx, *args)
        return found if found.__class__ is int else {True: 1, False: -1, None: 1}.get(found, found)

    def transform(self, name: str, value: Value, *args: Any, **more: Any) -> Value:
        """Apply a transformation; NULL in gives NULL, what raises gives NULL."""
        spec = self.registry.transform(name)
        assert spec is not None, name
        assert spec.min_args <= len(args) <= spec.max_args, name
        if value is None:
            return None
        try:
            return spec.func(str(value), *args, **more)
        except Exception:      # noqa: BLE001  (as the emitted code does)
            return None

    @staticmethod
    def _keys(spec: Any, key: Any, index: Any) -> list[Any]:
        keys = []
        if spec.key:
            keys.append(spec.key_parse(key) if spec.key_parse is not None and key is not None else key)
        if spec.index:
            keys.append(index)
        return keys
