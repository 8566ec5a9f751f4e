"""osipctl beside a running server: what it writes to the tables is what calls are decided by, in each database."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kit.databases import SERVERS
from kit.peer import HOST, eventually, free_port
from kit.server import Running, osip_server
from kit.udp_phone import UdpPhone

from osip.cli.ctl import osipctl
from osip.cli.main import osip
from osip.core.sip.auth import parse_auth
from osip.core.sip.digest import answer_challenge, digest_ha1

KINDS = [pytest.param(kind, marks=() if kind == "sqlite" else pytest.mark.peer(kind)) for kind in SERVERS]
pytestmark = pytest.mark.timeout(240)

MODULES = ("auth_db", "group", "alias_db", "domain", "permissions", "dispatcher", "avpops", "speeddial")
SCRIPT = """\
udp_workers = WORKERS
log_level = 3
socket = udp:127.0.0.1:5060
db_default_url = "DATABASE"
mpath = "modules"
loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "signaling.so"
loadmodule "sipmsgops.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "mi_fifo.so"
modparam("mi_fifo", "fifo_name", "/x")
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "auth_db.so"
loadmodule "group.so"
loadmodule "alias_db.so"
loadmodule "domain.so"
modparam("domain", "db_mode", 1)
loadmodule "permissions.so"
loadmodule "dispatcher.so"
loadmodule "avpops.so"
loadmodule "speeddial.so"
route {
	if (is_method("REGISTER")) {
		if (!www_authorize("", "subscriber")) { www_challenge("", "auth"); exit; }
		save("location");
		exit;
	}
	if (!is_method("OPTIONS")) { sl_send_reply(405, "Method Not Allowed"); exit; }
	$var(facts) = "";
	if (check_address(1, "10.1.2.3", 5060, "udp")) { $var(facts) = $var(facts) + " trusted"; }
	if (db_is_user_in("From", "gold")) { $var(facts) = $var(facts) + " gold"; }
	if (is_domain_local("mine.example")) { $var(facts) = $var(facts) + " local"; }
	if (avp_db_load("$fu/uri", "$avp(lang)")) { $var(facts) = $var(facts) + " lang=" + $avp(lang); }
	if (sd_lookup("speed_dial")) { $var(facts) = $var(facts) + " short=" + $ru; }
	if (alias_db_lookup("dbaliases")) { $var(facts) = $var(facts) + " alias=" + $ru; }
	if (ds_select_dst(7, 0)) { $var(facts) = $var(facts) + " to=" + $du; }
	sl_send_reply(200, "OK$var(facts)");
}
"""


@dataclass
class Site:
    """A server, its database, and osipctl that finds both by an opensipsctlrc."""
    server: Running
    rc: Path
    url: str

    def run(self, *words: object, stdin: str = "", code: int = 0) -> str:
        done = CliRunner().invoke(osipctl, ["--rc", str(self.rc), *map(str, words)], input=stdin)
        assert done.exit_code == code, (words, done.output, done.exception)
        return done.stdout

    def rows(self, *words: object) -> Any:
        return json.loads(self.run("-o", "json", *words))

    def facts(self, user: str = "bob", callee: str = "sip:x@d.example") -> str:
        """Return what the server's script finds out about a user and his callee."""
        with UdpPhone(user, self.server.port, "d.example") as phone:
            phone.request("OPTIONS", callee)
            return str(phone.expect(200).reason).removeprefix("OK").strip()


def rc_of(url: str, folder: Path, fifo: Path) -> Path:
    """Write the settings as an operator of OpenSIPS has them."""
    found = re.fullmatch(r"(\w+)://(?:(\w+):(\w+)@([\d.]+):(\d+))?/(.*)", url)
    assert found is not None
    engine = {"sqlite": "SQLITE", "postgres": "PGSQL", "mysql": "MYSQL"}[found[1]]
    place = f'DB_PATH="{found[6]}"' if engine == "SQLITE" else (
        f"DBHOST={found[4]}\nDBPORT={found[5]}\nDBNAME={found[6]}\nDBRWUSER={found[2]}\nDBRWPW='{found[3]}'")
    rc = folder / "opensipsctlrc"
    rc.write_text(f"# written by a test\nSIP_DOMAIN=d.example\nDBENGINE={engine}\n{place}\nOSIPS_FIFO=\"{fifo}\"\n"
                  "COUNT_USERS='select count(*) as n from subscriber'\n")
    return rc


@contextmanager
def site(url: str, folder: Path, workers: int = 1) -> Iterator[Site]:
    made = CliRunner().invoke(osip, ["db", "create", "--url", url, *MODULES])
    assert made.exit_code == 0, made.output
    script = SCRIPT.replace("DATABASE", url).replace("WORKERS", str(workers)).replace('mpath = "modules"\n', "")
    with osip_server(script, folder / "server") as server:
        yield Site(server, rc_of(url, folder, folder / "server" / "osip_fifo"), url)


