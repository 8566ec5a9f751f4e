"""osipctl as a whole: its verbs and their old names, its exit codes, settings by their precedence."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import click
import pytest

from osip.cli.ctl.root import SPELLINGS, main, osipctl

CTL = [sys.executable, "-c", "from osip.cli.ctl import main; main()"]
VERBS = ("start stop restart status trap ps version monitor moni console online ping cisco_restart add passwd rm acl alias "
         "alias_db aliasdb speeddial speed_dial avp domain address dispatcher dialplan ul usrloc db fifo unixsock mi reload "
         "log get_statistics uptime completion rpid cr dr registrant tls").split()


def test_the_verbs_are_there() -> None:
    with click.Context(osipctl) as ctx:
        assert [verb for verb in VERBS if osipctl.get_command(ctx, verb) is None] == []
        assert [old for old, new in SPELLINGS.items() if new not in osipctl.commands] == []


def test_every_verb_is_described(ctl: Any) -> None:
    def walk(command: click.Command, words: list[str]) -> None:
        done = ctl(*words, "--help")
        assert done.exit_code == 0 and (command.help or "").strip(), words
        for name in getattr(command, "commands", {}):
            walk(command.commands[name], [*words, name])        # type: ignore[attr-defined]
    walk(osipctl, [])


@pytest.mark.parametrize(("words", "code"), [
    (("--version",), 0), (("--help",), 0), (("nonsense",), 2), (("ps", "-x"), 2), (("-o", "xml", "ps"), 2), (("acl",), 2),
    (("domain", "showdb"), 1)])
def test_exit_codes(words: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["osipctl", *words])
    try:
        main()
        found = 0
    except SystemExit as ended:
        found = int(ended.code or 0)
    assert found == code


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["osipctl", "ps"])

    def interrupt(*args: Any, **named: Any) -> Any:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)     # another thread might get it by os.kill
    monkeypatch.setattr("osip.cli.ctl.site.call", interrupt)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


def test_a_reader_that_has_enough() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*CTL, "--help"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert "Traceback" not in done.stderr and done.returncode == 1


def test_who_says_where_the_server_is(ctl: Any, played: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played.answers = {"ps": {"Processes": []}}
    ctl("ps")
    (here / "opensipsctlrc").write_text("OSIPS_FIFO=/rc\n")
    (here / "other").write_text("OSIPS_FIFO=/other\n")
    ctl("ps")
    ctl("--rc", here / "other", "ps")
    monkeypatch.setenv("OSIPCTLRC", str(here / "other"))
    ctl("ps")
    monkeypatch.setenv("OSIP_MI", "fifo:/env")
    ctl("ps")
    ctl("--url", "fifo:/flag", "ps")
    assert played.urls == ["", "fifo:/rc", "fifo:/other", "fifo:/other", "fifo:/env", "fifo:/flag"]


def test_bad_settings(ctl: Any, played: Any, here: Path) -> None:
    (here / "opensipsctlrc").write_text("MI_CONNECTOR=SNAIL:x\nDBENGINE=ORACLE\nA=`id`\n")
    for words, told in ((("ps",), "MI_CONNECTOR=SNAIL"), (("domain", "showdb"), "DBENGINE=ORACLE"), (("ps",), "opensipsctlrc:3: A")):
        done = ctl(*words)
        assert done.exit_code == 1 and told in done.stderr
    assert "No such file" in ctl("--rc", "none", "ps").stderr


def test_environment_and_flag_for_the_database(ctl: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSIP_DB_URL", f"sqlite:///{here}/env.db")
    (here / "opensipsctlrc").write_text(f"DBENGINE=SQLITE\nDB_PATH={here}/rc.db\n")
    assert "env.db" in ctl("acl", "show").stderr
    assert "flag.db" in ctl("--db-url", f"sqlite:///{here}/flag.db", "acl", "show").stderr
    monkeypatch.delenv("OSIP_DB_URL")
    assert "rc.db" in ctl("acl", "show").stderr
