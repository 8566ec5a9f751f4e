"""Flags of save and lookup, in words and in the old letters."""
from __future__ import annotations

import pytest
from kit.registration import Office, invite, register

from osip.api import Target
from osip.modules.registrar import flag
from osip.modules.registrar.flag import LookupFlags, SaveFlags, parse_lookup, parse_save


def differing(flags, plain):
    names = flag.SAVE if isinstance(plain, SaveFlags) else flag.LOOKUP
    return {name: getattr(flags, name) for name in names if getattr(flags, name) != getattr(plain, name)}


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


# --- each flag acts ------------------------------------------------------------------------------------------------

A, B = "<sip:a@10.0.0.1>", "<sip:b@10.0.0.1>"
PATH = "Path: <sip:10.0.0.3;lr;received=sip:192.0.2.1:9>\r\n"


def first(office):
    return next(office.usrloc.domain("location").all())


def save_twice(flags, one=A, two=B, **more):
    office = Office()
    office.register(one, flags=flags)
    reply = office.register(two, flags=flags, call_id="reg-2", **more)
    return reply.status, len(office.uris()), len(reply.contacts)


def saved(flags, what, params=None, **more):
    office = Office({"registrar": params or {}})
    office.register(A, flags=flags, **more)
    return getattr(first(office), what)


def path(flags, supports):
    office = Office()
    reply = office.register(A, flags=flags, headers=PATH + ("Supported: path\r\n" if supports else ""))
    found = list(office.usrloc.domain("location").all())
    return reply.status, bool(found and found[0].path), reply.get("Path") is not None


SAVE = {        # word -> (other spellings, what it does: a call with the flags, the result with and without them)
    "memory-only": (["m", "0x1", "0x01"], lambda f: saved(f, "memory"), True, False),
    "no-reply": (["r", "0x2"], lambda f: Office().register(A, flags=f) is None, True, False),
    "max-contacts=1": (["c1"], save_twice, (503, 1, 0), (200, 2, 2)),
    "max-contacts=1,force-registration": (["c1f", "fc1"], save_twice, (200, 1, 1), (200, 2, 2)),
    "matching-mode=1": (["M1"], lambda f: save_twice(f, A, A), (200, 2, 2), (200, 1, 1)),
    "matching-mode=<line>": (["M<line>"], lambda f: save_twice(f, "<sip:a@h;line=1>", "<sip:b@h;line=1>"), (200, 1, 1),
                             (200, 2, 2)),
    "path-off": (["p0"], lambda f: path(f, True), (200, True, False), (200, False, False)),
    "path-lazy": (["p1"], lambda f: path(f, True), (200, True, True), (200, False, False)),
    "path-strict": (["p2"], lambda f: path(f, False), (420, False, False), (200, False, False)),
    "path-lazy,path-received": (["p1v", "vp1"], lambda f: saved(f, "received", headers=PATH), "sip:192.0.2.1:9", None),
    "only-request-contacts": (["o"], save_twice, (200, 2, 1), (200, 2, 2)),
    "socket-header": (["s"], lambda f: saved(f, "socket", {"sock_hdr_name": "X-S"},
                                             headers="X-S: tcp:10.0.0.9:5060\r\n").proto, "tcp", "udp"),
    "min-expires=900": (["e900"], lambda f: Office().register(A, expires=100, flags=f).contacts[0].expires, 900, 100),
    "max-expires=70": (["E70"], lambda f: Office().register(A, expires=100, flags=f).contacts[0].expires, 70, 100),
}
AGENTS = (("a", 900, "snom 300", "MESSAGE", 9000), ("b", 500, "Cisco", "INVITE", 100),
          ("c", 900, "snom 870", "INVITE", 200))


def found(flags):
    office = Office()
    for user, q, agent, allow, latency in AGENTS:
        office.register(f"<sip:{user}@10.0.0.2>;q={q / 1000}", call_id=user,
                        headers=f"User-Agent: {agent}\r\nAllow: {allow}\r\n")
        next(c for c in office.usrloc.domain("location").all() if c.call_id == user).latency = latency
    ctx = office.lookup(flags=flags)
    uris = [ctx.target.uri, *(target.uri for target in ctx.targets or ())]
    return "".join(uri[4] if uri else "-" for uri in uris)


LOOKUP = {
    "no-branches": (["b"], found, "a", "acb"),
    "to-branches-only": (["B"], found, "-acb", "acb"),
    "branch": (["r"], lambda f: "d@10.0.0.2" in expanded(f), True, False),
    "method-filtering": (["m"], found, "cb", "acb"),
    "ua-filtering=/snom/": (["u/snom/"], found, "ac", "acb"),
    "ua-filtering=/SNOM/,case-insensitive": (["u/SNOM/i", "iu/SNOM/"], found, "ac", "acb"),
    "ua-filtering=/^(snom|x)+ /,extended-regexp": (["u/^(snom|x)+ /e"], found, "ac", "acb"),
    "max-ping-latency=500": (["y500"], found, "cb", "acb"),
    "sort-by-latency": (["Y"], found, "cab", "acb"),
    "global": (["g"], found, "acb", "acb"),             # see tests/unit/modules/registrar/test_remote.py
}


def expanded(flags):
    office = Office()
    office.register(A)
    office.register("<sip:d@10.0.0.2>", aor="sip:dora@example.com")
    ctx = office.ctx(invite())
    ctx.add_target(Target("sip:dora@example.com"))
    office.lookup(flags=flags, ctx=ctx)
    return " ".join(target.uri for target in ctx.targets)


def spellings(table):
    return [(word, text) for word, (others, *_) in table.items() for text in (word, *others)]


@pytest.mark.parametrize(("word", "text"), spellings(SAVE))
def test_each_flag_of_save_acts(word, text):
    _, act, with_it, without = SAVE[word]
    assert act(text) == with_it
    assert act("") == without


@pytest.mark.parametrize(("word", "text"), spellings(LOOKUP))
def test_each_flag_of_lookup_acts(word, text):
    _, act, with_it, without = LOOKUP[word]
    assert act(text) == with_it
    assert act("") == without


def test_the_tables_name_every_flag():
    words = {part.partition("=")[0] for word in SAVE for part in word.split(",")}
    assert words == {*flag._SAVE_WORDS, *flag._SAVE_NUMBERS, *flag.PATH_MODES, "matching-mode"}
    words = {part.partition("=")[0] for word in LOOKUP for part in word.split(",")}
    assert words == {*flag._LOOKUP_WORDS, "ua-filtering", "case-insensitive", "extended-regexp", "max-ping-latency"}


@pytest.mark.parametrize(("act", "what"), [
    (lambda office: office.registrar.save(office.ctx(register(A)), "location", ownership_tag="vip"), "ownership_tag"),
    (lambda office: office.lookup(flags="global"), "global")])
def test_what_has_no_effect_is_told_once(caplog, act, what):
    caplog.set_level("INFO", "osip")
    office = Office()
    act(office)
    act(office)
    assert caplog.text.count(f"registrar: {what} has no effect") == 1
