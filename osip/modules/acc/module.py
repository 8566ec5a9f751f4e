"""Account for transactions: log lines, events and rows when a call is answered, missed, fails or ends.

What is to be accounted is armed in the script (`do_accounting`) or by flags (1.x); tm says when it happened.
Records to AAA need a module that is not there yet: arming them fails. The file is long for the parameters, of which two
generations of scripts have their own.
"""
from __future__ import annotations

import logging
import re
from functools import partial
from typing import Annotated, Any

from osip.api import (
    M_ACK,
    M_BYE,
    M_CANCEL,
    M_INVITE,
    Complaint,
    Ctx,
    Env,
    Hook,
    Message,
    Module,
    Parse,
    Value,
    event,
    flag_parser,
    function,
    gauge,
    hook,
    needs,
    param,
    parse,
    pvar,
    python_level,
    slot,
    table,
    timer,
)
from osip.modules.acc.book import Book
from osip.modules.acc.call import Call, Calls
from osip.modules.acc.field import (
    comment_of,
    expanded,
    legs_of,
    old_pairs,
    pairs,
    reason_of,
)

ROUTES = "QFBL"
ON_REPLY, ON_FINAL, ON_FAILURE, ON_CANCEL, ON_ACK = 1, 2, 4, 8, 16       # what tm tells its watchers

TYPES = ("log", "db", "aaa", "evi")
NOTHING: frozenset[str] = frozenset()
FLAGS = ("cdr", "missed", "failed")
Types = Annotated[frozenset, Parse(lambda text: _words(text, TYPES))]
Flags = Annotated[frozenset, Parse(lambda text: _words(text, FLAGS))]

_log = logging.getLogger("osip.acc")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _words(text: str, known: tuple[str, ...]) -> frozenset[str]:
    return flag_parser(known)(text.replace("|", ","))


class Account:
    """What is armed for one request: types, those that want missed calls or failures too, extra values, legs."""
    __slots__ = ("cdr", "extra", "failed", "legs", "missed", "table", "types", "watched")

    def __init__(self) -> None:
        self.types = self.missed = self.failed = self.cdr = NOTHING
        self.table = ""                 # of SQL records; "" as the module says
        self.extra: dict[str, str] = {}
        self.legs: list[dict[str, str]] = []
        self.watched = False


def _flag_param(doc: str) -> Any:
    return param(None, kind=(str, int), doc=doc + " (1.x: a message flag.)")


