"""The web of a test: a module that asks by aiohttp meets the rules, time stands still, nothing leaves."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.testing.bench import Bench
from osip.testing.language import read
from osip.testing.suite import run_case
from osip.testing.web import Web

MODULE = '''"""Ask a web server."""
import aiohttp
from osip.api import Ctx, Module, Var, function


class Asking(Module):
    """Ask a web server from a script."""

    @function()
    async def ask(self, ctx: Ctx, url: str, body: str, out: Var) -> int:
        """Post a text and keep the answer."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5), headers={"X-From": "osip"}) as session:
            try:
                async with session.post(url, data=body, params={"n": "1"}) as answer:
                    out.set(ctx, await answer.text())
                    return answer.status
            except TimeoutError:
                return -3
            except aiohttp.ClientError as error:
                out.set(ctx, str(error))
                return -2
'''
SCRIPT = '''mpath = "MODULES"
loadmodule "proto_udp.so"
loadmodule "asking.so"
loadmodule "sl.so"
route {
	ask("http://credit.example.com/a/$rU", "who=$fU", $var(answer));
	$var(code) = $rc;
	sl_send_reply(200, "OK");
}
'''


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "asking.py").write_text(MODULE)
    return SCRIPT.replace("MODULES", str(tmp_path))


def test_rules(script: str) -> None:
    with Bench(text=script) as bench:
        page = bench.http.on(r"/a/bob", {"seconds": 9}, status=201)
        bench.http.on(r"/a/carol", error="no route to host")
        bench.http.on(r"/a/dave", "x", method="GET")
        bench.send("INVITE sip:bob@x", from_="sip:alice@a").expect_reply(200)
        assert (bench.var("answer"), bench.var("code")) == ('{"seconds": 9}', 201)
        asked, = page.calls
        assert (asked.title, asked.body) == ("POST http://credit.example.com/a/bob?n=1", "who=alice")
        assert asked.headers["X-From"] == "osip"
        bench.send("INVITE sip:carol@x").expect_reply(200)
        assert (bench.var("answer"), bench.var("code")) == ("no route to host", -2)
        bench.send("INVITE sip:dave@x").expect_reply(200)
        assert bench.var("code") == -2 and "no answer for this HTTP request" in str(bench.var("answer"))
        assert len(bench.http.asked) == 3


def test_an_answer_that_comes_late_or_too_late(script: str) -> None:
    with Bench(text=script) as bench:
        bench.http.on("/a/bob", "late", after=2)
        bench.http.on("/a/carol", "too late", after=7)
        call = bench.send("INVITE sip:bob@x")
        bench.expect_nothing()
        bench.advance(3)
        call.expect_reply(200)
        assert bench.var("answer") == "late"
        call = bench.send("INVITE sip:carol@x").expect_nothing().advance(4.5).expect_nothing()
        call.advance(1).expect_reply(200)
        assert bench.var("code") == -3


def test_in_a_test_file(script: str, tmp_path: Path) -> None:
    (tmp_path / "s.cfg").write_text(script)
    text = ('script s.cfg\nhttp any ~/a/ 404 body "who?" type text/html\nhttp POST ~/a/bob 200 body hello\n'
            "http POST ~/a/eve error unreachable\n"
            'test "asks"\nsend INVITE sip:bob@x\nexpect reply 200\nexpect variable answer hello\n'
            'expect http POST ~/a/bob body ~^who=\nsend INVITE sip:carol@x\nexpect reply 200\nexpect variable code 404\n'
            'test "does not ask that"\nsend INVITE sip:bob@x\nexpect http GET ~/b\n'
            'test "no database"\nexpect sql ~select\n'
            'test "unreachable"\nsend INVITE sip:eve@x\nexpect variable answer unreachable\n')
    results = [run_case(case, str(tmp_path / "t.osiptest")) for case in read(text, str(tmp_path / "t.osiptest"))]
    assert [one.passed for one in results] == [True, False, False, True], [one.fault for one in results]
    assert "expected an HTTP request GET ~/b" in results[1].fault and "POST http://credit" in results[1].fault


def test_the_real_web_comes_back() -> None:
    import aiohttp

    before = aiohttp.ClientSession._request
    with Web():
        assert aiohttp.ClientSession._request is not before
    assert aiohttp.ClientSession._request is before


REST = '''loadmodule "proto_udp.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rest_client.so"
startup_route {
	rest_get("http://web.example.com/start", $var(start));
}
route {
	t_newtran();
	async(rest_post("http://web.example.com/log", "{}", "application/json", $var(body), $var(type), $var(code)), done);
}
route[done] {
	t_reply(404, "$var(code) $var(type)");
}
'''


def test_the_module_for_scripts() -> None:
    with Bench(text=REST) as bench:
        bench.http.on("/start", "begun")
        bench.http.on("/log$", "{}", status=201, method="POST", after=2)
        call = bench.send("INVITE sip:bob@x").expect_reply(100).expect_nothing()
        assert bench.var("start") == "begun", "the startup route asks the same web"
        call.advance(2.1).expect_reply(404, "201 text/plain")
        assert [one.title for one in bench.http.asked] == ["GET http://web.example.com/start",
                                                           "POST http://web.example.com/log"]
