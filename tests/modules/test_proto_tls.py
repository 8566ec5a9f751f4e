"""TLS through real sockets: who is let in, who is believed, what is refused, and what a flood costs."""
from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import uvloop
from kit.certificates import Authority, Files

from osip.core.net.endpoint import Dest, LocalSocket, Source
from osip.core.run.ctx import Ctx
from osip.core.run.env import Env
from osip.core.run.stats import Stats
from osip.core.sip.message import parse
from osip.modules.proto_tls import ProtoTls
from osip.modules.tls_mgm import TlsMgm


def message(number: int = 1, body: str = "") -> bytes:
    return (f"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK1\r\nCSeq: {number} OPTIONS\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


class Side:
    """A TLS transport with one listening socket, its domains, and what it received."""

    def __init__(self, *, echo: bool = False, host: str = "127.0.0.1", params: dict[str, int] | None = None,
                 settings: dict[str, Any] | None = None, **domains: Any) -> None:
        self.env = Env()
        self.env.stats = Stats()
        self.env.timers.reset(time.monotonic())
        self.env.config.set("tcp_connect_timeout", 3000)
        for name, value in (settings or {}).items():
            self.env.config.set(name, value)
        self.domains = TlsMgm()
        self.domains.env = self.env
        for name, value in domains.items():
            setattr(self.domains, name, value)
        self.domains.mod_init()
        module = ProtoTls()
        module.tls_mgm = self.domains
        for name, value in (params or {}).items():
            setattr(module, name, value)
        self.transport = module.make_transport(self.env)
        self.local = LocalSocket("tls", host, 0)
        self.transport.open(self.local, asyncio.get_running_loop(), self)
        self.local.transport = self.transport
        self.got: list[tuple[bytes, Source]] = []
        self.unsent: list[bytes] = []
        self._echo = echo
        self._changed = asyncio.Event()

    def batch_start(self) -> None:
        pass

    def batch_end(self) -> None:
        pass

    def receive(self, raw: bytes, source: Source) -> None:
        self.got.append((raw, source))
        if self._echo:
            assert self.transport.send(raw, Dest("tls", source.host, 5061, source.socket, source.conn))
        self._changed.set()

    def on_unsent(self, data: bytes, dest: Dest) -> None:
        self.unsent.append(data)
        self._changed.set()

    def dest(self, name: str = "", domain: str = "") -> Dest:
        found = Dest("tls", self.local.host, self.local.port)
        found.name, found.domain = name, domain
        return found

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(10):
            while not true():
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.02)
                except TimeoutError:
                    continue


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def server_params(files: Files, **more: Any) -> dict[str, Any]:
    return {"server_domain": ["s"], "certificate": [f"[s]{files.cert}"], "private_key": [f"[s]{files.key}"],
            "verify_cert": ["[s]0"], **more}


def client_params(authority: Authority, **more: Any) -> dict[str, Any]:
    return {"client_domain": ["c"], "ca_list": [f"[c]{authority.files.cert}"], **more}


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_messages_both_ways(authority: Authority, loop: Any) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(both_ways(authority))


async def both_ways(authority: Authority) -> None:
    server = Side(echo=True, **server_params(authority.issue("srv", hosts=("sip.example.com",))))
    client = Side(**client_params(authority))
    sent = [message(number, "x" * number * 3000) for number in range(20)]
    assert all(client.transport.send(data, server.dest("sip.example.com")) for data in sent)
    await client.until(lambda: len(client.got) == 20)
    assert [raw for raw, _ in server.got] == [raw for raw, _ in client.got] == sent
    assert len(client.transport.connections) == len(server.transport.connections) == 1
    assert server.transport.connections.greeting == 0
    client.transport.close()
    await server.until(lambda: len(server.transport.connections) == 0)
    server.transport.close()


WRONG = [   # what the server shows, the name asked for, what the log says
    ({"hosts": ("other.example.com",)}, "sip.example.com", 'the certificate is for other.example.com, not "sip.example.com"'),
    ({"hosts": ("sip.example.com",), "days": -1}, "sip.example.com", "expired"),
    ({"uris": ("sip:example.com",), "hosts": ("sip.example.com",)}, "sip.example.com", "is for example.com"),
    ({"hosts": ("*.example.com",)}, "sip.example.com", "not \"sip.example.com\"")]


@pytest.mark.parametrize(("shown", "name", "words"), WRONG, ids=["name", "expired", "uri", "wildcard"])
async def test_servers_that_are_not_believed(authority: Authority, caplog: Any, shown: dict[str, Any], name: str,
                                             words: str) -> None:
    server = Side(**server_params(authority.issue("srv", **shown)))
    client = Side(**client_params(authority))
    assert client.transport.send(message(), server.dest(name))
    await client.until(lambda: client.unsent)
    assert client.unsent == [message()] and not server.got and words in caplog.text
    client.transport.close()
    server.transport.close()


