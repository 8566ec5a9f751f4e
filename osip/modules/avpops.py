"""Work on AVPs as scripts of 1.x and 2.x do: copy, compare, calculate, substitute, keep in a table."""
from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Any

from osip.api import (
    Ctx,
    Env,
    Module,
    ModuleError,
    ParseError,
    Preferences,
    Raw,
    StoreError,
    Target,
    Value,
    avp_name,
    function,
    open_tables,
    param,
    parse_scheme,
    parse_uri,
    parse_urls,
    posix,
    table,
)

Values = list[Any]
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b, "and": lambda a, b: bool(a & b), "or": lambda a, b: bool(a | b),
    "xor": lambda a, b: bool(a ^ b)}
_CALCULATE: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: int(a / b),
    "mod": lambda a, b: a - b * int(a / b), "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b,
    "not": lambda a, b: ~b}
_SUBST = re.compile(r"(\W)((?:\\.|(?!\1).)*)\1((?:\\.|(?!\1).)*)\1([a-z]*)", re.DOTALL)
_FLAGS = re.compile(r"(.*?)(?:/([a-z]*))?", re.DOTALL)


class Avpops(Module):
    """Operations on AVPs."""

    db_url = param(multiple=True, kind=str, doc='Database, "[id ]url"; 0 is the default id. Without any, db_default_url.')
    avp_table = param("usr_preferences", doc="Table where AVPs are kept.")
    use_domain = param(0, ge=0, le=1, doc="Look for user and domain of a URI, not for the user alone.")
    uuid_column = param("uuid", doc="Column of the UUID.")
    attribute_column = param("attribute", doc="Column of the AVP's name.")
    value_column = param("value", doc="Column of the value.")
    type_column = param("type", doc="Column of the type: 1 integer, 0 text.")
    username_column = param("username", doc="Column of the user.")
    domain_column = param("domain", doc="Column of the domain.")
    db_scheme = param(multiple=True, kind=str, parse=parse_scheme, doc="Another table to load from; as in sqlops.")
    buf_size = param(1024, removed="texts need no buffers", doc="No effect.")
    preferences = table("usr_preferences", 3, "uuid char(64)='', username char(64)=0, domain char(64)='', "
                        "attribute char(32)='', type i32=0, value char(128)='', last_modified dt=1900-01-01 00:00:01")

    def mod_init(self) -> None:
        """Sort the databases."""
        try:
            urls = parse_urls(self.db_url)
        except ValueError as error:
            raise ModuleError(f"avpops: {error}") from None
        names = {key: getattr(self, f"{key}_column") for key in ("uuid", "username", "domain", "attribute", "value", "type")}
        self.store = Preferences(self.env, "avpops", urls, self.avp_table, bool(self.use_domain), names, dict(self.db_scheme))

    async def child_init(self, env: Env) -> None:
        """Make the table of the embedded database; those of other databases may be without it."""
        if not self.db_url and not env.config.db_default_url:
            await open_tables(env, "", {self.avp_table: self.preferences}, "avpops")

    # --- the table -----------------------------------------------------------------------------------------------

    async def _try(self, ctx: Ctx, word: str, work: Awaitable[int]) -> int:
        try:
            return await work
        except (StoreError, ValueError) as error:
            self.env.log.error("avpops: %s: %s call_id=%s", word, error, ctx.msg.call_id)
            return -1

    @function()
    async def avp_db_load(self, ctx: Ctx, source: Raw, name: Raw, db_id: int = 0, prefix: str = "") -> int:
        """Load AVPs of a source `$var[/username|domain|uri|uuid]`; name `$avp(x)[/table|/$scheme]` or `*`. -1: none."""
        return await self._try(ctx, "avp_db_load", self.store.load(ctx, source, name, db_id, prefix))

    @function()
    async def avp_db_store(self, ctx: Ctx, source: Raw, name: Raw, db_id: int = 0) -> int:
        """Insert the values of an AVP (`*`: of all) as rows."""
        return await self._try(ctx, "avp_db_store", self.store.store(ctx, source, name, db_id))

    @function()
    async def avp_db_delete(self, ctx: Ctx, source: Raw, name: Raw, db_id: int = 0) -> int:
        """Remove the rows of an AVP, `*` of all."""
        return await self._try(ctx, "avp_db_delete", self.store.delete(ctx, source, name, db_id))

    @function()
    async def avp_db_query(self, ctx: Ctx, query: str, avps: Raw | None = None, db_id: int = 0) -> int:
        """Run a query; its columns go into "$avp(a);$avp(b)", index 0 the first row. 1, -2 no rows, -1 failure."""
        async def work() -> int:
            found = await self.store.query(db_id, query)
            return 1 if found is None else self.store.into_avps(ctx, found[1], avps)
        return await self._try(ctx, "avp_db_query", work())

    # --- AVPs in memory ------------------------------------------------------------------------------------------

    def _fail(self, word: str, text: str) -> int:
        self.env.log.error("avpops: %s: %s", word, text)
        return -1

    @function()
    def avp_delete(self, ctx: Ctx, name: Raw) -> int:
        """Delete the newest value of `$avp(x)`, with `/g` all; `*` deletes every AVP."""
        place, flags = _with_flags(name)
        if place in ("*", "$avp"):
            ctx.avps = {}
            return 1
        try:
            values = ctx.avp(avp_name(place))
        except ValueError as error:
            return self._fail("avp_delete", str(error))
        if not values:
            return -1
        del values[0 if "g" in flags else -1:]
        return 1

    @function()
    def avp_copy(self, ctx: Ctx, source: Raw, destination: Raw) -> int:
        """Copy `$avp(a)` to `$avp(b)[/flags]`: g all values, d delete the source, n and s make integers or texts."""
        place, flags = _with_flags(destination)
        try:
            old, new = ctx.avp(avp_name(source)), ctx.avp(avp_name(place))
        except ValueError as error:
            return self._fail("avp_copy", str(error))
        if not old:
            return -1
        taken = list(old) if "g" in flags else old[-1:]
        if "d" in flags:
            del old[0 if "g" in flags else -1:]
        new.extend(_converted(taken, flags))
        return 1

    @function()
    def avp_pushto(self, ctx: Ctx, destination: Raw, source: Raw) -> int:
        """Put a value of `$avp(x)[/g]` into `$ru`, `$ru/username`, `$ru/domain`, `$du` or `$br` (g: one branch each)."""
        place, flags = _with_flags(source)
        target, _, part = destination.strip().partition("/")
        try:
            values = self._values(ctx, place)
        except ValueError as error:
            return self._fail("avp_pushto", str(error))
        if not values:
            return -1
        try:
            if target == "$br":
                for value in reversed(values) if "g" in flags else values[-1:]:
                    parse_uri(str(value))
                    ctx.add_target(Target(str(value)))
            elif target == "$du":
                parse_uri(str(values[-1]))
                ctx.target.du = str(values[-1])
            elif target == "$ru":
                ctx.target.uri = _changed(ctx.ruri or "", part, str(values[-1]))
            else:
                return self._fail("avp_pushto", f'"{destination}" is none of $ru, $ru/username, $ru/domain, $du, $br')
        except (ParseError, ValueError) as error:
            return self._fail("avp_pushto", str(error))
        return 1

    def _values(self, ctx: Ctx, text: str) -> Values:
        """Return the values of an AVP, oldest first, or the one of any other variable."""
        try:
            return ctx.avp(avp_name(text))
        except ValueError:
            value = self._read(ctx, text)
            return [] if value is None else [value]

    def _read(self, ctx: Ctx, text: str) -> Value:
        if self.env.program is None:
            raise ValueError("there is no script")
        found: Value = self.env.program.variable(text).get(ctx)
        return found

    def _operand(self, ctx: Ctx, text: str) -> Value:
        """Return what a value `$pv`, `i:123`, `i:0xff`, `s:text` or plain text means."""
        if text.startswith("$"):
            return self._read(ctx, text)
        if text.startswith("i:"):
            return int(text[2:], 0)
        return text[2:] if text.startswith("s:") else text

    @function()
    def avp_check(self, ctx: Ctx, name: Raw, rule: Raw) -> int:
        """Compare: "op/value[/flags]" with op eq ne lt le gt ge re fm and or xor; g any value counts, i ignores case."""
        parts = rule.split("/")
        if len(parts) < 2:
            return self._fail("avp_check", f'"{rule}" is no rule: write "op/value/flags"')
        operator, flags = parts[0].strip(), parts[-1] if len(parts) > 2 and set(parts[-1]) <= set("gi") else ""
        text = "/".join(parts[1:-1] if len(parts) > 2 and set(parts[-1]) <= set("gi") else parts[1:])
        try:
            wanted = self._operand(ctx, text)
            values = self._values(ctx, _with_flags(name)[0])
            chosen = values if "g" in flags else values[-1:]
            return 1 if any(_holds(operator, value, wanted, "i" in flags) for value in chosen) else -1
        except (ValueError, re.error) as error:
            return self._fail("avp_check", str(error))

    @function()
    def avp_op(self, ctx: Ctx, name: Raw, rule: Raw) -> int:
        """Calculate `$avp(a)[/$avp(dst)]` with "op/value[/flags]": add sub mul div mod and or xor not; g all, d delete."""
        source, _, destination = name.partition("/")
        operator, text, flags = [*rule.split("/"), "", ""][:3]
        calculate = _CALCULATE.get(operator.strip())
        if calculate is None:
            return self._fail("avp_op", f'unknown operation "{operator}"; known: {", ".join(_CALCULATE)}')
        try:
            old = ctx.avp(avp_name(source))
            new = ctx.avp(avp_name(destination)) if destination else old
            given = self._operand(ctx, text)
            operand = given if isinstance(given, int) else int(str(given), 0)
            taken = list(old) if "g" in flags else old[-1:]
            made = [calculate(value, operand) for value in taken if isinstance(value, int)]
        except (ValueError, ZeroDivisionError) as error:
            return self._fail("avp_op", str(error))
        if not made:
            return -1
        if new is old or "d" in flags:
            del old[0 if "g" in flags else -1:]
        new.extend(made)
        return 1

    @function()
    def avp_subst(self, ctx: Ctx, name: Raw, rule: Raw) -> int:
        """Substitute in `$avp(a)[/$avp(dst)[/flags]]` by "/re/replacement/flags"; -1 when nothing matched."""
        source, destination, flags = [*name.split("/"), "", ""][:3]
        found = _SUBST.fullmatch(rule.strip())
        if found is None:
            return self._fail("avp_subst", f'"{rule}" is no substitution: write "/re/replacement/flags"')
        try:
            old = ctx.avp(avp_name(source))
            new = ctx.avp(avp_name(destination)) if destination else old
            pattern = re.compile(posix(found[2]), re.IGNORECASE if "i" in found[4] else 0)
        except (ValueError, re.error) as error:
            return self._fail("avp_subst", str(error))
        template = self._template(ctx, found[3])
        made = []
        for value in list(old) if "g" in flags else old[-1:]:
            text, times = pattern.subn(template, str(value), 0 if "g" in found[4] else 1)
            if times:
                made.append(text)
        if not made:
            return -1
        if new is old or "d" in flags:
            del old[0 if "g" in flags else -1:]
        new.extend(made)
        return 1

    def _template(self, ctx: Ctx, text: str) -> Callable[[re.Match[str]], str]:
        expanded = self.env.program.expand(ctx, text) if "$" in text and self.env.program is not None else text

        def fill(match: re.Match[str]) -> str:
            return re.sub(r"\\(.)", lambda sign: (match[int(sign[1])] or "") if sign[1].isdigit() and
                          int(sign[1]) <= (match.re.groups) else sign[1], expanded)
        return fill

    @function()
    def is_avp_set(self, ctx: Ctx, name: Raw) -> int:
        """Say whether `$avp(x)[/flags]` has a value; n: an integer, s: a text, e: an empty one."""
        place, flags = _with_flags(name)
        try:
            values = ctx.avp(avp_name(place))
        except ValueError as error:
            return self._fail("is_avp_set", str(error))
        if not values:
            return -1
        value = values[-1]
        fits = (("n" not in flags or isinstance(value, int)) and ("s" not in flags or isinstance(value, str))
                and ("e" not in flags or value == ""))
        return 1 if fits else -1

    @function()
    def avp_insert(self, ctx: Ctx, name: Raw, value: str, index: int) -> int:
        """Insert a value so that it has an index (0 is the newest); beyond the end it becomes the oldest."""
        try:
            values = ctx.avp(avp_name(name))
        except ValueError as error:
            return self._fail("avp_insert", str(error))
        values.insert(max(0, len(values) - max(0, index)), value)
        return 1

    @function()
    def avp_shuffle(self, ctx: Ctx, name: Raw) -> int:
        """Put the values in a random order."""
        try:
            random.shuffle(ctx.avp(avp_name(name)))
        except ValueError as error:
            return self._fail("avp_shuffle", str(error))
        return 1


