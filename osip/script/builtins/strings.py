"""Transform texts: the `s.` transformations (variables.md section 9.1).

Lengths and positions count bytes. A function that raises yields NULL and a log line; NULL never gets here.
"""
from __future__ import annotations

import base64
import binascii
import calendar
import email.utils
import hashlib
import hmac
import re
import zlib

from osip.api import Module, Value, transform
from osip.core.sip.uri import escape_user, unescape_user
from osip.script.builtins.value import wrap_32

_INT = re.compile(r"\s*([+-]?\d+)")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_TO_ESCAPE = re.compile("['\"\\\\\0]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PARAM_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()[]/:&+$")
_BLANKS = " \t\r\n\0"


def _raw(value: Value) -> bytes:
    return str(value).encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _number(value: Value) -> int:
    if isinstance(value, int):
        return value
    return int(str(value).strip())


def _hash(name: str, value: Value) -> str:
    return hashlib.new(name, _raw(value), usedforsecurity=False).hexdigest()


def _hmac(name: str, value: Value, key: Value) -> str:
    return hmac.new(_raw(key), _raw(value), name).hexdigest()


class CoreStrings(Module):
    """The `s.` transformations."""
    name = "core_strings"

    @transform("s.len")
    def length(value: Value) -> Value:
        """Length in bytes."""
        return len(_raw(value))

    @transform("s.int")
    def integer(value: Value) -> Value:
        """The leading signed digits as an integer; 0 when there are none."""
        found = _INT.match(str(value))
        return wrap_32(int(found.group(1)[:20])) if found else 0

    @transform("s.md5")
    def md5(value: Value) -> Value:
        """MD5 digest in hexadecimal."""
        return _hash("md5", value)

    @transform("s.sha1")
    def sha1(value: Value) -> Value:
        """SHA-1 digest in hexadecimal."""
        return _hash("sha1", value)

    @transform("s.sha224")
    def sha224(value: Value) -> Value:
        """SHA-224 digest in hexadecimal."""
        return _hash("sha224", value)

    @transform("s.sha256")
    def sha256(value: Value) -> Value:
        """SHA-256 digest in hexadecimal."""
        return _hash("sha256", value)

    @transform("s.sha384")
    def sha384(value: Value) -> Value:
        """SHA-384 digest in hexadecimal."""
        return _hash("sha384", value)

    @transform("s.sha512")
    def sha512(value: Value) -> Value:
        """SHA-512 digest in hexadecimal."""
        return _hash("sha512", value)

    @transform("s.sha1_hmac")
    def sha1_hmac(value: Value, key: Value) -> Value:
        """HMAC with SHA-1 in hexadecimal."""
        return _hmac("sha1", value, key)

    @transform("s.sha224_hmac")
    def sha224_hmac(value: Value, key: Value) -> Value:
        """HMAC with SHA-224 in hexadecimal."""
        return _hmac("sha224", value, key)

    @transform("s.sha256_hmac")
    def sha256_hmac(value: Value, key: Value) -> Value:
        """HMAC with SHA-256 in hexadecimal."""
        return _hmac("sha256", value, key)

    @transform("s.sha384_hmac")
    def sha384_hmac(value: Value, key: Value) -> Value:
        """HMAC with SHA-384 in hexadecimal."""
        return _hmac("sha384", value, key)

    @transform("s.sha512_hmac")
    def sha512_hmac(value: Value, key: Value) -> Value:
        """HMAC with SHA-512 in hexadecimal."""
        return _hmac("sha512", value, key)

    @transform("s.crc32")
    def crc32(value: Value) -> Value:
        """CRC-32 as decimal text."""
        return str(zlib.crc32(_raw(value)))

    # --- case, blanks, parts -------------------------------------------------------------------------------------

    @transform("s.tolower")
    def tolower(value: Value) -> Value:
        """Lower case."""
        return _text(_raw(value).lower())

    @transform("s.toupper")
    def toupper(value: Value) -> Value:
        """Upper case."""
        return _text(_raw(value).upper())

    @transform("s.reverse")
    def reverse(value: Value) -> Value:
        """The text backwards."""
        return str(value)[::-1]

    @transform("s.trim")
    def trim(value: Value) -> Value:
        """Without blanks at both ends."""
        return str(value).strip(_BLANKS)

    @transform("s.triml")
    def triml(value: Value) -> Value:
        """Without blanks at the beginning."""
        return str(value).lstrip(_BLANKS)

    @transform("s.trimr")
    def trimr(value: Value) -> Value:
        """Without blanks at the end."""
        return str(value).rstrip(_BLANKS)

    @transform("s.substr")
    def substr(value: Value, offset: Value, length: Value = 0) -> Value:
        """A part: negative offsets count from the end; length 0 runs to the end, a negative one stops before it."""
        raw = _raw(value)
        start, size = _number(offset), _number(length)
        if start < 0:
            start += len(raw)
        if not 0 <= start < len(raw):
            return None
        end = len(raw) if size == 0 else start + size if size > 0 else len(raw) + size
        return None if end < start else _text(raw[start:end])

    @transform("s.select")
    def select(value: Value, index: Value, *separator: Value) -> Value:
        """A field by its number, negative from the end; the separator may be a comma."""
        char = ",".join([str(part) for part in separator])
        if len(char) != 1:
            raise ValueError("s.select takes one character as separator")
        fields, place = str(value).split(char), _number(index)
        return fields[place] if -len(fields) <= place < len(fields) else None

    @transform("s.index")
    def index(value: Value, wanted: Value, start: Value = 0) -> Value:
        """Where a text first stands, at or after a position."""
        raw, first = _raw(value), _number(start)
        if first < 0:
            first = first % len(raw) if raw else 0
        place = raw.find(_raw(wanted), first)
        return None if place < 0 else place

    @transform("s.rindex")
    def rindex(value: Value, wanted: Value, start: Value = None) -> Value:
        """Where a text last stands, at or before a position."""
        raw, text = _raw(value), _raw(wanted)
        if start is None:
            place = raw.rfind(text)
        else:
            last = _number(start)
            if last < 0:
                last = last % len(raw) if raw else 0
            place = raw.rfind(text, 0, last + len(text))
        return None if place < 0 else place

    @transform("s.fill.left")
    def fill_left(value: Value, token: Value, size: Value) -> Value:
        """Padded in front with repetitions of a token."""
        text, pad = str(value), str(token)
        missing = _number(size) - len(text)
        return text if missing <= 0 or not pad else (pad * (missing // len(pad) + 1))[-missing:] + text

    @transform("s.fill.right")
    def fill_right(value: Value, token: Value, size: Value) -> Value:
        """Padded behind with repetitions of a token."""
        text, pad = str(value), str(token)
        missing = _number(size) - len(text)
        return text if missing <= 0 or not pad else text + (pad * (missing // len(pad) + 1))[:missing]

    @transform("s.width")
    def width(value: Value, size: Value) -> Value:
        """Cut or padded with blanks to an exact length."""
        wanted = _number(size)
        if wanted < 0:
            raise ValueError("s.width takes a length from 0")
        return _text(_raw(value)[:wanted].ljust(wanted))

    # --- encodings -----------------------------------------------------------------------------------------------

    @transform("s.encode.hexa")
    def encode_hexa(value: Value) -> Value:
        """Bytes as hexadecimal digits."""
        return _raw(value).hex()

    @transform("s.decode.hexa")
    def decode_hexa(value: Value) -> Value:
        """Hexadecimal digits as bytes."""
        return _text(bytes.fromhex(str(value)))

    @transform("s.dec2hex")
    def dec2hex(value: Value) -> Value:
        """A decimal number in hexadecimal."""
        return f"{_number(value):x}"

    @transform("s.hex2dec")
    def hex2dec(value: Value) -> Value:
        """A hexadecimal number in decimal."""
        return str(int(str(value).strip(), 16))

    @transform("s.b64encode")
    def b64encode(value: Value) -> Value:
        """Base64, padded."""
        return base64.b64encode(_raw(value)).decode("ascii")

    @transform("s.b64decode")
    def b64decode(value: Value) -> Value:
        """The bytes of a base64 text, up to the first foreign character."""
        raw = _raw(value)
        found = _NOT_BASE64.search(raw)
        digits = raw[:found.start()] if found else raw
        if len(digits) % 4 == 1:
            digits = digits[:-1]
        try:
            return _text(base64.b64decode(digits + b"=" * (-len(digits) % 4)))
        except binascii.Error as error:
            raise ValueError(str(error)) from None

    @transform("s.xor")
    def xor(value: Value, secret: Value) -> Value:
        """Each byte combined with the repeated key."""
        key = _raw(secret)
        if not key:
            raise ValueError("s.xor needs a key")
        return _text(bytes([byte ^ key[place % len(key)] for place, byte in enumerate(_raw(value))]))

    @transform("s.escape.common")
    def escape_common(value: Value) -> Value:
        """A backslash before quotes, backslashes and NUL."""
        return _TO_ESCAPE.sub(lambda m: "\\0" if m.group() == "\0" else "\\" + m.group(), str(value))

    @transform("s.unescape.common")
    def unescape_common(value: Value) -> Value:
        """Without the backslashes of s.escape.common."""
        return _ESCAPED.sub(lambda m: "\0" if m.group(1) == "0" else m.group(1), str(value))

    @transform("s.escape.user")
    def escape_uri_user(value: Value) -> Value:
        """Percent-encoded where a user part needs it."""
        return escape_user(str(value))

    @transform("s.unescape.user")
    def unescape_uri_user(value: Value) -> Value:
        """Percent-decoded."""
        return unescape_user(str(value))

    @transform("s.escape.param")
    def escape_uri_param(value: Value) -> Value:
        """Percent-encoded where a URI parameter needs it."""
        return "".join([chr(byte) if byte in _PARAM_SAFE else f"%{byte:02X}" for byte in _raw(value)])

    @transform("s.unescape.param")
    def unescape_uri_param(value: Value) -> Value:
        """Percent-decoded."""
        return unescape_user(str(value))

    @transform("s.date2unix")
    def date2unix(value: Value) -> Value:
        """Unix time of a Date header (RFC 3261 section 20.17)."""
        found = email.utils.parsedate(str(value))
        if found is None:
            raise ValueError("not a date")
        return calendar.timegm(found)

    @transform("s.eval")
    def evaluate(value: Value) -> Value:
        """The value read as a format string and expanded now; the emitter does it, which knows the variables."""
        raise ValueError("s.eval is possible in a script only")
