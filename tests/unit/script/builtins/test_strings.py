"""Check the `s.` transformations."""
from __future__ import annotations

import pytest
from kit.builtin import Words

MD5_ABC = "900150983cd24fb0d6963f7d28e17f72"


@pytest.mark.parametrize(("name", "value", "args", "result"), [
    ("s.len", "abc", (), 3), ("s.len", "é", (), 2), ("s.len", "", (), 0), ("s.len", 1234, (), 4), ("s.len", None, (),
                                                                                                   None),
    ("s.int", "12ab", (), 12), ("s.int", "-5", (), -5), ("s.int", "x", (), 0), ("s.int", "2147483648", (),
                                                                               -2147483648),
    ("s.md5", "abc", (), MD5_ABC), ("s.sha1", "abc", (), "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("s.sha256", "", (), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("s.sha1_hmac", "what do ya want for nothing?", ("Jefe",), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    ("s.sha256_hmac", "what do ya want for nothing?", ("Jefe",),
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ("s.crc32", "123456789", (), "3421780262"),
    ("s.tolower", "AbÉ", (), "abÉ"), ("s.toupper", "ab", (), "AB"), ("s.reverse", "abc", (), "cba"),
    ("s.trim", " \ta\r\n\0", (), "a"), ("s.triml", " a ", (), "a "), ("s.trimr", " a ", (), " a"),
    ("s.substr", "abcde", ("1", "2"), "bc"), ("s.substr", "abcde", ("-2", "0"), "de"),
    ("s.substr", "abcde", ("1", "-1"), "bcd"), ("s.substr", "abcde", ("5", "1"), None),
    ("s.substr", "abcde", ("3", "99"), "de"), ("s.substr", "abcde", ("-9", "1"), None),
    ("s.substr", "abcde", (" 1 ", 2), "bc"), ("s.substr", "abcde", ("x", "1"), None), ("s.substr", "a", ("0", "-5"),
                                                                                       None),
    ("s.select", "a,b,c", ("1", "", ""), "b"), ("s.select", "a;b;c", ("-1", ";"), "c"),
    ("s.select", "a;;c", ("1", ";"), ""), ("s.select", "a;b", ("2", ";"), None), ("s.select", "ab", ("0", "xx"), None),
    ("s.index", "abcabc", ("c",), 2), ("s.index", "abcabc", ("c", "3"), 5), ("s.index", "abcabc", ("x",), None),
    ("s.index", "abcabc", ("a", "-3"), 3), ("s.index", "", ("a", "-3"), None),
    ("s.rindex", "abcabc", ("a",), 3), ("s.rindex", "abcabc", ("a", "2"), 0), ("s.rindex", "abcabc", ("a", "3"), 3),
    ("s.rindex", "abcabc", ("a", "-4"), 0), ("s.rindex", "abc", ("x",), None),
    ("s.fill.left", "485", ("abc", "8"), "bcabc485"), ("s.fill.right", "485", ("abc", "8"), "485abcab"),
    ("s.fill.left", "485", ("0", "2"), "485"), ("s.width", "abc", ("5",), "abc  "), ("s.width", "abc", ("2",), "ab"),
    ("s.width", "abc", ("-1",), None),
    ("s.encode.hexa", "abc", (), "616263"), ("s.decode.hexa", "616263", (), "abc"), ("s.decode.hexa", "6x", (), None),
    ("s.dec2hex", "255", (), "ff"), ("s.hex2dec", "FF", (), "255"), ("s.hex2dec", "0x10", (), "16"),
    ("s.b64encode", "abcd", (), "YWJjZA=="), ("s.b64decode", "YWJjZA==", (), "abcd"),
    ("s.b64decode", "YWJj!ZA", (), "abc"), ("s.b64decode", "YWJjZA", (), "abcd"),
    ("s.xor", "abc", ("  ",), "ABC"), ("s.xor", "abc", ("",), None),
    ("s.escape.common", "a'\"\\\0", (), "a\\'\\\"\\\\\\0"), ("s.unescape.common", "a\\'\\\"\\\\\\0", (), "a'\"\\\0"),
    ("s.escape.user", "a b@c", (), "a%20b%40c"), ("s.unescape.user", "a%20b%40c", (), "a b@c"),
    ("s.escape.param", "a b=[x]", (), "a%20b%3D[x]"), ("s.unescape.param", "a%20b%3D", (), "a b="),
    ("s.date2unix", "Sat, 13 Nov 2010 23:29:00 GMT", (), 1289690940), ("s.date2unix", "x", (), None),
    ("s.eval", "$rm", (), None),
])
def test_transform(name: str, value: object, args: tuple[object, ...], result: object) -> None:
    assert Words().transform(name, value, *args) == result          # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "size"), [
    ("s.md5", 32), ("s.sha1", 40), ("s.sha224", 56), ("s.sha256", 64), ("s.sha384", 96), ("s.sha512", 128),
])
def test_digest_sizes(name: str, size: int) -> None:
    words = Words()
    assert len(str(words.transform(name, "x"))) == size
    if name != "s.md5":
        keyed = words.transform(f"{name}_hmac", "x", "k")
        assert len(str(keyed)) == size and keyed != words.transform(name, "x")


def test_bytes_survive() -> None:
    words = Words()
    text = b"\xff\x00a\xc3".decode("utf-8", "surrogateescape")
    hexa = words.transform("s.encode.hexa", text)
    assert hexa == "ff0061c3" and words.transform("s.decode.hexa", hexa) == text
    assert words.transform("s.b64decode", words.transform("s.b64encode", text)) == text
    assert words.transform("s.xor", words.transform("s.xor", text, "key"), "key") == text
