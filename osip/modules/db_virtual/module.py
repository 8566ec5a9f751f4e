"""Declare db_virtual: sets of databases, and their management."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from osip.api import Env, MIError, Module, ModuleError, Scope, mi, param, timer
from osip.modules.db_virtual.fleet import MODES, Fleet, Member, describe


def parse_sets(lines: list[str]) -> dict[str, tuple[str, list[str]]]:
    """Read `define name MODE` lines with the URLs that follow each; ValueError with words."""
    found: dict[str, tuple[str, list[str]]] = {}
    current: list[str] | None = None
    for line in (text.strip() for text in lines):
        if not line or line.startswith("#"):
            continue
        if line.split()[0] == "define":
            head = re.fullmatch(r"define\s+([\w.-]+)\s+(\w+)", line)
            if head is None or head[2].upper() not in MODES:
                raise ValueError(f'"{line}" is no set: write define name {"|".join(MODES)}')
            if head[1] in found:
                raise ValueError(f'the set "{head[1]}" is defined twice')
            current = []
            found[head[1]] = head[2].upper(), current
        elif current is None:
            raise ValueError("a URL comes before any define")
        else:
            current.append(line)
    for name, (_, urls) in found.items():
        if not urls:
            raise ValueError(f'the set "{name}" has no URLs')
        if any(url.startswith("virtual:") for url in urls):
            raise ValueError(f'the set "{name}" has another set in it')
    return found


class DbVirtual(Module):
    """Databases that stand in for each other: `virtual://set` as a `db_url`.

    FAILOVER asks the first that works, ROUND each in turn, PARALLEL writes to all and reads from the first.
    """

    db_file = param("", doc="A file of the same lines as db_urls.")
    db_probe_time = param(10, ge=1, doc="Seconds between two looks for databases that were lost.")
    db_max_consec_retrys = param(10, ge=1, doc="Looks for one before it is given up.")
    db_urls = param(multiple=True, kind=str, doc='"define set1 FAILOVER" (or PARALLEL, ROUND), then its URLs one by one.')

    def mod_init(self) -> None:
        """Read the sets."""
        try:
            lines = Path(self.db_file).read_text().splitlines() if self.db_file else []
            found = parse_sets([*lines, *self.db_urls])
        except OSError as error:
            raise ModuleError(f"db_virtual: cannot read db_file {self.db_file}: {error.strerror}") from None
        except ValueError as error:
            raise ModuleError(f"db_virtual: {error}") from None
        self.fleets = {name: Fleet(name, mode, [Member(self.env.stores.sql(url)) for url in urls],
                                   self.db_max_consec_retrys, self._tell) for name, (mode, urls) in found.items()}
        self.env.stores.register("virtual", self._open)

    async def child_init(self, env: Env) -> None:
        """Databases are opened when they are asked."""

    def _open(self, url: str) -> Fleet:
        name = url.partition("://")[2].strip("/")
        if name not in self.fleets:
            raise ModuleError(f'db_virtual: no set "{name}"; there are {", ".join(self.fleets) or "none"}')
        return self.fleets[name]

    def _tell(self, what: str, member: Member) -> None:
        self.env.log.warning("db_virtual: database %s url=%s", what, describe(member))

    @timer("db_probe_time")
    async def probe(self) -> None:
        """Look for databases that were lost."""
        for fleet in self.fleets.values():
            await fleet.probe()

    @mi(aliases=("db_get",))
    def get(self) -> dict[str, Any]:
        """Show the sets and their databases: `can` it answers, `may` it be asked, looks left for a lost one."""
        return {"SETS": [{"index": number, "name": fleet.name, "mode": fleet.mode, "DBS": [
            {"index": at, "name": describe(member), "can": int(member.can), "may": int(member.may),
             "r_rec": member.retries} for at, member in enumerate(fleet.members)]}
            for number, fleet in enumerate(self.fleets.values())]}

    @mi(aliases=("db_set",), scope=Scope.EACH)
    def set(self, set_index: int, db_url_index: int, may_use_db_flag: int, ingore_retries: int | None = None) -> None:
        """Say whether a database may be asked (1 or 0), and how many looks for it are left.

        The slip of the pen in the last name is OpenSIPS's: callers write it so.
        """
        fleets = list(self.fleets.values())
        if not 0 <= set_index < len(fleets) or not 0 <= db_url_index < len(fleets[set_index].members):
            raise MIError(404, "no such set or database; db_virtual:get lists them")
        member = fleets[set_index].members[db_url_index]
        member.may = bool(may_use_db_flag)
        if not member.can:
            member.retries = self.db_max_consec_retrys if ingore_retries is None else ingore_retries
