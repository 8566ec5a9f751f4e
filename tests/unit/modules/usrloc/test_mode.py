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
    ({"db_mode": 3}, ("only", True, False)), ({"working_mode_preset": "sql-only"}, ("only", True, False)),
    ({"cluster_mode": "sql-only"}, ("only", True, False)),
    ({"cluster_mode": "federation-cachedb", "cachedb_url": "redis://x/"}, ("federation", True, True)),
    ({"working_mode_preset": "full-sharing-cluster", "cachedb_url": "redis://x/"}, ("cache", True, True)),
    ({"restart_persistency": "load-from-sql"}, ("sql", False, True)),
    ({"working_mode_preset": "full-sharing-cachedb-cluster", "cachedb_url": "redis://x/"}, ("cache", True, True)),
    ({"cluster_mode": "full-sharing-cachedb", "cachedb_url": "redis://x/"}, ("cache", True, True))]
BAD = [({"cluster_mode": "full-sharing"}, "needs the module clusterer"), ({"location_cluster": 1}, "location_cluster 1"),
       ({"working_mode_preset": "federation-cachedb-cluster"}, "needs cachedb_url"),
       ({"cluster_mode": "full-sharing-cachedb"}, "needs cachedb_url"),
       ({"restart_persistency": "sync-from-cluster"}, "sync-from-cluster")]


@pytest.mark.parametrize(("params", "wanted"), WELL)
def test_modes(params, wanted):
    usrloc = Office().usrloc
    for name, value in params.items():
        setattr(usrloc, name, value)
    mode = mode_of(usrloc)
    assert (mode.store, mode.at_once, mode.loads) == wanted


def test_a_table_that_is_loaded_is_written_unless_that_is_switched_off():
    usrloc = Office().usrloc
    usrloc.restart_persistency = "load-from-sql"
    assert mode_of(usrloc).writes
    usrloc.sql_write_mode = "none"
    assert not mode_of(usrloc).writes


@pytest.mark.parametrize(("params", "words"), BAD)
def test_what_is_not_there_is_said(params, words):
    with pytest.raises(ModuleError, match=words):
        Office({"usrloc": params})


def test_an_old_script_is_told_about_domains(caplog):
    caplog.set_level("INFO")
    assert Office().usrloc.use_domain == 1 and "use_domain" not in caplog.text
    Office({"usrloc": {"db_mode": 0}})
    assert 'needs modparam("usrloc", "use_domain", 0)' in caplog.text


@pytest.mark.parametrize(("params", "words"), [
    ({"location_cluster": 1}, "location_cluster 1 has no effect"),
    ({"working_mode_preset": "full-sharing-cluster"}, '"full-sharing-cluster" works as "full-sharing-cachedb-cluster"'),
    ({"restart_persistency": "load-from-sql"}, 'load-from-sql" has no effect')])
def test_what_has_no_effect_is_said(caplog, params, words):
    caplog.set_level("INFO")
    Office({"usrloc": {"working_mode_preset": "federation-cachedb-cluster", "cachedb_url": "redis://x/", **params}})
    assert words in caplog.text
