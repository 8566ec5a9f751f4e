"""Files of rules."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.modules.permissions.rule import Rules, read_rules

ALLOW = '''# who may call where
"^sip:alice@" , "^sip:bob@" : "@example\\.com$"
ALL : "^sip:(112|911)@" EXCEPT "@test$"
'''
DENY = 'ALL EXCEPT "^sip:root@" : ALL'


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    (tmp_path / "a").write_text(ALLOW)
    (tmp_path / "d").write_text(DENY)
    return Rules.read(str(tmp_path / "a"), str(tmp_path / "d"))


@pytest.mark.parametrize(("left", "right", "permitted"), [
    ("sip:alice@x", "sip:y@example.com", True), ("sip:BOB@x", "sip:y@example.com", True),
    ("sip:carol@x", "sip:y@example.com", False), ("sip:carol@x", "sip:112@x", True),
    ("sip:carol@x", "sip:112@test", False), ("sip:root@x", "sip:112@test", True)])
def test_permits(rules: Rules, left: str, right: str, permitted: bool) -> None:
    assert rules.permits(left, right) is permitted


def test_files_that_are_not_there_allow(tmp_path: Path) -> None:
    assert Rules.read(str(tmp_path / "a"), str(tmp_path / "d")).permits("sip:x", "sip:y")


@pytest.mark.parametrize(("text", "words"), [
    ('"a"', "one colon"), ('"a" : "b" : "c"', "one colon"), ('"a" "b" : ALL', "commas"), ('"a", : ALL', "commas"),
    (': ALL', "expected ALL"), ('SOME : ALL', "stand in quotes"), ('"(" : ALL', "bad regular"), ('%', "unexpected '%'"),
    ('ALL EXCEPT : ALL', "expected ALL")])
def test_faults_name_the_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rules"
    path.write_text("\n" + text)
    with pytest.raises(ValueError, match=words) as caught:
        read_rules(str(path))
    assert f"{path}:2: " in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        read_rules(str(tmp_path / "none"))