@pytest.mark.parametrize(("more", "name"), [
    ({"verify_name": ["[c]0"]}, "x.example.com"), ({"verify_cert": ["[c]0"]}, "x.example.com"), ({}, "127.0.0.1"), ({}, "")])
async def test_servers_that_are_believed(authority: Authority, more: dict[str, Any], name: str) -> None:
    server = Side(**server_params(authority.issue("srv", hosts=("127.0.0.1",))))
    client = Side(**client_params(authority, **more))
    client.transport.send(message(), server.dest(name))
    await server.until(lambda: server.got)
    client.transport.close()
    server.transport.close()


async def test_another_authority_and_no_client_domain(authority: Authority, tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "x").mkdir()
    server = Side(**server_params(Authority(tmp_path / "x", "stranger").issue("srv", hosts=("a.b",))))
    client = Side(**client_params(authority))
    client.transport.send(message(), server.dest("a.b"))
    client.transport.send(message(), Dest("tls", "127.0.0.2", server.local.port))
    await client.until(lambda: len(client.unsent) == 2)
    assert "certificate" in caplog.text
    nobody = Side()
    nobody.transport.send(message(), server.dest("a.b"))
    await nobody.until(lambda: nobody.unsent)
    assert "no TLS domain" in caplog.text
    for side in (server, client, nobody):
        side.transport.close()


def connect(side: Side, authority: Authority, files: Files | None = None, name: str | None = None,
            newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> str:
    """Let Python's client connect and send; return the name of the server's certificate, or how it was refused."""
    context = ssl.create_default_context(cafile=str(authority.files.cert))
    context.check_hostname = False
    context.maximum_version = newest
    if files is not None:
        context.load_cert_chain(files.cert, files.key)
    try:
        with socket.create_connection((side.local.host, side.local.port), 5) as raw, \
                context.wrap_socket(raw, server_hostname=name) as one:
            one.sendall(message())
            if not one.recv(9000):          # TLS 1.3 tells a client only now that it is not let in
                return "closed"
            cert: Any = one.getpeercert()
            return str(cert["subject"][0][0][1])
    except (ssl.SSLError, OSError) as error:
        return type(error).__name__


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_clients_must_show_a_certificate(authority: Authority, tmp_path: Path, newest: ssl.TLSVersion) -> None:
    (tmp_path / "x").mkdir()
    files = authority.issue("srv", hosts=("a.b",))
    side = Side(echo=True, **{**server_params(files), "verify_cert": ["[s]1"], "ca_list": [f"[s]{authority.files.cert}"]})
    good, late = authority.issue("alice"), authority.issue("bob", days=-1)
    forged = Authority(tmp_path / "x", "stranger").issue("mallory")
    loop = asyncio.get_running_loop()
    results = [await loop.run_in_executor(None, connect, side, authority, one, None, newest) for one in (good, None, late, forged)]
    assert results[0] == "srv" and "srv" not in results[1:]
    assert len(side.got) == 1
    side.transport.close()


async def test_a_certificate_may_be_left_out(authority: Authority) -> None:
    side = Side(echo=True, **{**server_params(authority.issue("srv")), "verify_cert": ["[s]1"], "require_cert": ["[s]0"],
                              "ca_list": [f"[s]{authority.files.cert}"]})
    seen: list[Any] = []

    def look(raw: bytes, source: Source) -> None:
        ctx = Ctx(side.env, parse(raw), source)
        seen.append((side.domains.is_peer_verified(ctx), side.domains.tls_peer_subject_cn(ctx), side.domains.tls_my_subject_cn(ctx),
                     side.domains.tls_version(ctx)))
        side.transport.send(raw, Dest("tls", source.host, 1, source.socket, source.conn))
    side.receive = look                     # type: ignore[method-assign]
    loop = asyncio.get_running_loop()
    for files in (None, authority.issue("alice")):
        assert await loop.run_in_executor(None, connect, side, authority, files) == "srv"
    assert seen == [(False, None, "srv", "TLSv1.3"), (True, "alice", "srv", "TLSv1.3")]
    side.transport.close()


async def test_aliases_are_for_peers_that_are_known(authority: Authority) -> None:
    """RFC 5923 over TLS: who shows no certificate may not have requests for another port of its address."""
    side = Side(echo=True, settings={"tcp_accept_aliases": 1}, **{
        **server_params(authority.issue("srv")), "verify_cert": ["[s]1"], "require_cert": ["[s]0"],
        "ca_list": [f"[s]{authority.files.cert}"]})
    for files, known in ((None, False), (authority.issue("alice"), True)):
        context = ssl.create_default_context(cafile=str(authority.files.cert))
        context.check_hostname = False
        if files is not None:
            context.load_cert_chain(files.cert, files.key)
        reader, writer = await asyncio.open_connection("127.0.0.1", side.local.port, ssl=context)
        writer.write(message().replace(b"TLS h;", b"TLS h:7777;alias;"))
        await reader.readuntil(b"\r\n\r\n")
        assert side.transport.reaches(Dest("tls", "127.0.0.1", 7777)) is known
        writer.close()
    side.transport.close()


async def test_the_name_chooses_the_domain(authority: Authority) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    side = Side(echo=True, server_domain=["a", "b"], verify_cert=["[a]0", "[b]0"], match_sip_domain=["[a]*.one.org, one.org", "[b]none"],
                certificate=[f"[a]{one.cert}", f"[b]{other.cert}"], private_key=[f"[a]{one.key}", f"[b]{other.key}"])
    loop = asyncio.get_running_loop()
    found = [await loop.run_in_executor(None, connect, side, authority, None, name)
             for name in ("one.org", "x.ONE.org", None, "elsewhere.net")]
    assert found[:3] == ["one", "one", "other"] and found[3] not in ("one", "other")
    side.transport.close()


async def test_reload_keeps_connections(authority: Authority) -> None:
    files = authority.issue("before", label="live")
    server = Side(echo=True, **server_params(files))
    client = Side(**client_params(authority, verify_name=["[c]0"]))
    client.transport.send(message(1), server.dest())
    await client.until(lambda: len(client.got) == 1)
    authority.issue("after", label="live")
    await server.domains.mi_reload()
    client.transport.send(message(2), server.dest())
    await client.until(lambda: len(client.got) == 2)
    assert len(server.transport.connections) == 1
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, connect, server, authority) == "after"
    files.cert.write_text("nonsense")
    with pytest.raises(Exception, match="not reloaded"):
        await server.domains.mi_reload()
    assert await loop.run_in_executor(None, connect, server, authority) == "after"
    client.transport.close()
    server.transport.close()


