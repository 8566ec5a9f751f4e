"""opensipsctlrc: what is understood of the shell, what is left out, and that nothing is ever run."""
from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

import pytest

from osip.cli.ctl import rc
from osip.cli.ctl.rc import Rc, RcError, read


def values(tmp_path: Path, text: str, **environ: str) -> Rc:
    (tmp_path / "rc").write_text(text)
    return read([str(tmp_path / "rc")], environ)


@pytest.mark.parametrize(("text", "value"), [
    ("A=1", "1"), ("  A=1  # why", "1"), ("#A=1", None), ('A="x y"', "x y"), ("A='x $B y'", "x $B y"), ("export A=1", "1"),
    ("readonly A=1", "1"), ('A="a\\"b"', 'a"b'), ("A=a\\ b", "a b"), ("A=", ""), ("B=7\nA=$B/x", "7/x"),
    ("B=7\nA=${B}x", "7x"), ("A=$HOME", "/h"), ("A=${NONE:-d}", "d"), ("A=${HOME:-d}", "/h"), ('A=x"y z"w', "xy zw"),
    ("A=x#y", "x#y"), ("A=1;B=2", "1"), ("A=one \\\n  B=2", "one"), (": ${A:=5}", "5"), ("A=1\n: ${A:=5}", "1"),
    ("A=1\nA=2", "2"), ("A=$", "$"), ("A=x\\\\\nB=1", "x\\"), ("A=~/x", "/h/x"), ("A=~", "/h"), ("A=/a:~/b:~", "/a:/h/b:/h"), ("A=$'x'", None), ("A='~/x'", "~/x"), ("A=~x", "~x"), ("A=$$", None), ("A=${#B}", None),
    ("A=x\\ ", "x "), ("A=x$", "x$"), ("A=$1", None), ("A=1 ", "1"), ("A='it'\\''s'", "it's"), ("if true; then", None), ("A=`id`", None), ("A=$(id)", None),
    ('A="open', None), ("A =1", None), ("\x00\xff", None)])
def test_one_value(text: str, value: str | None, tmp_path: Path) -> None:
    assert values(tmp_path, text, HOME="/h").values.get("A") == value


def test_a_shell_reads_the_same(tmp_path: Path) -> None:
    """Let bash read what was understood; commands that random text might name are not found."""
    letters, random = "xyz xyz  $'\"\\#={}-:/.~1B", Random(7)
    lines = [random.choice(("", "export ", "  ")) + f"A{number}=" + "".join(random.choices(letters, k=random.randint(0, 10)))
             for number in range(1500)]
    lines = [line for line in lines if not line.endswith("\\")]        # they go on in the next line
    (tmp_path / "rc").write_text("B=bee\n" + "\n".join(lines))
    (tmp_path / "good").write_text("B=bee\n" + "".join(
        line + "\n" for line in lines if not values(tmp_path, "B=bee\n" + line, HOME="/h").left_out))
    mine = read([str(tmp_path / "good")], {"HOME": "/h"}).values
    assert len(mine) > 500
    done = subprocess.run(["/bin/bash", "--norc", "-c", 'source "$0" 2>/dev/null; for n in ${!A*}; do printf "%s=%s\\0" $n "${!n}"; done',
                           tmp_path / "good"], env={"PATH": "/none", "HOME": "/h"}, capture_output=True, text=True, check=True,
                          cwd=tmp_path)
    theirs = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if entry)
    assert theirs == {name: value for name, value in mine.items() if name.startswith("A")}


def test_nothing_is_run_and_it_is_said(tmp_path: Path) -> None:
    found = values(tmp_path, f"A=$(touch {tmp_path}/done)\nB=`touch {tmp_path}/done`\nsource x\nC=3\n")
    assert not (tmp_path / "done").exists() and found.values == {"C": "3"}
    assert [line.split(": ", 1)[0].rpartition(":")[2] for line in found.left_out] == ["1", "2", "3"]
    assert "not run" in found.left_out[0]


def test_a_value_of_several_lines(tmp_path: Path) -> None:
    found = values(tmp_path, 'A="one two\n   three" B=4\nC=5\n')
    assert found.values == {"A": "one two\n   three", "B": "4", "C": "5"} and not found.left_out


