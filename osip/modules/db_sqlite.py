"""Keep tables in SQLite files: `sqlite:///file`. Without the module they can be used as well; it sets how."""
from __future__ import annotations

from osip.api import Module, Tuning, param

SCHEMES = ("sqlite",)


class DbSqlite(Module):
    """Parameters of SQLite databases."""

    alloc_limit = param(10, removed="rows need no reserved memory", doc="No effect.")
    busy_timeout = param(500, ge=0, doc="Milliseconds to wait while another process writes.")
    load_extension = param(multiple=True, kind=str, removed="no code is loaded into the server", doc="No effect.")
    exec_pragma = param(multiple=True, kind=str, doc='A pragma for each connection, "journal_mode=WAL".')

    def mod_init(self) -> None:
        """Set how SQLite is asked."""
        self.env.stores.tune(SCHEMES, Tuning(connect={"timeout": self.busy_timeout / 1000},
                                             at_start=tuple(f"PRAGMA {text}" for text in self.exec_pragma)))
