"""db_text in a server: its URL and its management."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit.playbook import make_worker

from osip.api import MIError, StoreError
from osip.modules.db_text import DbText


async def test_management(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("a(int)\n1\n")
    worker, _, _ = make_worker((DbText,))
    module: Any = worker.env.modules["db_text"]
    sql = worker.stores.sql(f"text://{tmp_path}")
    assert len(await sql.fetch("select * from t")) == 1
    (tmp_path / "t").write_text("a(int)\n1\n2\n")
    await module.reload()
    assert len(await sql.fetch("select * from t")) == 2
    (tmp_path / "t").unlink()
    await module.dump()
    assert (tmp_path / "t").read_text() == "a(int)\n1\n2\n"
    await module.reload(str(tmp_path), "t")
    for args in (("elsewhere",), (str(tmp_path), "none")):
        with pytest.raises(MIError):
            await module.reload(*args)
    with pytest.raises(StoreError, match="no such folder"):
        worker.stores.sql(f"text:{tmp_path}/none")
    await worker.stores.close()