@pytest.fixture(params=KINDS, scope="module")
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run each database once, and a server on it."""
    folder = tmp_path_factory.mktemp(f"osipctl_{request.param}")
    (folder / "base").mkdir()
    with SERVERS[request.param](folder / "base") as url, site(url, folder) as found:     # type: ignore[attr-defined]
        yield found


@pytest.fixture
def each(base: Site) -> Site:
    """Give a server without users."""
    base.run("db", "exec", "delete from subscriber")
    return base


def register(site: Site, user: str, password: str, cseq: int) -> int:
    """Register with a password; return the status."""
    with UdpPhone(user, site.server.port, "d.example") as phone:
        phone.request("REGISTER", "sip:d.example", f"<sip:{user}@d.example>", cseq=cseq)
        challenge = parse_auth(phone.expect(401).get("WWW-Authenticate"))
        answer = answer_challenge(challenge, user, digest_ha1(user, "d.example", password), "REGISTER", "sip:d.example", "c")
        phone.request("REGISTER", "sip:d.example", f"<sip:{user}@d.example>", cseq=cseq + 1,
                      headers=f"Authorization: {answer}\r\n")
        try:
            phone.expect(200, 2.0)
        except AssertionError:
            return 401
        return 200


def test_what_is_written_decides(each: Site) -> None:
    run, rows = each.run, each.rows
    run("add", "bob", "--password-stdin", stdin="first\n")
    assert register(each, "bob", "first", 1) == 200 and register(each, "bob", "other", 11) == 401
    run("passwd", "bob@d.example", "--password-stdin", stdin="other\n")
    assert register(each, "bob", "other", 21) == 200 and register(each, "bob", "first", 31) == 401
    assert rows("db", "rorun", "COUNT_USERS") == [{"n": 1}]
    assert each.facts() == ""
    run("acl", "grant", "bob", "gold", "silver")
    run("avp", "add", "bob@d.example", "lang", 0, "de")
    run("alias_db", "add", "100@d.example", "bob")
    run("speeddial", "add", "bob", "11@d.example", "sip:100@d.example")
    run("address", "add", 1, "10.1.0.0", 16, 0, "any", "carrier")
    run("domain", "add", "mine.example", "gold")
    run("dispatcher", "addgw", 7, "sip:10.9.9.9:5070", "", 0, 50, "a=1", "first")
    assert each.facts() == "gold lang=de", "the others are read when they are reloaded"
    for name in ("address", "domain", "dispatcher"):
        run(name, "reload")
    assert each.facts(callee="sip:11@d.example") == \
        "trusted gold local lang=de short=sip:100@d.example alias=sip:bob@d.example to=sip:10.9.9.9:5070"
    assert rows("domain", "show") == [{"domain": "mine.example", "attributes": "gold"}]
    assert rows("dispatcher", "dump")[0]["destination"] == "sip:10.9.9.9:5070"
    assert "10.1.0.0" in json.dumps(rows("address", "dump"))
    run("dispatcher", "state", 7, "sip:10.9.9.9:5070", "inactive")
    assert "to=" not in each.facts()
    removed(each)


def removed(each: Site) -> None:
    """Take everything back; the tables are empty and the server knows nothing of it."""
    run, rows = each.run, each.rows
    assert [row["group"] for row in rows("acl", "show", "bob")] == ["gold", "silver"]
    assert rows("alias_db", "list", "bob") == [{"alias": "100@d.example", "user": "bob@d.example"}]
    for words in (("acl", "revoke", "bob"), ("avp", "rm", "-u", "bob@d.example", "-a", "lang"), ("alias_db", "rm", "100"),
                  ("speeddial", "rm", "bob", "11"), ("address", "rm", 1, "10.1.0.0", 16), ("domain", "rm", "mine.example"),
                  ("dispatcher", "rmgw", rows("dispatcher", "show", 7)[0]["id"]), ("rm", "bob")):
        run(*words)
        if words[0] in ("address", "domain", "dispatcher"):
            run(words[0], "reload")
    assert each.facts(callee="sip:11@d.example") == ""
    for table in ("subscriber", "grp", "usr_preferences", "dbaliases", "speed_dial", "address", "domain", "dispatcher"):
        assert rows("db", "show", table) == [], table


def test_tables_of_modules_still_to_come(each: Site) -> None:
    run, rows = each.run, each.rows
    url = each.url
    made = CliRunner().invoke(osip, ["db", "create", "--url", url, "dialplan", "drouting", "carrierroute", "registrant"])
    assert made.exit_code == 0, made.output
    run("dialplan", "addrule", 1, 5, "regex", "^00([0-9]+)$", 0, "^00([0-9]+)$", "+\\1", "world")
    assert rows("dialplan", "show")[0]["replacement"] == "+\\1"
    run("dr", "addgw", "gw1", 10, "10.0.0.1", 2, "+49", "a", 1, "first")
    run("dr", "addcr", "cr1", "gw1"), run("dr", "addgrp", "bob", "h", 1)
    for prefix in ("49", "1"):
        run("dr", "addrule", "1", prefix, "", 0, "", "#cr1")
    assert [row["ruleid"] for row in rows("dr", "show", "rules")] == [1, 2]
    run("cr", "addrt", 1, "default"), run("cr", "addcarrier", 1, "49", "de", "gw.example", 0.5)
    assert rows("cr", "show")[0]["prob"] == 0.5
    run("registrant", "add", "sip:r", "", "sip:me@r", "", "me", "-", "sip:me@h", "", 60, "--password-stdin", stdin="s\n")
    assert rows("registrant", "show")[0]["expiry"] == 60
    run("rpid", "show", "bob", code=1), run("db", "exec", "alter table subscriber add rpid varchar(64)")
    run("add", "bob", "--password-stdin", stdin="x\n"), run("rpid", "add", "bob", "+49")
    assert rows("rpid", "show", "bob")[0]["rpid"] == "+49"
    run("registrant", "rmaor", rows("registrant", "show")[0]["id"]), run("dr", "rmrule", 1), run("dialplan", "rm", "--yes")
    run("cr", "rmcarrier", 1, "49", "de"), run("dr", "rmgw", rows("dr", "show")[0]["id"])
    assert [rows(*words) for words in (("registrant", "show"), ("dialplan", "show"), ("cr", "show"), ("dr", "show"))] == [[]] * 4


def test_statements(each: Site) -> None:
    run, rows = each.run, each.rows
    run("add", "bob", "--password-stdin", "--plain", stdin="pw\n")
    assert rows("db", "exec", "update subscriber set password = 'a:b 100%' where username = 'bob'") == {"rows": 1}
    assert rows("db", "ro", "select username, password from subscriber where password like '%:%'") == [
        {"username": "bob", "password": "a:b 100%"}]
    assert rows("db", "show", "subscriber")[0]["password"] == "***"
    run("db", "roexec", "delete from subscriber", code=1)
    assert rows("db", "rorun", "COUNT_USERS") == [{"n": 1}]
    run("db", "exec", "drop table grp")
    done = CliRunner().invoke(osipctl, ["--rc", str(each.rc), "acl", "show"])
    assert done.exit_code == 1 and "osip db create group --url" in done.stderr and "opensipsrw" not in done.stderr


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "base").mkdir()
    with site(f"sqlite:///{tmp_path}/base/file.db", tmp_path, workers=2) as found:
        yield found


def test_the_running_server(small: Site) -> None:
    run, rows = small.run, small.rows
    run("ul", "add", "bob@d.example", "sip:bob@10.0.0.1:5060", 600, "-q", 0.5)
    run("ul", "add", "eve", "sip:eve@10.0.0.2:5060")
    found = rows("ul", "show")
    assert [(row["aor"].partition("@")[0], row["contact"], row["q"]) for row in sorted(found, key=lambda row: row["aor"])] == [
        ("bob", "sip:bob@10.0.0.1:5060", "0.5"), ("eve", "sip:eve@10.0.0.2:5060", "1")]
    assert [row["user"].partition("@")[0] for row in rows("online")] == ["bob", "eve"]
    assert rows("ul", "show", "bob")[0]["contact"] == "sip:bob@10.0.0.1:5060"
    run("ul", "flush")
    run("ul", "rm", "bob", "sip:bob@10.0.0.1:5060"), run("ul", "rm", "eve")
    assert rows("ul", "show") == []
    assert len(rows("ps")) == 3 and "Up since" in run("uptime")
    assert {row["level"] for row in rows("log", "level")} == {3}
    run("log", "level", "warning")
    assert {row["level"] for row in rows("log", "level")} == {1}
    assert "nothing was changed" in run("reload", "--dry-run") and "read again" in run("reload")
    sample = rows("monitor", "--once")
    assert sample["statistics"]["core:rcv_requests"] > 0 and len(sample["processes"]) == 3
    assert rows("mi", "get_statistics", "core:rcv_requests")["core:rcv_requests"] > 0
    assert [row["statistic"] for row in rows("get_statistics", "sl:sent_replies")] == ["sl:sent_replies"]


def test_ping(small: Site) -> None:
    with UdpPhone("phone", small.server.port) as phone:
        child = subprocess.Popen([sys.executable, "-c", "from osip.cli.ctl import main; main()", "--rc", small.rc, "-o", "json",
                                  "ping", f"sip:phone@{HOST}:{phone.port}"], stdout=subprocess.PIPE)
        request = phone.expect("OPTIONS")
        phone.reply(request, 486, "Busy Here")
        out, _ = child.communicate(timeout=30)
    row, = json.loads(out)
    assert row["status"] == "486 Busy Here" and child.returncode == 0 and "osipctl@d.example" in request.get("From")


def test_trap_of_a_worker_that_hangs(tmp_path: Path) -> None:
    modules = tmp_path / "server" / "modules"
    modules.mkdir(parents=True)
    (modules / "sleepy.py").write_text('''
"""Hang."""
import time
from osip.api import Ctx, Module, function


class Sleepy(Module):
    """Hang."""

    @function("Q")
    def hang(self, ctx: Ctx) -> bool:
        """Hang for a while, as a bad module does."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            pass
        return True