def _with_flags(text: str) -> tuple[str, str]:
    found = _FLAGS.fullmatch(text.strip())
    return (found[1].strip(), found[2] or "") if found else (text.strip(), "")


def _converted(values: Values, flags: str) -> Values:
    if "s" in flags:
        return [str(value) for value in values]
    if "n" in flags:
        return [value if isinstance(value, int) else int(found[0]) if (found := re.match(r"\s*-?\d+", value)) else 0
                for value in values]
    return values


def _changed(uri: str, part: str, value: str) -> str:
    if not part:
        parse_uri(value)
        return value
    if part not in ("username", "domain"):
        raise ValueError(f"$ru has no part {part}: username or domain")
    return parse_uri(uri).replace(**{"user" if part == "username" else "host": value}).build()


def _holds(operator: str, value: Any, wanted: Any, fold: bool) -> bool:
    if operator == "re":
        return re.search(posix(str(wanted)), str(value), re.IGNORECASE if fold else 0) is not None
    if operator == "fm":
        first, second = str(value), str(wanted)
        return fnmatchcase(first.lower(), second.lower()) if fold else fnmatchcase(first, second)
    compare = _COMPARE.get(operator)
    if compare is None:
        raise ValueError(f'unknown operation "{operator}"; known: re, fm, {", ".join(_COMPARE)}')
    if isinstance(value, int) != isinstance(wanted, int):
        return operator == "ne"
    if isinstance(value, str):
        if operator in ("and", "or", "xor"):
            raise ValueError(f"{operator} wants integers")
        return compare(value.lower(), wanted.lower()) if fold else compare(value, wanted)
    return compare(value, wanted)