@pytest.mark.parametrize("rest", [1, 300])
def test_a_quote_that_nobody_closes(rest: int, tmp_path: Path) -> None:
    found = values(tmp_path, 'A="open\n' + "C=5\n" * rest)
    assert found.values == {"C": "5"} and len(found.left_out) == 1 and "rc:1: a quote" in found.left_out[0]


def test_several_on_a_line(tmp_path: Path) -> None:
    assert values(tmp_path, 'export A=1 B="2 3" C=4').values == {"A": "1", "B": "2 3", "C": "4"}


@pytest.mark.parametrize(("settings", "url"), [
    ({}, ""), ({"DBENGINE": "MYSQL"}, "mysql://opensips:opensipsrw@localhost/opensips"),
    ({"DBENGINE": "pgsql", "DBHOST": "h", "DBPORT": "99", "DBNAME": "n", "DBRWUSER": "u", "DBRWPW": "p@/:"},
     "postgres://u:p%40%2F%3A@h:99/n"),
    ({"DBENGINE": "SQLITE", "DB_PATH": "/var/x.db"}, "sqlite:////var/x.db"),
    ({"DBENGINE": "SQLITE", "DBNAME": "x.db"}, "sqlite:///x.db"), ({"DBENGINE": "DBTEXT", "DB_PATH": "/t"}, "text:///t")])
def test_database(settings: dict[str, str], url: str) -> None:
    assert Rc(settings).db_url() == url


def test_the_user_who_only_reads() -> None:
    settings = {"DBENGINE": "MYSQL", "DBROUSER": "ro", "DBROPW": "r"}
    assert Rc(settings).db_url(read_only=True) == "mysql://ro:r@localhost/opensips"
    assert "opensipsrw@" in Rc({"DBENGINE": "MYSQL"}).db_url(read_only=True)


@pytest.mark.parametrize("settings", [{"DBENGINE": "DB_BERKELEY"}, {"DBENGINE": "SQLITE"}, {"DBENGINE": "DBTEXT"}])
def test_databases_that_cannot_be(settings: dict[str, str]) -> None:
    with pytest.raises(RcError, match="DBENGINE="):
        Rc(settings).db_url()


@pytest.mark.parametrize(("settings", "url"), [
    ({}, ""), ({"OSIPS_FIFO": "/tmp/f"}, "fifo:/tmp/f"), ({"MI_CONNECTOR": "FIFO:/tmp/g", "OSIPS_FIFO": "/f"}, "fifo:/tmp/g"),
    ({"MI_CONNECTOR": "UDP:127.0.0.1:8080"}, "udp:127.0.0.1:8080"), ({"MI_CONNECTOR": "UNIXSOCK:/s"}, "unix:/s"),
    ({"MI_CONNECTOR": "XMLRPC:h:8888"}, "xmlrpc://h:8888/RPC2"), ({"MI_CONNECTOR": "HTTP:h:1/x"}, "http://h:1/x"),
    ({"MI_CONNECTOR": "HTTP:h:1"}, "http://h:1/mi"), ({"CTLENGINE": "UNIXSOCK", "OSIPS_UNIXSOCK": "/u"}, "unix:/u"),
    ({"CTLENGINE": "FIFO", "OSIPS_FIFO": "/f"}, "fifo:/f")])
def test_management(settings: dict[str, str], url: str) -> None:
    assert Rc(settings).mi_url() == url


def test_an_unknown_connector() -> None:
    with pytest.raises(RcError, match="SNAIL"):
        Rc({"MI_CONNECTOR": "SNAIL:x"}).mi_url()


def test_the_usual_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "etc").write_text("A=etc\nB=etc\n")
    (tmp_path / ".opensipsctlrc").write_text("A=home\n")
    monkeypatch.setattr(rc, "PLACES", (str(tmp_path / "etc"), str(tmp_path / "none"), "~/.opensipsctlrc"))
    found = read()
    assert found.values == {"A": "home", "B": "etc"} and found.where() == str(tmp_path / ".opensipsctlrc")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RcError, match="No such file"):
        read([str(tmp_path / "none")])
    assert Rc().where() == "opensipsctlrc"


@pytest.mark.parametrize(("value", "on"), [("1", True), ("yes", True), ("0", False), ("", False), ("no", False)])
def test_switches(value: str, on: bool) -> None:
    assert Rc({"STORE_PLAINTEXT_PW": value}).is_on("STORE_PLAINTEXT_PW") is on
