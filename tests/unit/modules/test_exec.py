"""Commands: their input, output, environment, time and number."""
from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kit.message import request
from kit.passage import Box
from kit.playbook import make_worker
from osip.api import Ctx, Source, parse
from osip.modules.exec import MOST_AT_ONCE, MOST_OUTPUT, Exec


class Avp(Box):
    """An AVP by reference."""
    name = "$avp(e)"


def make(**params: Any) -> tuple[Any, Ctx]:
    worker, _, _ = make_worker((Exec,), {"exec": params})
    raw = request(headers="X-Odd: a\r\nX-Odd: b\r\n")
    return worker.env.modules["exec"], Ctx(worker.env, parse(raw), Source(worker.env.sockets[0], "10.0.0.1", 5060))


async def test_outputs() -> None:
    module, ctx = make()
    out, err = Box(), Box()
    assert await module.exec(ctx, "cat; echo oops >&2; exit 3", "in\nput", out, err) == 1
    assert (out.values, err.values) == (["in\nput"], ["oops\n"])
    assert await module.exec(ctx, "true", None, out) == 1 and len(out.values) == 1      # nothing written, nothing set


async def test_lines_in_async() -> None:
    module, ctx = make()
    out = Box()
    spec = next(spec for spec in Exec.spec.functions if spec.name == "exec")
    assert await getattr(module, spec.deferred)(ctx, "printf 'a\\nb\\n'", None, out) == 1
    assert out.values == ["a", "b"]


async def test_nobody_waits_without_outputs(tmp_path: Path) -> None:
    module, ctx = make()
    assert await module.exec(ctx, f"echo done > {tmp_path}/mark") == 1
    await asyncio.gather(*module.env._tasks)
    assert (tmp_path / "mark").read_text() == "done\n"


async def test_environment() -> None:
    module, ctx = make(setvars=1)
    ctx.avp("e").extend(["old", "new"])
    out = Box()
    await module.exec(ctx, "echo $OSIPS_EXEC_0 $OSIPS_EXEC_1 $SIP_METHOD $SIP_USER $SIP_SRCIP $SIP_HF_CALL_ID $SIP_HF_X_ODD",
                      None, out, None, Avp())
    assert out.get(ctx).split(maxsplit=5)[:5] == ["new", "old", "INVITE", "bob", "10.0.0.1"]
    assert out.get(ctx).endswith("a, b\n")


async def test_time_to_kill(caplog: Any) -> None:
    module, ctx = make()
    module.time_to_kill = 0.05
    assert await module.exec(ctx, "sleep 60", None, Box()) == -1
    assert "killed after" in caplog.text and not module.running


async def test_output_is_bounded() -> None:
    module, ctx = make()
    out = Box()
    assert await module.exec(ctx, "head -c 1000000 /dev/zero | tr '\\0' x", None, out) == 1
    assert len(out.values[0]) == MOST_OUTPUT


async def test_number_is_bounded(caplog: Any) -> None:
    module, ctx = make()
    module.running = set(range(MOST_AT_ONCE))
    assert await module.exec(ctx, "true", None, Box()) == -1
    assert "commands run already" in caplog.text


async def test_a_command_that_does_not_read() -> None:
    module, ctx = make()
    assert await module.exec(ctx, "exec true", "x" * 1_000_000, Box()) == 1


async def test_destroy_kills() -> None:
    module, ctx = make()
    running = asyncio.ensure_future(module.exec(ctx, "sleep 60", None, Box()))
    while not module.running:
        await asyncio.sleep(0.01)
    await module.destroy()
    assert await running == 1 and not module.running


async def test_old_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, ctx = make()
    assert await module.exec_msg(ctx, f"cat > {tmp_path}/msg") == 1
    assert (tmp_path / "msg").read_bytes() == ctx.msg.raw
    assert await module.exec_dset(ctx, "printf 'sip:a@x\\nsip:b@y\\n' #") == 1
    assert (ctx.ruri, [target.uri for target in ctx.targets or ()]) == ("sip:a@x", ["sip:b@y"])
    assert await module.exec_dset(ctx, "true") == -1 and await module.exec_dset(ctx, "echo '<' #") == -1
    assert await module.exec_dset(ctx, "echo") == 1 and ctx.ruri == "sip:a@x"        # the R-URI is its argument
    assert await module.exec_avp(ctx, "printf '1\\n2\\n3\\n'", "$avp(a);$avp(b)") == 1
    assert (ctx.avp("a"), ctx.avp("b")) == (["1"], ["2"])
    assert await module.exec_avp(ctx, "echo x") == 1 and ctx.avp("1") == ["x"]
    assert await module.exec_avp(ctx, "echo x", "nothing") == -1
    monkeypatch.setenv("OSIP_TEST", "here")
    box = Box()
    assert module.exec_getenv(ctx, "OSIP_TEST", box) == 1 and box.values == ["here"]
    assert module.exec_getenv(ctx, "OSIP_TEST") == 1 and ctx.avp("1")[-1] == "here"
    assert module.exec_getenv(ctx, "OSIP_NONE") == -1
