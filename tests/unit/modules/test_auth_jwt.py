"""Tokens: good, forged, expired, of other keys."""
from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from kit.desk import Desk
from kit.message import request
from kit.passage import Box
from osip.api import create_tables
from osip.modules.auth_jwt import AuthJwt, _credentials

SECRET = "a secret of thirty-two bytes or so"
PRIVATE = rsa.generate_private_key(65537, 2048)
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def token(key: Any = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    return jwt.encode({"tag": "web", **claims}, key, algorithm)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


FORGED = b64(b'{"alg":"none"}') + "." + b64(b'{"tag":"web"}') + "."
# The public key taken for a shared secret: a library that lets the token choose would believe it.
CONFUSED_HEAD = b64(b'{"alg":"HS256","typ":"JWT"}') + "." + b64(b'{"tag":"web"}')


def confused() -> str:
    import hmac

    return CONFUSED_HEAD + "." + b64(hmac.digest(PUBLIC.encode(), CONFUSED_HEAD.encode(), "sha256"))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(AuthJwt, folder=tmp_path, params={"auth_jwt": {"db_mode": 1, "load_credentials": _credentials(
        "$avp(t)=tag;sip_username")}})
    made.seconds = time.time()
    sql = made.env.sql("")
    await create_tables(sql, AuthJwt.spec.tables)
    await sql.execute("insert into jwt_profiles (tag, sip_username) values ('web', 'alice'), ('old', 'bob')")
    await sql.execute("insert into jwt_secrets (corresponding_tag, secret, start_ts, end_ts) values ('web', 'other', 0, 2000000000), "
                      "('web', :s, 0, 2000000000), ('old', :s, 0, 5)", {"s": SECRET})
    await made["auth_jwt"].child_init(made.env)
    yield made
    await made.close()


@pytest.mark.parametrize(("text", "result"), [
    (token(), 1), (token("wrong secret of thirty-two bytes or so"), -1), (token(exp=int(time.time()) - 5), -1),
    (token(nbf=int(time.time()) + 50_000), -1), (token(exp=int(time.time()) + 50_000), 1), (token(tag="none"), -2),
    (token(tag="old"), -2), (token(tag=5), -1), ("nonsense", -1), ("a.b.c", -1), (FORGED, -1), ("x" * 20000, -1)], ids=range(12))      # tokens differ from process to process
async def test_by_table(desk: Desk, text: str, result: int) -> None:
    claims, user = Box(), Box()
    ctx = desk.ctx(request())
    assert await desk["auth_jwt"].jwt_db_authorize(ctx, text, claims, user) == result
    if result == 1:
        assert json.loads(claims.values[0])["tag"] == "web" and user.values == ["alice"]
        assert (ctx.avp("t"), ctx.avp("sip_username")) == (["web"], ["alice"])
    else:
        assert not claims.values and not user.values


async def test_a_dead_database(desk: Desk, caplog: Any) -> None:
    await desk.env.sql("").execute("drop table jwt_secrets")
    assert await desk["auth_jwt"].jwt_db_authorize(desk.ctx(request()), token(), Box(), Box()) == -3
    desk["auth_jwt"].db_mode = 0
    assert await desk["auth_jwt"].jwt_db_authorize(desk.ctx(request()), token(), Box(), Box()) == -3
    assert "db_mode=1" in caplog.text


@pytest.mark.parametrize(("text", "key", "result"), [
    (token(), SECRET, 1), (token(PRIVATE, "RS256"), PUBLIC, 1), (confused(), PUBLIC, -1), (token(), PUBLIC, -1),
    (token(PRIVATE, "RS256"), SECRET, -1), (token(PRIVATE, "RS256"), "-----BEGIN nonsense", -1), (FORGED, "", -1)], ids=range(7))
async def test_by_script(desk: Desk, text: str, key: str, result: int) -> None:
    claims = Box()
    assert desk["auth_jwt"].jwt_script_authorize(desk.ctx(request()), text, key, claims) == result
    assert claims.values == (['{"tag":"web"}'] if result == 1 else [])


async def test_public_keys(desk: Desk) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = datetime.now(UTC)
    cert = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(PRIVATE.public_key()).serial_number(
        1).not_valid_before(now).not_valid_after(now + timedelta(1)).sign(PRIVATE, hashes.SHA256())
    module, ctx, out = desk["auth_jwt"], desk.ctx(request()), Box()
    assert module.extract_pub_key_from_cert(ctx, cert.public_bytes(Encoding.PEM).decode(), out) == 1
    numbers = PRIVATE.public_key().public_numbers()
    assert module.extract_pub_key_from_exp_mod(ctx, "AQAB", b64(numbers.n.to_bytes(256, "big")), out) == 1
    assert out.values == [PUBLIC, PUBLIC]
    assert module.extract_pub_key_from_cert(ctx, "nonsense", out) == -1
    assert module.extract_pub_key_from_exp_mod(ctx, "AQAB", "?", out) == -1
