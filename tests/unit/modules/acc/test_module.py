"""Accounting: which line or event comes for which end of a transaction, armed by do_accounting or by flags."""
from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from kit.passage import call
from kit.playbook import Playbook

from osip.core.run.ctx import Ctx
from osip.core.run.events import Events
from osip.modules.acc import Acc
from osip.modules.rr import Rr
from osip.modules.tm import Tm

Arm = Callable[[Any, Ctx], Any]
LINE = re.compile(r"ACC: ([a-z ]+): timestamp=\d+;method=(\w+);from_tag=(\w*);to_tag=([\w.-]*);call_id=([\w-]+);"
                  r"code=(\d*);reason=([^;]*)(.*)")


class Books(logging.Handler):
    """Gather the lines of accounting, whatever else happens to the logs."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def lines(self) -> list[tuple[str, ...]]:
        """(what, method, from tag, to tag, call id, code, reason, rest) of each line."""
        return [LINE.fullmatch(record.getMessage()).groups() for record in self.records]    # type: ignore[union-attr]

    @property
    def short(self) -> list[tuple[str, str]]:
        return [(line[0], line[5]) for line in self.lines]


@pytest.fixture
def books() -> Any:
    handler, logger = Books(), logging.getLogger("osip.acc")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def do(*words: Any) -> Arm:
    """Arm with `do_accounting(words...)`."""
    return lambda acc, ctx: call(acc, ctx, "do_accounting", *words)


def playbook(arm: Arm | None = None, failure: Arm | None = None, **params: Any) -> Playbook:
    def request(ctx: Ctx) -> int:
        if arm is not None:
            arm(book.modules["acc"], ctx)
        if failure is not None:
            book.modules["tm"].t_on_failure(ctx, "failed")
        return int(book.modules["tm"].t_relay(ctx))

    def failed(ctx: Ctx) -> int:
        assert failure is not None
        failure(book.modules["acc"], ctx)
        return 1
    book = Playbook((Tm, Rr, Acc), request, params={"acc": params}, failed=failed)
    return book


def answered(book: Playbook, status: int = 200, *before: int) -> Playbook:
    book.recv().sent(100).sent("INVITE", "bob")
    for one in before:
        book.answer("bob", one)
    return book.answer("bob", status)


# --- the log --------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("arm", "flow", "expected"), [
    (None, (200,), []),
    (do("log"), (200,), [("transaction answered", "200")]),
    (do("log"), (200, 180), [("transaction answered", "200")]),
    (do("log"), (486,), []),
    (do("log", "failed"), (486,), [("transaction failed", "486")]),
    (do("log", "missed"), (486,), [("call missed", "486")]),
    (do("log", "missed"), (200,), [("transaction answered", "200")]),
    (do("log", "missed|failed"), (486,), [("call missed", "486"), ("transaction failed", "486")]),
    (do("log", "missed, failed"), (486,), [("call missed", "486"), ("transaction failed", "486")]),
    (do("log", "failed"), (503,), [("transaction failed", "500")]),
    (do("db"), (200,), []),
    (do("log", "cdr"), (200,), []),
])
def test_the_end_of_an_invite(arm: Arm | None, flow: tuple[int, ...], expected: list[Any], books: Books) -> None:
    book = playbook(arm)
    answered(book, flow[0], *flow[1:])
    assert books.short == expected if arm is None or expected or flow[0] != 200 else not [
        r for r in books.records if r.getMessage().startswith("ACC")]


def test_the_line_in_full(books: Books) -> None:
    answered(playbook(do("log")))
    assert books.lines == [("transaction answered", "INVITE", "a1", "tag-bob", "call-1", "200", "OK", "")]
    assert books.records[0].levelno == 25


def test_code_and_reason_are_those_that_were_sent(books: Books) -> None:
    answered(playbook(do("log", "failed")), 503)
    assert books.lines[0][5:7] == ("500", "Server Internal Error")


@pytest.mark.parametrize(("level", "expected"), [(-1, logging.ERROR), (1, logging.WARNING), (3, logging.INFO)])
def test_level_of_the_line(level: int, expected: int, books: Books) -> None:
    answered(playbook(do("log"), log_level=level))
    assert [r.levelno for r in books.records] == [expected]


def test_a_repeated_200_is_one_line(books: Books) -> None:
    book = answered(playbook(do("log")))
    book.feed(book.last_in, "bob").feed(book.last_in, "bob")
    assert len(books.records) == 1


def test_arming_adds_up_and_can_be_taken_back(books: Books) -> None:
    def arm(acc: Any, ctx: Ctx) -> None:
        call(acc, ctx, "do_accounting", "evi")
        call(acc, ctx, "do_accounting", "log", "missed|failed")
        assert call(acc, ctx, "drop_accounting", "log", "missed") == 1
    answered(playbook(arm), 486)
    assert books.short == [("transaction failed", "486")]


@pytest.mark.parametrize(("words", "status", "expected"), [
    ((), 200, []), (("log",), 200, []), (("evi",), 200, [("transaction answered", "200")]),
    (("log", "failed"), 486, [("call missed", "486")]), (("log", "failed"), 200, [("transaction answered", "200")])])
def test_dropping(words: tuple[str, ...], status: int, expected: list[Any], books: Books) -> None:
    def arm(acc: Any, ctx: Ctx) -> None:
        assert call(acc, ctx, "drop_accounting") == -1
        call(acc, ctx, "do_accounting", "log", "missed|failed")
        call(acc, ctx, "drop_accounting", *words)
    answered(playbook(arm), status)
    assert books.short == expected


def test_missed_is_written_once_unless_armed_again(books: Books) -> None:
    def again(acc: Any, ctx: Ctx) -> None:
        if len(book.modules["tm"].table.servers) and not ctx.avps:
            ctx.avp("once").append(1)
            call(acc, ctx, "do_accounting", "log", "missed")
            ctx.target.uri = "sip:carol@10.0.0.3"
            book.modules["tm"].t_relay(ctx)
    book = playbook(do("log", "missed"), failure=again)
    answered(book, 486)
    book.sent("INVITE", "carol").answer("carol", 408)
    assert books.short == [("call missed", "486"), ("call missed", "408")]


def test_nobody_answers(books: Books) -> None:
    book = playbook(do("log", "missed|failed"))
    book.recv().sent(100).sent("INVITE", "bob").advance(35)
    assert books.short == [("call missed", "408"), ("transaction failed", "408")]


@pytest.mark.parametrize(("report", "expected"), [
    (0, [("transaction failed", "487")]), (1, [("request cancelled", "200"), ("transaction failed", "487")])])
def test_cancelled(report: int, expected: list[Any], books: Books) -> None:
    book = playbook(do("log", "failed"), report_cancels=report)
    book.recv().sent(100).sent("INVITE", "bob").answer("bob", 180)
    book.recv("CANCEL").answer("bob", 487)
    assert books.short == expected


@pytest.mark.parametrize(("early", "expected"), [
    (0, [("transaction answered", "200")]), (1, [("transaction answered", "183"), ("transaction answered", "200")])])
def test_early_media(early: int, expected: list[Any], books: Books) -> None:
    answered(playbook(do("log"), early_media=early), 200, 180, 183)
    assert books.short == expected


def test_a_local_reply_after_t_newtran(books: Books) -> None:
    def request(ctx: Ctx) -> int:
        tm, acc = book.modules["tm"], book.modules["acc"]
        tm.t_newtran(ctx)
        call(acc, ctx, "do_accounting", "log", "failed")
        return int(tm.t_reply(ctx, 404, "Not Found"))
    book = Playbook((Tm, Rr, Acc), request)
    book.recv("MESSAGE").sent(404)
    assert books.short == [("transaction failed", "404")] and books.lines[0][6] == "Not Found"
    assert books.lines[0][3] == book.got.to_tag


def test_bye_is_accounted(books: Books) -> None:
    book = playbook(do("log"))
    book.recv("BYE", to_tag="b1").sent("BYE", "bob").answer("bob", 200, "BYE")
    assert books.lines == [("transaction answered", "BYE", "a1", "b1", "call-1", "200", "OK", "")]


@pytest.mark.parametrize(("comment", "code", "reason"), [
    ("404 Not here", "404", "Not here"), ("just words", "", "just words"), ("200", "200", ""), ("", "", "")])
def test_a_line_now(comment: str, code: str, reason: str, books: Books) -> None:
    playbook(lambda acc, ctx: call(acc, ctx, "acc_log_request", comment)).recv()
    assert books.lines == [("request accounted", "INVITE", "a1", "", "call-1", code, reason, "")]


@pytest.mark.parametrize(("words", "reason"), [
    (("acc_db_request", "200 OK", "acc"), 'needs a database: set modparam("acc", "db_url", ...)'),
    (("do_accounting", "db"), 'needs a database: set modparam("acc", "db_url", ...)'),
    (("acc_aaa_request", "200 OK"), "fails: there is no module for AAA yet"),
    (("acc_rad_request", "x"), "fails: there is no module for AAA yet"),
    (("do_accounting", "log|aaa"), "fails: there is no module for AAA yet"),
    (("acc_load_ctx_from_dlg",), "fails: there is no module dialog yet"),
    (("acc_unload_ctx_from_dlg",), "fails: there is no module dialog yet")])
def test_what_is_not_there_fails_and_says_so(words: tuple[str, ...], reason: str,
                                             caplog: pytest.LogCaptureFixture) -> None:
    results = []
    playbook(lambda acc, ctx: results.append(call(acc, ctx, *words))).recv()
    assert results == [-1] and f"{reason}\n" in caplog.text


@pytest.mark.parametrize(("params", "facility"), [({}, "LOG_DAEMON"), ({"log_facility": "LOG_LOCAL0"}, "LOG_LOCAL0")])
def test_lines_have_a_facility_of_their_own_in_syslog(params: dict[str, str], facility: str, books: Books) -> None:
    playbook(lambda acc, ctx: call(acc, ctx, "acc_log_request", "200 OK"), **params).recv()
    assert [vars(record)["osip_facility"] for record in books.records] == [facility]


# --- extra fields ---------------------------------------------------------------------------------------

def test_extra_fields_and_legs(books: Books) -> None:
    def arm(acc: Any, ctx: Ctx) -> None:
        call(acc, ctx, "do_accounting", "log")
        assert acc.set_acc_extra(ctx, "who", "alice") and acc.acc_extra(ctx, "who") == "alice"
        acc.set_acc_extra(ctx, "gone", "x")
        acc.set_acc_extra(ctx, "gone", None)
        acc.set_acc_leg(ctx, "to", None, "bob")
        call(acc, ctx, "acc_new_leg")
        acc.set_acc_leg(ctx, "to", None, "carol")
        assert (acc.acc_leg(ctx, "to", 0), acc.acc_leg(ctx, "to", None), acc.acc_current_leg(ctx)) == ("bob", "carol",
            1)
        assert acc.acc_leg(ctx, "to", 5) is None and acc.set_acc_leg(ctx, "to", 5, "x") is False
    answered(playbook(arm, extra_fields=["log: who->caller; gone", "evi: who"], leg_fields=["log: to->leg"]))
    assert books.lines[0][7] == ";caller=alice;gone=;leg=bob;leg_1=carol"


def test_extra_values_may_be_set_until_the_end(books: Books) -> None:
    def late(acc: Any, ctx: Ctx) -> None:
        acc.set_acc_extra(ctx, "who", "late")
    book = playbook(do("log", "failed"), failure=late, extra_fields=["log: who"])
    answered(book, 486)
    assert books.lines[0][7] == ";who=late"


def test_values_cannot_forge_fields(books: Books) -> None:
    def arm(acc: Any, ctx: Ctx) -> None:
        call(acc, ctx, "do_accounting", "log")
        acc.set_acc_extra(ctx, "who", "a\nACC: transaction answered: forged")
    answered(playbook(arm, extra_fields=["log: who"]))
    assert "\n" not in books.records[0].getMessage()


def test_old_extra_fields_are_expanded_at_the_end(books: Books) -> None:
    book = playbook(do("log"), log_extra="src=$si;none=$avp(x)")
    book.env.program.expand = lambda ctx, text: {"$si": ctx.source.host, "$avp(x)": "<null>"}[text]    # type: ignore
    answered(book)
    assert books.lines[0][7] == ";src=10.0.0.1;none="


# --- events ---------------------------------------------------------------------------------------------

def events_of(book: Playbook) -> list[tuple[str, dict[str, Any]]]:
    seen: list[tuple[str, dict[str, Any]]] = []
    events: Events = book.env.events
    for name in ("E_ACC_EVENT", "E_ACC_MISSED_EVENT"):
        events.subscribe(name, "test:", lambda event, params: seen.append((event, params)))
    return seen


@pytest.mark.parametrize(("status", "expected"), [(200, "E_ACC_EVENT"), (486, "E_ACC_MISSED_EVENT")])
def test_events(status: int, expected: str, books: Books) -> None:
    book = playbook(do("evi", "missed"))
    seen = events_of(book)
    answered(book, status)
    (name, params), = seen
    assert name == expected and not books.records
    assert params | {"time": 0} == params | {"method": "INVITE", "from_tag": "a1", "to_tag": "tag-bob",
        "callid": "call-1",
                                             "sip_code": str(status), "time": 0}
    declared = next(e for e in Acc.spec.events if e.name == name)
    assert tuple(params) == declared.params


@pytest.mark.parametrize(("comment", "expected"), [
    ("200 OK", "E_ACC_EVENT"), ("404 No", "E_ACC_MISSED_EVENT"), ("words", "E_ACC_EVENT")])
def test_an_event_now(comment: str, expected: str) -> None:
    book = playbook(lambda acc, ctx: call(acc, ctx, "acc_evi_request", comment))
    seen = events_of(book)
    book.recv()
    assert [name for name, _ in seen] == [expected]


# --- flags of 1.x ---------------------------------------------------------------------------------------

FLAGS = {"log_flag": 1, "log_missed_flag": "missed", "failed_transaction_flag": 3}


@pytest.mark.parametrize(("flags", "status", "expected"), [
    (("1",), 200, [("transaction answered", "200")]),
    ((), 200, []), (("9",), 200, []),
    (("1",), 486, []),
    (("1", "3"), 486, [("transaction failed", "486")]),
    (("missed",), 486, [("call missed", "486")]),
    (("missed",), 200, []),
    (("1", "missed", "3"), 486, [("call missed", "486"), ("transaction failed", "486")]),
])
def test_flags(flags: tuple[str, ...], status: int, expected: list[Any], books: Books) -> None:
    def arm(acc: Any, ctx: Ctx) -> None:
        for flag in flags:
            ctx.flags |= acc.env.message_flags.bit(flag)
    answered(playbook(arm, **FLAGS), status)
    assert books.short == expected


def test_a_flag_with_a_local_reply(books: Books) -> None:
    def request(ctx: Ctx) -> int:
        ctx.flags |= book.env.message_flags.bit("1") | book.env.message_flags.bit("3")
        return int(book.modules["tm"].t_reply(ctx, 404, "Not Found"))
    book = Playbook((Tm, Rr, Acc), request, params={"acc": FLAGS})
    book.recv("MESSAGE").sent(404)
    assert books.short == [("transaction failed", "404")]


def test_no_transaction_is_watched_without_flags_or_arming() -> None:
    book = playbook()
    book.recv()
    assert [tx.watchers for tx in book.modules["tm"].table.servers.values()] == [None]


# --- calls ----------------------------------------------------------------------------------------------

ENDED = re.compile(r"ACC: call ended: timestamp=\d+;created=\d+;call_start_time=\d+;duration=(\d+);ms_duration=(\d+);"
                   r"setuptime=(\d+);method=INVITE;from_tag=a1;to_tag=tag-bob;call_id=call-1;code=200;reason=OK(.*)")


def hang_up(book: Playbook, side: str = "bob") -> None:
    if side == "bob":
        book.recv("BYE", "sip:alice@10.0.0.1", "bob", from_tag="tag-bob", to_tag="a1", branch="z9hG4bK-bye", cseq=1)
    else:
        book.recv("BYE", to_tag="tag-bob", branch="z9hG4bK-bye", cseq=2)


@pytest.mark.parametrize("side", ["alice", "bob"])
def test_one_line_for_a_call(side: str, books: Books) -> None:
    def arm(acc: Any, ctx: Ctx) -> None:
        if ctx.msg.method == "INVITE":
            call(acc, ctx, "do_accounting", "log|evi", "cdr")
            acc.set_acc_extra(ctx, "who", "alice")
    book = playbook(arm, extra_fields=["log: who", "evi: who"])
    seen: list[dict[str, Any]] = []
    book.env.events.subscribe("E_ACC_CDR", "test:", lambda event, params: seen.append(params))
    book.recv().sent(100).sent("INVITE", "bob")
    book.clock.advance(5)
    book.answer("bob", 200)
    assert not books.records and not seen
    book.clock.advance(90)
    hang_up(book, side)
    found = ENDED.fullmatch(books.records[0].getMessage())
    assert found is not None and found.groups() == ("90", found[2], "5", ";who=alice")
    assert len(books.records) == 1 and (seen[0]["duration"], seen[0]["setuptime"], seen[0]["who"]) == (90, 5, "alice")
    declared = next(e for e in Acc.spec.events if e.name == "E_ACC_CDR")
    assert set(declared.params) <= set(seen[0])
    hang_up(book, side)
    assert len(books.records) == 1, "a repeated BYE ends nothing"


def test_a_call_that_failed_has_none(books: Books) -> None:
    book = playbook(do("log", "cdr|missed"))
    answered(book, 486)
    assert books.short == [("call missed", "486")] and book.modules["acc"].calls_armed() == 0


def test_who_never_hangs_up(books: Books) -> None:
    book = answered(playbook(do("log", "cdr")))
    book.env.now += 12 * 3600 + 1
    book.modules["acc"].end_the_longest()
    assert len(books.records) == 1 and "duration=43201;" in books.records[0].getMessage()


def test_a_call_by_flag(books: Books) -> None:
    def arm(acc: Any, ctx: Ctx) -> None:
        for flag in ("1", "7"):
            ctx.flags |= acc.env.message_flags.bit(flag)
    book = answered(playbook(lambda acc, ctx: arm(acc, ctx) if ctx.msg.method == "INVITE" else None, log_flag=1, cdr_flag=7))
    assert not books.records
    hang_up(book)
    assert ENDED.fullmatch(books.records[0].getMessage())


def test_dropped_cdr(books: Books) -> None:
    def arm(acc: Any, ctx: Ctx) -> None:
        call(acc, ctx, "do_accounting", "log", "cdr")
        call(acc, ctx, "drop_accounting", "log", "cdr")
    answered(playbook(arm))
    assert books.short == [("transaction answered", "200")]
