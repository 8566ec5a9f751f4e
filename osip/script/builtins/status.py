"""Report how ready parts of the server are (core_functions.md section 9).

Modules call `set(group, identifier, status, details)`; a status above 0 means ready, below 0 not ready.
"""
from __future__ import annotations

import time
from collections import deque
from typing import Any

from osip.api import Ctx, MIError, Module, event, function, mi

MAIN = "main"
REPORTS = 200
"""Lines kept for an identifier."""


class CoreStatus(Module):
    """Readiness of groups and their identifiers."""
    name = "core_status"

    changed = event("E_CORE_SR_STATUS_CHANGED", "The status of an identifier changed.", group=str, identifier=str,
                    status=int, details=str, old_status=int)

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[str, dict[str, tuple[int, str]]] = {}
        self.logs: dict[tuple[str, str], deque[tuple[int, str]]] = {}

    def set(self, group: str, identifier: str, status: int, details: str = "") -> None:
        """Set the status of an identifier ("" for the main one) and tell those who listen when it changes."""
        entries = self.groups.setdefault(group, {})
        name = identifier or MAIN
        old = entries.get(name, (0, ""))[0]
        entries[name] = (status, details)
        if details:
            self.report(group, name, details)
        if old != status and self.env.events is not None:
            self.changed(group=group, identifier=name, status=status, details=details, old_status=old)

    def report(self, group: str, identifier: str, text: str) -> None:
        """Keep a line about an identifier ("" for the main one) for `sr_list_reports`."""
        kept = self.logs.setdefault((group, identifier or MAIN), deque(maxlen=REPORTS))
        kept.append((int(self.env.wall()), text))

    def get(self, group: str, identifier: str = "") -> int | None:
        """Return the status of an identifier; None when it is unknown."""
        found = self.groups.get(group, {}).get(identifier or MAIN)
        return None if found is None else found[0]

    # --- management ----------------------------------------------------------------------------------------------

    def _group(self, group: str) -> dict[str, tuple[int, str]]:
        found = self.groups.get(group)
        if found is None:
            raise MIError(404, "Group not found", "sr_list_identifiers lists them")
        return found

    def _chosen(self, group: str | None) -> dict[str, dict[str, tuple[int, str]]]:
        return self.groups if group is None else {group: self._group(group)}

    @mi("get", group="status_report", aliases=("sr_get_status",))
    def mi_get(self, group: str, identifier: str | None = None) -> dict[str, Any]:
        """Show the status of an identifier, main unless named."""
        found = self._group(group).get(identifier or MAIN)
        if found is None:
            raise MIError(404, "Identifier not found")
        return {"Readiness": found[0] > 0, "Status": found[0], "Details": found[1]}

    @mi("status", group="status_report", aliases=("sr_list_status",))
    def mi_status(self, group: str | None = None) -> list[dict[str, Any]]:
        """List the status of every identifier, of a group or of all."""
        return [{"Name": name, "Identifiers": [
            {"Name": key, "Readiness": status > 0, "Status": status, "Details": details}
            for key, (status, details) in entries.items()]} for name, entries in self._chosen(group).items()]

    @mi("reports", group="status_report", aliases=("sr_list_reports",),
        recipes=((), ("group",), ("group", "identifier")))
    def mi_reports(self, group: str | None = None, identifier: str | None = None) -> list[dict[str, Any]]:
        """List the last reports of identifiers."""
        return [{"Name": name, "Identifiers": [
            {"Name": key, "Reports": [{"Timestamp": stamp, "Date": time.ctime(stamp), "Log": text}
                                      for stamp, text in self.logs.get((name, key), ())]}
            for key in entries if identifier in (None, key)]} for name, entries in self._chosen(group).items()]

    @mi("identifiers", group="status_report", aliases=("sr_list_identifiers",))
    def mi_identifiers(self, group: str | None = None) -> list[dict[str, Any]]:
        """List the identifiers of a group or of all."""
        return [{"Group": name, "Identifiers": list(entries)} for name, entries in self._chosen(group).items()]

    @function()
    def sr_check_status(self, ctx: Ctx, group: str, identifier: str | None = None) -> int:
        """The status of an identifier, main unless named; with "all" 1 when every one is ready, else -1."""
        if identifier == "all":
            entries = self.groups.get(group)
            return 1 if entries and all(status > 0 for status, _ in entries.values()) else -1
        status = self.get(group, identifier or "")
        return -1 if not status else status
