"""Check the `param.`, `nameaddr.` and `csv.` transformations."""
from __future__ import annotations

import pytest
from kit.builtin import Words

ADDRESSES = '"A, B" <sip:a@h;x=y>;tag=1;q=0.5, sip:b@h;tag=2'


@pytest.mark.parametrize(("name", "value", "args", "result"), [
    ("param.value", 'a=1;b="x;y";c', ("b",), "x;y"), ("param.value", "a=1;c", ("C",), ""),
    ("param.value", "a=1", ("z",), None), ("param.exist", "a=1;c", ("c",), 1), ("param.exist", "a=1", ("c",), 0),
    ("param.valueat", "a=1;b=2", ("1",), "2"), ("param.valueat", "a=1;b", ("-1",), ""),
    ("param.valueat", "a=1", ("1",), None), ("param.name", "a=1;b=2", ("-1",), "b"), ("param.name", "a=1", (5,), None),
    ("param.count", "a=1;b=2;", (), 2), ("param.count", "", (), 0),
    ("nameaddr.name", ADDRESSES, (), '"A, B"'), ("nameaddr.uri", ADDRESSES, (), "sip:a@h;x=y"),
    ("nameaddr.len", ADDRESSES, (), 20), ("nameaddr.param", ADDRESSES, ("tag",), "1"),
    ("nameaddr.params", ADDRESSES, (), "tag=1;q=0.5"), ("nameaddr.1.uri", ADDRESSES, (), "sip:b@h"),
    ("nameaddr.-1.param", ADDRESSES, ("tag",), "2"), ("nameaddr.1.len", ADDRESSES, (), 7),
    ("nameaddr.5.uri", ADDRESSES, (), None), ("nameaddr.1.name", ADDRESSES, (), None),
    ("nameaddr.uri", "<sip:a", (), None), ("nameaddr.params", "<sip:a>", (), None),
    ("csv.count", 'a,"b,c",,d', (), 4), ("csv.value", 'a,"b ""q"",c",d', ("1",), 'b "q",c'),
    ("csv.value", "a,b", ("-1",), "b"), ("csv.value", "a,b", ("2",), None), ("csv.count", "", (), 1),
])
def test_transform(name: str, value: str, args: tuple[object, ...], result: object) -> None:
    assert Words().transform(name, value, *args) == result


def test_only_indexed_names_take_a_number() -> None:
    words = Words()
    assert words.registry.transform("param.1.count") is None and words.registry.transform("nameaddr.x.uri") is None
