"""Flags of save and lookup, in words and in the old letters."""
from __future__ import annotations

import pytest

from osip.modules.registrar.flag import LookupFlags, SaveFlags, parse_lookup, parse_save


def differing(flags, plain):
    return {name: getattr(flags, name) for name in plain.__slots__ if getattr(flags, name) != getattr(plain, name)}


@pytest.mark.parametrize(("text", "wanted"), [
    ("", {}),
    ("memory-only", {"memory": True}), ("m", {"memory": True}),
    ("no-reply, socket-header", {"no_reply": True, "sock_hdr": True}), ("rs", {"no_reply": True, "sock_hdr": True}),
    ("max-contacts=5", {"max_contacts": 5}), ("c5", {"max_contacts": 5}),
    ("c12f", {"max_contacts": 12, "force": True}),
    ("force-registration,max-contacts=1", {"force": True, "max_contacts": 1}),
    ("path-off", {"path": "off"}), ("p0", {"path": "off"}), ("path-lazy", {"path": "lazy"}),
    ("p1v", {"path": "lazy", "path_received": True}), ("p2", {"path": "strict"}),
    ("path-strict,path-received", {"path": "strict", "path_received": True}),
    ("only-request-contacts", {"only_request": True}), ("o", {"only_request": True}),
    ("min-expires=60,max-expires=3600", {"min_expires": 60, "max_expires": 3600}),
    ("e60E3600", {"min_expires": 60, "max_expires": 3600}),
    ("matching-mode=1", {"matching": 1}), ("M0", {"matching": 0}), ("matching-mode=<rinstance>",
                                                                     {"matching": "rinstance"}),
    ("M<rinstance>f", {"matching": "rinstance", "force": True})])
def test_save(text, wanted):
    assert differing(parse_save(text), SaveFlags()) == wanted


@pytest.mark.parametrize(("text", "wanted"), [
    ("", {}), ("method-filtering", {"methods": True}), ("m", {"methods": True}),
    ("no-branches,global", {"no_branches": True, "everywhere": True}), ("bg", {"no_branches": True,
                                                                               "everywhere": True}),
    ("to-branches-only", {"to_branches": True}), ("B", {"to_branches": True}), ("r", {"branch": True}),
    ("branch", {"branch": True}), ("max-ping-latency=500", {"max_latency": 500}),
    ("y500Y", {"max_latency": 500, "sort_latency": True}), ("sort-by-latency", {"sort_latency": True})])
def test_lookup(text, wanted):
    assert differing(parse_lookup(text), LookupFlags()) == wanted


@pytest.mark.parametrize(("text", "agent", "matches"), [
    ("ua-filtering=/snom|cisco/", "snom 300", True), ("ua-filtering=/snom/", "SNOM", False),
    ("ua-filtering=/snom/,case-insensitive", "SNOM", True), ("u/snom/i", "SNOM", True),
    ("ua-filtering=/a,b/,method-filtering", "xa,by", True), ("u/a\\/1/", "a/1", True), ("eu/^x$/", "xx", False)])
def test_agent_filter(text, agent, matches):
    assert bool(parse_lookup(text).agent.search(agent)) is matches


@pytest.mark.parametrize(("parse", "text"), [
    (parse_save, "nonsense-flag"), (parse_save, "max-contacts=x"), (parse_save, "c"), (parse_save, "p3"),
    (parse_save, "memory-only=1"), (parse_lookup, "z"), (parse_lookup, "ua-filtering=/(/"),
    (parse_lookup, "max-ping-latency=x")])
def test_refused(parse, text):
    with pytest.raises(ValueError):
        parse(text)
