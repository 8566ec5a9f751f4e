"""Build the statements of auth_db, each once for a table."""
from __future__ import annotations

from typing import Any

from osip.api import avp_name


def parse_credentials(text: str) -> list[tuple[str, str]]:
    """Read load_credentials, `$avp(x)=column;column2`, as (AVP, column) pairs; a bare column names its AVP, too."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        left, equals, right = part.partition("=")
        if equals:
            found.append((avp_name(left), right.strip()))
        elif part.startswith("$"):
            raise ValueError(f'"{part}" has no column: write $avp(name)=column')
        else:
            found.append((part, part))
        if not found[-1][1]:
            raise ValueError(f'"{part}" has no column: write $avp(name)=column')
    return found


def user_row(table: str, user: str, domain: str, columns: list[str]) -> Any:
    """Select columns of a user; `domain` is the column of the domain, empty when it does not count."""
    return _select(table, columns, {"user": user, "domain": domain})


def uri_row(table: str, user: str, domain: str, uri_user: str) -> Any:
    """Select one of the rows that let an authentication name use the user of a URI."""
    return _select(table, [uri_user], {"user": user, "domain": domain, "uri_user": uri_user})


def auth_id_row(table: str, user: str, domain: str, uri_user: str) -> Any:
    """Select the authentication name and realm of the user of a URI."""
    return _select(table, [user, domain], {"uri_user": uri_user})


def _select(table: str, wanted: list[str], where: dict[str, str]) -> Any:
    """Select columns of the first row in which the columns of `where` (parameter -> name) are equal."""
    import sqlalchemy as sa

    where = {key: name for key, name in where.items() if name}
    tab = sa.table(table, *(sa.column(name) for name in dict.fromkeys((*wanted, *where.values()))))
    return sa.select(*(tab.c[name] for name in dict.fromkeys(wanted))).where(
        *(tab.c[name] == sa.bindparam(key) for key, name in where.items())).limit(1)
