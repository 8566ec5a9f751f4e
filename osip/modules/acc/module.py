"""Account for transactions: log lines, events and rows when a call is answered, missed, fails or ends.

What is to be accounted is armed in the script (`do_accounting`) or by flags (1.x); tm says when it happened, and
clerk.py decides what then is written. Records to AAA and the calls of dialogs need modules that are not there yet:
their words are known, fail, and say why.
"""
from __future__ import annotations

import logging
from typing import Annotated, Any

from osip.api import (
    LOG_FACILITIES,
    M_BYE,
    Complaint,
    Ctx,
    Env,
    Hook,
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
    pvar,
    slot,
    table,
    timer,
)
from osip.modules.acc.book import Book
from osip.modules.acc.call import Call, Calls
from osip.modules.acc.clerk import DB, EVI, FLAGS, NO_AAA, TYPES, Account, Clerk, Record, kinds_of
from osip.modules.acc.field import (
    comment_of,
    expanded,
    legs_of,
    old_pairs,
    pairs,
)

ROUTES = "QFBL"
NO_DIALOG = "there is no module dialog yet"
Types = Annotated[Any, Parse(lambda text: _bits(text, TYPES))]
Flags = Annotated[Any, Parse(lambda text: _bits(text, FLAGS))]

_log = logging.getLogger("osip.acc")


def _bits(text: str, known: dict[str, int]) -> int:
    return sum(known[word] for word in flag_parser(tuple(known))(text.replace("|", ",")))


def _flag_param(doc: str) -> Any:
    return param(None, kind=(str, int), doc=doc + " (1.x: a message flag.)")


