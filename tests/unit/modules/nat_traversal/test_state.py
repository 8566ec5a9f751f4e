"""The state file: what is written is read again, and what is broken is left out."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.modules.nat_traversal import state

ITEMS: list[state.Item] = [
    (("sip:192.0.2.1:5060", "r:bob@example.com"), ("udp:10.0.0.9:5060", 500.0)),
    (("sip:[2001:db8::1]:5061;transport=tls", "s:odd call%id \u00e4"), ("tls:[2001:db8::9]:5061", 900.0)),
    (("sip:192.0.2.3:5060", "d:x"), ("", 100.0))]


def test_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "state"
    state.write(path, ITEMS)
    assert state.read(path, 50) == ([*ITEMS[:2], (ITEMS[2][0], ("-", 100.0))], 0)
    assert state.read(path, 500) == (ITEMS[1:2], 0)
    assert path.stat().st_mode & 0o777 == 0o600 and [one.name for one in tmp_path.iterdir()] == ["state"]


def test_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"# x\n\nsip:a udp:b:1 r:x 900\nsip:a udp:b:1 r:x\nsip:a udp:b:1 r:x soon\nhttp:a udp:b:1 r:x 900\n"
                     b"sip:a udp:b:1 z:x 900\nsip:a udp:b:1 r:x 900 more\n\xff\xfe\x00\n")
    assert state.read(path, 1) == ([(("sip:a", "r:x"), ("udp:b:1", 900.0))], 6)


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    state.write(path, ITEMS)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        state.write(path, [*ITEMS, None])               # type: ignore[list-item]
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(OSError):
        state.write(tmp_path / "nowhere" / "state", ITEMS)
