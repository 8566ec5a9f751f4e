"""Report how ready parts of the server are (core_functions.md section 9).

Modules call `set(group, identifier, status, details)`; a status above 0 means ready, below 0 not ready.
"""
from __future__ import annotations

from osip.api import Ctx, Module, event, function

MAIN = "main"


class CoreStatus(Module):
    """Readiness of groups and their identifiers."""
    name = "core_status"

    changed = event("E_CORE_SR_STATUS_CHANGED", "The status of an identifier changed.", group=str, identifier=str,
                    status=int, details=str, old_status=int)

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[str, dict[str, tuple[int, str]]] = {}

    def set(self, group: str, identifier: str, status: int, details: str = "") -> None:
        """Set the status of an identifier ("" for the main one) and tell those who listen when it changes."""
        entries = self.groups.setdefault(group, {})
        name = identifier or MAIN
        old = entries.get(name, (0, ""))[0]
        entries[name] = (status, details)
        if old != status and self.env.events is not None:
            self.changed(group=group, identifier=name, status=status, details=details, old_status=old)

    def get(self, group: str, identifier: str = "") -> int | None:
        """Return the status of an identifier; None when it is unknown."""
        found = self.groups.get(group, {}).get(identifier or MAIN)
        return None if found is None else found[0]

    @function()
    def sr_check_status(self, ctx: Ctx, group: str, identifier: str | None = None) -> int:
        """The status of an identifier, main unless named; with "all" 1 when every one is ready, else -1."""
        if identifier == "all":
            entries = self.groups.get(group)
            return 1 if entries and all(status > 0 for status, _ in entries.values()) else -1
        status = self.get(group, identifier or "")
        return -1 if not status else status
