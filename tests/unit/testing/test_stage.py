"""Check what one test of a test file works with."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.core.errors import OsipError
from osip.testing.stage import Stage


def test_the_bench_is_made_once_and_late(tmp_path: Path) -> None:
    (tmp_path / "s.cfg").write_text('loadmodule "proto_udp.so"\nroute {\n\t$var(x) = $argv(who);\n}\n')
    stage = Stage()
    assert stage.close() is None and not stage.has_call
    with pytest.raises(OsipError, match="script FILE"):
        _ = stage.bench
    with pytest.raises(OsipError, match="nothing was sent"):
        _ = stage.call
    stage.set(path=str(tmp_path / "s.cfg"))
    stage.put("argv", "who", "bob")
    stage.put("argv", "other", "eve")
    stage.take(stage.bench.send("OPTIONS sip:x@y"))
    assert stage.has_call and stage.call.bench is stage.bench
    assert stage.bench.var("x") == "bob"
    with pytest.raises(OsipError, match="too late"):
        stage.put("argv", "who", "eve")
    assert stage.close() is stage.bench
