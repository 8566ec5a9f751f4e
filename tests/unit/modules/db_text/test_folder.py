"""A folder of tables, asked by SQL."""
from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from osip.api import StoreError, table
from osip.core.store.tables import check_version, create_tables
from osip.modules.db_text.folder import TextFolder

USERS = "id(int,auto) username(string) note(string,null)\n1:alice:\n2:bob:it\\:s\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "users").write_text(USERS)
    return tmp_path


async def test_reading_and_writing(folder: Path) -> None:
    base = TextFolder(f"text://{folder}", False)
    users = sa.table("users", sa.column("username"), sa.column("note"))
    assert [tuple(row.values()) for row in await base.fetch(sa.select(users).order_by(users.c.username.desc()))] == [
        ("bob", "it:s"), ("alice", None)]
    assert await base.execute(users.insert(), [{"username": "carol", "note": "a\nb"}]) == 1
    assert await base.execute(users.update().where(users.c.username == "bob").values(note=None)) == 1
    assert (folder / "users").read_text() == \
        "id(int,auto) username(string) note(string,null)\n1:alice:\n2:bob:\n3:carol:a\\nb\n"
    assert await base.execute("delete from users where id < :n", {"n": 3}) == 2
    with pytest.raises(StoreError, match="no such table"):
        await base.fetch("select * from none")
    await base.close()
    assert len(await base.fetch("select * from users")) == 1, "it opens again"
    await base.close()


@pytest.mark.parametrize("looks", [False, True])
async def test_who_edits_a_file(folder: Path, looks: bool) -> None:
    base = TextFolder(f"text:{folder}", looks)
    await base.fetch("select * from users")
    (folder / "users").write_text(USERS + "3:carol:\n")
    assert len(await base.fetch("select * from users")) == (3 if looks else 2)
    await base.reload("users")
    assert len(await base.fetch("select * from users")) == 3
    (folder / "users").write_text(USERS + "3:carol\n")
    with pytest.raises(StoreError, match="users line 4"):
        await base.reload()
    await base.close()


async def test_two_that_write_lose_nothing(folder: Path) -> None:
    bases = [TextFolder(f"text:{folder}", True) for _ in range(2)]
    await asyncio.gather(*(bases[n % 2].execute("insert into users (username) values (:u)", {"u": f"u{n}"})
                           for n in range(12)))
    assert {len(await base.fetch("select distinct id, username from users")) for base in bases} == {14}
    for base in bases:
        await base.close()


async def test_tables_of_modules(folder: Path) -> None:
    base = TextFolder(f"text:{folder}", False)
    spec = table("domain", 4, "domain char(64)='', attrs char(255)?, n i32u=0, q f64=1.5", unique="domain").spec()
    assert not base.keeps_versions
    assert await create_tables(base, [spec]) == ["domain"]
    assert base.keeps_versions
    await check_version(base, spec)
    await base.execute("insert into domain (domain) values ('example.com')")
    assert (folder / "domain").read_text().splitlines()[1] == "1:example.com::0:1.5"
    await base.close()


async def test_no_folder(tmp_path: Path) -> None:
    base = TextFolder(f"text:{tmp_path}/none", False)
    for ask in (base.fetch("select 1"), base.execute("select 1"), base.ping()):
        with pytest.raises(StoreError, match="none"):
            await ask
