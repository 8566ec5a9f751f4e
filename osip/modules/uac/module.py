"""Give requests another From, To or CSeq, undo it in both directions, and answer challenges of other servers."""
from __future__ import annotations

from typing import Annotated

from osip.api import (H_FROM, H_TO, M_ACK, Complaint, Ctx, Module, ModuleError, Parse, ParseError, Request, Response,
                      avp_name, find_param, function, needs, param, parse, parse_auth, parse_params)
from osip.modules.uac.cover import cover, uncover
from osip.modules.uac.identity import MAX_CSEQ, Counted, Origin, changes, count_up, rename

ON_REPLY = 1
"""The mask of tm.watch for responses that have arrived."""
_AVPS = ("auth_realm_avp", "auth_username_avp", "auth_password_avp")
CSEQ_PARAM = "vsc"
"""The Record-Route parameter that says by how much the caller's CSeq was raised."""


def read_algorithms(text: str) -> frozenset[str]:
    """Read `MD5, SHA-256`; ValueError for what is none."""
    found = frozenset(word.strip().lower() for word in text.split(",") if word.strip())
    unknown = sorted(name for name in found if name.removesuffix("-sess") not in ("md5", "sha-256", "sha-512-256"))
    if unknown:
        raise ValueError(f'unknown digest algorithm "{unknown[0]}"; known: MD5, SHA-256, SHA-512-256, each also '
                         "with -sess")
    return found


