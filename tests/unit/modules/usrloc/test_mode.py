"""Which parameters make which mode."""
from __future__ import annotations

import pytest
from kit.registration import Office

from osip.api import ModuleError
from osip.modules.usrloc.mode import mode_of

WELL = [
    ({}, ("", False, False)), ({"db_mode": 0}, ("", False, False)), ({"db_mode": 1}, ("sql", True, True)),
    ({"db_mode": 2}, ("sql", False, True)),
    ({"working_mode_preset": "single-instance-sql-write-through"}, ("sql", True, True)),
    ({"working_mode_preset": "single-instance-sql-write-back"}, ("sql", False, True)),
    ({"sql_write_mode": "write-back", "restart_persistency": "load-from-sql"}, ("sql", False, True)),
    ({"sql_write_mode": "write-through"}, ("sql", True, False)),
    ({"restart_persistency": "load-from-sql"}, ("sql", False, True)),
    ({"working_mode_preset": "full-sharing-cachedb-cluster", "cachedb_url": "redis://x/"}, ("cache", True, True)),
    ({"cluster_mode": "full-sharing-cachedb", "cachedb_url": "redis://x/"}, ("cache", True, True))]
BAD = [({"db_mode": 3}, "sql-only"), ({"cluster_mode": "full-sharing"}, "full-sharing-cluster"),
       ({"cluster_mode": "sql-only"}, "sql-only"), ({"location_cluster": 1}, "location_cluster 1"),
       ({"working_mode_preset": "federation-cachedb-cluster"}, "federation"),
       ({"cluster_mode": "full-sharing-cachedb"}, "needs cachedb_url"),
       ({"restart_persistency": "sync-from-cluster"}, "sync-from-cluster")]


@pytest.mark.parametrize(("params", "wanted"), WELL)
def test_modes(params, wanted):
    usrloc = Office().usrloc
    for name, value in params.items():
        setattr(usrloc, name, value)
    mode = mode_of(usrloc)
    assert (mode.store, mode.at_once, mode.loads) == wanted


@pytest.mark.parametrize(("params", "words"), BAD)
def test_what_is_not_there_is_said(params, words):
    with pytest.raises(ModuleError, match=words):
        Office({"usrloc": params})
