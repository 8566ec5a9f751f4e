"""Turn URIs into addresses of record: the keys of location tables (RFC 3261 section 10.3 step 5)."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import M_REGISTER, Ctx, ParseError, Uri, parse_name_addr, parse_uri, plain_address, unescape_user
from osip.modules.registrar.rule import Rules

if TYPE_CHECKING:
    from osip.modules.registrar.module import Registrar


class Refusal(Exception):
    """Say why a REGISTER is turned down: status code, reason phrase, further header lines."""

    def __init__(self, code: int, reason: str, headers: bytes = b"") -> None:
        super().__init__(reason)
        self.code, self.reason, self.headers = code, reason, headers


def parse_any(text: str) -> Uri:
    """Parse what scripts give as an AoR: a URI, a name-addr, or `user@host` without a scheme."""
    if "<" in text:
        return parse_name_addr(text).uri
    head = text.partition(":")[0].lower()
    return parse_uri(text if head in ("sip", "sips", "tel") else f"sip:{text}")


def key_of(reg: Registrar, uri: Uri) -> str:
    """Return the key of a URI: user@domain or user, as usrloc's use_domain says; Refusal when it is too long."""
    return key_of_parts(reg.rules, unescape_user(uri.user), uri.host.lower())


def key_of_uri(rules: Rules, text: str) -> str:
    """Return the key of a URI that is still text; ParseError when it is malformed."""
    plain = plain_address(text)
    if plain is not None:
        return key_of_parts(rules, plain[0], plain[1])
    uri = parse_uri(text)
    return key_of_parts(rules, unescape_user(uri.user), uri.host.lower())


def key_of_parts(rules: Rules, user: str, host: str) -> str:
    """Return the key of a user and a host in lower case; Refusal when it is too long."""
    prefix = rules.realm_prefix
    if prefix and host.startswith(prefix):
        host = host[len(prefix):]
    if len(user) > rules.max_username_len:
        raise Refusal(400, "Username Too Long")
    if len(host) > rules.max_domain_len:
        raise Refusal(400, "Domain Too Long")
    if not rules.case_sensitive:
        user = user.lower()
    if not rules.use_domain:
        return user
    aor = f"{user}@{host}" if user else host
    if len(aor) > rules.max_aor_len:
        raise Refusal(400, "Address Of Record Too Long")
    return aor


def key_of_text(reg: Registrar, text: str) -> str | None:
    """Return the key of an AoR given as text; None when it is none."""
    try:
        return key_of(reg, parse_any(text))
    except (ParseError, Refusal) as error:
        reg.env.log.error('registrar: "%s" is no address of record: %s', text, error)
        return None


def default_uri(ctx: Ctx) -> Uri:
    """Return whose registration a message asks about: To of a REGISTER, else From."""
    msg: Any = ctx.msg
    return msg.to.uri if msg.method_id == M_REGISTER else msg.from_.uri     # type: ignore[no-any-return]
