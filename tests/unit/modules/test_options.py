"""options_reply: our capabilities, for us only."""
from __future__ import annotations

import pytest

from kit.playbook import Playbook
from osip.modules.options import Options
from osip.modules.sl import Sl


def flow(codes: list[int], **params: str) -> Playbook:
    return Playbook((Sl, Options), lambda ctx: codes.append(ctx.env.modules["options"].options_reply(ctx)) or 1,
                    params={"options": params})


def test_capabilities() -> None:
    codes: list[int] = []
    got = flow(codes, support="path", accept_encoding="gzip").recv("OPTIONS", "sip:10.0.0.9").sent(200).got
    assert [got.get(name) for name in ("Accept", "Accept-Encoding", "Accept-Language", "Supported")] == [
        "*/*", "gzip", "en", "path"]
    assert codes == [1]
    got = flow(codes).recv("OPTIONS", "sip:10.0.0.9").sent(200).got
    assert (got.get("Accept-Encoding"), got.get("Supported")) == (None, None)


@pytest.mark.parametrize("method,ruri", [("OPTIONS", "sip:bob@10.0.0.9"), ("INVITE", "sip:10.0.0.9"),
                                         ("OPTIONS", "tel:+123")])
def test_others(method: str, ruri: str) -> None:
    codes: list[int] = []
    flow(codes).recv(method, ruri).quiet()
    assert codes == [-1]
