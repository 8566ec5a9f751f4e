"""A set as a whole: versions, and what it says when nobody answers."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from osip.api import Sql, StoreLost
from osip.modules.db_virtual.fleet import MODES, Fleet, Member, describe


@pytest.mark.parametrize("mode", MODES)
async def test_nobody_answers(tmp_path: Path, mode: str) -> None:
    told: list[Any] = []
    fleet = Fleet("x", mode, [Member(Sql(f"sqlite:///{tmp_path}/none/{n}.db")) for n in range(2)], 3,
                  lambda what, member: told.append((what, describe(member)[-4:])))
    for ask in (fleet.execute("select 1"), fleet.fetch("select 1"), fleet.run(lambda c: None), fleet.ping()):
        with pytest.raises(StoreLost, match="of the set x"):
            await ask
    assert sorted(told) == [("lost", "0.db"), ("lost", "1.db")], "told once each"
    assert fleet.keeps_versions and fleet.is_open
    for member in fleet.members:
        await member.sql.close()
