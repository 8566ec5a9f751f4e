"""Authenticate by JSON Web Tokens (RFC 7519), with keys from the script or from a table; needs `pip install osip[jwt]`."""
from __future__ import annotations

import base64
import json
from typing import Any

from osip.api import Ctx, Env, Module, ModuleError, StoreError, Var, avp_name, function, open_tables, param, table

_SYMMETRIC = ("HS256", "HS384", "HS512")
_ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
MAX_TOKEN = 16 * 1024
LEEWAY = 0
INVALID, NO_PROFILE, FAILED = -1, -2, -3


def _credentials(text: str) -> list[tuple[str, str]]:
    """Read `$avp(x)=column;column2`; a bare column names its AVP, too."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        left, equals, right = part.partition("=")
        found.append((avp_name(left), right.strip()) if equals else (part, part))
    return found


class AuthJwt(Module):
    """JSON Web Tokens."""

    db_mode = param(0, ge=0, le=1, doc="1: jwt_db_authorize looks keys up in the database.")
    db_url = param("", doc="Database of profiles and secrets; without it db_default_url, else an SQLite file.")
    profiles_table = param("jwt_profiles", doc="Table of profiles: which tag stands for which SIP user.")
    secrets_table = param("jwt_secrets", doc="Table of keys: for which tag, from when until when.")
    tag_claim = param("tag", doc="Claim that names the profile.")
    load_credentials = param((), kind=str, parse=_credentials, doc="Columns of the profile that go into AVPs: "
                             "`$avp(x)=column;column2`.")
    tag_column = param("tag", doc="Column of the profile's tag.")
    username_column = param("sip_username", doc="Column of the SIP user.")
    secret_tag_column = param("corresponding_tag", doc="Column of a key's tag.")
    secret_column = param("secret", doc="Column of the key: a shared secret, or a public key in PEM.")
    start_ts_column = param("start_ts", doc="Column of the time from which a key holds, Unix seconds.")
    end_ts_column = param("end_ts", doc="Column of the time until which it holds.")
    profiles = table("jwt_profiles", 1, "tag char(128), sip_username char(128)", unique="tag")
    secrets = table("jwt_secrets", 1, "corresponding_tag char(128), secret text, start_ts i32, end_ts i32")

    def mod_init(self) -> None:
        """Look for the library."""
        try:
            import jwt
        except ImportError:
            raise ModuleError("auth_jwt needs the Python package pyjwt: pip install osip[jwt]") from None
        self._jwt: Any = jwt

    async def child_init(self, env: Env) -> None:
        """Check the tables."""
        if self.db_mode:
            await open_tables(env, self.db_url, {self.profiles_table: self.profiles, self.secrets_table: self.secrets},
                              "auth_jwt")

    # --- tokens --------------------------------------------------------------------------------------------------

    def _claims(self, token: str, key: str) -> dict[str, Any] | None:
        """Return the claims of a token that a key verifies and whose times hold; None when it does not."""
        # Which algorithms may be used follows from the key: a token that chose could turn a public key into a secret.
        known = _ASYMMETRIC if key.lstrip().startswith("-----BEGIN") else _SYMMETRIC
        try:
            found = self._jwt.decode(token, key, algorithms=known, leeway=LEEWAY, options={
                "verify_aud": False, "verify_iss": False, "verify_sub": False, "verify_jti": False})
        except self._jwt.exceptions.PyJWTError as error:
            self.env.log.info("auth_jwt: token refused: %s", error)
            return None
        except (ValueError, TypeError) as error:
            self.env.log.error("auth_jwt: bad key: %s", error)
            return None
        return found if isinstance(found, dict) else None

    def _tag(self, token: str) -> str | None:
        """Return the tag that a token claims, before anything is verified."""
        try:
            body = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
            tag = claims.get(self.tag_claim)
        except (ValueError, IndexError, AttributeError, RecursionError):
            return None
        return tag if isinstance(tag, str) and 0 < len(tag) <= 128 else None

    async def _rows(self, tag: str) -> list[Any]:
        import sqlalchemy as sa

        profile = sa.table(self.profiles_table, *(sa.column(name) for name in dict.fromkeys((
            self.tag_column, self.username_column, *(name for _, name in self.load_credentials)))))
        secret = sa.table(self.secrets_table, *(sa.column(name) for name in (
            self.secret_tag_column, self.secret_column, self.start_ts_column, self.end_ts_column)))
        now = int(self.env.wall())
        picked = [profile.c[self.username_column].label("osip_username"), secret.c[self.secret_column].label("osip_secret")]
        picked += [profile.c[name] for name in dict.fromkeys(name for _, name in self.load_credentials)]
        statement = sa.select(*picked).where(
            profile.c[self.tag_column] == tag, secret.c[self.secret_tag_column] == profile.c[self.tag_column],
            secret.c[self.start_ts_column] <= now, secret.c[self.end_ts_column] > now)
        return list(await self.env.sql(self.db_url).fetch(statement))

    # --- script functions ----------------------------------------------------------------------------------------

    @function("Q", aliases=("jwt_authorize",))
    async def jwt_db_authorize(self, ctx: Ctx, jwt_token: str, out_decoded_token: Var, out_sip_username: Var) -> int:
        """Verify a token with the keys of its profile; the claims as JSON and the SIP user go into the variables.

        1, -1 the token is no good, -2 no profile with a key that holds now, -3 the database failed.
        """
        if not self.db_mode:
            self.env.log.error("auth_jwt: jwt_db_authorize needs modparam db_mode=1")
            return FAILED
        tag = self._tag(jwt_token) if len(jwt_token) <= MAX_TOKEN else None
        if tag is None:
            return INVALID
        try:
            rows = await self._rows(tag)
        except StoreError as error:
            self.env.log.error("auth_jwt: %s call_id=%s", error, ctx.msg.call_id)
            return FAILED
        for row in rows:
            claims = self._claims(jwt_token, str(row["osip_secret"]))
            if claims is None:
                continue
            for avp, column in self.load_credentials:
                if row[column] is not None:
                    ctx.avp(avp).append(row[column] if isinstance(row[column], int) else str(row[column]))
            out_decoded_token.set(ctx, _text(claims))
            out_sip_username.set(ctx, str(row["osip_username"]))
            return 1
        return INVALID if rows else NO_PROFILE

    @function("Q")
    def jwt_script_authorize(self, ctx: Ctx, jwt_token: str, key: str, out_decoded_token: Var) -> int:
        """Verify a token with a key: a shared secret, or a public key in PEM. 1, or -1."""
        claims = self._claims(jwt_token, key) if len(jwt_token) <= MAX_TOKEN else None
        if claims is None:
            return INVALID
        return 1 if out_decoded_token.set(ctx, _text(claims)) is not False else INVALID

    @function("Q")
    def extract_pub_key_from_cert(self, ctx: Ctx, certificate: str, out_public_key: Var) -> int:
        """Assign the public key (PEM) of a certificate (PEM)."""
        from cryptography import x509

        try:
            key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        except ValueError as error:
            self.env.log.error("auth_jwt: bad certificate: %s", error)
            return INVALID
        return 1 if out_public_key.set(ctx, _pem(key)) is not False else INVALID

    @function("Q")
    def extract_pub_key_from_exp_mod(self, ctx: Ctx, exponent: str, modulus: str, out_public_key: Var) -> int:
        """Assign the RSA public key (PEM) with an exponent and a modulus, base64url as in a JWK (RFC 7518 6.3.1)."""
        from cryptography.hazmat.primitives.asymmetric import rsa

        try:
            numbers = [int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
                       for text in (exponent, modulus)]
            key = rsa.RSAPublicNumbers(*numbers).public_key()
        except ValueError as error:
            self.env.log.error("auth_jwt: bad exponent or modulus: %s", error)
            return INVALID
        return 1 if out_public_key.set(ctx, _pem(key)) is not False else INVALID


def _text(claims: dict[str, Any]) -> str:
    return json.dumps(claims, separators=(",", ":"), ensure_ascii=False)


def _pem(key: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return str(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
