"""Read the first line and the headers of the message as received (variables.md sections 3, 4 and 6).

Changes that a script has asked for are not seen here: they are laid over the bytes when the message is sent.
"""
from __future__ import annotations

from osip.api import Ctx, Module, ParseError, Value, pvar, slot
from osip.core.sip.address import NameAddr, parse_name_addr, split_commas
from osip.core.sip.names import H_CONTACT, header_id
from osip.core.sip.uri import Uri
from osip.script.builtins import reader
from osip.script.builtins.reader import host_of as host_of
from osip.script.builtins.value import Index, pick

CONTACT_FIELDS = ("name", "uri", "q", "expires", "methods", "received", "params")


def header_key(text: str) -> int | str:
    """Turn a header's name into its id, so that nothing is compared at run time; unknown names stay."""
    if not text:
        raise ValueError("a header name is missing")
    return header_id(text) or text


def _contact_field(text: str) -> str:
    if text not in CONTACT_FIELDS:
        raise ValueError(f"expected one of {', '.join(CONTACT_FIELDS)}")
    return text


def uri_of(address: NameAddr | None) -> Uri | None:
    """Return the URI of an address; None when it does not parse."""
    try:
        return None if address is None else address.uri
    except ParseError:
        return None


class CoreMessage(Module):
    """First line and headers of the received message."""
    name = "core_message"

    number = slot(int)

    # --- first line ----------------------------------------------------------------------------------------------

    @pvar("rm", type="si", plain=reader.method)
    def rm(self, ctx: Ctx) -> Value:
        """The method; on a reply that of its CSeq."""

    @pvar("rs", type="is", plain=reader.status)
    def rs(self, ctx: Ctx) -> Value:
        """The status of a reply."""

    @pvar("rr")
    def rr(self, ctx: Ctx) -> Value:
        """The reason phrase of a reply."""
        return None if ctx.msg.is_request else ctx.msg.reason

    @pvar("msg.is_request", type="i")
    def msg_is_request(self, ctx: Ctx) -> Value:
        """1 for a request, 0 for a reply."""
        return int(ctx.msg.is_request)

    @pvar("msg.type")
    def msg_type(self, ctx: Ctx) -> Value:
        """The word request or reply."""
        return "request" if ctx.msg.is_request else "reply"

    @pvar("mb")
    def mb(self, ctx: Ctx) -> Value:
        """The whole message as received."""
        return ctx.msg.raw.decode("utf-8", "surrogateescape")

    @pvar("ml", type="is")
    def ml(self, ctx: Ctx) -> Value:
        """The length of the message in bytes."""
        return len(ctx.msg.raw)

    @pvar("mi", type="is")
    def mi(self, ctx: Ctx) -> Value:
        """The number of the message: this worker counts those that it receives."""
        number = ctx[self.number]
        if number is None:
            number = ctx[self.number] = self.env.dispatch.number
        return number

    # --- From and To ---------------------------------------------------------------------------------------------

    def _from(self, ctx: Ctx) -> NameAddr | None:
        try:
            return ctx.msg.from_
        except ParseError:
            return None

    def _to(self, ctx: Ctx) -> NameAddr | None:
        try:
            return ctx.msg.to
        except ParseError:
            return None

    @pvar("fu", aliases=("from",), plain=reader.from_uri)
    def fu(self, ctx: Ctx) -> Value:
        """The URI of From."""

    @pvar("fU", aliases=("from.user",), plain=reader.from_user)
    def from_user(self, ctx: Ctx) -> Value:
        """The user part of From's URI."""

    @pvar("fd", aliases=("from.domain",), plain=reader.from_domain)
    def from_domain(self, ctx: Ctx) -> Value:
        """The host of From's URI."""

    @pvar("fn")
    def from_name(self, ctx: Ctx) -> Value:
        """The display name of From as written, with its quotes."""
        address = self._from(ctx)
        return address and (address.display or None)

    @pvar("ft", plain=reader.from_tag)
    def from_tag(self, ctx: Ctx) -> Value:
        """The tag of From."""

    @pvar("tu", aliases=("to",), plain=reader.to_uri)
    def tu(self, ctx: Ctx) -> Value:
        """The URI of To."""

    @pvar("tU", aliases=("to.user",), plain=reader.to_user)
    def to_user(self, ctx: Ctx) -> Value:
        """The user part of To's URI."""

    @pvar("td", aliases=("to.domain",), plain=reader.to_domain)
    def to_domain(self, ctx: Ctx) -> Value:
        """The host of To's URI."""

    @pvar("tn")
    def to_name(self, ctx: Ctx) -> Value:
        """The display name of To as written, with its quotes."""
        address = self._to(ctx)
        return address and (address.display or None)

    @pvar("tt", plain=reader.to_tag)
    def to_tag(self, ctx: Ctx) -> Value:
        """The tag of To; NULL on a request outside a dialog."""

    # --- other headers -------------------------------------------------------------------------------------------

    @pvar("ci", plain=reader.call_id)
    def ci(self, ctx: Ctx) -> Value:
        """The Call-ID."""

    @pvar("cs", type="si")
    def cs(self, ctx: Ctx) -> Value:
        """The CSeq number."""
        try:
            return str(ctx.msg.cseq)
        except ParseError:
            return None

    @pvar("cl", type="is")
    def cl(self, ctx: Ctx) -> Value:
        """The Content-Length."""
        try:
            return ctx.msg.content_length
        except ParseError:
            return None

    @pvar("ua", plain=reader.user_agent)
    def ua(self, ctx: Ctx) -> Value:
        """The User-Agent."""

    @pvar("ct", index=True)
    def ct(self, ctx: Ctx, index: Index) -> Value:
        """One contact, counted over all Contact headers, with name, URI and parameters as written."""
        return pick(_contacts(ctx), index)

    @pvar("ct.fields", key="required", key_parse=_contact_field, index=True, type="any")
    def ct_fields(self, ctx: Ctx, field: str, index: Index) -> Value:
        """A part of one contact: name, uri, q, expires, methods, received or params."""
        found = []
        for text in _contacts(ctx):
            try:
                found.append(_part(parse_name_addr(text), field))
            except ParseError:
                found.append(None)
        if index == "*":
            return ", ".join([part for part in found if part is not None]) if found else None
        place = index if isinstance(index, int) else 0
        return found[place] if -len(found) <= place < len(found) else None

    @pvar("hdr", key="required", key_parse=header_key, index=True)
    def hdr(self, ctx: Ctx, name: int | str, index: Index) -> Value:
        """The body of the n-th header of a name; compact and full names are the same."""
        if index is None or index == 0:
            return ctx.msg.get(name)
        return pick(ctx.msg.get_all(name), index)

    @pvar("hdrcnt", type="is", key="required", key_parse=header_key)
    def hdrcnt(self, ctx: Ctx, name: int | str) -> Value:
        """The number of header lines of a name."""
        return len(ctx.msg.find_all(name))

    @pvar("hdr_name", index=True)
    def hdr_name(self, ctx: Ctx, index: Index) -> Value:
        """The name of the n-th header line as written."""
        msg = ctx.msg
        if index == "*":
            return ", ".join([msg.name(at) for at in range(len(msg.headers))]) or None
        place, count = index if isinstance(index, int) else 0, len(msg.headers)
        return msg.name(place % count) if -count <= place < count else None


def _contacts(ctx: Ctx) -> list[str]:
    try:
        return [text for line in ctx.msg.get_all(H_CONTACT) for text in split_commas(line)]
    except ParseError:
        return []


def _part(contact: NameAddr, field: str) -> str | None:
    if field == "name":
        return contact.display or None
    if field == "uri":
        return contact.uri_text
    if field == "params":
        return contact.params_text.lstrip(";") or None
    return contact.param(field)
