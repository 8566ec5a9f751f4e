"""Decide what is accounted when a transaction comes to something, and write the lines. Compiled, unlike the module."""
from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

from osip.api import (M_ACK, M_CANCEL, M_INVITE, Ctx, DirectLog, Message, is_harmless, is_plain, joined, parse,
                      python_level, reason_phrase)

if TYPE_CHECKING:
    from osip.api import Env

ON_REPLY: Final = 1                                                     # what tm tells its watchers
ON_FINAL: Final = 2
ON_FAILURE: Final = 4
ON_CANCEL: Final = 8
REQUEST: Final = 1                                                      # the kind of the context of a transaction
LOG: Final = 1
DB: Final = 2
AAA: Final = 4
EVI: Final = 8
TYPES: Final = {"log": LOG, "db": DB, "aaa": AAA, "evi": EVI}
NO_AAA: Final = "there is no module for AAA yet"
CDR: Final = 1
MISSED: Final = 2
FAILED: Final = 4
FLAGS: Final = {"cdr": CDR, "missed": MISSED, "failed": FAILED}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def kinds_of(types: int) -> list[str]:
    """Return the names of types."""
    return [name for name, bit in TYPES.items() if types & bit]


def reason_of(reply: Any, status: int) -> str:
    """Return the reason phrase that went with a status: the peer's, unless tm put another status in its place."""
    if reply is not None and reply.status == status:
        reason: str = reply.reason
        if reason:
            return reason
    return reason_phrase(status)


class Record:
    """What every record says."""
    __slots__ = ("method", "from_tag", "to_tag", "callid", "sip_code", "sip_reason")

    def __init__(self, method: str, from_tag: str, to_tag: str, callid: str, sip_code: str, sip_reason: str) -> None:
        self.method, self.from_tag, self.to_tag, self.callid = method, from_tag, to_tag, callid
        self.sip_code, self.sip_reason = sip_code, sip_reason

    def fields(self) -> dict[str, str]:
        """Return the values by the names that events and columns have."""
        return {"method": self.method, "from_tag": self.from_tag, "to_tag": self.to_tag, "callid": self.callid,
                "sip_code": self.sip_code, "sip_reason": self.sip_reason}


class Account:
    """What is armed for one request: types, those that want missed calls or failures too, extra values, legs.

    It watches the transaction of the request.
    """
    __slots__ = ("clerk", "types", "missed", "failed", "cdr", "table", "values", "legs", "watched")

    def __init__(self, clerk: Clerk) -> None:
        self.clerk = clerk
        self.types = self.missed = self.failed = self.cdr = 0
        self.table = ""                 # of SQL records; "" as the module says
        self.values: dict[str, str] | None = None
        self.legs: list[dict[str, str]] | None = None
        self.watched = False

    @property
    def extra(self) -> dict[str, str]:
        """The values of extra fields by tag, made on first use."""
        if self.values is None:
            self.values = {}
        return self.values

    def __call__(self, tx: Any, what: int, status: int, subject: Any) -> None:
        self.clerk.happened(self, tx, what, status, subject)


