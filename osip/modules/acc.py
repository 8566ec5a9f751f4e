"""Account for transactions: log lines and events when a call is answered, missed, or fails.

What is to be accounted is armed in the script (`do_accounting`) or by flags (1.x); tm says when it happened.
Records to SQL and AAA, and call records of whole dialogs, need modules that are not there yet: arming them fails.
"""
from __future__ import annotations

import logging
import re
from functools import partial
from typing import Annotated, Any

from osip.api import (M_ACK, M_CANCEL, M_INVITE, Ctx, Message, Module, Parse, Value, event, flag_parser, function,
                      needs, param, parse, pvar, python_level, reason_phrase, slot)

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
    __slots__ = ("extra", "failed", "legs", "missed", "types", "watched")

    def __init__(self) -> None:
        self.types = self.missed = self.failed = NOTHING
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
    db_url = param("", doc="Database; records in SQL are not there yet.")
    db_table_acc = param("acc", doc="Table of answered transactions.")
    db_table_missed_calls = param("missed_calls", doc="Table of missed calls.")
    db_table_avp = param("", doc="AVP that names the table.")
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
    db_flag = _flag_param("Account to SQL; not there yet.")
    db_missed_flag = _flag_param("Account missed calls to SQL; not there yet.")
    aaa_flag = param(None, kind=(str, int), aliases=("radius_flag",), doc="Account to AAA; not there yet.")
    aaa_missed_flag = param(None, kind=(str, int), aliases=("radius_missed_flag",), doc="Not there yet.")
    cdr_flag = _flag_param("Account whole dialogs; not there yet.")
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
    account = slot(Account)
    tm = needs("tm")
    rr = needs("rr", when="detect_direction", optional=True)

    def mod_init(self) -> None:
        self._fields = {kind: _pairs(self.extra_fields, kind) for kind in TYPES}
        self._leg_fields = {kind: _pairs(self.leg_fields, kind) for kind in TYPES}
        self._old_extra = {"log": _old_pairs(self.log_extra), "evi": _old_pairs(self.evi_extra)}
        bit = self.env.message_flags.bit
        self._bits = {name: bit(str(getattr(self, name))) if getattr(self, name) not in (None, -1) else 0
                      for name in ("log_flag", "log_missed_flag", "evi_flag", "evi_missed_flag",
                                   "failed_transaction_flag")}
        if any(self._bits.values()):
            self.tm.on_created.append(self._created)

    # --- arming ------------------------------------------------------------------------------------------------------

    @function(ROUTES)
    def do_accounting(self, ctx: Ctx, type: Types, flags: Flags | None = None, table: str | None = None) -> int:
        """Account for this transaction: types log, db, aaa, evi; flags cdr, missed, failed. Adds to what is armed."""
        absent = [what for what in ("db", "aaa") if what in type] + (["cdr"] if flags and "cdr" in flags else [])
        if absent:
            _log.error("do_accounting: %s is not available yet; log and evi are", " and ".join(absent))
            return -1
        account = self._armed(ctx)
        account.types |= type
        if flags:
            if "missed" in flags:
                account.missed |= type
            if "failed" in flags:
                account.failed |= type
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
        if account is None:
            slots = getattr(ctx.tx, "slots", None)
            account = slots.get(self.account) if slots else None
        return account

    def _armed(self, ctx: Ctx) -> Account:
        account = self._account(ctx)
        if account is None:
            account = ctx[self.account] = Account()
        if not account.watched:
            account.watched = True
            self.tm.watch(ctx, ON_REPLY | ON_FINAL | ON_FAILURE | ON_CANCEL, partial(self._happened, account))
        return account

    def _created(self, tx: Any, ctx: Ctx) -> None:
        if ctx.msg.method_id not in (M_ACK, M_CANCEL):
            self._armed(ctx)

    # --- writing from the script -------------------------------------------------------------------------------------

    @function(ROUTES)
    def acc_log_request(self, ctx: Ctx, comment: str) -> int:
        """Write a log record now; the comment is "code reason" or free text."""
        self._write_log(ctx, "request accounted", self._record(ctx.msg, None, *_comment(comment), ctx))
        return 1

    @function(ROUTES)
    def acc_evi_request(self, ctx: Ctx, comment: str) -> int:
        """Raise E_ACC_EVENT, or E_ACC_MISSED_EVENT for a code of 300 and above."""
        code, reason = _comment(comment)
        self._raise(ctx, int(code or 0) >= 300, self._record(ctx.msg, None, code, reason, ctx))
        return 1

    @function(ROUTES)
    def acc_db_request(self, ctx: Ctx, comment: str, table: str) -> int:
        """Write an SQL record; not available yet."""
        _log.error("acc_db_request is not available yet")
        return -1

    @function(ROUTES, aliases=("acc_rad_request", "acc_diam_request"))
    def acc_aaa_request(self, ctx: Ctx, comment: str) -> int:
        """Write an AAA record; not available yet."""
        _log.error("acc_aaa_request is not available yet")
        return -1

    # --- what tm tells -----------------------------------------------------------------------------------------------

    def _happened(self, account: Account, tx: Any, what: int, status: int, subject: Any) -> None:
        # A CANCEL is told by the INVITE that it ends; its own transaction says nothing new.
        if tx.request is None or tx.method_id == M_CANCEL:
            return
        ctx = tx.make_ctx(1)
        ctx[self.account] = account     # the transaction has it only once the script relayed
        if what == ON_CANCEL:
            if self.report_cancels:
                self._write(ctx, account.types | self._by_flag(tx, "log_flag", "evi_flag"), "request cancelled",
                            self._record(tx.request, None, "200", "canceling", ctx), False)
        elif what == ON_FAILURE:
            self._missed(tx, ctx, account, status, subject)
        elif what == ON_FINAL or (what == ON_REPLY and status == 183 and self.early_media):
            self._answered(tx, ctx, account, status, subject.msg if isinstance(subject, Ctx) else subject)

    def _answered(self, tx: Any, ctx: Ctx, account: Account, status: int, reply: Message | None) -> None:
        types = account.types | self._by_flag(tx, "log_flag", "evi_flag")
        if status >= 300:
            types &= account.failed if not tx.flags & self._bits["failed_transaction_flag"] else types
        if not types:
            return
        if reply is None and tx.last:
            reply = parse(tx.last)
        what = "transaction answered" if status < 300 else "transaction failed"
        self._write(ctx, types, what, self._record(tx.request, reply, str(status), _reason(reply, status), ctx), False)

    def _missed(self, tx: Any, ctx: Ctx, account: Account, status: int, reply: Message | None) -> None:
        types = account.missed | self._by_flag(tx, "log_missed_flag", "evi_missed_flag")
        if not types or tx.request.method_id != M_INVITE:
            return
        account.missed = NOTHING        # once; a failure route may arm it again for the next target
        record = self._record(tx.request, reply, str(status), _reason(reply, status), ctx)
        self._write(ctx, types, "call missed", record, True)

    def _by_flag(self, tx: Any, *names: str) -> set[str]:
        return {name.partition("_")[0] for name in names if tx.flags & self._bits[name]}

    # --- records -----------------------------------------------------------------------------------------------------

    def _record(self, request: Message, reply: Message | None, code: str, reason: str, ctx: Ctx) -> dict[str, str]:
        from_tag, to_tag = request.from_tag, reply.to_tag if reply is not None else request.to_tag
        if self.detect_direction and self.rr is not None and self.rr.is_direction(ctx, "upstream"):
            from_tag, to_tag = to_tag, from_tag
        return {"method": request.method, "from_tag": from_tag, "to_tag": to_tag, "callid": request.call_id,
                "sip_code": code, "sip_reason": reason}

    def _write(self, ctx: Ctx, types: set[str] | frozenset[str], what: str, record: dict[str, str],
               missed: bool) -> None:
        if "log" in types:
            self._write_log(ctx, what, record)
        if "evi" in types:
            self._raise(ctx, missed, record)

    def _write_log(self, ctx: Ctx, what: str, record: dict[str, str]) -> None:
        names = {"callid": "call_id", "sip_code": "code", "sip_reason": "reason"}
        fields = [f"timestamp={int(self.env.wall())}"]
        fields += [f"{names.get(name, name)}={value}" for name, value in record.items()]
        fields += [f"{name}={value}" for name, value in self._extra(ctx, "log").items()]
        line = _CONTROL.sub(" ", ";".join(fields))      # a value from the network starts no line of its own
        _log.log(python_level(self.log_level), "ACC: %s: %s", what, line)

    def _raise(self, ctx: Ctx, missed: bool, record: dict[str, str]) -> None:
        values: dict[str, Any] = {**record, "time": int(self.env.wall()), **self._extra(ctx, "evi")}
        if missed:
            self.missed_event(**values, setuptime=0, created=int(self.env.wall()))
        else:
            self.acc_event(**values)

    def _extra(self, ctx: Ctx, kind: str) -> dict[str, str]:
        account = self._account(ctx)
        out: dict[str, str] = {}
        for tag, name in self._fields[kind]:
            out[name] = account.extra.get(tag, "") if account is not None else ""
        if self._old_extra.get(kind) and self.env.program is not None:
            for name, text in self._old_extra[kind]:
                value = self.env.program.expand(ctx, text)
                out[name] = "" if value == "<null>" else value
        for number, leg in enumerate(account.legs if account is not None else ()):
            for tag, name in self._leg_fields[kind]:
                out[f"{name}_{number}" if number else name] = leg.get(tag, "")
        return out

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


def _reason(reply: Any, status: int) -> str:
    """Return the reason phrase that went with a status: the peer's, unless tm put another status in its place."""
    return reply.reason if reply is not None and reply.status == status and reply.reason else reason_phrase(status)


def _comment(comment: str) -> tuple[str, str]:
    code, _, reason = comment.partition(" ")
    return (code, reason) if code.isdigit() else ("", comment)


def _pairs(texts: list[str], kind: str) -> list[tuple[str, str]]:
    """Read `"log: tag->name; tag2"` for one kind of record."""
    out = []
    for text in texts:
        head, _, rest = text.partition(":")
        if head.strip() == kind:
            for item in filter(None, (part.strip() for part in rest.split(";"))):
                tag, _, name = item.partition("->")
                out.append((tag.strip(), name.strip() or tag.strip()))
    return out


def _old_pairs(text: str) -> list[tuple[str, str]]:
    """Read `"name=$var;..."` of 1.x."""
    return [(name.strip(), value.strip()) for name, _, value in (part.partition("=") for part in text.split(";"))
            if name.strip()]
