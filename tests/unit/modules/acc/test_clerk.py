"""What a record says, and what is made for one."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kit.passage import call
from kit.playbook import Playbook
from kit.source import needs_source

from osip.core.run.ctx import Ctx
from osip.modules.acc import Acc
from osip.modules.acc.clerk import AAA, DB, EVI, LOG, Account, Record, kinds_of, reason_of
from osip.modules.rr import Rr
from osip.modules.tm import Tm
from osip.modules.tm.transaction import Transaction


def answered(arm: Callable[[Any, Ctx], Any], **params: Any) -> Playbook:
    """Let bob ring for an INVITE that was armed."""
    def run(ctx: Ctx) -> int:
        arm(book.modules["acc"], ctx)
        return int(book.modules["tm"].t_relay(ctx))
    book = Playbook((Tm, Rr, Acc), run, params={"acc": params})
    return book.recv().sent(100).sent("INVITE", "bob")


class Heard(logging.Handler):
    """Gather the beginnings of the lines of accounting."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage().partition(": timestamp")[0])


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Hear the lines of accounting."""
    handler, logger = Heard(), logging.getLogger("osip.acc")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_names_of_types() -> None:
    assert kinds_of(LOG | EVI) == ["log", "evi"] and kinds_of(0) == [] and kinds_of(DB | AAA) == ["db", "aaa"]


def test_fields_of_a_record() -> None:
    assert Record("INVITE", "a", "b", "c", "200", "OK").fields() == {
        "method": "INVITE", "from_tag": "a", "to_tag": "b", "callid": "c", "sip_code": "200", "sip_reason": "OK"}


@pytest.mark.parametrize(("reply", "shown"), [
    (None, "Busy Here"), ((486, "Not now"), "Not now"), ((486, ""), "Busy Here"), ((503, "No"), "Busy Here")])
def test_the_reason_is_the_one_that_was_sent(reply: tuple[int, str] | None, shown: str) -> None:
    assert reason_of(SimpleNamespace(status=reply[0], reason=reply[1]) if reply else None, 486) == shown


@needs_source
@pytest.mark.parametrize(("params", "expected"), [({}, 0), ({"extra_fields": ["log: who"]}, 1)])
def test_a_context_is_made_only_for_fields_of_ones_own(params: dict[str, Any], expected: int, heard: Heard,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Transaction] = []
    plain = Transaction.make_ctx

    def make_ctx(tx: Transaction, *given: Any) -> Ctx:
        made.append(tx)
        return plain(tx, *given)
    book = answered(lambda acc, ctx: call(acc, ctx, "do_accounting", "log"), **params)
    monkeypatch.setattr(Transaction, "make_ctx", make_ctx)
    book.answer("bob", 200)
    assert heard.texts == ["ACC: transaction answered"] and len(made) == expected


def test_a_flag_adds_a_type_to_what_is_armed(heard: Heard) -> None:
    def arm(acc: Any, ctx: Ctx) -> None:
        call(acc, ctx, "do_accounting", "evi")
        ctx.flags |= acc.env.message_flags.bit("1")
    answered(arm, log_flag=1).answer("bob", 200)
    assert heard.texts == ["ACC: transaction answered"]


def test_an_account_has_no_fields_until_it_is_asked_for_them() -> None:
    one = Account(answered(lambda acc, ctx: 1).modules["acc"].clerk)
    assert one.values is None and one.legs is None
    assert one.extra == {} and one.values == {}