class Uac(Module):
    """From and To under other names, CSeq, and answers to challenges."""

    rr_from_store_param = param("vsf", doc="Record-Route parameter that keeps the original From.")
    rr_to_store_param = param("vst", doc="Record-Route parameter that keeps the original To.")
    restore_mode = param("auto", choices=("none", "manual", "auto"),
                         doc="auto: requests within the dialog and responses get back what each side knows; manual: "
                             "the script does it; none: nothing is kept.")
    restore_passwd = param("", doc="Password that hides the original URIs in the Record-Route.")
    force_dialog = param(0, ge=0, le=1, removed="the module dialog is not there; the Record-Route keeps the original "
                                                "From and To")
    credential = param(None, kind=str, multiple=True, doc="Old place of the parameter of uac_auth.")
    auth_realm_avp = param("", doc="Old place of the parameter of uac_auth.")
    auth_username_avp = param("", doc="Old place of the parameter of uac_auth.")
    auth_password_avp = param("", doc="Old place of the parameter of uac_auth.")
    tm = needs("tm")
    rr = needs("rr")
    auth = needs("uac_auth", optional=True)

    def mod_init(self) -> None:
        """Listen to rr; hand credentials of older scripts over."""
        if not self.rr_from_store_param or self.rr_from_store_param == self.rr_to_store_param:
            raise ModuleError("uac: rr_from_store_param and rr_to_store_param must be two different names")
        self._hand_over()
        self.complain = Complaint(self.env.log, clock=lambda: self.env.now)
        self.rr.watchers.append(self.on_route)
        self.rr.tails.append(self.record)

    def _hand_over(self) -> None:
        """Give uac_auth what older scripts set here; it comes first, as it is needed."""
        avps = {name: getattr(self, name) for name in _AVPS if getattr(self, name)}
        given = ["credential"] * bool(self.credential) + list(avps)
        if not given:
            return
        if self.auth is None:
            raise ModuleError(f'uac: {given[0]} is a parameter of uac_auth now: add loadmodule "uac_auth.so"')
        read = self.auth.spec.param("credential").parse
        try:
            self.auth.credential.extend([read(text) for text in self.credential or ()])
            for name, text in avps.items():
                setattr(self.auth, name, avp_name(text))
        except ValueError as error:
            raise ModuleError(f"uac: {error}") from None

    # --- names ---------------------------------------------------------------------------------------------------

    @function(routes="QBF")
    def uac_replace_from(self, ctx: Ctx, display: str | None, uri: str | None = None) -> int:
        """Send the request with another From: `(display, uri)`, or `(uri)` in the oldest scripts.

        A display name left out stays, an empty one goes; an empty URI stays. In restore_mode auto -1 within a dialog,
        whose From cannot change any more.
        """
        return self._replace(ctx, H_FROM, display, uri)

    @function(routes="QBF")
    def uac_replace_to(self, ctx: Ctx, display: str | None, uri: str | None = None) -> int:
        """Send the request with another To; see uac_replace_from."""
        return self._replace(ctx, H_TO, display, uri)

    def _replace(self, ctx: Ctx, header: int, display: str | None, uri: str | None) -> int:
        if uri is None:
            display, uri = None, display
        auto = self.restore_mode == "auto"
        if auto and ctx.msg.to_tag:
            self.complain("uac:", "From and To stay as they are within a dialog call_id=%s", ctx.msg.call_id)
            return -1
        if not rename(ctx, header, (uri or "").strip(), display):
            return -1
        if auto:
            self._watch(ctx, True)
        return 1

    @function(routes="QBF")
    def uac_restore_from(self, ctx: Ctx) -> int:
        """Put the From of a request within a dialog right for the side it goes to, from our Record-Route parameter."""
        return 1 if self._restore(ctx, self.rr_from_store_param, self.rr.route_params(ctx), True) else -1

    @function(routes="QBF")
    def uac_restore_to(self, ctx: Ctx) -> int:
        """Put the To of a request within a dialog right for the side it goes to, from our Record-Route parameter."""
        return 1 if self._restore(ctx, self.rr_to_store_param, self.rr.route_params(ctx), False) else -1

    def _restore(self, ctx: Ctx, name: str, params: str | None, is_from: bool) -> bool:
        pairs = parse_params(";" + params) if params else ()
        value = find_param(pairs, name)
        if not value:
            return False
        msg = ctx.msg
        tag = find_param(pairs, "ftag")
        # What was the caller's From is the To of requests that the called party sends.
        ways = (True, False) if not tag else (tag == msg.from_tag,)
        for downstream in ways:
            header = H_FROM if is_from == downstream else H_TO
            address = msg.from_ if header == H_FROM else msg.to
            found = uncover(value, address.uri_text, self.restore_passwd)
            if found is None:
                continue
            uri, display = found
            return rename(ctx, header, uri, display if downstream or display is None else "")
        self.env.log.debug("uac: nothing to restore parameter=%s call_id=%s", name, msg.call_id)
        return False

    # --- what rr and tm tell -------------------------------------------------------------------------------------

    def record(self, ctx: Ctx) -> str:
        """Return the Record-Route parameters that keep what this copy of a request gets in place of the original."""
        msg = ctx.msg
        if ctx.edits is None or msg.to_tag:
            return ""
        out = ""
        for change in changes(ctx.edits):
            if change.__class__ is Counted:
                out += f";{CSEQ_PARAM}={change.new - change.old}"
            elif self.restore_mode != "none" and (change.new != change.old or change.display is not None):
                name = self.rr_from_store_param if change.header == H_FROM else self.rr_to_store_param
                out += f";{name}={cover(change.old, change.new, change.display, self.restore_passwd)}"
        return out

    def on_route(self, ctx: Ctx, params: str) -> None:
        """Put a request within a dialog right for the side it goes to, and its responses for the side it came from."""
        try:
            names = False
            if self.restore_mode == "auto":
                names = self._restore(ctx, self.rr_from_store_param, params, True)
                names = self._restore(ctx, self.rr_to_store_param, params, False) or names
            counted = self._count_again(ctx, params)
        except ParseError as error:
            self.complain("uac_restore:", "not restored call_id=%s error=%s", ctx.msg.call_id, error)
            return
        if names or counted:
            self._watch(ctx, names)

    @staticmethod
    def _count_again(ctx: Ctx, params: str) -> bool:
        """Raise CSeq by what the first request of the dialog got more; only the caller's requests are concerned."""
        pairs = parse_params(";" + params)
        offset = find_param(pairs, CSEQ_PARAM) or ""
        msg = ctx.msg
        if not (offset.isascii() and offset.isdigit() and len(offset) < 11):
            return False
        return find_param(pairs, "ftag") == msg.from_tag and count_up(ctx, msg.cseq + int(offset), True)

    def _watch(self, ctx: Ctx, with_names: bool) -> None:
        """Have the responses to this request undone, too; one watcher does for all branches."""
        if ctx.msg.method_id == M_ACK:
            return
        for _, watcher in self.tm.armed(ctx).watchers or ():
            if watcher.__class__ is Origin:
                watcher.with_names |= with_names
                return
        self.tm.watch(ctx, ON_REPLY, Origin(ctx.msg, with_names))

    # --- challenges ----------------------------------------------------------------------------------------------

    @function(routes="QBF")
    def uac_auth(self, ctx: Ctx, algorithms: Annotated[frozenset[str], Parse(read_algorithms)] | None = None) -> int:
        """Answer the 401 or 407 that a failure_route is about; then t_relay sends the request again.

        CSeq goes up by one towards the called side. With record_route later requests of the caller go up as well; what
        is challenged within a dialog goes up once more for itself only, so that the next request may repeat a number.
        """
        tx, reply = ctx.tx, ctx.reply
        if self.auth is None:
            self.complain("uac_auth:", 'uac_auth() needs loadmodule "uac_auth.so"')
            return -1
        if tx is None or tx.is_local or not isinstance(reply, Response) or reply.status not in (401, 407):
            return -1
        sent = _challenged(ctx, reply)
        found = self.auth.answers(reply, sent, ctx, algorithms or ())
        if not found or sent.cseq >= MAX_CSEQ or not count_up(ctx, sent.cseq + 1):
            return -1
        for answer in found:
            _drop_credentials(ctx, answer.header, answer.challenge.get("realm"))
            ctx.edit.append_hf(answer)
        self._watch(ctx, False)
        return 1

    @function(routes="QBF")
    def uac_inc_cseq(self, ctx: Ctx, n: int) -> int:
        """Raise CSeq by `n`; responses get the client's number back. -1 when it would leave the range."""
        now = next((change.new for change in changes(ctx.edits) if change.__class__ is Counted), ctx.msg.cseq)
        if n < 0 or not count_up(ctx, now + n):
            return -1
        self._watch(ctx, False)
        return 1


def _challenged(ctx: Ctx, reply: Response) -> Request:
    """Return the copy of the request that a response answers, as it was sent."""
    for branch in ctx.tx.branches:
        if branch.reply is reply and branch.last is not None:
            return parse(branch.last)                   # type: ignore[return-value]
    return ctx.msg                                      # type: ignore[return-value]


def _drop_credentials(ctx: Ctx, header: int, realm: str) -> None:
    """Take off what the client itself sent for a realm that osip answers for."""
    for at in ctx.msg.find_all(header):
        try:
            if parse_auth(ctx.msg.value(at)).get("realm") == realm:
                ctx.edit.remove_header_at(at)
        except ParseError:
            continue