''')
    script = SCRIPT[SCRIPT.index("mpath"):SCRIPT.index('loadmodule "usrloc.so"')] + (
        'loadmodule "sleepy.so"\nroute { if (is_method("MESSAGE")) { hang(); } sl_send_reply(200, "OK"); }\n')
    script = "udp_workers = 2\nsocket = udp:127.0.0.1:5060\n" + script
    pid_file = tmp_path / "pid"
    ctl = [sys.executable, "-c", "from osip.cli.ctl import main; main()"]
    with osip_server(script, tmp_path / "server", "--pid-file", str(pid_file)) as server:
        eventually(pid_file.exists, "the pid file")
        with UdpPhone("bob", server.port) as phone:
            phone.request("MESSAGE", "sip:x@d.example")
            out = tmp_path / "stacks"

            def hangs() -> bool:
                done = subprocess.run([*ctl, "trap", "-P", str(pid_file), "--to", str(out)], check=False, timeout=60,
                                      capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)})
                assert done.returncode == 0 and "3 processes" in done.stdout, done.stderr
                return "in hang" in out.read_text()
            eventually(hangs, "the stack of the module that hangs", 30)
        text = out.read_text()
        assert text.count("---- pid ") == 3 and text.count("-- end of tasks --") == 1, "master, one hangs, one answers"
        assert "its loop did not turn" in text and 'sleepy.py", line' in text


CONFUSED: list[tuple[Callable[[Site], list[str]], int, str]] = [
    (lambda site: ["--url", f"http://{HOST}:{site.server.port}/mi", "ps"], 3, "Is it running"),
    (lambda site: ["--url", f"http://{HOST}:{site.server.mi_port}/wrong", "ps"], 3, "is the path right"),
    (lambda site: ["--url", f"http://{HOST}:{free_port()}/mi", "ps"], 3, "--url or OSIP_MI"),
    (lambda site: ["--url", "fifo:/no/such/pipe", "ps"], 3, "mi_fifo"),
    (lambda site: ["dialplan", "reload"], 4, "Is the module that has it loaded?"),
    (lambda site: ["ul", "show", "nobody"], 4, "AOR not found"),
    (lambda site: ["dialplan", "show"], 1, "osip db create dialplan"),
    (lambda site: ["--db-url", f"postgres://x:y@{HOST}:{free_port()}/z", "acl", "show"], 1, "Is the database running there?"),
    (lambda site: ["--db-url", "oracle9://x", "acl", "show"], 1, "oracle9")]


def test_errors_teach(small: Site) -> None:
    for words, code, told in CONFUSED:
        done = CliRunner().invoke(osipctl, ["--rc", str(small.rc), *words(small)])
        assert done.exit_code == code and told in done.stderr, (words(small), done.output)
        assert "Traceback" not in done.output and len(done.stderr.splitlines()) == 1


def test_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = "a-token-of-the-monitor"
    (tmp_path / "token").write_text(token)
    script = ('socket = udp:127.0.0.1:5060\nloadmodule "proto_udp.so"\nloadmodule "sl.so"\nloadmodule "httpd.so"\n'
              f'modparam("httpd", "access", "name=monitor role=read token_file={tmp_path}/token")\n'
              'loadmodule "mi_http.so"\nroute { sl_send_reply(200, "OK"); }\n')
    rc = tmp_path / "rc"
    rc.touch()
    with osip_server(script, tmp_path / "server") as server:
        def run(*words: str) -> Any:
            return CliRunner().invoke(osipctl, ["--rc", str(rc), "--url", f"http://{HOST}:{server.mi_port}/mi", *words])
        monkeypatch.delenv("OSIP_MI_TOKEN", raising=False)
        locked = run("ps")
        assert locked.exit_code == 3 and "OSIP_MI_TOKEN" in locked.stderr
        monkeypatch.setenv("OSIP_MI_TOKEN", token)
        assert run("ps").exit_code == 0 and run("monitor", "--once").exit_code == 0
        refused = run("reload")
        assert refused.exit_code == 4 and "403" in refused.stderr and token not in refused.output