class Acc(Module):
    """Accounting."""
    early_media = param(0, doc="Account a 183 as well.")
    report_cancels = param(0, doc="Account CANCELs as well.")
    detect_direction = param(0, doc="Swap From and To of requests that the callee sent.")
    log_level = param(2, ge=-3, le=4, doc="Level of the log lines.")
    log_facility = param("LOG_DAEMON", doc="Syslog facility; the server's log is used.")
    aaa_url = param("", aliases=("radius_config",), doc="AAA server; AAA records are not there yet.")
    service_type = param(0, doc="AAA service type.")
    extra_fields = param((), kind=str, multiple=True, doc='Fields of records: "log: tag->name; tag2".')
    leg_fields = param((), kind=str, multiple=True, doc='Fields of each leg: "log: tag->name".')
    db_url = param("", doc="Database of the records; without it, none are written to SQL.")
    db_table_acc = param("acc", doc="Table of answered transactions.")
    db_table_missed_calls = param("missed_calls", doc="Table of missed calls.")
    db_table_avp = param("", doc="AVP that names the table of a record, $avp(x).")
    acc_method_column = param("method", doc="Column name.")
    acc_from_tag_column = param("from_tag", doc="Column name.")
    acc_to_tag_column = param("to_tag", doc="Column name.")
    acc_callid_column = param("callid", doc="Column name.")
    acc_sip_code_column = param("sip_code", doc="Column name.")
    acc_sip_reason_column = param("sip_reason", doc="Column name.")
    acc_time_column = param("time", doc="Column name.")
    log_flag = _flag_param("Account to the log.")
    log_missed_flag = _flag_param("Account missed calls to the log.")
    evi_flag = _flag_param("Account by events.")
    evi_missed_flag = _flag_param("Account missed calls by events.")
    db_flag = _flag_param("Account to SQL.")
    db_missed_flag = _flag_param("Account missed calls to SQL.")
    aaa_flag = param(None, kind=(str, int), aliases=("radius_flag",), doc="Account to AAA; not there yet.")
    aaa_missed_flag = param(None, kind=(str, int), aliases=("radius_missed_flag",), doc="Not there yet.")
    cdr_flag = _flag_param("One record for each call, when it ends.")
    failed_transaction_flag = _flag_param("Account failures as well.")
    log_extra = param("", doc='1.x: extra fields of log lines, "name=$var;...".')
    evi_extra = param("", doc='1.x: extra fields of events, "name=$var;...".')
    db_extra = param("", doc="1.x: extra columns.")
    aaa_extra = param("", aliases=("radius_extra",), doc="1.x: extra AAA attributes.")
    multi_leg_info = param("", doc="1.x: fields of each leg.")
    multi_leg_bye_info = param("", doc="1.x: fields of each leg for BYE.")

    acc_event = event("E_ACC_EVENT", "An answered transaction.", method=str, from_tag=str, to_tag=str, callid=str,
                      sip_code=str, sip_reason=str, time=int)
    missed_event = event("E_ACC_MISSED_EVENT", "A missed call.", method=str, from_tag=str, to_tag=str, callid=str,
                         sip_code=str, sip_reason=str, time=int, setuptime=int, created=int)
    cdr_event = event("E_ACC_CDR", "A call ended.", method=str, from_tag=str, to_tag=str, callid=str, sip_code=str,
                      sip_reason=str, time=int, duration=int, ms_duration=int, setuptime=int, created=int)
    acc_table = table("acc", 7, "method char(16)='', from_tag char(64)='', to_tag char(64)='', callid char(64)='', "
                      "sip_code char(3)='', sip_reason char(32)='', time dt, duration i32u=0, ms_duration i32u=0, "
                      "setuptime i32u=0, created dt?")
    missed_table = table("missed_calls", 5, "method char(16)='', from_tag char(64)='', to_tag char(64)='', "
                         "callid char(64)='', sip_code char(3)='', sip_reason char(32)='', time dt, setuptime i32u=0, "
                         "created dt?")
    account = slot(Account)
    tm = needs("tm")
    rr = needs("rr", when="detect_direction", optional=True)

    def mod_init(self) -> None:
        """Read the names of fields, and make ready what records go into."""
        self._fields = {kind: pairs(self.extra_fields, kind) for kind in TYPES}
        self._leg_fields = {kind: pairs(self.leg_fields, kind) for kind in TYPES}
        self._old_extra = {kind: old_pairs(getattr(self, f"{kind}_extra")) for kind in TYPES}
        self._old_legs = old_pairs(self.multi_leg_info), old_pairs(self.multi_leg_bye_info or self.multi_leg_info)
        bit = self.env.message_flags.bit
        self._bits = {name: bit(str(getattr(self, name))) if getattr(self, name) not in (None, -1) else 0
                      for name in (*(f"{kind}{flag}" for kind in ("log", "evi", "db") for flag in ("_flag", "_missed_flag")),
                                   "cdr_flag", "failed_transaction_flag")}
        self._flag_kinds = {ending: tuple((kind, found) for kind in ("log", "evi", "db") if (found := self._bits[kind + ending]))
                          for ending in ("_flag", "_missed_flag")}
        self._is_bare = {kind: not (self._fields[kind] or self._leg_fields[kind] or self._old_extra[kind] or any(self._old_legs))
                         for kind in TYPES}             # records of these kinds have no fields of their own
        self._watched = (ON_FINAL | ON_FAILURE | (ON_REPLY if self.early_media else 0)
                         | (ON_CANCEL if self.report_cancels else 0))
        if any(self._bits.values()):
            self.tm.on_created.append(self._created)
        self._complain = Complaint(_log, clock=lambda: self.env.now)
        self.calls = Calls()
        self.book: Book | None = None
        if self.db_url:
            self.book = Book(self.env, self.db_url, {name: getattr(self, f"acc_{name}_column") for name in (
                "method", "from_tag", "to_tag", "callid", "sip_code", "sip_reason", "time")})
        elif self._bits["db_flag"] or self._bits["db_missed_flag"]:
            _log.error("db_flag and db_missed_flag have no effect without db_url: set modparam(\"acc\", \"db_url\", ...)")

    async def child_init(self, env: Env) -> None:
        """Look whether the tables are there."""
        if self.book is not None:
            await self.book.open({self.db_table_acc: self.acc_table, self.db_table_missed_calls: self.missed_table})

    async def destroy(self) -> None:
        """Write what is left."""
        if self.book is not None:
            await self.book.close()

    @gauge()
    def calls_armed(self) -> int:
        """Calls that will have a record when they end."""
        return len(self.calls)

    @gauge()
    def records_lost(self) -> int:
        """Records that could not be written to SQL, and calls too many to be remembered."""
        return self.calls.lost + (self.book.lost if self.book is not None else 0)

    # --- arming ------------------------------------------------------------------------------------------------------

    @function(ROUTES)
    def do_accounting(self, ctx: Ctx, type: Types, flags: Flags | None = None, table: str | None = None) -> int:
        """Account for this transaction: types log, db, aaa, evi; flags cdr, missed, failed. Adds to what is armed.

        With cdr there is one record for the call when it ends; `table` is that of SQL records.
        """
        if "aaa" in type:
            self._complain("accounting", "do_accounting: aaa is not available yet; log, db and evi are")
            return -1
        if "db" in type and self.book is None:
            self._complain("accounting", 'do_accounting: db needs a database: set modparam("acc", "db_url", ...)')
            return -1
        account = self._armed(ctx)
        account.types |= type
        if table:
            account.table = table
        for flag in flags or ():
            setattr(account, flag, getattr(account, flag) | type)
        return 1

    @function(ROUTES)
    def drop_accounting(self, ctx: Ctx, type: Types | None = None, flags: Flags | None = None) -> int:
        """Disarm everything, a type, or only some flags of a type."""
        account = self._account(ctx)
        if account is None:
            return -1
        gone = set(type or TYPES)
        if flags is None or "missed" in flags:
            account.missed -= gone
        if flags is None or "failed" in flags:
            account.failed -= gone
        if flags is None or "cdr" in flags:
            account.cdr -= gone
        if flags is None:
            account.types -= gone
        return 1

    @function(ROUTES)
    def acc_new_leg(self, ctx: Ctx) -> int:
        """Start a new leg for `$acc_leg`."""
        self._armed(ctx).legs.append({})
        return 1

    def _account(self, ctx: Ctx) -> Account | None:
        """Return what is armed for a message, or in an onreply route for its transaction."""
        account: Account | None = ctx[self.account]
        if account is None and ctx.tx is not None:
            slots = getattr(ctx.tx, "slots", None)
            account = slots.get(self.account) if slots else None
        return account

    def _armed(self, ctx: Ctx) -> Account:
        account = self._account(ctx)
        if account is None:
            account = ctx[self.account] = Account()
        if not account.watched:
            account.watched = True
            self.tm.watch(ctx, self._watched, partial(self._happened, account))
        return account

    def _created(self, tx: Any, ctx: Ctx) -> None:
        if ctx.msg.method_id not in (M_ACK, M_CANCEL):
            self._armed(ctx)

    # --- writing from the script -------------------------------------------------------------------------------------

    @function(ROUTES)
    def acc_log_request(self, ctx: Ctx, comment: str) -> int:
        """Write a log record now; the comment is "code reason" or free text."""
        self._write_log("request accounted", self._record(ctx.msg, None, *comment_of(comment), ctx), self._extra(ctx, "log"))
        return 1

    @function(ROUTES)
    def acc_evi_request(self, ctx: Ctx, comment: str) -> int:
        """Raise E_ACC_EVENT, or E_ACC_MISSED_EVENT for a code of 300 and above."""
        code, reason = comment_of(comment)
        self._raise(ctx, int(code or 0) >= 300, self._record(ctx.msg, None, code, reason, ctx), self._times(None))
        return 1

    @function(ROUTES)
    def acc_db_request(self, ctx: Ctx, comment: str, table: str) -> int:
        """Write a row into a table now; the comment is "code reason" or free text."""
        if self.book is None:
            self._complain("accounting", 'acc_db_request needs a database: set modparam("acc", "db_url", ...)')
            return -1
        record = self._record(ctx.msg, None, *comment_of(comment), ctx)
        return 1 if self.book.put(table, record, self._extra(ctx, "db", False), self._legs(ctx, "db")) else -1

    @function(ROUTES, aliases=("acc_rad_request", "acc_diam_request"))
    def acc_aaa_request(self, ctx: Ctx, comment: str) -> int:
        """Write an AAA record; not available yet."""
        self._complain("accounting", "acc_aaa_request is not available yet")
        return -1

    # --- what tm tells -----------------------------------------------------------------------------------------------

    def _happened(self, account: Account, tx: Any, what: int, status: int, subject: Any) -> None:
        # A CANCEL is told by the INVITE that it ends; its own transaction says nothing new.
        if tx.request is None or tx.method_id == M_CANCEL or (what == ON_REPLY and status != 183):
            return
        ctx = tx.make_ctx(1)
        ctx[self.account] = account     # the transaction has it only once the script relayed
        if what == ON_CANCEL:
            self._write(ctx, tx, account.types | self._by_flag(tx, "_flag"), "request cancelled",
                        self._record(tx.request, None, "200", "canceling", ctx))
        elif what == ON_FAILURE:
            self._missed(tx, ctx, account, status, subject)
        else:
            self._answered(tx, ctx, account, status, subject.msg if isinstance(subject, Ctx) else subject)

    def _answered(self, tx: Any, ctx: Ctx, account: Account, status: int, reply: Message | None) -> None:
        types = account.types | self._by_flag(tx, "_flag")
        if status >= 300:
            types &= account.failed if not tx.flags & self._bits["failed_transaction_flag"] else types
        if not types:
            return
        if reply is None and tx.last:
            reply = parse(tx.last)
        record = self._record(tx.request, reply, str(status), reason_of(reply, status), ctx)
        if 200 <= status < 300 and tx.request.method_id == M_INVITE:
            types -= self._begin(tx, ctx, account, types, record)
        self._write(ctx, tx, types, "transaction answered" if status < 300 else "transaction failed", record)

    def _missed(self, tx: Any, ctx: Ctx, account: Account, status: int, reply: Message | None) -> None:
        types = account.missed | self._by_flag(tx, "_missed_flag")
        if not types or tx.request.method_id != M_INVITE:
            return
        account.missed = NOTHING        # once; a failure route may arm it again for the next target
        record = self._record(tx.request, reply, str(status), reason_of(reply, status), ctx)
        self._write(ctx, tx, types, "call missed", record, True)

    def _by_flag(self, tx: Any, ending: str) -> frozenset[str]:
        kinds = self._flag_kinds[ending]
        return frozenset(kind for kind, bit in kinds if tx.flags & bit
                         and (kind != "db" or self.book is not None)) if kinds else NOTHING

    # --- calls -------------------------------------------------------------------------------------------------------

    def _begin(self, tx: Any, ctx: Ctx, account: Account, types: frozenset[str], record: dict[str, str]) -> frozenset[str]:
        """Remember a call that was answered; return the types whose record it will have when it ends."""
        kinds = types if tx.flags & self._bits["cdr_flag"] else types & account.cdr
        if not kinds or tx.request.to_tag or not record["to_tag"]:
            return NOTHING
        one = Call(account, kinds, record, {kind: self._extra(ctx, kind, kind != "db") for kind in kinds})
        one.answered, one.started = self.env.now, self.env.wall()
        one.setup = max(0.0, self.env.now - tx.born)
        one.created = one.started - one.setup
        is_taken = self.calls.begin((record["callid"], record["from_tag"], record["to_tag"]), one)
        return kinds if is_taken else NOTHING

    @hook(Hook.REQUEST)
    def on_request(self, ctx: Ctx) -> None:
        """Look whether a BYE ends a call that is to have a record."""
        if ctx.msg.method_id == M_BYE and self.calls:
            found = self.calls.end(ctx.msg.call_id, ctx.msg.from_tag, ctx.msg.to_tag)
            if found is not None:
                self._ended(ctx, found)

    @timer(60)
    def end_the_longest(self) -> None:
        """Close the records of calls that nobody ended for half a day."""
        for one in self.calls.expired(self.env.now):
            self._ended(None, one)

    def _ended(self, ctx: Ctx | None, one: Call) -> None:
        times = one.times(self.env.now)
        account = one.account
        for kind in one.types:
            extra = {**one.extra[kind], **{name: account.extra[tag] for tag, name in self._fields[kind] if tag in account.extra}}
            if kind == "log":
                self._write_log("call ended", one.record, extra, {
                    "created": times["created"], "call_start_time": int(one.started), "duration": times["duration"],
                    "ms_duration": times["ms_duration"], "setuptime": times["setuptime"]})
            elif kind == "evi":
                self.cdr_event(**one.record, time=int(one.started), **times, **extra)
            elif self.book is not None:
                legs = [{name: leg.get(tag, "") for tag, name in self._leg_fields["db"]} for leg in account.legs] \
                    if self._leg_fields["db"] else []
                self.book.put(account.table or self.db_table_acc, one.record, {**times, **extra}, legs)

    # --- records -----------------------------------------------------------------------------------------------------

    def _record(self, request: Message, reply: Message | None, code: str, reason: str, ctx: Ctx) -> dict[str, str]:
        from_tag, to_tag = request.from_tag, reply.to_tag if reply is not None else request.to_tag
        if self.detect_direction and self.rr is not None and self.rr.is_direction(ctx, "upstream"):
            from_tag, to_tag = to_tag, from_tag
        return {"method": request.method, "from_tag": from_tag, "to_tag": to_tag, "callid": request.call_id,
                "sip_code": code, "sip_reason": reason}

    def _times(self, tx: Any) -> dict[str, int]:
        passed = max(0.0, self.env.now - tx.born) if tx is not None else 0.0
        return {"setuptime": int(passed), "created": int(self.env.wall() - passed)}

    def _write(self, ctx: Ctx, tx: Any, types: frozenset[str], what: str, record: dict[str, str],
               missed: bool = False) -> None:
        if "log" in types:
            self._write_log(what, record, self._extra(ctx, "log"))
        if "evi" in types:
            self._raise(ctx, missed, record, self._times(tx))
        if "db" in types and self.book is not None:
            times = self._times(tx)
            self.book.put(self._table(ctx, missed), record, {**times, **self._extra(ctx, "db", False)}, self._legs(ctx, "db"))

    def _table(self, ctx: Ctx, missed: bool) -> str:
        account = self._account(ctx)
        if self.db_table_avp and self.env.program is not None:
            named = self.env.program.expand(ctx, self.db_table_avp)
            if named not in ("", "<null>"):
                return named
        return self.db_table_missed_calls if missed else account.table if account and account.table else self.db_table_acc

    def _write_log(self, what: str, record: dict[str, str], extra: dict[str, str], times: dict[str, int] | None = None) -> None:
        level = python_level(self.log_level)
        if not _log.isEnabledFor(level):
            return
        more = "".join([f"{name}={value};" for name, value in times.items()]) if times else ""
        line = (f"timestamp={int(self.env.wall())};{more}method={record['method']};from_tag={record['from_tag']};"
                f"to_tag={record['to_tag']};call_id={record['callid']};code={record['sip_code']};reason={record['sip_reason']}")
        for name, value in extra.items():
            line += f";{name}={value}"
        if not line.isprintable():
            line = _CONTROL.sub(" ", line)              # a value from the network starts no line of its own
        _log.log(level, "ACC: %s: %s", what, line)

    def _raise(self, ctx: Ctx, missed: bool, record: dict[str, str], times: dict[str, int]) -> None:
        values: dict[str, Any] = {**record, "time": int(self.env.wall()), **self._extra(ctx, "evi")}
        if missed:
            self.missed_event(**values, **times)
        else:
            self.acc_event(**values)

    def _extra(self, ctx: Ctx, kind: str, with_legs: bool = True) -> dict[str, str]:
        if self._is_bare[kind]:
            return {}
        account = self._account(ctx)
        out: dict[str, str] = {}
        for tag, name in self._fields[kind]:
            out[name] = account.extra.get(tag, "") if account is not None else ""
        out |= expanded(self.env, ctx, self._old_extra[kind])
        for number, leg in enumerate(self._legs(ctx, kind) if with_legs else ()):
            for name, value in leg.items():
                out[f"{name}_{number}" if number else name] = value
        return out

    def _legs(self, ctx: Ctx, kind: str) -> list[dict[str, str]]:
        """Return the fields of each leg, by the names that they have in records of a kind."""
        if self._is_bare[kind]:
            return []
        account = self._account(ctx)
        legs = [{name: leg.get(tag, "") for tag, name in self._leg_fields[kind]}
                for leg in (account.legs if account is not None else ())] if self._leg_fields[kind] else []
        return legs or legs_of(self.env, ctx, self._old_legs[ctx.msg.method_id == M_BYE])

    # --- variables ---------------------------------------------------------------------------------------------------

    @pvar("acc_extra", key="required")
    def acc_extra(self, ctx: Ctx, key: str) -> Value:
        """A field of the record, by its tag."""
        account = self._account(ctx)
        return account.extra.get(key) if account is not None else None

    @acc_extra.setter
    def set_acc_extra(self, ctx: Ctx, key: str, value: Value) -> bool:
        slots = ctx.slots
        account = slots.get(self.account) if slots else None
        extra = account.extra if account is not None and account.watched else self._armed(ctx).extra
        if value is None:
            extra.pop(key, None)
        else:
            extra[key] = str(value)
        return True

    @pvar("acc_leg", key="required", index=True)
    def acc_leg(self, ctx: Ctx, key: str, index: int | str | None) -> Value:
        """A field of a leg (the last one without index), by its tag."""
        leg = self._leg(ctx, index)
        return leg.get(key) if leg is not None else None

    @acc_leg.setter
    def set_acc_leg(self, ctx: Ctx, key: str, index: int | str | None, value: Value) -> bool:
        if not self._armed(ctx).legs:
            self._armed(ctx).legs.append({})
        leg = self._leg(ctx, index)
        if leg is None:
            return False
        leg[key] = "" if value is None else str(value)
        return True

    def _leg(self, ctx: Ctx, index: int | str | None) -> dict[str, str] | None:
        account = self._account(ctx)
        at = index if isinstance(index, int) else -1
        if account is None or not -len(account.legs) <= at < len(account.legs):
            return None
        return account.legs[at]

    @pvar("acc_current_leg", type="is")
    def acc_current_leg(self, ctx: Ctx) -> Value:
        """The number of the present leg, from 0."""
        account = self._account(ctx)
        return len(account.legs) - 1 if account is not None and account.legs else None
