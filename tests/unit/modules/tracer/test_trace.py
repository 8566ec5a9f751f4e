"""Filters, types, scopes and flags as they are written."""
from __future__ import annotations

from typing import Any

import pytest
from kit.message import request

from osip.api import LocalSocket, Source, parse
from osip.modules.tracer.trace import (
    Trace,
    parse_filter,
    parse_scope,
    parse_side,
    parse_types,
)

SOURCE = Source(LocalSocket("udp", "192.0.2.9", 5060), "192.0.2.1", 5060)


@pytest.mark.parametrize(("text", "wanted"), [
    ("", True), ("caller=alice", True), ("caller=sip:alice@example.com", True), ("caller=alice@EXAMPLE.com", True),
    ("caller=bob", False), ("caller=alice@example.org", False), ("callee=bob", True), ("callee=bob@10.0.0.2", True),
    ("callee=bob@example.com", True), ("callee=alice", False), ("ip=192.0.2.1", True), ("ip=192.0.2.9", False),
    ("ip=192.0.2.1;caller=bob", False), ("ip=192.0.2.1, caller=alice", True)])
def test_filters(text: str, wanted: bool) -> None:
    trace = Trace("t", [])
    trace.conditions = parse_filter(text)
    assert trace.wants(parse(request("INVITE")), SOURCE) is wanted


def test_a_broken_address_meets_no_filter() -> None:
    trace = Trace("t", [])
    trace.conditions = parse_filter("caller=alice")
    broken = parse(request("INVITE").replace(b"From: <sip:alice@example.com>", b"From: <sip:alice@exa mple>"))
    assert not trace.wants(broken, SOURCE)


@pytest.mark.parametrize("value", ["from=x", "caller=", "caller", ["ip"], [""" ="""]])
def test_what_is_no_filter(value: Any) -> None:
    with pytest.raises(ValueError, match="caller="):
        parse_filter(value)


@pytest.mark.parametrize(("parse_it", "text", "found"), [
    (parse_types, "sip", {"sip"}), (parse_types, "SIP | xlog,rest", {"sip", "xlog", "rest"}), (parse_types, "x", None),
    (parse_types, "", None), (parse_scope, "M", "m"), (parse_scope, "dialog", "d"), (parse_scope, "B", "d"),
    (parse_scope, "x", None), (parse_side, "C", "C"), (parse_side, "c", "c"), (parse_side, "Cc", ""), (parse_side, "", ""),
    (parse_side, "CC", "C"), (parse_side, "x", None)])
def test_words(parse_it: Any, text: str, found: Any) -> None:
    if found is None:
        with pytest.raises(ValueError, match="there are|message"):
            parse_it(text)
    else:
        assert parse_it(text) == found
