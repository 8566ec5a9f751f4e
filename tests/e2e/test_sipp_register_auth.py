"""Register with SIPp and digest against auth_db on SQLite: the right password, a wrong one, and unknown users."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from kit.peer import SippCounts, sipp
from kit.server import Running, osip_server
from kit.user import SCENARIOS

from osip.cli.main import osip
from osip.cli.mi import call

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.timeout(120)]

USERS = 4
SCRIPT = """\
socket = udp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "sl.so"
{more}
loadmodule "signaling.so"
loadmodule "sipmsgops.so"
loadmodule "httpd.so"
loadmodule "mi_http.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "auth_db.so"
modparam("auth_db", "db_url", "sqlite:///{folder}/users.db")
route {{
	if (!is_method("REGISTER")) {{
		sl_send_reply(405, "Method Not Allowed");
		exit;
	}}
	$var(code) = 0;
	if (!www_authorize("", "subscriber")) {{
		$var(code) = $rc;
		if ($var(code) == -1) {{ sl_send_reply(404, "Not Found"); exit; }}
		if ($var(code) == -2) {{ sl_send_reply(403, "Forbidden"); exit; }}
		www_challenge("", "{qop}");
	}}
	consume_credentials();
	save("location");
}}
"""


def run(*words: str, stdin: str | None = None) -> None:
    done = CliRunner().invoke(osip, list(words), input=stdin)
    assert done.exit_code == 0, done.output


@pytest.fixture(params=[("auth", ""), ("", 'loadmodule "tm.so"')], ids=["qop", "no qop, tm"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """Run a registrar whose users are in an SQLite file that `osip db` and `osip user` made."""
    url = f"sqlite:///{tmp_path}/users.db"
    run("db", "create", "--url", url, "auth_db")
    for number in range(USERS):
        run("user", "add", "--url", url, "--password-stdin", f"u{number}@example.com", stdin=f"secret{number}\n")
    qop, more = request.param
    script = SCRIPT.format(folder=tmp_path, qop=qop, more=more)
    with osip_server(script, tmp_path / "server") as running:
        yield running


def register(folder: Path, server: Running, user: str, password: str, last: int) -> SippCounts:
    """Register one user; `last` is the answer that the credentials must get."""
    scenario = folder / f"{user}.xml"
    scenario.write_text((SCENARIOS / "register_auth.xml").read_text().replace("LAST", str(last)))
    with sipp(folder, server.address, "-sf", scenario, "-s", user, "-au", user, "-ap", password, "-m", 1,
              name=user) as client:
        return client.finish(20)


def test_who_may_register(server: Running, tmp_path: Path) -> None:
    for user, password, last in (("u0", "secret0", 200), ("u1", "secret1", 200), ("u2", "wrong", 403),
                                 ("u3", "secret2", 403), ("nobody", "secret0", 404), (f"u{USERS}", "x", 404)):
        counts = register(tmp_path, server, user, password, last)
        assert (counts.successful, counts.failed) == (1, 0), (user, counts.errors)
    [domain] = call("ul_dump", [], url=f"http://127.0.0.1:{server.mi_port}/mi")["Domains"]
    assert sorted(aor["AOR"] for aor in domain["AORs"]) == ["u0@example.com", "u1@example.com"]
