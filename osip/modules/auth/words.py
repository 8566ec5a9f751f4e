"""Do what the words of auth say that many requests run. Compiled, unlike the module that declares them."""
from __future__ import annotations

from typing import Any, Final

from osip.api import H_AUTHORIZATION, H_PROXY_AUTHORIZATION, M_ACK, M_CANCEL, Ctx, Env, digest_ha1
from osip.modules.auth.guard import COUNTED, FAILED, FREELY, ONCE, Given, Guard

UNKNOWN: Final = -1
"""Result of every `*_authorize` word for a user that does not exist; the others are in guard.py."""


class Words:
    """Challenge and check, for one worker; the parameters are as they stood at the start or the last reload."""
    __slots__ = ("_calculate", "_env", "_guard", "_module", "_password", "_program", "_user", "is_ready", "use")

    def __init__(self, module: Any, guard: Guard) -> None:
        self._module, self._guard = module, guard
        self._env: Env = module.env
        self._program: Any = None               # whose variables the two are
        self._user: Any = None
        self._password: Any = None
        self.is_ready = self._calculate = False
        self.use = ONCE
        self.read()
        self._env.on_reload.append(self.read)

    def read(self) -> None:
        """Read the parameters anew."""
        module = self._module
        self.is_ready = bool(module.username_spec and module.password_spec)
        self._calculate = bool(module.calculate_ha1)
        self.use = ONCE if not module.disable_nonce_check else COUNTED if module.check_nonce_count else FREELY
        self._program = None

    # --- checks -----------------------------------------------------------------------------------------------------

    def begin(self, ctx: Ctx, realm: str, header: int) -> Any:
        """Find the credentials for a realm and check their nonce; see the module's method."""
        return self._guard.begin(ctx, realm, header, self._env.wall())

    def finish(self, ctx: Ctx, given: Given, ha1: str) -> int:
        """Check the response with the HA1 of the user ("" for none) and use the nonce up."""
        return self._guard.finish(ctx, given, ha1, self.use)

    def pv_www_authorize(self, ctx: Ctx, realm: str) -> int:
        """Check Authorization against variables; see the module's function."""
        return self._check(ctx, realm, H_AUTHORIZATION)

    def pv_proxy_authorize(self, ctx: Ctx, realm: str) -> int:
        """Check Proxy-Authorization against variables; see the module's function."""
        return self._check(ctx, realm, H_PROXY_AUTHORIZATION)

    def _check(self, ctx: Ctx, realm: str, header: int) -> int:
        if not self.is_ready:
            self._env.log.error("auth: pv_*_authorize needs the parameters username_spec and password_spec")
            return FAILED
        found: Any = self._guard.begin(ctx, realm, header, self._env.wall())
        if not isinstance(found, Given):
            return int(found)
        program: Any = self._env.program
        if program is not self._program:                # a reload makes another one
            variable = program.variable
            self._user = variable(self._module.username_spec)
            self._password = variable(self._module.password_spec)
            self._program = program
        user, password = self._user.get(ctx), self._password.get(ctx)
        if user is None or password is None or str(user) not in (found.name, found.user):
            return UNKNOWN
        ha1 = str(password)
        if self._calculate:
            ha1 = digest_ha1(found.name, found.realm, ha1, found.algorithm)
        return self._guard.finish(ctx, found, ha1, self.use)

    # --- challenges -------------------------------------------------------------------------------------------------

    def www_challenge(self, ctx: Ctx, realm: str, qop: Any = (), algorithms: Any = ()) -> int:
        """Answer 401 with a challenge; see the module's function."""
        return self._challenge(ctx, 401, "Unauthorized", "WWW-Authenticate", realm, qop, algorithms)

    def proxy_challenge(self, ctx: Ctx, realm: str, qop: Any = (), algorithms: Any = ()) -> int:
        """Answer 407 with a challenge; see the module's function."""
        return self._challenge(ctx, 407, "Proxy Authentication Required", "Proxy-Authenticate", realm, qop, algorithms)

    def _challenge(self, ctx: Ctx, code: int, reason: str, header: str, realm: str, qops: Any, algorithms: Any) -> int:
        msg: Any = ctx.msg
        if not msg.is_request:
            return -1
        method: int = msg.method_id
        if method == M_ACK or method == M_CANCEL:
            return -1
        lines = self._guard.challenge(ctx, header, realm, qops, algorithms, self._env.wall())
        before = ctx.reply_edits
        ctx.reply_edits = [*before, *lines] if before else lines
        sent: int = self._env.reply(ctx, code, reason)
        ctx.reply_edits = before
        return 0 if sent > 0 else -1
