"""One call of a test: what its caller sends, how the called ones answer, what is expected of the server."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from osip.core.errors import OsipError
from osip.core.net.endpoint import Endpoint, bracket
from osip.core.sip.uri import parse_uri
from osip.testing import message
from osip.testing.expect import Expected, Mismatch, body_fault, header_fault, is_like
from osip.testing.message import CALLER, SOURCE, Headers
from osip.testing.network import Sent

if TYPE_CHECKING:
    from osip.testing.bench import Bench


DIALOG_MAKERS = ("INVITE", "SUBSCRIBE", "REFER")


class Call:
    """The messages of one Call-ID. Every method but the properties returns the call itself, so that a test reads on.

    `request` is the last request of the caller, `got` the message that the last `expect_` took.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.request: Any = None
        self._invite: Any = None                    # the last INVITE (or its like) of the caller
        self.got: Sent | None = None
        self.id = f"call-{len(bench.calls) + 1}@test"
        self._first = len(bench.sent)               # what was sent before is no business of this call
        self._source = Endpoint("udp", SOURCE, 5060)
        self._socket = ""
        self._branches = 0
        self._method = ""                           # of the last request, ACK and CANCEL included
        self._answered: dict[int, int] = {}         # id of a relayed request -> its last status
        self._cseq = {"caller": 0, "callee": 0}

    # --- the caller ---------------------------------------------------------------------------------------------------

    def send(self, start: str, *, from_: str = "", to: str = "", headers: Headers | None = None, body: str = "",
             source: str = SOURCE, socket: str = "", call_id: str = "", max_forwards: int = 70, cseq: int = 0,
             to_tag: str = "", from_tag: str = "caller") -> Call:
        """Send a request: `send("INVITE sip:bob@example.com", from_="sip:alice@example.com")`.

        To is the R-URI (From in a REGISTER) unless it is given. `headers` add lines; one that a request has anyway
        replaces it, and None takes it away. `source` is `[proto:]host[:port]`, `socket` one of the server's.
        """
        method, _, ruri = start.strip().partition(" ")
        if not ruri:
            raise OsipError(f'"{start}" is no request: write METHOD URI')
        self.id = call_id or self.id
        self._source, self._socket = message.endpoint(source), socket
        self._cseq["caller"] = cseq or self._cseq["caller"] + 1
        sender = from_ or CALLER
        raw = message.request(method.upper(), ruri.strip(), self._source, branch=self._branch(), call_id=self.id,
                              cseq=self._cseq["caller"], from_=sender, from_tag=from_tag, to_tag=to_tag,
                              to=to or (sender if method.upper() == "REGISTER" else ruri.strip()),
                              max_forwards=max_forwards, headers=headers, body=body)
        return self.feed(raw, source, socket)

    def feed(self, raw: bytes, source: str = SOURCE, socket: str = "") -> Call:
        """Send bytes as they are. An answer that fits no request relayed so far is fitted to the last one."""
        if raw.startswith(b"SIP/2.0 "):
            return self._feed_response(raw, source)
        self._source, self._socket = message.endpoint(source), socket
        try:
            self.request = message.parsed(raw)
            self.id = self.request.call_id
            self._cseq["caller"], self._method = self.request.cseq, self.request.method
            if self._invite is None or self._method in DIALOG_MAKERS:
                self._invite = self.request
        except OsipError:
            self.request = None                     # a test may well send rubbish
        self.bench.receive(raw, source, socket)
        return self

    def again(self) -> Call:
        """Send the last request once more, as a phone does that hears nothing."""
        return self._hand_in(self._last().raw)

    def ack(self, **more: Any) -> Call:
        """Acknowledge the last final answer to the INVITE (RFC 3261 sections 13.2.2.4 and 17.1.1.3)."""
        final = self._final()
        if final.msg.status < 300:
            return self.request_within("ACK", **more)
        invite = self._invite
        raw = message.build(f"ACK {invite.ruri} SIP/2.0", {
            "Via": invite.get("Via"), "Max-Forwards": "70", "Route": ", ".join(invite.get_all("Route")) or None,
            "From": invite.get("From"), "To": final.msg.get("To"), "Call-ID": self.id,
            "CSeq": f"{invite.cseq} ACK"}, more.get("headers"))
        return self._hand_in(raw)

    def cancel(self, headers: Headers | None = None) -> Call:
        """Give up the last request (RFC 3261 section 9.1)."""
        last = self._last()
        raw = message.build(f"CANCEL {last.ruri} SIP/2.0", {
            "Via": last.get("Via"), "Max-Forwards": "70", "Route": ", ".join(last.get_all("Route")) or None,
            "From": last.get("From"), "To": last.get("To"), "Call-ID": self.id, "CSeq": f"{last.cseq} CANCEL"}, headers)
        return self._hand_in(raw)

    def request_within(self, method: str, by: Literal["caller", "callee"] = "caller", *, headers: Headers | None = None,
                       body: str = "", ruri: str = "", routes: list[str] | None = None) -> Call:
        """Send a request inside the call, by the way that its answer recorded (RFC 3261 section 12.2).

        `ruri` and `routes` stand in for a phone that does not keep to the rules.
        """
        final = self._final()
        asked = self._asked(final)
        caller = by == "caller"
        recorded = message_routes(final.msg if caller else asked.msg)
        target = (final if caller else asked).msg.contacts
        found = ruri or (target[0].uri_text if target else self._invite.ruri)
        source = self._source if caller else Endpoint(asked.dest.proto, asked.dest.host, asked.dest.port)
        ends = [final.msg.get("From"), final.msg.get("To")]
        near, far = ends if caller else ends[::-1]
        if method != "ACK":
            self._cseq[by] += 1
        cseq = final.msg.cseq if method == "ACK" else self._cseq[by]
        raw = message.request(method, found, source, branch=self._branch(), call_id=self.id, cseq=cseq, from_=near,
                              to=far, headers=headers, body=body,
                              routes=routes if routes is not None else recorded[::-1] if caller else recorded)
        return self._hand_in(raw, source)

    def _hand_in(self, raw: bytes, source: Endpoint | None = None) -> Call:
        end = source or self._source
        parsed = message.parsed(raw)
        if parsed.method not in ("ACK", "CANCEL"):
            self.request = parsed
            if source is self._source and parsed.method in DIALOG_MAKERS:
                self._invite = parsed
        self._method = parsed.method
        self.bench.receive(raw, f"{end.proto}:{bracket(end.host)}:{end.port}", self._socket if source is None else "")
        return self

    # --- the called ---------------------------------------------------------------------------------------------------

    def answer(self, status: int, reason: str = "", *, to: str = "", method: str = "", headers: Headers | None = None,
               body: str = "", contact: str = "", tag: str = "") -> Call:
        """Let the peer answer the request that `expect_relay` took last, else the newest one without an answer.

        `to` chooses among branches: the R-URI or `host[:port]` that the request went to; `method` asks for another
        request than the last, such as a CANCEL.
        """
        asked = self._to_answer(to, method)
        self._answered[id(asked)] = status
        where = f"{bracket(asked.dest.host)}:{asked.dest.port}"
        user = parse_uri(asked.msg.ruri).user
        own = contact or f"sip:{user + '@' if user else ''}{where}"
        raw = message.response(asked.msg, status, reason, to_tag=tag or f"callee-{where}", body=body, headers=headers,
                               contact=message.angle(own) if status < 400 and status > 100 else None)
        return self._respond(raw, asked)

    def is_open(self, to: str = "") -> bool:
        """Say whether a peer still has to answer something, at `to` when that is given."""
        if self.request is None or self._method == "ACK":
            return False
        try:
            self._to_answer(to, "")
        except Mismatch:
            return False
        return True

    def _respond(self, raw: bytes, asked: Sent) -> Call:
        self.bench.receive(raw, f"{asked.dest.proto}:{where_of(asked)}", asked.dest.socket or "")
        return self

    def _feed_response(self, raw: bytes, source: str) -> Call:
        answer = message.parsed(raw)
        own = [sent for sent in self.bench.sent if sent.is_request and sent.msg.via1_branch == answer.via1_branch]
        fitting = own or [sent for sent in self.bench.sent if sent.is_request and not sent.repeat
                          and sent.msg.method == answer.cseq_method]
        if not fitting:
            raise OsipError(f"the server relayed no {answer.cseq_method} that this answer could belong to")
        fitting = [sent for sent in fitting if sent.msg.call_id == answer.call_id] or fitting
        fitting = [sent for sent in fitting if source and _goes_to(sent, source)] or fitting
        asked = fitting[-1]
        return self._respond(raw if own else message.graft(answer, asked.msg, f"callee-{where_of(asked)}"), asked)

    def _to_answer(self, to: str, method: str) -> Sent:
        wanted = method or (self.request.method if self.request is not None else "")
        relays = [sent for sent in self._mine() if sent.is_request and not sent.repeat and sent.msg.method == wanted]
        if to:
            relays = [sent for sent in relays if sent.msg.ruri == to or (":" not in to.partition("@")[2]
                      and "@" not in to and _goes_to(sent, to))]
        elif self.got in relays and self._answered.get(id(self.got), 0) < 200:
            return self.got                     # type: ignore[return-value]
        waiting = [sent for sent in relays if self._answered.get(id(sent), 0) < 200]
        if not waiting:
            raise Mismatch(f"there is no {wanted} to answer{' at ' + to if to else ''}",
                           [sent.title for sent in self._mine()], "sent")
        return waiting[-1]

    # --- what is expected ---------------------------------------------------------------------------------------------

    def expect_relay(self, uri: Expected = ..., *, to: str = "", method: str = "", header: Mapping[str, Expected] | None
                     = None, body: Expected = ...) -> Call:
        """Expect that the request went on with this R-URI (text, `~regex`, pattern), to `[proto:]host[:port]`.

        `header` maps a name to its value (text, `~regex`, pattern, `...` for any, None for absent).
        """
        wanted = method or self._method

        def fits(sent: Sent) -> bool:
            return sent.is_request and sent.msg.method == wanted and is_like(uri, sent.msg.ruri) \
                and (not to or _goes_to(sent, to))
        shown = "" if uri is ... else f" {uri if isinstance(uri, str) else uri.pattern}"
        return self._expect(f"expected {wanted}{shown} to be relayed{' to ' + to if to else ''}", fits, header, body)

    def expect_reply(self, status: int | str, reason: Expected = ..., *, header: Mapping[str, Expected] | None = None,
                     body: Expected = ..., to: str = "") -> Call:
        """Expect a reply to the caller: 200, or a class such as "4xx"."""
        pattern = re.compile(str(status).lower().replace("x", r"\d"))

        def fits(sent: Sent) -> bool:
            if sent.is_request or pattern.fullmatch(str(sent.msg.status)) is None or (to and not _goes_to(sent, to)):
                return False
            words = sent.data.partition(b"\r\n")[0].decode("utf-8", "replace").split(" ", 2)
            return is_like(reason, words[2] if len(words) > 2 else "")
        shown = "" if reason is ... else f" {reason}"
        return self._expect(f"expected a reply {status}{shown}", fits, header, body)

    def expect_nothing(self) -> Call:
        """Expect that nothing more was sent (see `Bench.expect_nothing`)."""
        self.bench.expect_nothing()
        return self

    def expect_header(self, name: str, value: Expected = ...) -> Call:
        """Look at a header of the message that the last expectation took."""
        fault = header_fault(self._got().msg, {name: value})
        if fault:
            raise Mismatch(fault, [self._got().title], "message")
        return self

    def expect_body(self, value: Expected) -> Call:
        """Look at the body of the message that the last expectation took."""
        fault = body_fault(self._got().msg, value)
        if fault:
            raise Mismatch(fault, [self._got().title], "message")
        return self

    def expect_log(self, pattern: str | re.Pattern[str]) -> Call:
        """Expect a log line (see `Bench.expect_log`)."""
        self.bench.expect_log(pattern)
        return self

    def expect_route(self, name: str) -> Call:
        """Expect that a route has run."""
        self.bench.expect_route(name)
        return self

    def advance(self, seconds: float) -> Call:
        """Let time pass."""
        self.bench.advance(seconds)
        return self

    def _expect(self, what: str, fits: Callable[[Sent], bool], header: Mapping[str, Expected] | None,
                body: Expected) -> Call:
        fresh = [sent for sent in self._mine() if not sent.taken and not sent.repeat]
        found = next((sent for sent in fresh if fits(sent)), None)
        if found is None:
            logged = [f"logged: {line.level} {line.text}" for line in self.bench.logs[-5:]]
            raise Mismatch(what, [*(sent.title for sent in fresh if not self.bench.is_routine(sent)), *logged], "sent")
        found.taken, self.got = True, found
        fault = header_fault(found.msg, header) or body_fault(found.msg, body)
        if fault:
            raise Mismatch(f"{what}; {fault}", [found.title], "sent")
        return self

    # --- what is known ------------------------------------------------------------------------------------------------

    def _branch(self) -> str:
        self._branches += 1
        return f"z9hG4bK-{self.id.partition('@')[0]}-{self._branches}"

    def _mine(self) -> list[Sent]:
        """Return what was sent for this call: by Call-ID, unless the server hides it."""
        after = self.bench.sent[self._first:]
        own = [sent for sent in after if sent.msg.call_id == self.id]
        return own if own or len(self.bench.calls) > 1 else after

    def _last(self) -> Any:
        if self.request is None:
            raise OsipError("no request was sent in this call")
        return self.request

    def _got(self) -> Sent:
        if self.got is None:
            raise OsipError("nothing was expected yet whose headers could be looked at")
        return self.got

    def _final(self) -> Sent:
        """Return the last final answer that the caller got."""
        found = [sent for sent in self._mine() if not sent.is_request and sent.msg.status >= 200
                 and sent.msg.cseq_method in DIALOG_MAKERS]
        if not found:
            raise Mismatch("the caller has no final answer yet", [sent.title for sent in self._mine()], "sent")
        return found[-1]

    def _asked(self, final: Sent) -> Sent:
        """Return the relayed request that a final answer belongs to."""
        own = [sent for sent in self._mine() if sent.is_request and sent.msg.method == final.msg.cseq_method
               and not sent.repeat]
        if not own:
            raise OsipError("the server relayed nothing: there is no dialog to send a request in")
        done = [sent for sent in own if 200 <= self._answered.get(id(sent), 0) < 300]
        return (done or own)[-1]


def message_routes(msg: Any) -> list[str]:
    """Return the Record-Route values of a message, in order."""
    return [str(one) for one in msg.record_routes]


def where_of(sent: Sent) -> str:
    """Return host:port that a message went to."""
    return f"{bracket(sent.dest.host)}:{sent.dest.port}"


def _goes_to(sent: Sent, text: str) -> bool:
    try:
        return sent.goes_to(text)
    except ValueError:
        return False
