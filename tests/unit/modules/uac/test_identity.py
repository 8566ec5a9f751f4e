"""New names and numbers as edits, and the way back."""
from __future__ import annotations

import pytest

from kit import message
from kit.playbook import Playbook
from osip.core.run.ctx import ONREPLY, Ctx
from osip.core.sip.edits import splice
from osip.core.sip.message import parse
from osip.core.sip.names import H_FROM, H_TO
from osip.modules.uac.identity import MAX_CSEQ, Counted, Origin, Renamed, changes, count_up, read_display, rename


def ctx_of(raw: bytes, kind: int = 1) -> Ctx:
    return Ctx(Playbook((), lambda ctx: 1).env, parse(raw), None, kind)


def sent(ctx: Ctx) -> object:
    return parse(splice(ctx.msg.raw, ctx.edits) if ctx.edits else ctx.msg.raw)


DISPLAYS = [(None, None), ("", ""), ("Bob", '"Bob"'), ('"Bob"', '"Bob"'), ('a "b"', '"a \\"b\\""'), ("a\\", '"a\\\\"'),
            ('"a\\"', '"\\"a\\\\\\""'), ('"a"b"', '"\\"a\\"b\\""'), ('"', '"\\""'), ("Zoë", '"Zoë"')]


@pytest.mark.parametrize("text,shown", DISPLAYS)
def test_display(text: str | None, shown: str | None) -> None:
    assert read_display(text) == shown


@pytest.mark.parametrize("text", ["a\r\nEvil: 1", "a\nb", "\0", "a\x7f"])
def test_bad_display(text: str) -> None:
    with pytest.raises(ValueError):
        read_display(text)


# From as it came, URI, display -> From as it leaves (None: refused)
FROMS = [
    ('"A" <sip:a@x>;tag=1;p=q', "sip:n@y", None, '"A" <sip:n@y>;tag=1;p=q'),
    ('"A" <sip:a@x>;tag=1', "sip:n@y", "", "<sip:n@y>;tag=1"),
    ('"A" <sip:a@x>;tag=1', "sip:n@y", "New", '"New" <sip:n@y>;tag=1'),
    ('"A" <sip:a@x>;tag=1', "", "New", '"New" <sip:a@x>;tag=1'),
    ("sip:a@x;tag=1", "sip:n@y;user=phone", None, "<sip:n@y;user=phone>;tag=1"),
    ("sip:a@x;tag=1", "tel:+1", "T", '"T" <tel:+1>;tag=1'),
    ("<sip:a@x>;tag=1", "", None, None),
    ("<sip:a@x>;tag=1", "no uri", None, None),
    ("<sip:a@x>;tag=1", "sip:n@y>\r\nEvil: <", None, None),
    ("<sip:a@x>;tag=1", "sip:n@y", "\r\nEvil: 1", None),
]


@pytest.mark.parametrize("before,uri,display,after", FROMS)
def test_rename(before: str, uri: str, display: str | None, after: str | None) -> None:
    raw = message.request().replace(b"<sip:alice@example.com>;tag=a1", before.encode())
    ctx = ctx_of(raw)
    assert rename(ctx, H_FROM, uri, display) == (after is not None)
    assert sent(ctx).get("From") == (after or before)           # type: ignore[attr-defined]
    assert [change.__class__ for change in changes(ctx.edits)] == ([Renamed] if after else [])


def test_the_last_name_counts() -> None:
    ctx = ctx_of(message.request(to_tag="t"))
    assert rename(ctx, H_TO, "sip:one@y", None) and rename(ctx, H_TO, "sip:two@y", None)
    assert sent(ctx).get("To") == "<sip:two@y>;tag=t"           # type: ignore[attr-defined]
    assert [change.new for change in changes(ctx.edits)] == ["sip:two@y"]


def test_count_up() -> None:
    ctx = ctx_of(message.request("PRACK", cseq=7, headers="RAck: 776 5 INVITE\r\n"))
    assert count_up(ctx, 9, True) and count_up(ctx, 10, True)
    after = sent(ctx)
    assert after.get("CSeq") == "10 PRACK" and after.get("RAck") == "776 8 INVITE"      # type: ignore[attr-defined]
    assert [(change.__class__, change.old, change.new) for change in changes(ctx.edits)] == [(Counted, 7, 10)]
    assert not count_up(ctx, MAX_CSEQ + 1)


@pytest.mark.parametrize("with_names", [True, False])
def test_origin_comes_back(with_names: bool) -> None:
    asked = message.request(cseq=3, headers="X: 1\r\n")
    origin = Origin(parse(asked), with_names)
    changed = asked.replace(b"alice@example", b"anon@example").replace(b"To: <sip:bob@example.com>",
                                                                      b'To: "N" <sip:new@y>')
    ctx = ctx_of(message.response(changed.replace(b"CSeq: 3", b"CSeq: 4"), 200, to_tag="b1"), ONREPLY)
    origin(None, 1, 200, ctx)
    after = sent(ctx)
    assert after.get("CSeq") == "3 INVITE"                      # type: ignore[attr-defined]
    names = (after.get("From"), after.get("To"))                # type: ignore[attr-defined]
    assert names == (("<sip:alice@example.com>;tag=a1", "<sip:bob@example.com>;tag=b1") if with_names else
                     ("<sip:anon@example.com>;tag=a1", '"N" <sip:new@y>;tag=b1'))


def test_origin_leaves_alone_what_is_right() -> None:
    asked = message.request()
    ctx = ctx_of(message.response(asked, 180), ONREPLY)
    Origin(parse(asked), True)(None, 1, 180, ctx)
    assert not ctx.edits
