"""Read the flags of `save` and `lookup`, in words or in the old letters."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

PATH_MODES = {"path-off": "off", "path-lazy": "lazy", "path-strict": "strict"}
_SAVE_LETTERS = re.compile(
    r"(?P<memory>m)|(?P<no_reply>r)|c(?P<max_contacts>\d+)|(?P<force>f)|M(?P<matching>\d|<[^>]*>)|p(?P<path>[012])"
    r"|(?P<path_received>v)|(?P<only_request>o)|(?P<sock_hdr>s)|e(?P<min_expires>\d+)|E(?P<max_expires>\d+)")
_SAVE_WORDS = {"memory-only": "memory", "no-reply": "no_reply", "force-registration": "force",
               "path-received": "path_received", "only-request-contacts": "only_request", "socket-header": "sock_hdr"}
_SAVE_MASK = {1: "memory", 2: "no_reply"}
_HEX = re.compile(r"0[xX]0*([0-3])")
_SAVE_NUMBERS = {"max-contacts": "max_contacts", "min-expires": "min_expires", "max-expires": "max_expires"}
_LOOKUP_WORDS = {"no-branches": "no_branches", "to-branches-only": "to_branches", "branch": "branch",
                 "method-filtering": "methods", "global": "everywhere", "sort-by-latency": "sort_latency"}
_LOOKUP_LETTERS = {"b": "no_branches", "B": "to_branches", "r": "branch", "m": "methods", "g": "everywhere",
                   "Y": "sort_latency"}
_AGENT = re.compile(r"(ua-filtering=|u)/((?:[^/\\]|\\.)*)/")
_INERT = {"ownership_tag": "without the module clusterer there are no other nodes",
          "global": "usrloc's working_mode_preset is not federation-cachedb-cluster: all contacts are known here",
          "socket-header": "mid_registrar has no sock_hdr_name"}


def tell_inert(reg: Any, what: str) -> None:
    """Say once that a flag or an argument of the script has no effect."""
    if what not in reg.told:
        reg.told.add(what)
        reg.env.log.info("%s: %s has no effect: %s", reg.name, what, _INERT[what])


SAVE: Final = ("memory", "no_reply", "max_contacts", "force", "matching", "path", "path_received", "only_request",
               "sock_hdr", "min_expires", "max_expires")
LOOKUP: Final = ("no_branches", "to_branches", "branch", "methods", "everywhere", "sort_latency", "max_latency",
                 "agent")
"""Attributes of the flags of save and of lookup."""


class SaveFlags:
    """How one `save` works. `matching` is 0, 1, the name of a Contact parameter, or None for usrloc's own mode;
    `path` is "", off, lazy or strict; numbers are None where the parameter of the module counts."""
    __slots__ = SAVE

    def __init__(self) -> None:
        self.memory = self.no_reply = self.force = self.path_received = self.only_request = self.sock_hdr = False
        self.max_contacts: int | None = None
        self.min_expires: int | None = None
        self.max_expires: int | None = None
        self.matching: int | str | None = None
        self.path = ""

    def is_special(self) -> bool:
        """Say whether they are about more of a REGISTER than its contacts, or know contacts by a parameter."""
        return self.path != "" or self.path_received or self.sock_hdr or isinstance(self.matching, str)

    def copy(self) -> SaveFlags:
        """Return the same flags once more."""
        new = SaveFlags()
        for name in SAVE:
            setattr(new, name, getattr(self, name))
        return new

    def set(self, name: str, value: str) -> None:
        """Set one flag from its text."""
        if name in ("max_contacts", "min_expires", "max_expires"):
            setattr(self, name, int(value))
        elif name == "matching":
            text = value.strip("<>")
            self.matching = int(text) if text in ("0", "1") else text
        elif name == "path":
            self.path = ("off", "lazy", "strict")[int(value)]
        else:
            setattr(self, name, True)


PLAIN_SAVE: Final = SaveFlags()


class LookupFlags:
    """How one `lookup` works; `agent` is the User-Agent filter."""
    __slots__ = LOOKUP

    def __init__(self) -> None:
        self.no_branches = self.to_branches = self.branch = self.methods = self.everywhere = False
        self.sort_latency = False
        self.max_latency = 0
        self.agent: re.Pattern[str] | None = None


def parse_save(text: str) -> SaveFlags:
    """Parse the flags of save; ValueError names what is none."""
    flags = SaveFlags()
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = part.partition("=")
        name = name.strip()
        mask = _HEX.fullmatch(part)
        if mask is not None:                            # 1.x: a number, one bit for each flag
            for bit, word in _SAVE_MASK.items():
                if int(mask[1]) & bit:
                    flags.set(word, "")
        elif name in _SAVE_WORDS and not equals:
            flags.set(_SAVE_WORDS[name], "")
        elif name in PATH_MODES and not equals:
            flags.path = PATH_MODES[name]
        elif name in _SAVE_NUMBERS and value.strip().isdecimal():
            flags.set(_SAVE_NUMBERS[name], value.strip())
        elif name == "matching-mode" and value.strip():
            flags.set("matching", value.strip())
        else:
            _letters(part, _SAVE_LETTERS, flags.set, (*_SAVE_WORDS, *PATH_MODES, "matching-mode=M",
                                                     *(word + "=N" for word in _SAVE_NUMBERS)))
    return flags


def _letters(part: str, pattern: re.Pattern[str], put: Callable[[str, str], Any], known: tuple[str, ...]) -> None:
    pos = 0
    while pos < len(part):
        found = pattern.match(part, pos)
        if found is None:
            raise ValueError(f'unknown flag "{part}"; known: {", ".join(known)}')
        name = found.lastgroup or ""
        put(name, found[name])
        pos = found.end()


def parse_lookup(text: str) -> LookupFlags:
    """Parse the flags of lookup; ValueError names what is none."""
    flags = LookupFlags()
    agent = _AGENT.search(text)
    if agent is not None:
        text = text[:agent.start()] + text[agent.end():]
    ignore_case = False
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        if part in _LOOKUP_WORDS:
            setattr(flags, _LOOKUP_WORDS[part], True)
        elif part == "case-insensitive":
            ignore_case = True
        elif part.startswith("max-ping-latency=") and part[17:].isdecimal():
            flags.max_latency = int(part[17:])
        elif part != "extended-regexp":
            ignore_case |= _lookup_letters(flags, part)
    if agent is not None:
        try:
            flags.agent = re.compile(agent[2].replace("\\/", "/"), re.IGNORECASE if ignore_case else 0)
        except re.error as error:
            raise ValueError(f"bad expression of ua-filtering: {error}") from None
    return flags


def _lookup_letters(flags: LookupFlags, part: str) -> bool:
    ignore_case = False
    for found in re.finditer(r"y(\d+)|(.)", part):
        letter = found[2]
        if found[1]:
            flags.max_latency = int(found[1])
        elif letter in _LOOKUP_LETTERS:
            setattr(flags, _LOOKUP_LETTERS[letter], True)
        elif letter == "i":
            ignore_case = True
        elif letter != "e":         # regular expressions are extended anyway
            known = ", ".join((*_LOOKUP_WORDS, "ua-filtering=/re/", "case-insensitive", "extended-regexp",
                               "max-ping-latency=N"))
            raise ValueError(f'unknown flag "{part}"; known: {known}')
    return ignore_case