class Clerk:
    """Arm requests and write what becomes of them; it takes over the parameters of the module in `begin`.

    `is_bare`: lines have no fields of their own, and nothing of the request says which side sent it. `by_flag` are
    (message flag, type), `missed_by_flag` those for missed calls.
    """
    __slots__ = ("env", "module", "account", "tm", "log", "level", "watched", "is_bare", "by_flag", "missed_by_flag",
                 "failed_flag", "cdr_flag", "detects_direction", "has_book", "second", "stamp", "watch")
    env: Env                # from `begin` on

    def __init__(self, account: Any) -> None:
        self.account = account                  # the slot of a message's Account
        self.module: Any = None
        self.tm: Any = None
        self.log = DirectLog(logging.getLogger("osip.acc"))
        self.level = self.watched = self.failed_flag = self.cdr_flag = 0
        self.second, self.stamp = -1, ""        # of the last line
        self.watch: Any = None                  # tm's
        self.is_bare = self.detects_direction = self.has_book = False
        self.by_flag: tuple[tuple[int, int], ...] = ()
        self.missed_by_flag: tuple[tuple[int, int], ...] = ()

    def begin(self, module: Any, flags: dict[str, int], is_bare: bool) -> None:
        """Take over the environment, the parameters of the module and the bits of its flags."""
        self.module, self.env, self.tm, self.watch = module, module.env, module.tm, module.tm.watch
        self.log.hold = self.env.hold
        self.level, self.log.facility = python_level(module.log_level), module.log_facility
        self.watched = (ON_FINAL | ON_FAILURE | (ON_REPLY if module.early_media else 0)
                        | (ON_CANCEL if module.report_cancels else 0))
        self.detects_direction = bool(module.detect_direction) and module.rr is not None
        self.is_bare, self.has_book = is_bare and not self.detects_direction, module.book is not None
        wanted = ("log", "evi", "db") if self.has_book else ("log", "evi")
        self.by_flag = tuple([(flags[f"{kind}_flag"], TYPES[kind]) for kind in wanted if flags[f"{kind}_flag"]])
        self.missed_by_flag = tuple([(flags[f"{kind}_missed_flag"], TYPES[kind]) for kind in wanted
                                     if flags[f"{kind}_missed_flag"]])
        self.failed_flag, self.cdr_flag = flags["failed_transaction_flag"], flags["cdr_flag"]

    # --- arming ------------------------------------------------------------------------------------------------------

    def do_accounting(self, ctx: Ctx, type: int, flags: int | None = None, table: str | None = None) -> int:
        """Account for this transaction; see the module's function."""
        if type & AAA:
            self.module.complain("accounting:", "do_accounting with aaa fails: %s", NO_AAA)
            return -1
        if type & DB and not self.has_book:
            self.module.complain("accounting:",
                                 'do_accounting with db needs a database: set modparam("acc", "db_url", ...)')
            return -1
        account = self.armed(ctx)
        account.types |= type
        if table:
            account.table = table
        if flags:
            if flags & CDR:
                account.cdr |= type
            if flags & MISSED:
                account.missed |= type
            if flags & FAILED:
                account.failed |= type
        return 1

    def found(self, ctx: Ctx) -> Account | None:
        """Return what is armed for a message, or in an onreply route for its transaction."""
        account: Account | None = ctx[self.account]
        if account is None and ctx.tx is not None:
            slots = getattr(ctx.tx, "slots", None)
            account = slots.get(self.account) if slots else None
        return account

    def armed(self, ctx: Ctx) -> Account:
        """Return what is armed for a message, made on first use, and see to it that tm tells of the transaction."""
        account = self.found(ctx)
        if account is None:
            account = Account(self)
            ctx[self.account] = account
        if not account.watched:
            account.watched = True
            self.watch(ctx, self.watched, account)
        return account

    def extra(self, ctx: Ctx, key: Any) -> Any:
        """Return a field of the record by its tag, None when it has no value."""
        account = self.found(ctx)
        return account.values.get(key) if account is not None and account.values else None

    def set_extra(self, ctx: Ctx, key: Any, value: Any) -> bool:
        """Set a field of the record by its tag; None takes its value away."""
        slots = ctx.slots
        account: Account | None = slots.get(self.account) if slots else None
        if account is None or not account.watched:
            account = self.armed(ctx)
        values = account.extra
        if value is None:
            values.pop(key, None)
        else:
            values[key] = str(value)
        return True

    def created(self, tx: Any, ctx: Ctx) -> None:
        """Watch a new transaction, for what flags may ask for."""
        method_id: int = ctx.msg.method_id
        if method_id not in (M_ACK, M_CANCEL):
            self.armed(ctx)

    # --- what tm tells -----------------------------------------------------------------------------------------------

    def happened(self, account: Account, tx: Any, what: int, status: int, subject: Any) -> None:
        """Account for what a transaction has come to."""
        # A CANCEL is told by the INVITE that it ends; its own transaction says nothing new.
        if tx.request is None or tx.method_id == M_CANCEL or (what == ON_REPLY and status != 183):
            return
        if what == ON_FAILURE:
            self._missed(tx, account, status, subject)
            return
        types = account.types | flagged(self.by_flag, tx) if self.by_flag else account.types
        if what == ON_CANCEL:
            ctx = self._ctx(tx, account, types)
            self._write(ctx, tx, types, "request cancelled", self.record(tx.request, None, "200", "canceling", ctx))
        else:
            self._answered(tx, account, types, status, subject.msg if isinstance(subject, Ctx) else subject)

    def _answered(self, tx: Any, account: Account, types: int, status: int, reply: Message | None) -> None:
        if status >= 300 and not (self.failed_flag and tx.flags & self.failed_flag):
            types &= account.failed
        if not types:
            return
        if reply is None and tx.last:
            reply = parse(tx.last)
        ctx = self._ctx(tx, account, types)
        record = self.record(tx.request, reply, str(status), reason_of(reply, status), ctx)
        if 200 <= status < 300 and tx.method_id == M_INVITE and (account.cdr or self.cdr_flag):
            kinds = types if tx.flags & self.cdr_flag else types & account.cdr
            if kinds and not tx.request.to_tag and record.to_tag:
                if ctx is None:
                    ctx = self._made(tx, account)
                if self.module.begin_call(tx, ctx, account, kinds, record):
                    types &= ~kinds
        self._write(ctx, tx, types, "transaction answered" if status < 300 else "transaction failed", record)

    def _missed(self, tx: Any, account: Account, status: int, reply: Message | None) -> None:
        types = account.missed | flagged(self.missed_by_flag, tx)
        if not types or tx.method_id != M_INVITE:
            return
        account.missed = 0              # once; a failure route may arm it again for the next target
        ctx = self._ctx(tx, account, types)
        record = self.record(tx.request, reply, str(status), reason_of(reply, status), ctx)
        self._write(ctx, tx, types, "call missed", record, True)

    def _ctx(self, tx: Any, account: Account, types: int) -> Ctx | None:
        """Return the context of the request; None where nothing asks for it."""
        return None if self.is_bare and types | LOG == LOG else self._made(tx, account)

    def _made(self, tx: Any, account: Account) -> Ctx:
        ctx: Ctx = tx.make_ctx(REQUEST)
        ctx[self.account] = account     # the transaction has it only once the script relayed
        return ctx

    # --- records -----------------------------------------------------------------------------------------------------

    def record(self, request: Any, reply: Any, code: str, reason: str, ctx: Ctx | None) -> Record:
        """Return what every record of a request says."""
        from_tag: str = request.from_tag
        to_tag: str = reply.to_tag if reply is not None else request.to_tag
        if self.detects_direction and ctx is not None and self.module.rr.is_direction(ctx, "upstream"):
            from_tag, to_tag = to_tag, from_tag
        return Record(request.method, from_tag, to_tag, request.call_id, code, reason)

    def _write(self, ctx: Ctx | None, tx: Any, types: int, what: str, record: Record, missed: bool = False) -> None:
        if types & LOG:
            extra = self.module.extra_of(ctx, "log") if ctx is not None else None
            self.write_line(what, record, "", extra, tx.request)
        if types & ~LOG:
            self.module.write_others(ctx, tx, types, record, missed)

    def write_line(self, what: str, record: Record, times: str, extra: dict[str, str] | None, request: Any) -> None:
        """Write a line, if such are wanted; `times` are more fields of it (`name=value;`)."""
        if not self.log.is_enabled(self.level):
            return
        now = int(self.env.wall())
        if now != self.second:
            self.second, self.stamp = now, str(now)
        parts = ["ACC: ", what, ": timestamp=", self.stamp, ";", times, "method=", record.method, ";from_tag=",
                 record.from_tag, ";to_tag=", record.to_tag, ";call_id=", record.callid, ";code=", record.sip_code,
                 ";reason=", record.sip_reason]
        if extra:
            for name, value in extra.items():
                parts += [";", name, "=", value]
        line: str = joined(parts)
        harmless: bool = is_harmless(line)
        if not harmless and not is_plain(line):
            line = _CONTROL.sub(" ", line)              # a value from the network starts no line of its own
        self.log.write(self.level, line, "write_line", request, harmless)


def flagged(kinds: tuple[tuple[int, int], ...], tx: Any) -> int:
    """Return the types that flags of a transaction's request ask for."""
    types = 0
    for flag, kind in kinds:
        if tx.flags & flag:
            types |= kind
    return types
