"""Ask for passwords: real auth modules over an SQLite file, with a fake clock and network."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from kit.playbook import FakeProgram, make_worker
from kit.registration import register

from osip.api import (
    Auth,
    Ctx,
    Module,
    Source,
    answer_challenge,
    digest_ha1,
    parse,
    parse_auth,
)
from osip.core.store.sql import Stores
from osip.modules.auth import AuthModule

PEER = "10.0.0.1"


class Program(FakeProgram):
    """Variables by name, each with a fixed value."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.values = values or {}

    def variable(self, text: str) -> Any:
        """Return something with `get`."""
        value = self.values.get(text)
        return type("Fixed", (), {"get": lambda self, ctx: value})()


class Desk:
    """The module auth, others beside it, and a phone that answers challenges."""

    def __init__(self, *classes: type[Module], folder: Path | None = None,
                 params: dict[str, dict[str, Any]] | None = None, values: dict[str, Any] | None = None) -> None:
        config = {"db_default_url": f"sqlite:///{folder}/desk.db"} if folder is not None else {}
        self.worker, self.net, self.clock = make_worker((AuthModule, *classes), params, **config)
        self.env = self.worker.env
        self.worker.set_program(Program(values))        # type: ignore[arg-type]
        self.stores = Stores(self.env.config)
        self.env.sql = self.stores.sql
        self.seconds = 1_800_000_000.0
        self.env.wall = lambda: self.seconds            # type: ignore[method-assign]
        self.auth: Any = self.env.modules["auth"]

    def __getitem__(self, name: str) -> Any:
        return self.env.modules[name]

    def ctx(self, raw: bytes) -> Ctx:
        """Return the context of a message from the phone."""
        return Ctx(self.env, parse(raw), Source(self.env.sockets[0], PEER, 5060))

    async def close(self) -> None:
        """Close the databases."""
        await self.stores.close()

    def challenge(self, *args: Any, ctx: Ctx | None = None, proxy: bool = False) -> list[Auth]:
        """Challenge a REGISTER and return the challenges of the reply."""
        ctx = ctx or self.ctx(register())
        word = self.auth.proxy_challenge if proxy else self.auth.www_challenge
        assert word(ctx, *args) == 0
        reply = parse(self.net.log[-1][1])
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        assert reply.status == (407 if proxy else 401)
        return [parse_auth(text) for text in reply.get_all(name)]

    def answer(self, challenge: Auth, user: str = "bob", password: str = "secret", *, proxy: bool = False,
               changes: dict[str, str] | None = None, cseq: int = 2, headers: str = "") -> Ctx:
        """Return the context of a REGISTER with credentials; `changes` are put in after the response was computed."""
        ha1 = digest_ha1(user, challenge.get("realm"), password, challenge.get("algorithm"))
        auth = answer_challenge(challenge, user, ha1, "REGISTER", "sip:example.com", "cafe")
        for name, value in (changes or {}).items():
            auth.params[name] = value
        return self.ctx(register(cseq=cseq, headers=f"{'Proxy-' if proxy else ''}Authorization: {auth}\r\n{headers}"))
