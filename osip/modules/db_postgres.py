"""Keep tables in PostgreSQL: `postgres://user:password@host:port/db` (pip install osip[pg])."""
from __future__ import annotations

import ssl

from osip.api import Module, Tuning, event, param

SCHEMES = ("postgres", "postgresql", "pgsql")


class DbPostgres(Module):
    """Parameters of PostgreSQL databases. Without the module they can be used as well; it sets how."""

    exec_query_threshold = param(0, ge=0, doc="Warn of queries that take longer (microseconds).")
    max_db_queries = param(2, removed="a connection is looked at before it is used, and made anew", doc="No effect.")
    timeout = param(5, ge=1, doc="Seconds that a query may take, connecting included.")
    use_tls = param(0, ge=0, le=1, doc="1: connect by TLS.")

    threshold_event = event("E_CORE_THRESHOLD", "A query took longer than exec_query_threshold.", source=str, time=int,
                            extra=str)

    def mod_init(self) -> None:
        """Set how PostgreSQL is asked."""
        connect = {"ssl": ssl.create_default_context()} if self.use_tls else {}
        self.env.stores.tune(SCHEMES, Tuning(float(self.timeout), self.exec_query_threshold, connect, slow=self._slow))

    def _slow(self, url: str, took: int, statement: str) -> None:
        self.env.log.warning("slow query database=%s microseconds=%d statement=%s", url, took, statement)
        self.threshold_event(source="postgres query", time=took, extra=statement)
