"""Make and read globally routable URIs of single devices: public and temporary GRUUs (RFC 5627)."""
from __future__ import annotations

import hashlib
import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from osip.api import Ctx, Uri, unescape_user
from osip.modules.registrar.flow import instance_of

if TYPE_CHECKING:
    from osip.modules.registrar.module import Registrar

PREFIX: Final = "tgruu."
_SALT, _SEAL = 8, 12
_USER_SAFE: Final = "-_.!~*'()&=+$,;?/"         # of a user part (RFC 3261 section 25.1)
_PARAM_SAFE: Final = "-_.!~*'()[]/:&+$"         # of a URI parameter


def _stream(secret: bytes, salt: bytes, size: int) -> bytes:
    blocks = [hashlib.sha256(b"%b%b%d" % (secret, salt, number)).digest() for number in range(size // 32 + 1)]
    return b"".join(blocks)[:size]


def _mix(text: bytes, key: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(text, key, strict=True))


def hide(secret: str, aor: str, instance: str, call_id: str) -> str:
    """Return the user part of a temporary GRUU: nobody else can tell whose it is, and no two are alike."""
    key, salt = secret.encode(), os.urandom(_SALT)
    plain = "\n".join((aor, instance, call_id)).encode("utf-8", "surrogateescape")
    body = salt + _mix(plain, _stream(key, salt, len(plain)))
    seal = hmac.digest(key, body, "sha256")[:_SEAL]
    return PREFIX + urlsafe_b64encode(seal + body).decode().rstrip("=")


def unhide(secret: str, user: str) -> tuple[str, str, str] | None:
    """Return AoR, instance and Call-ID of the user part of a temporary GRUU; None when it is none of ours."""
    if not user.startswith(PREFIX):
        return None
    text = user[len(PREFIX):]
    try:
        whole = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    key, seal, body = secret.encode(), whole[:_SEAL], whole[_SEAL:]
    if len(body) <= _SALT or not hmac.compare_digest(seal, hmac.digest(key, body, "sha256")[:_SEAL]):
        return None
    salt, mixed = body[:_SALT], body[_SALT:]
    parts = _mix(mixed, _stream(key, salt, len(mixed))).decode("utf-8", "surrogateescape").split("\n")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None


def wanted(reg: Registrar, ctx: Ctx) -> str:
    """Return the host that GRUUs in the answer to a REGISTER have; "" when it is to tell none."""
    msg: Any = ctx.msg
    if reg.disable_gruu or not any(option.lower() == "gruu" for option in msg.supported):
        return ""
    return str(msg.to.uri.host)


def params(reg: Registrar, contact: Any, host: str) -> str:
    """Return the parameters that tell a contact's GRUUs (RFC 5627 section 5.2); "" for one without an instance."""
    instance = instance_of(contact)
    if not instance:
        return ""
    aor = contact.aor
    user = aor.rpartition("@")[0] if reg.usrloc.use_domain else aor
    public = f"sip:{quote(user, safe=_USER_SAFE)}@{host};gr={quote(instance, safe=_PARAM_SAFE)}"
    temporary = f"sip:{hide(reg.gruu_secret, aor, instance, contact.call_id)}@{host};gr"
    return f';pub-gruu="{public}";temp-gruu="{temporary}";+sip.instance="<{instance}>"'


def resolve(reg: Registrar, uri: Uri) -> tuple[str, str, str] | None:
    """Return (AoR or "", instance, Call-ID or "") that a GRUU means; None for a URI that is no GRUU of ours.

    An instance that is empty means a temporary GRUU that is broken or made with another secret.
    """
    if reg.disable_gruu or not uri.has_param("gr"):
        return None
    value = uri.param("gr")
    if value:
        return "", unescape_user(value), ""
    return unhide(reg.gruu_secret, unescape_user(uri.user)) or ("", "", "")
