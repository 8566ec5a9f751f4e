"""Match texts against regular expressions in Perl's manner, also against groups of them from a file."""
from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from osip.api import Ctx, MIError, Module, ModuleError, Scope, Value, Var, function, mi, param, transform

_NAMED = re.compile(r"\(\?<(?=[A-Za-z_])")
_GROUP = re.compile(r"\[(\d+)\]")
CACHE = 512


def compile_pcre(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Compile what PCRE would take, as near as Python has it; ValueError with words when it cannot."""
    try:
        return _compiled(pattern, flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"bad regular expression {pattern!r}: {error}") from None


@lru_cache(CACHE)
def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    return re.compile(_NAMED.sub("(?P<", pattern), flags)


class Regex(Module):
    """Perl's regular expressions."""

    file = param("", doc="File of groups: a line `[0]`, then one expression on each line.")
    max_groups = param(20, ge=1, doc="Most groups of the file.")
    group_max_size = param(8192, ge=1, doc="Most bytes of a group.")
    pcre_caseless = param(0, ge=0, le=1, doc="Ignore the difference of capital and small letters in groups.")
    pcre_multiline = param(0, ge=0, le=1, doc="`^` and `$` match at each line in groups.")
    pcre_dotall = param(0, ge=0, le=1, doc="A dot matches line ends, too, in groups.")
    pcre_extended = param(0, ge=0, le=1, doc="Blanks and comments do not count in groups.")

    def mod_init(self) -> None:
        """Read the file."""
        self.groups: dict[int, re.Pattern[str]] = {}
        if self.file:
            try:
                self.groups = self._read()
            except ValueError as error:
                raise ModuleError(f"regex: {error}") from None

    def _read(self) -> dict[int, re.Pattern[str]]:
        flags = sum(flag for flag, wanted in ((re.IGNORECASE, self.pcre_caseless), (re.MULTILINE, self.pcre_multiline),
                                              (re.DOTALL, self.pcre_dotall), (re.VERBOSE, self.pcre_extended)) if wanted)
        try:
            lines = Path(self.file).read_text("utf-8", "surrogateescape").splitlines()
        except OSError as error:
            raise ValueError(f"cannot read {self.file}: {error.strerror}") from None
        found: dict[int, list[str]] = {}
        now: list[str] = found.setdefault(0, [])
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            head = _GROUP.fullmatch(text)
            if head is None:
                now.append(text)
            elif int(head[1]) >= self.max_groups:
                raise ValueError(f"{self.file}:{number}: group {head[1]}, but max_groups is {self.max_groups}")
            else:
                now = found.setdefault(int(head[1]), [])
        out = {}
        for number, patterns in found.items():
            if sum(map(len, patterns)) > self.group_max_size:
                raise ValueError(f"{self.file}: group {number} is longer than group_max_size={self.group_max_size}")
            for pattern in patterns:
                compile_pcre(pattern, flags)        # tells which one is bad
            if patterns:
                out[number] = compile_pcre("|".join(f"(?:{pattern})" for pattern in patterns), flags)
        return out

    @function("QFRBLSTV")
    def pcre_match(self, ctx: Ctx, string: str, pcre_regex: str, match: Var | None = None) -> int:
        """Say whether an expression (`/re/i` or plain) matches; `match` gets what it matched."""
        try:
            found = _plain_or_slashed(pcre_regex).search(string)
        except ValueError as error:
            self.env.log.error("regex: pcre_match: %s", error)
            return -1
        if found is None:
            return -1
        if match is not None:
            match.set(ctx, found[0])
        return 1

    @function("QFRBLSTV")
    def pcre_match_group(self, ctx: Ctx, string: str, group: int = 0) -> int:
        """Say whether some expression of a group of the file matches."""
        return 1 if self._matches_group(string, group) else -1

    def _matches_group(self, string: str, group: int) -> bool:
        pattern = self.groups.get(group)
        return pattern is not None and pattern.search(string) is not None

    @mi("reload", aliases=("regex_reload",), scope=Scope.EACH)
    def mi_reload(self) -> None:
        """Read the file again; a bad one changes nothing."""
        if not self.file:
            raise MIError(400, "no parameter file is set")
        try:
            self.groups = self._read()
        except ValueError as error:
            raise MIError(500, str(error)) from None

    @mi("match", aliases=("regex_match",))
    def mi_match(self, string: str, pcre_regex: str) -> str:
        """Say `Match` or `Not Match`."""
        try:
            return "Match" if _plain_or_slashed(pcre_regex).search(string) else "Not Match"
        except ValueError as error:
            raise MIError(400, str(error)) from None

    @mi("match_group", aliases=("regex_match_group",))
    def mi_match_group(self, string: str, group: int) -> str:
        """Say whether a group of the file matches."""
        return "Match" if self._matches_group(string, group) else "Not Match"

    @transform("pcre.subst")
    def subst(value: Value, expression: str) -> Value:          # a plain function, see `transform`
        """Substitute: `/re/replacement/flags` with `\\1`, flags g, i, m, s, x."""
        if value is None or len(expression) < 3:
            return None
        parts = _split(expression)
        if parts is None:
            return None
        pattern, replacement, letters = parts
        try:
            compiled = compile_pcre(pattern, _flags(letters))
            return compiled.sub(_template(replacement), str(value), 0 if "g" in letters else 1)
        except (ValueError, re.error, IndexError):
            return None


def _split(expression: str) -> tuple[str, str, str] | None:
    sign = re.escape(expression[0])
    found = re.fullmatch(rf"{sign}((?:\\.|[^\\])*?){sign}((?:\\.|[^\\])*?){sign}([a-z]*)", expression, re.DOTALL)
    return (found[1], found[2], found[3]) if found else None


def _template(text: str) -> str:
    return re.sub(r"\\(\d)", r"\\g<\1>", text)


def _flags(letters: str) -> int:
    known = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
    return sum(known[letter] for letter in set(letters) if letter in known)


def _plain_or_slashed(text: str) -> re.Pattern[str]:
    found = re.fullmatch(r"/(.*)/([a-z]*)", text, re.DOTALL)
    return compile_pcre(found[1], _flags(found[2])) if found else compile_pcre(text)
