"""Hold all that is known while one message runs through a script."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osip.core.accel import mypyc_attr
from osip.core.exports.types import Route
from osip.core.sip.edits import Edits

if TYPE_CHECKING:
    from osip.core.net.endpoint import LocalSocket, Source
    from osip.core.run.env import Env
    from osip.core.sip.message import Request, Response

# Each has a line of its own, so that mypyc knows it.
REQUEST: Final = int(Route.REQUEST)
FAILURE: Final = int(Route.FAILURE)
ONREPLY: Final = int(Route.ONREPLY)
BRANCH: Final = int(Route.BRANCH)
ERROR: Final = int(Route.ERROR)
LOCAL: Final = int(Route.LOCAL)
STARTUP: Final = int(Route.STARTUP)
TIMER: Final = int(Route.TIMER)
EVENT: Final = int(Route.EVENT)

FORCE_RPORT: Final = 1
LOCAL_RPORT: Final = 2
REPLY_TO_VIA: Final = 4
FORCE_ALIAS: Final = 8
"""Bits of `Ctx.via_flags` (set_via_handling)."""


@mypyc_attr(free_list_len=1, acyclic=True)
class Target:
    """One branch to be: URI, next hop, Path, q, socket, branch flags, attributes (core_functions.md section 4).

    `uri` is None while the R-URI is as received; `q` is 0..1000 or -1.
    """
    __slots__ = ("uri", "du", "path", "q", "socket", "bflags", "attrs", "parsed", "parsed_text")

    def __init__(self, uri: str | None = None, du: str | None = None, path: str | None = None, q: int = -1,
                 socket: LocalSocket | None = None, bflags: int = 0) -> None:
        self.uri, self.du, self.path, self.q, self.socket, self.bflags = uri, du, path, q, socket, bflags
        self.attrs: dict[str, Any] | None = None
        self.parsed: Any = None                         # the `uri` that a script looked at last
        self.parsed_text: str | None = None

    def copy(self) -> Target:
        """Return an independent copy."""
        new = Target(self.uri, self.du, self.path, self.q, self.socket, self.bflags)
        new.attrs = dict(self.attrs) if self.attrs else None
        return new


@mypyc_attr(free_list_len=1)
class Ctx:
    """One run of a top route over one message.

    `kind` is the bit of the route kind; `target` is branch 0 (the R-URI branch; in a branch or failure route the
    current or winning branch), `targets` the appended ones. `edits` are the changes asked for so far (None = none),
    reached by `edit`. `request` and `reply` serve `$(<request>...)` and `$(<reply>...)`. `avps` maps a name to its
    values, oldest first (index 0 of the language is the last). `rc` is `$rc`; `dropped` is set by `drop`.
    """
    __slots__ = ("env", "msg", "source", "kind", "target", "targets", "edits", "reply_edits", "flags", "avps", "rc",
                 "dropped", "tx", "branch_index", "request", "reply", "params", "returns", "via_flags", "adv_host",
                 "adv_port", "reply_body", "body_parts", "slots", "error", "stack", "blacklists", "event",
                 "reply_code", "line")

    def __init__(self, env: Env, msg: Any, source: Source | None, kind: int = REQUEST) -> None:
        self.env = env
        self.msg: Request | Response = msg
        self.source = source
        self.kind = kind
        self.target = Target()
        self.targets: list[Target] | None = None
        self.edits: Edits | None = None
        self.reply_edits: list[bytes] | None = None     # header lines for local replies
        self.reply_body: bytes | None = None
        self.body_parts: list[Any] | None = None        # the body as sipmsgops has changed it so far
        self.flags = 0
        self.avps: dict[str, list[str | int]] | None = None
        self.rc = 1
        self.dropped = False
        self.tx: Any = None
        self.branch_index = -1
        self.request: Any = None
        self.reply: Any = None
        self.params: Any = ()
        self.returns: tuple[str | int | None, ...] = ()
        self.via_flags = 0
        self.adv_host = ""
        self.adv_port = 0
        self.slots: dict[Any, Any] | None = None
        self.error: tuple[int, int, str, int, str] | None = None    # class, level, info, code, reason
        self.stack: list[str] | None = None
        self.blacklists: set[str] | None = None
        self.event: dict[str, Any] | None = None
        self.reply_code = 0
        self.line = 0

    def copy(self) -> Ctx:
        """Return a context with the same contents, for what goes on beside the script; edits and target are its own."""
        new = Ctx(self.env, self.msg, self.source, self.kind)
        new.target, new.targets = self.target.copy(), self.targets
        new.edits = self.edits.copy() if self.edits is not None else None
        new.reply_edits, new.reply_body, new.body_parts = self.reply_edits, self.reply_body, self.body_parts
        new.flags, new.avps, new.slots, new.rc, new.dropped = self.flags, self.avps, self.slots, self.rc, self.dropped
        new.tx, new.branch_index, new.request, new.reply = self.tx, self.branch_index, self.request, self.reply
        new.params, new.returns, new.via_flags = self.params, self.returns, self.via_flags
        new.adv_host, new.adv_port, new.error, new.stack = self.adv_host, self.adv_port, self.error, self.stack
        new.blacklists, new.event, new.reply_code, new.line = self.blacklists, self.event, self.reply_code, self.line
        return new

    @property
    def edit(self) -> Edits:
        """The changes to the message, made on first use."""
        if self.edits is None:
            self.edits = Edits(self.msg)
        return self.edits

    @property
    def ruri(self) -> str | None:
        """The R-URI now; None on a response."""
        uri = self.target.uri
        if uri is not None:                             # the target of a response is its branch's
            return uri if self.kind != ONREPLY else None
        return self.msg.ruri if self.msg.is_request else None

    def __getitem__(self, slot: Any) -> Any:
        return self.slots.get(slot) if self.slots is not None else None

    def __setitem__(self, slot: Any, value: Any) -> None:
        if self.slots is None:
            self.slots = {}
        self.slots[slot] = value

    def add_target(self, target: Target) -> bool:
        """Append a branch; False when the set is full."""
        if self.targets is None:
            self.targets = []
        if len(self.targets) >= self.env.quick.max_branches - 1:
            return False
        self.targets.append(target)
        return True

    def avp(self, name: str) -> list[str | int]:
        """Return the live list of an AVP's values, oldest first; made on first use."""
        if self.avps is None:
            self.avps = {}
        values = self.avps.get(name)
        if values is None:
            values = self.avps[name] = []
        return values
