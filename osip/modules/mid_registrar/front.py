"""Write the Contacts that the main registrar sees in place of the phones', and read them again."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.api import DEFAULT_PORTS, Ctx, NameAddr, bracket, escape_user, unescape_user

if TYPE_CHECKING:
    from osip.modules.mid_registrar.module import MidRegistrar

PARAM, USERNAME = "ct-param", "ct-username"
MIRROR, CONTACTS, AORS = 0, 1, 2
_DROPPED = ("expires", "reg-id")


def place(ctx: Ctx, socket: Any) -> str:
    """Return host, port and transport of a socket of ours, as they stand in a URI."""
    host, port = ctx.adv_host or socket.adv_host, ctx.adv_port or socket.adv_port
    shown = "" if port == DEFAULT_PORTS.get(socket.proto) and host[:1].isdigit() else f":{port}"
    return f"{bracket(host)}{shown}" + ("" if socket.proto == "udp" else f";transport={socket.proto}")


class Face:
    """One Contact as the main registrar sees it: what stands before and after our address, and the parameters."""
    __slots__ = ("user", "tail", "params")

    def __init__(self, user: str, tail: str, params: str = "") -> None:
        self.user, self.tail, self.params = user, tail, params

    def uri(self, where: str) -> str:
        """Return the URI with our address in it."""
        return f"sip:{self.user}@{where}{self.tail}" if self.user else f"sip:{where}{self.tail}"


class Faces:
    """The Contact header of a REGISTER that goes on; our address is known when it leaves."""
    __slots__ = ("faces",)

    def __init__(self, faces: list[Face]) -> None:
        self.faces = faces

    def __call__(self, out: Any) -> bytes:
        where = place(out.ctx, out.socket_out)
        text = ", ".join([f"<{face.uri(where)}>{face.params}" for face in self.faces])
        return f"Contact: {text}\r\n".encode("utf-8", "surrogateescape")


def face_of(mid: MidRegistrar, address: NameAddr, id: int, expires: int | None, extra: str) -> Face:
    """Return the face of one contact; `expires` None leaves what the phone wrote."""
    params = ""
    for name, value in address.params:
        if name.lower() == mid.received_param.lower() or (name.lower() in _DROPPED and (
                expires is not None or name.lower() != "expires")):
            continue
        params += f";{name}" if value is None else f";{name}={value}"
    if expires is not None:
        params += f";expires={expires}"
    if mid.contact_id_insertion == USERNAME:
        return Face(str(id), extra, params)
    return Face(address.uri.user, f";{mid.contact_id_param}={id}{extra}", params)


def face_of_aor(mid: MidRegistrar, key: str, expires: int, extra: str) -> Face:
    """Return the one contact that stands for all phones of an AoR."""
    user, at, host = key.rpartition("@")
    text = escape_user(user) + mid.at_escape_str + host if at else escape_user(key)
    return Face(text, extra, f";expires={expires}")


def id_of(mid: MidRegistrar, uri: Any) -> int:
    """Return the number of a contact from a URI that the main registrar knows; 0 for none."""
    text = uri.user if mid.contact_id_insertion == USERNAME else uri.param(mid.contact_id_param)
    return int(text) if text and text.isdecimal() and len(text) < 21 else 0


def aor_of(mid: MidRegistrar, uri: Any) -> str | None:
    """Return the AoR that a URI of `face_of_aor` stands for, as a URI; None when it is not of that form."""
    user, at, host = uri.user.rpartition(mid.at_escape_str)
    if not at or not mid.usrloc.use_domain:
        return None
    return f"sip:{escape_user(unescape_user(user))}@{host}"
