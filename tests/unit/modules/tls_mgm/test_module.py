"""Domains from parameters and from a table, their choice, reload; no connection is made."""
from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from kit.certificates import Authority

from osip.core.errors import MIError, ModuleError
from osip.core.net.endpoint import Dest, LocalSocket
from osip.core.run.ctx import Ctx
from osip.core.run.env import Env
from osip.core.store.sql import Sql
from osip.core.store.tables import create_tables
from osip.modules.tls_mgm import TlsMgm

LOCAL = LocalSocket("tls", "10.0.0.1", 5061)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def module(env: Env | None = None, **params: Any) -> TlsMgm:
    made = TlsMgm()
    made.env = env or Env()
    for name, value in params.items():
        setattr(made, name, value)
    made.mod_init()
    return made


def own(authority: Authority, *names: str) -> dict[str, Any]:
    files = [authority.issue(name) for name in names]
    return {"certificate": [f"[{name}]{one.cert}" for name, one in zip(names, files, strict=True)],
            "private_key": [f"[{name}]{one.key}" for name, one in zip(names, files, strict=True)],
            "verify_cert": [f"[{name}]0" for name in names]}


def dest(host: str, name: str = "", domain: str = "") -> Dest:
    found = Dest("tls", host, 5061)
    found.name, found.domain = name, domain
    return found


def test_the_closest_domain_serves(authority: Authority) -> None:
    names = ("any", "addr", "name", "both")
    made = module(server_domain=list(names), match_ip_address=["[addr]10.0.0.1", "[both]10.0.0.1:5061"],
                  match_sip_domain=["[name]a.org", "[both]a.org, *.a.org"], **own(authority, *names))
    other = LocalSocket("tls", "10.0.0.2", 5061)
    for local, name, chosen in [(LOCAL, "a.org", "both"), (LOCAL, "x.a.org", "both"), (LOCAL, "b.org", "addr"),
                                (other, "a.org", "name"), (other, "", "any")]:
        found = made.server(local, name)
        assert found is not None and found.name == chosen, (local, name)


def test_clients(authority: Authority) -> None:
    made = module(client_domain=["a", "b=10.0.0.9:5061"], match_sip_domain=["[a]a.org"])
    for where, chosen in [(dest("10.0.0.5", "a.org"), "a"), (dest("10.0.0.9", "x.org"), "b"), (dest("10.0.0.5", "x.org"), None),
                          (dest("10.0.0.5", "x.org", "a"), "a"), (dest("10.0.0.9", "", "none"), None)]:
        found = made.client(where)
        assert (found.name if found else None) == chosen, where


def test_avps_choose(authority: Authority) -> None:
    made = module(client_domain=["a"], client_tls_domain_avp="dom", client_sip_domain_avp="sip")
    ctx = Ctx(made.env, None, None)         # type: ignore[arg-type]
    assert made.env.choose_tls is not None
    for avps, name, domain in [({}, "was", ""), ({"dom": ["a"]}, "was", "a"), ({"sip": ["x.org"]}, "x.org", "")]:
        ctx.avps, where = avps, dest("10.0.0.1", "was")     # type: ignore[assignment]
        made.env.choose_tls(ctx, where)
        assert (where.name, where.domain) == (name, domain)


@pytest.mark.parametrize(("params", "words"), [
    ({"server_domain": ["s"]}, "server domain s: it has no certificate"),
    ({"certificate": ["[x]/a"]}, '"x", which server_domain'),
    ({"client_domain": ["c"], "verify_cert": ["[c]2"]}, "verify_cert of domain c is 0 or 1"),
    ({"client_domain": ["c"], "tls_method": ["[c]SSLv2"]}, "unknown TLS method"),
    ({"client_domain": ["c"], "ca_list": ["[c]/no/such"]}, "client domain c: ca_list /no/such: there is no such file")])
def test_faults(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ModuleError, match=words.replace("(", r"\(")):
        module(**params)


def test_expired_certificates_are_told_and_served(authority: Authority, caplog: Any) -> None:
    files = authority.issue("late", days=-1)
    made = module(certificate=[str(files.cert)], private_key=[str(files.key)], verify_cert=[0])
    assert made.server(LOCAL, "") is not None and "expired on" in caplog.text


class Bus:
    """The bus of one worker."""

    def __init__(self) -> None:
        self.tell: Any = None

    def subscribe(self, topic: str, call: Any) -> None:
        self.tell = call

    def share(self, *args: Any) -> None:
        pass

    def publish(self, topic: str, value: Any) -> None:
        self.tell(value)


def test_sessions_are_told_and_those_of_a_predecessor_forgotten(authority: Authority) -> None:
    env = Env()
    env.workers, env.number, env.bus = 3, 1, Bus()          # type: ignore[assignment]
    made = module(env, server_domain=["s"], **own(authority, "s"))
    assert made.sessions is not None
    for number in (5 << 8 | 1, 6 << 8 | 2):                 # of a worker 1 that died, and of worker 2
        made.sessions.set(number, ("v",))

    class Layer:
        class session:                                      # noqa: N801
            version, cipher, getpeercert = (lambda: "TLSv1.3"), (lambda: ("c", "v", 1)), (lambda binary: b"")
        domain = made.server(LOCAL, "")
    made.share(9 << 8 | 1, Layer)
    assert {number for number, _ in made.sessions.items()} == {6 << 8 | 2, 9 << 8 | 1}
    made.share(9 << 8 | 1, None)
    made.share(9 << 8 | 1, None)
    assert {number for number, _ in made.sessions.items()} == {6 << 8 | 2}


def test_changed_parameters_make_new_contexts(authority: Authority) -> None:
    made = module(server_domain=["s"], **own(authority, "s"))
    before = made.server(LOCAL, "")
    other = authority.issue("other")
    assert made.reload_params({"certificate": [f"[s]{other.cert}"], "private_key": [f"[s]{other.key}"]})
    after = made.server(LOCAL, "")
    assert before is not None and after is not None and before.certificate != after.certificate
    assert made.reload_params({"certificate": ["[s]/no/such"]}) == set()
    assert made.server(LOCAL, "") is after and made.certificate == [f"[s]{other.cert}"]


async def test_domains_of_a_table(authority: Authority, tmp_path: Path) -> None:
    import sqlalchemy as sa

    env = Env()
    url = f"sqlite:///{tmp_path}/tls.db"
    sql = Sql(url)
    env.sql = lambda given="": sql          # type: ignore[assignment,method-assign]
    await create_tables(sql, [TlsMgm.rows.spec()], "version")
    files = authority.issue("table", hosts=("a.b",))
    insert = sa.text("INSERT INTO tls_mgm (domain, type, match_sip_domain, verify_cert, certificate, private_key) "
                     "VALUES ('t', 2, 'a.b', 0, :cert, :key)")
    await sql.execute(insert, {"cert": files.cert.read_bytes(), "key": files.key.read_bytes()})
    made = module(env, db_url=url)
    await made.child_init(env)
    assert made.server(LOCAL, "x") is None
    found = made.server(LOCAL, "a.b")
    assert found is not None and found.name == "t"
    assert "BEGIN" not in str(made.mi_list())
    await sql.execute(sa.text("UPDATE tls_mgm SET match_sip_domain = '*'"))
    await made.mi_reload()
    assert made.server(LOCAL, "x") is not None
    await sql.execute(sa.text("UPDATE tls_mgm SET certificate = 'x'"))
    with pytest.raises(MIError, match="not reloaded"):
        await made.mi_reload()
    assert made.server(LOCAL, "x") is not None
    await asyncio.sleep(0)
    await sql.close()
