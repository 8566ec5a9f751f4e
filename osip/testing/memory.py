"""The database of a test: SQLite in memory, with the tables that the modules declare; rules answer before it."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import ExecutableDDLElement

from osip.core.errors import StoreError

Answer = Callable[[Any, Any], Any]
"""Looks for the answer that a test has for a statement and its values; None when there is none."""

_NO_TABLE = re.compile(r"no such table: (?:main\.)?(\S+)")
_ABOUT_TABLES = re.compile(r"\s*PRAGMA|.*\bsqlite_master\b", re.IGNORECASE | re.DOTALL)


class Memory:
    """One database in memory for all URLs of a test, opened when it is asked for something.

    A row that a test gives waits until a module has made its table. A table that no module makes is made of the rows
    themselves, when a statement names it.
    """

    def __init__(self) -> None:
        self._engine: Any = None
        self._rows: list[tuple[str, dict[str, Any]]] = []

    def add(self, table: str, row: Mapping[str, Any]) -> None:
        """Keep a row for a table."""
        self._rows.append((table, dict(row)))

    def run(self, work: Callable[[Any], Any], answer: Answer) -> Any:
        """Call `work(connection)` in a transaction; what it executes is answered by a rule, else by the tables."""
        while True:
            self._fill(answer)
            try:
                with Answered(self._open(), answer) as connection, connection.begin():
                    result = work(connection)
            except SQLAlchemyError as error:
                cause = str(getattr(error, "orig", None) or error)
                lacks = _NO_TABLE.search(cause)
                if lacks is None or not self._make(lacks[1], answer):
                    raise StoreError(cause) from None
            else:
                self._fill(answer)
                return result

    def close(self) -> None:
        """Forget the tables."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _open(self) -> Any:
        if self._engine is None:
            self._engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool,
                                            connect_args={"check_same_thread": False})
        return self._engine

    def _fill(self, answer: Answer) -> None:
        """Put the rows that wait into the tables that are there by now."""
        if not self._rows:
            return
        with Answered(self._open(), answer) as connection, connection.begin():
            inspector = sa.inspect(connection)
            present = set(inspector.get_table_names())
            ready = [one for one in self._rows if one[0] in present]
            self._rows = [one for one in self._rows if one[0] not in present]
            for name, row in ready:
                blobs = {column["name"] for column in inspector.get_columns(name)
                         if isinstance(column["type"], sa.LargeBinary)}
                values = {key: value.encode() if key in blobs and isinstance(value, str) else value
                          for key, value in row.items()}
                try:
                    connection.really(sa.table(name, *(sa.column(key) for key in values)).insert(), values)
                except SQLAlchemyError as error:
                    raise StoreError(f'row of table "{name}": {getattr(error, "orig", None) or error}') from None

    def _make(self, name: str, answer: Answer) -> bool:
        """Make a table of the rows that wait for it; say whether there were any."""
        rows = [row for table, row in self._rows if table == name]
        if not rows:
            return False
        # What is a number in every row compares as one; the number of a telephone may begin with 0.
        columns = [sa.Column(key, sa.Numeric(asdecimal=False) if all(isinstance(row.get(key, 0), int) for row in rows)
                             else sa.Text) for key in dict.fromkeys(key for row in rows for key in row)]
        with Answered(self._open(), answer) as connection, connection.begin():
            sa.Table(name, sa.MetaData(), *columns).create(connection)
        return True


class Answered(sa.Connection):
    """A connection on which a test's rules answer before the tables do; statements about tables are not theirs."""

    def __init__(self, engine: Any, answer: Answer) -> None:
        super().__init__(engine)
        self._answer = answer

    def execute(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """Run a statement."""
        if isinstance(statement, ExecutableDDLElement):
            return super().execute(statement, parameters, **options)
        found = self._answer(statement, parameters)
        return self.really(statement, parameters) if found is None else found

    def really(self, statement: Any, parameters: Any = None) -> Any:
        """Run a statement on the tables."""
        return super().execute(sa.text(statement) if isinstance(statement, str) else statement, parameters)

    def scalar(self, statement: Any, parameters: Any = None, **_: Any) -> Any:
        """Run a statement and return the first value."""
        return self.execute(statement, parameters).scalar()

    def exec_driver_sql(self, statement: str, parameters: Any = None, execution_options: Any = None) -> Any:
        """Run a text."""
        found = None if _ABOUT_TABLES.match(statement) else self._answer(statement, parameters)
        return super().exec_driver_sql(statement, parameters, execution_options) if found is None else found
