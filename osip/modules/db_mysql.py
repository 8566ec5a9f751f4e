"""Keep tables in MySQL or MariaDB: `mysql://user:password@host:port/db` (pip install osip[mysql])."""
from __future__ import annotations

import ssl

from osip.api import Module, Tuning, event, param

SCHEMES = ("mysql", "mariadb")


class DbMysql(Module):
    """Parameters of MySQL databases. Without the module they can be used as well; it sets how."""

    timeout_interval = param(2, ge=1, doc="A query may take three times as many seconds.")
    exec_query_threshold = param(0, ge=0, doc="Warn of queries that take longer (microseconds).")
    max_db_retries = param(3, removed="a connection is looked at before it is used, and made anew", doc="No effect.")
    max_db_queries = param(2, removed="a connection is looked at before it is used, and made anew", doc="No effect.")
    ps_max_col_size = param(1024, removed="columns have no limit of their own", doc="No effect.")
    use_tls = param(0, ge=0, le=1, doc="1: connect by TLS.")

    connection_event = event("E_MYSQL_CONNECTION", "A database was lost, or is there again.", url=str, status=str)
    threshold_event = event("E_CORE_THRESHOLD", "A query took longer than exec_query_threshold.", source=str, time=int,
                            extra=str)

    def mod_init(self) -> None:
        """Set how MySQL is asked."""
        connect = {"ssl": ssl.create_default_context()} if self.use_tls else {}
        self.env.stores.tune(SCHEMES, Tuning(3.0 * self.timeout_interval, self.exec_query_threshold, connect,
                                             slow=self._slow, state=self._state))

    def _slow(self, url: str, took: int, statement: str) -> None:
        self.env.log.warning("slow query database=%s microseconds=%d statement=%s", url, took, statement)
        self.threshold_event(source="mysql query", time=took, extra=statement)

    def _state(self, url: str, is_there: bool) -> None:
        self.connection_event(url=url, status="connected" if is_there else "disconnected")
