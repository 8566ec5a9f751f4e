"""Build and change the destination set (core_functions.md section 4, variables.md section 3).

A branch is a `Target`. Branch 0 is `ctx.target`, the R-URI branch; `ctx.targets` holds those appended to it.
"""
from __future__ import annotations

import json

from osip.api import Ctx, LocalSocket, Module, OsipError, Route, Target, Value, function, pvar
from osip.script.builtins.flags import branch_at
from osip.script.builtins.net import find_socket
from osip.script.builtins.value import Index, number_of, parse_q, pick, print_q

SERIAL_AVP = "serial_branch"
"""The AVP in which serialize_branches() keeps what next_branches() takes, the next one last."""

FIELDS = ("uri", "duri", "q", "path", "flags", "socket")


def _is_field(text: str) -> str:
    if text not in FIELDS:
        raise ValueError(f"expected one of {', '.join(FIELDS)}")
    return text


class CoreBranch(Module):
    """The destination set of a request."""
    name = "core_branch"

    # --- appending and removing ----------------------------------------------------------------------------------

    @function(aliases=("append_branch_old",))
    def append_branch(self, ctx: Ctx, uri: str | None = None, q: str | None = None) -> bool:
        """Add a branch for `uri` that goes where branch 0 goes; without `uri` move branch 0's next hop, path, q,
        socket and flags to a new branch of the same URI. An onreply_route, which has no branch 0, must name the `uri`."""
        quality = parse_q(q or "")
        if quality is None or uri == "" or (uri is None and ctx.ruri is None):
            return False
        now = _origin(ctx)
        if uri is not None:
            return self._add(ctx, Target(uri, now.du, now.path, quality, now.socket, now.bflags))
        if not self._add(ctx, Target(ctx.ruri, now.du, now.path, now.q if q is None else quality, now.socket,
                                     now.bflags)):
            return False
        now.du = now.path = now.socket = None
        now.q, now.bflags = -1, 0
        return True

    @function()
    def append_msg_branch(self, ctx: Ctx, uri: str, q: str | None = None, flags: str | None = None) -> bool:
        """Add a branch that has only a URI and q; with "inherite" also what branch 0 has."""
        quality = parse_q(q or "")
        if quality is None or not uri or flags not in (None, "", "inherite", "inherit"):
            return False
        if not flags:
            return self._add(ctx, Target(uri, q=quality))
        now = _origin(ctx)
        return self._add(ctx, Target(uri, now.du, now.path, now.q if q is None else quality, now.socket, now.bflags))

    def _add(self, ctx: Ctx, branch: Target) -> bool:
        if ctx.add_target(branch):
            return True
        self.env.log.error("branch not added, the set is full: uri=%r max_branches=%d", branch.uri,
                           self.env.config.max_branches)
        return False

    @function(aliases=("remove_msg_branch",))
    def remove_branch(self, ctx: Ctx, index: int) -> bool:
        """Remove an appended branch, counted from 0; later ones shift down."""
        if not ctx.targets or not 0 <= index < len(ctx.targets):
            return False
        del ctx.targets[index]
        return True

    @function(aliases=("move_msg_branch",))
    def move_branch(self, ctx: Ctx, source: int | None = None, target: int | None = None,
                    flags: str | None = None) -> bool:
        """Copy one branch over another and remove it unless "keep" is given; the R-URI branch is the default of
        either and is never removed."""
        one, two = _branch(ctx, source), _branch(ctx, target)
        if one is None or two is None or one is two or flags not in (None, "", "keep"):
            return False
        _fill(two, one.copy(), ctx)
        if flags != "keep" and one is not ctx.target:
            assert ctx.targets is not None
            ctx.targets.remove(one)
        return True

    @function(aliases=("swap_msg_branches",))
    def swap_branches(self, ctx: Ctx, first: int | None = None, second: int | None = None) -> bool:
        """Exchange two branches; the R-URI branch is the default of either."""
        one, two = _branch(ctx, first), _branch(ctx, second)
        if one is None or two is None or one is two:
            return False
        kept_uri = ctx.ruri
        kept = one.copy()
        kept.uri = kept.uri or kept_uri
        _fill(one, two.copy(), ctx)
        _fill(two, kept, ctx)
        return True

    # --- serial forking ------------------------------------------------------------------------------------------

    @function()
    def serialize_branches(self, ctx: Ctx, clear: int, keep_order: int = 0) -> bool:
        """Set all branches aside in groups of equal q, highest first, or one by one when `keep_order` is not 0; then
        empty the set. `clear` first drops groups left from before."""
        if clear and ctx.avps:
            ctx.avps.pop(SERIAL_AVP, None)
        if not ctx.targets:
            return True
        branches = [ctx.target, *ctx.targets]
        if keep_order:
            groups = [[branch] for branch in branches]
        else:
            grades = sorted({branch.q for branch in branches}, reverse=True)
            if len(grades) == 1:
                return True
            groups = [[branch for branch in branches if branch.q == q] for q in grades]
        stored = [_pack(branch, ctx.ruri, place == 0) for group in groups for place, branch in enumerate(group)]
        ctx.avp(SERIAL_AVP).extend(reversed(stored))
        ctx.targets = None
        return True

    @function(routes="QF")
    def next_branches(self, ctx: Ctx) -> int:
        """Take the next group: 1 when more are left, 2 when it was the last, -1 when there was none."""
        stored = ctx.avps.get(SERIAL_AVP) if ctx.avps else None
        if not stored:
            return -1
        group = [self._unpack(str(stored.pop()))]
        while stored and not json.loads(str(stored[-1]))[0]:
            group.append(self._unpack(str(stored.pop())))
        _fill(ctx.target, group[0], ctx)
        for branch in group[1:]:
            if not self._add(ctx, branch):
                break
        return 1 if stored else 2

    def _unpack(self, text: str) -> Target:
        _, uri, du, path, q, socket, bflags = json.loads(text)
        return Target(uri, du, path, q, find_socket(self.env, socket) if socket else None, bflags)

    # --- variables -----------------------------------------------------------------------------------------------

    @pvar("branch", type="any", key="optional", key_parse=_is_field, index=True, nullable=True)
    def branch(self, ctx: Ctx, key: str | None, index: Index) -> Value:
        """The URI of the last appended branch; with a field name, that field of an appended branch counted from 0."""
        branches = ctx.targets or []
        if key is None and index is None:
            return branches[-1].uri if branches else None
        if index == "*":
            return pick([str(v) for b in branches if (v := self._field(ctx, b, key or "uri")) is not None], "*")
        place = index if isinstance(index, int) else 0
        if not -len(branches) <= place < len(branches):
            return None
        return self._field(ctx, branches[place], key or "uri")

    @branch.setter
    def set_branch(self, ctx: Ctx, key: str | None, index: Index, value: Value) -> bool:
        if key is None:
            return value is not None and self.append_msg_branch(ctx, str(value))
        branches = ctx.targets or []
        place = index if isinstance(index, int) else 0
        if not -len(branches) <= place < len(branches):
            return False
        return self._set_field(branches[place], key, value)

    @pvar("msg.branch", nullable=False)
    def msg_branch(self, ctx: Ctx) -> Value:
        """The URI of the last branch; writing appends one."""
        return ctx.targets[-1].uri if ctx.targets else ctx.ruri

    @msg_branch.setter
    def set_msg_branch(self, ctx: Ctx, value: Value) -> bool:
        return value is not None and self.append_msg_branch(ctx, str(value))

    @pvar("msg.branch.uri", index=True, nullable=False)
    def msg_branch_uri(self, ctx: Ctx, index: Index) -> Value:
        """The URI of a branch; index 0 is the R-URI branch, none the last."""
        return self._read(ctx, index, "uri")

    @msg_branch_uri.setter
    def set_msg_branch_uri(self, ctx: Ctx, index: Index, value: Value) -> bool:
        return self._write(ctx, index, "uri", value)

    @pvar("msg.branch.duri", index=True)
    def msg_branch_duri(self, ctx: Ctx, index: Index) -> Value:
        """The next hop of a branch."""
        return self._read(ctx, index, "duri")

    @msg_branch_duri.setter
    def set_msg_branch_duri(self, ctx: Ctx, index: Index, value: Value) -> bool:
        return self._write(ctx, index, "duri", value)

    @pvar("msg.branch.path", index=True)
    def msg_branch_path(self, ctx: Ctx, index: Index) -> Value:
        """The Path vector of a branch."""
        return self._read(ctx, index, "path")

    @msg_branch_path.setter
    def set_msg_branch_path(self, ctx: Ctx, index: Index, value: Value) -> bool:
        return self._write(ctx, index, "path", value)

    @pvar("msg.branch.q", index=True)
    def msg_branch_q(self, ctx: Ctx, index: Index) -> Value:
        """The q of a branch, as text."""
        return self._read(ctx, index, "q")

    @msg_branch_q.setter
    def set_msg_branch_q(self, ctx: Ctx, index: Index, value: Value) -> bool:
        return self._write(ctx, index, "q", value)

    @pvar("msg.branch.flags", index=True)
    def msg_branch_flags(self, ctx: Ctx, index: Index) -> Value:
        """The names of a branch's flags, blank-separated."""
        return self._read(ctx, index, "flags")

    @msg_branch_flags.setter
    def set_msg_branch_flags(self, ctx: Ctx, index: Index, value: Value) -> bool:
        return self._write(ctx, index, "flags", value)

    @pvar("msg.branch.socket", index=True)
    def msg_branch_socket(self, ctx: Ctx, index: Index) -> Value:
        """The socket that a branch was told to use."""
        return self._read(ctx, index, "socket")

    @msg_branch_socket.setter
    def set_msg_branch_socket(self, ctx: Ctx, index: Index, value: Value) -> bool:
        return self._write(ctx, index, "socket", value)

    @pvar("msg.branch.attr", type="any", key="required", index=True)
    def msg_branch_attr(self, ctx: Ctx, key: str, index: Index) -> Value:
        """A free attribute of a branch."""
        branches = _all(ctx, index)
        if index == "*":
            return pick([str(b.attrs[key]) for b in branches if b.attrs and key in b.attrs], "*")
        attrs = branches[0].attrs if branches else None
        return attrs.get(key) if attrs else None

    @msg_branch_attr.setter
    def set_msg_branch_attr(self, ctx: Ctx, key: str, index: Index, value: Value) -> bool:
        for branch in (found := _all(ctx, index)):
            branch.attrs = branch.attrs or {}
            if value is None:
                branch.attrs.pop(key, None)
            else:
                branch.attrs[key] = value
        return bool(found)

    @pvar("msg.branch.last_idx", type="i")
    def msg_branch_last_idx(self, ctx: Ctx) -> Value:
        """The index of the last branch; 0 when none is appended."""
        return len(ctx.targets or ())

    @pvar("ds")
    def ds(self, ctx: Ctx) -> Value:
        """The destination set as a Contact header line."""
        branches = [ctx.target] if ctx.target.uri is not None else []
        branches += ctx.targets or []
        parts = [f"<{b.uri or ctx.ruri}>" + (f";q={q}" if (q := print_q(b.q)) else "") for b in branches]
        return "Contact: " + ", ".join(parts) if parts else None

    @pvar("path")
    def path(self, ctx: Ctx) -> Value:
        """The Path vector that becomes the Route of the R-URI branch."""
        return ctx.target.path

    def _read(self, ctx: Ctx, index: Index, field: str) -> Value:
        branches = _all(ctx, index)
        if index == "*":
            return pick([str(v) for b in branches if (v := self._text(ctx, b, field)) is not None], "*")
        return self._text(ctx, branches[0], field) if branches else None

    def _write(self, ctx: Ctx, index: Index, field: str, value: Value) -> bool:
        branches = _all(ctx, index)
        done = [self._set_field(branch, field, value) for branch in branches]
        return bool(done) and all(done)

    def _text(self, ctx: Ctx, branch: Target, field: str) -> Value:
        return print_q(branch.q) if field == "q" else self._field(ctx, branch, field)

    def _field(self, ctx: Ctx, branch: Target, field: str) -> Value:
        if field == "uri":
            return branch.uri if branch.uri is not None else ctx.ruri
        if field == "flags":
            return self.env.branch_flags.listing(branch.bflags)
        if field == "socket":
            return branch.socket.text if branch.socket else None
        return branch.q if field == "q" else branch.du if field == "duri" else branch.path

    def _set_field(self, branch: Target, field: str, value: Value) -> bool:
        if field == "uri":
            if not value:
                return False
            branch.uri = str(value)
        elif field == "duri":
            branch.du = None if value is None else str(value)
        elif field == "path":
            branch.path = None if value is None else str(value)
        elif field == "q":
            return self._set_q(branch, value)
        elif field == "flags":
            return self._set_flags(branch, value)
        else:
            return self._set_socket(branch, value)
        return True

    @staticmethod
    def _set_q(branch: Target, value: Value) -> bool:
        q = value if isinstance(value, int) else parse_q(value or "")
        if isinstance(value, str) and number_of(value) is not None and value not in ("0", "1"):
            q = number_of(value)                            # thousandths, the form of $branch(q)
        if q is None:
            return False
        branch.q = max(-1, min(q, 1000))
        return True

    def _set_flags(self, branch: Target, value: Value) -> bool:
        if isinstance(value, int):                          # the mask of 1.x scripts
            branch.bflags = value
            return True
        try:
            branch.bflags = sum(self.env.branch_flags.bit(name) for name in dict.fromkeys((value or "").split()))
        except OsipError as error:
            self.env.log.error("%s", error)
            return False
        return True

    def _set_socket(self, branch: Target, value: Value) -> bool:
        socket: LocalSocket | None = None
        if value is not None:
            socket = find_socket(self.env, str(value))
            if socket is None:
                self.env.log.warning("branch keeps its socket, %r is none of ours", value)
                return False
        branch.socket = socket
        return True