class Acc(Module):
    """Accounting."""
    early_media = param(0, doc="Account a 183 as well.")
    report_cancels = param(0, doc="Account CANCELs as well.")
    detect_direction = param(0, doc="Swap From and To of requests that the callee sent.")
    log_level = param(2, ge=-3, le=4, doc="Level of the log lines.")
    log_facility = param("LOG_DAEMON", choices=LOG_FACILITIES, doc="Facility of the log lines in syslog.")
    aaa_url = param("", aliases=("radius_config",), removed=NO_AAA, doc="AAA server.")
    service_type = param(0, removed=NO_AAA, doc="AAA service type.")
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
    aaa_flag = param(None, kind=(str, int), aliases=("radius_flag",), removed=NO_AAA, doc="Account to AAA.")
    aaa_missed_flag = param(None, kind=(str, int), aliases=("radius_missed_flag",), removed=NO_AAA,
                            doc="Account missed calls to AAA.")
    cdr_flag = _flag_param("One record for each call, when it ends.")
    failed_transaction_flag = _flag_param("Account failures as well.")
    log_extra = param("", doc='1.x: extra fields of log lines, "name=$var;...".')
    evi_extra = param("", doc='1.x: extra fields of events, "name=$var;...".')
    db_extra = param("", doc="1.x: extra columns.")
    aaa_extra = param("", aliases=("radius_extra",), removed=NO_AAA, doc="1.x: extra AAA attributes.")
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

    def __init__(self) -> None:
        self.clerk = Clerk(self.account)
        super().__init__()
        # Scripts call what is compiled without a step in between.
        self.do_accounting = self.clerk.do_accounting
        self.acc_extra, self.set_acc_extra = self.clerk.extra, self.clerk.set_extra

    def mod_init(self) -> None:
        """Read the names of fields, and make ready what records go into."""
        self._fields = {kind: pairs(self.extra_fields, kind) for kind in TYPES}
        self._leg_fields = {kind: pairs(self.leg_fields, kind) for kind in TYPES}
        self._old_extra = {kind: old_pairs(getattr(self, f"{kind}_extra")) for kind in TYPES}
        self._old_legs = old_pairs(self.multi_leg_info), old_pairs(self.multi_leg_bye_info or self.multi_leg_info)
        bit = self.env.message_flags.bit
        flags = {name: bit(str(getattr(self, name))) if getattr(self, name) not in (None, -1) else 0
                 for name in ("log_flag", "log_missed_flag", "evi_flag", "evi_missed_flag", "db_flag",
                              "db_missed_flag", "cdr_flag", "failed_transaction_flag")}
        # Records of these kinds have no fields of their own.
        self._is_bare = {kind: not (self._fields[kind] or self._leg_fields[kind] or self._old_extra[kind]
                                    or any(self._old_legs)) for kind in TYPES}
        if any(flags.values()):
            self.tm.on_created.append(self.clerk.created)
        self.complain = Complaint(_log, clock=lambda: self.env.now)
        self.calls = Calls()
        self.book: Book | None = None
        if self.db_url:
            self.book = Book(self.env, self.db_url, {name: getattr(self, f"acc_{name}_column") for name in (
                "method", "from_tag", "to_tag", "callid", "sip_code", "sip_reason", "time")})
        elif flags["db_flag"] or flags["db_missed_flag"]:
            _log.error("db_flag and db_missed_flag have no effect without db_url: "
                       'set modparam("acc", "db_url", ...)')
        self.clerk.begin(self, flags, self._is_bare["log"])

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
        return self.clerk.do_accounting(ctx, type, flags, table)

    @function(ROUTES)
    def drop_accounting(self, ctx: Ctx, type: Types | None = None, flags: Flags | None = None) -> int:
        """Disarm everything, a type, or only some flags of a type."""
        account = self.clerk.found(ctx)
        if account is None:
            return -1
        kept = ~(type or sum(TYPES.values()))
        if flags is None or flags & FLAGS["missed"]:
            account.missed &= kept
        if flags is None or flags & FLAGS["failed"]:
            account.failed &= kept
        if flags is None or flags & FLAGS["cdr"]:
            account.cdr &= kept
        if flags is None:
            account.types &= kept
        return 1

    @function(ROUTES)
    def acc_new_leg(self, ctx: Ctx) -> int:
        """Start a new leg for `$acc_leg`."""
        self._legs_made(ctx).append({})
        return 1

    def _legs_made(self, ctx: Ctx) -> list[dict[str, str]]:
        account = self.clerk.armed(ctx)
        if account.legs is None:
            account.legs = []
        return account.legs

    # --- writing from the script -------------------------------------------------------------------------------------

    @function(ROUTES)
    def acc_log_request(self, ctx: Ctx, comment: str) -> int:
        """Write a log record now; the comment is "code reason" or free text."""
        record = self.clerk.record(ctx.msg, None, *comment_of(comment), ctx)
        self.clerk.write_line("request accounted", record, "", self.extra_of(ctx, "log"), ctx.msg)
        return 1

    @function(ROUTES)
    def acc_evi_request(self, ctx: Ctx, comment: str) -> int:
        """Raise E_ACC_EVENT, or E_ACC_MISSED_EVENT for a code of 300 and above."""
        code, reason = comment_of(comment)
        self._raise(ctx, int(code or 0) >= 300, self.clerk.record(ctx.msg, None, code, reason, ctx), self._times(None))
        return 1

    @function(ROUTES)
    def acc_db_request(self, ctx: Ctx, comment: str, table: str) -> int:
        """Write a row into a table now; the comment is "code reason" or free text."""
        if self.book is None:
            self.complain("accounting:", 'acc_db_request needs a database: set modparam("acc", "db_url", ...)')
            return -1
        record = self.clerk.record(ctx.msg, None, *comment_of(comment), ctx).fields()
        return 1 if self.book.put(table, record, self.extra_of(ctx, "db", False), self._legs(ctx, "db")) else -1

    @function(ROUTES, aliases=("acc_rad_request", "acc_diam_request"))
    def acc_aaa_request(self, ctx: Ctx, comment: str) -> int:
        """Write an AAA record; -1, as there is no module for AAA yet."""
        return self._fail("acc_aaa_request", NO_AAA)

    @function("*")
    def acc_load_ctx_from_dlg(self, ctx: Ctx) -> int:
        """Use the accounting of the dialog that was loaded; -1, as there is no module dialog yet."""
        return self._fail("acc_load_ctx_from_dlg", NO_DIALOG)

    @function("*")
    def acc_unload_ctx_from_dlg(self, ctx: Ctx) -> int:
        """Return to the accounting of before; -1, as there is no module dialog yet."""
        return self._fail("acc_unload_ctx_from_dlg", NO_DIALOG)

    def _fail(self, word: str, reason: str) -> int:
        self.complain("accounting:", "%s fails: %s", word, reason)
        return -1

    # --- calls -------------------------------------------------------------------------------------------------------

    def begin_call(self, tx: Any, ctx: Ctx, account: Account, types: int, record: Record) -> bool:
        """Remember a call that was answered, whose record of these types comes when it ends; False when it cannot."""
        one = Call(account, types, record, {kind: self.extra_of(ctx, kind, kind != "db") for kind in kinds_of(types)})
        one.answered, one.started = self.env.now, self.env.wall()
        one.setup = max(0.0, self.env.now - tx.born)
        one.created = one.started - one.setup
        return self.calls.begin((record.callid, record.from_tag, record.to_tag), one)

    @hook(Hook.REQUEST, methods=(M_BYE,))
    def on_request(self, ctx: Ctx) -> None:
        """Look whether a BYE ends a call that is to have a record."""
        if self.calls:
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
        for kind in kinds_of(one.types):
            values = account.values or {}
            extra = {**one.extra[kind], **{name: values[tag] for tag, name in self._fields[kind] if tag in values}}
            if kind == "log":
                self.clerk.write_line("call ended", one.record, (
                    f"created={times['created']};call_start_time={int(one.started)};duration={times['duration']};"
                    f"ms_duration={times['ms_duration']};setuptime={times['setuptime']};"), extra,
                    ctx.msg if ctx is not None else None)
            elif kind == "evi":
                self.cdr_event(**one.record.fields(), time=int(one.started), **times, **extra)
            elif self.book is not None:
                wanted = self._leg_fields["db"]
                given = (account.legs or ()) if wanted else ()
                legs = [{name: leg.get(tag, "") for tag, name in wanted} for leg in given]
                self.book.put(account.table or self.db_table_acc, one.record.fields(), {**times, **extra}, legs)

    # --- records -----------------------------------------------------------------------------------------------------

    def _times(self, tx: Any) -> dict[str, int]:
        passed = max(0.0, self.env.now - tx.born) if tx is not None else 0.0
        return {"setuptime": int(passed), "created": int(self.env.wall() - passed)}

    def write_others(self, ctx: Ctx, tx: Any, types: int, record: Record, missed: bool) -> None:
        """Write the records of a transaction that are no lines: events and rows."""
        if types & EVI:
            self._raise(ctx, missed, record, self._times(tx))
        if types & DB and self.book is not None:
            more = {**self._times(tx), **self.extra_of(ctx, "db", False)}
            self.book.put(self._table(ctx, missed), record.fields(), more, self._legs(ctx, "db"))

    def _table(self, ctx: Ctx, missed: bool) -> str:
        account = self.clerk.found(ctx)
        if self.db_table_avp and self.env.program is not None:
            named = self.env.program.expand(ctx, self.db_table_avp)
            if named not in ("", "<null>"):
                return named
        if missed:
            return self.db_table_missed_calls
        return account.table if account and account.table else self.db_table_acc

    def _raise(self, ctx: Ctx, missed: bool, record: Record, times: dict[str, int]) -> None:
        values: dict[str, Any] = {**record.fields(), "time": int(self.env.wall()), **self.extra_of(ctx, "evi")}
        if missed:
            self.missed_event(**values, **times)
        else:
            self.acc_event(**values)

    def extra_of(self, ctx: Ctx, kind: str, with_legs: bool = True) -> dict[str, str]:
        """Return the fields that records of a kind have of their own."""
        if self._is_bare[kind]:
            return {}
        account = self.clerk.found(ctx)
        out: dict[str, str] = {}
        for tag, name in self._fields[kind]:
            out[name] = account.values.get(tag, "") if account is not None and account.values else ""
        out |= expanded(self.env, ctx, self._old_extra[kind])
        for number, leg in enumerate(self._legs(ctx, kind) if with_legs else ()):
            for name, value in leg.items():
                out[f"{name}_{number}" if number else name] = value
        return out

    def _legs(self, ctx: Ctx, kind: str) -> list[dict[str, str]]:
        """Return the fields of each leg, by the names that they have in records of a kind."""
        if self._is_bare[kind]:
            return []
        account = self.clerk.found(ctx)
        legs = [{name: leg.get(tag, "") for tag, name in self._leg_fields[kind]}
                for leg in (account.legs or () if account is not None else ())] if self._leg_fields[kind] else []
        return legs or legs_of(self.env, ctx, self._old_legs[ctx.msg.method_id == M_BYE])

    # --- variables ---------------------------------------------------------------------------------------------------

    @pvar("acc_extra", key="required")
    def acc_extra(self, ctx: Ctx, key: str) -> Value:
        """A field of the record, by its tag."""
        return self.clerk.extra(ctx, key)

    @acc_extra.setter
    def set_acc_extra(self, ctx: Ctx, key: str, value: Value) -> bool:
        return self.clerk.set_extra(ctx, key, value)

    @pvar("acc_leg", key="required", index=True)
    def acc_leg(self, ctx: Ctx, key: str, index: int | str | None) -> Value:
        """A field of a leg (the last one without index), by its tag."""
        leg = self._leg(ctx, index)
        return leg.get(key) if leg is not None else None

    @acc_leg.setter
    def set_acc_leg(self, ctx: Ctx, key: str, index: int | str | None, value: Value) -> bool:
        legs = self._legs_made(ctx)
        if not legs:
            legs.append({})
        leg = self._leg(ctx, index)
        if leg is None:
            return False
        leg[key] = "" if value is None else str(value)
        return True

    def _leg(self, ctx: Ctx, index: int | str | None) -> dict[str, str] | None:
        account = self.clerk.found(ctx)
        legs = account.legs if account is not None else None
        at = index if isinstance(index, int) else -1
        return legs[at] if legs is not None and -len(legs) <= at < len(legs) else None

    @pvar("acc_current_leg", type="is")
    def acc_current_leg(self, ctx: Ctx) -> Value:
        """The number of the present leg, from 0."""
        account = self.clerk.found(ctx)
        return len(account.legs) - 1 if account is not None and account.legs else None
