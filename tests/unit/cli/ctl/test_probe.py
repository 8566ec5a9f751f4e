"""`osipctl ping` and `cisco_restart`: the request that the server is asked to send, and its end."""
from __future__ import annotations

from typing import Any

import pytest

from osip.cli.client import Unreachable
from osip.core.errors import MIError


def test_ping(rows: Any, played: Any) -> None:
    played.answers = {"t_uac_dlg": {"Status": "200 OK"}}
    row, = rows("ping", "bob@10.0.0.1", "--socket", "udp:10.0.0.9:5060")
    assert (row["number"], row["uri"], row["status"]) == (1, "sip:bob@10.0.0.1", "200 OK") and row["milliseconds"] >= 0
    params = played.asked[0][1]
    assert (params["method"], params["ruri"], params["socket"]) == ("OPTIONS", "sip:bob@10.0.0.1", "udp:10.0.0.9:5060")
    assert "To: <sip:bob@10.0.0.1>\r\n" in params["headers"] and ";tag=osipctl" in params["headers"]


def test_several(rows: Any, played: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    answers = iter([{"Status": "404 Not Found"}, MIError(500, "No response")])

    def answer(params: Any) -> Any:
        one = next(answers)
        if isinstance(one, MIError):
            raise one
        return one
    played.answers = {"t_uac_dlg": answer}
    assert [r["status"] for r in rows("ping", "sip:x@h", "-c", 2)] == ["404 Not Found", "No response"]


@pytest.mark.parametrize(("error", "code", "told"), [
    (MIError(500, "No response"), 1, ""), (MIError(400, "No such socket: x"), 4, "No such socket"),
    (MIError(-32601, "Method not found"), 4, "module"), (Unreachable("nobody"), 3, "nobody")])
@pytest.mark.parametrize("verb", ["ping", "cisco_restart"])
def test_no_answer(verb: str, error: Exception, code: int, told: str, ctl: Any, played: Any) -> None:
    played.answers = {"t_uac_dlg": error}
    done = ctl(verb, "sip:x@h")
    assert done.exit_code == (code if verb == "ping" or code != 1 else 4) and told in done.stderr


@pytest.mark.parametrize(("status", "code"), [("200 OK", 0), ("481 No", 1)])
def test_a_phone_restarts(status: str, code: int, ctl: Any, played: Any) -> None:
    played.answers = {"t_uac_dlg": {"Status": status}}
    assert ctl("cisco_restart", "bob@10.0.0.1").exit_code == code
    params = played.asked[0][1]
    assert params["method"] == "NOTIFY" and params["headers"].endswith("Event: check-sync\r\n")


def test_a_domain_that_is_none(ctl: Any, played: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIP_DOMAIN", "evil>\r\nX: y")
    played.answers = {"t_uac_dlg": {"Status": "200 OK"}}
    ctl("ping", "sip:x@h")
    assert "\r\nX:" not in played.asked[0][1]["headers"]


def test_what_is_no_uri(ctl: Any, played: Any) -> None:
    assert ctl("ping", "a b").exit_code == 2 and played.asked == []