def _origin(ctx: Ctx) -> Target:
    """Return what an appended branch starts from: branch 0; nothing in an onreply_route, which is for one that is sent."""
    return Target() if ctx.kind == Route.ONREPLY else ctx.target


def _branch(ctx: Ctx, index: int | None) -> Target | None:
    """Return an appended branch counted from 0, or the R-URI branch when the index is negative or left out."""
    if index is None or index < 0:
        return ctx.target
    return ctx.targets[index] if ctx.targets and index < len(ctx.targets) else None


def _all(ctx: Ctx, index: Index) -> list[Target]:
    """Return the branches that an index of the 4.x variables means, the R-URI branch being 0."""
    if index == "*":
        return [ctx.target, *(ctx.targets or ())]
    found = branch_at(ctx, index if isinstance(index, int) else -1)
    return [] if found is None else [found]


def _fill(branch: Target, content: Target, ctx: Ctx) -> None:
    """Make `branch` equal to `content`, in place: others hold on to the object."""
    branch.uri = content.uri if content.uri is not None else ctx.ruri
    branch.du, branch.path, branch.q = content.du, content.path, content.q
    branch.socket, branch.bflags, branch.attrs = content.socket, content.bflags, content.attrs


def _pack(branch: Target, ruri: str | None, first: bool) -> str:
    """Write a branch as the text of an AVP; `first` marks the start of a group."""
    socket = branch.socket.text if branch.socket else None
    return json.dumps([int(first), branch.uri or ruri, branch.du, branch.path, branch.q, socket, branch.bflags])