@pytest.mark.parametrize("first", [b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"\x16\x03\x01\x3f\xff" + b"\x01\x00\xff\xff" + b"x" * 16000,
                                   b"\x16\x03\x01\x00\x04\x01\x00\x00\x00"])
async def test_first_bytes_that_are_no_tls(authority: Authority, first: bytes) -> None:
    side = Side(params={"tls_handshake_timeout": 300}, **server_params(authority.issue("srv")))
    reader, writer = await asyncio.open_connection("127.0.0.1", side.local.port)
    writer.write(first)
    while side.transport.connections.faults == 0:
        await asyncio.sleep(0.02)
    async with asyncio.timeout(5):
        await reader.read()
    assert side.transport.connections.greeting == 0
    writer.close()
    side.transport.close()


async def test_a_flood_of_handshakes_is_bounded(authority: Authority, caplog: Any) -> None:
    side = Side(echo=True, params={"tls_handshake_timeout": 2500}, settings={"tcp_max_connections": 50},
                **server_params(authority.issue("srv")))
    streams = [await asyncio.open_connection("127.0.0.1", side.local.port) for _ in range(300)]
    await side.until(lambda: side.transport.connections.refused >= 250)
    assert side.transport.connections.greeting == 50
    assert len(caplog.records) < 30
    until = time.monotonic() + 10
    while side.transport.connections.greeting and time.monotonic() < until:
        await asyncio.sleep(0.02)
    assert side.transport.connections.greeting == 0
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, connect, side, authority) == "srv"       # service goes on
    for _, writer in streams:
        writer.close()
    side.transport.close()


@pytest.mark.peer("openssl")
async def test_openssl(authority: Authority) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    side = Side(echo=True, **{**server_params(authority.issue("srv", hosts=("a.b",))), "tls_method": ["[s]TLSv1_2-TLSv1_2"]})
    run = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{side.local.port}", "-CAfile", authority.files.cert,
                            "-servername", "a.b", "-verify_hostname", "a.b", "-verify_return_error"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.stdin is not None
    run.stdin.write(message())
    run.stdin.flush()
    await side.until(lambda: side.got)
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0)
    run.stdin.close()
    out, _ = await loop.run_in_executor(None, lambda: (run.stdout.read() if run.stdout else b"", run.wait(10)))
    assert b"Verify return code: 0 (ok)" in out and b"TLSv1.2" in out
    refused = await loop.run_in_executor(None, lambda: subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{side.local.port}", "-tls1_3"], input=b"", capture_output=True, check=False))
    assert refused.returncode != 0
    side.transport.close()


async def test_a_connection_of_another_name_is_not_reused(authority: Authority) -> None:
    server = Side(**server_params(authority.issue("srv", hosts=("a.b", "c.d"))))
    client = Side(params={"cert_check_on_conn_reusage": 1}, **client_params(authority))
    for name in ("a.b", "a.b", "c.d"):
        client.transport.send(message(), server.dest(name))
        await server.until(lambda: server.got)
        server.got.clear()
    assert len(server.transport.connections) == 2
    client.transport.close()
    server.transport.close()
