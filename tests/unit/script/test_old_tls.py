"""TLS settings of 1.x become domains of tls_mgm."""
from __future__ import annotations

import pytest

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script import nodes
from osip.script.boot import CheckResult, compile_script
from osip.script.builtins import BUILTINS

SOCKETS = "listen = udp:127.0.0.1:5060\nlisten = tls:127.0.0.1:5061\n"
ROUTE = "route { exit; }\n"
CERT = 'tls_certificate = "/c.pem"\n'


def compiled(text: str) -> CheckResult:
    return compile_script(text + ROUTE, Registry(BUILTINS), Config())


def said(result: CheckResult) -> list[str]:
    return [f"{one.code}:{one.span.line}" for one in result.diagnostics if one.code not in ("W603", "W604")]


def params(result: CheckResult) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in result.script.items:
        if isinstance(item, nodes.ModParam):
            assert isinstance(item.value, nodes.Str | nodes.Num)
            found.setdefault(item.param.value, []).append(str(item.value.value))
    return found


def test_nothing_happens_to_other_scripts() -> None:
    result = compiled('socket = udp:127.0.0.1:5060\nloadmodule "proto_udp.so"\n')
    assert result.ok and params(result) == {} and not any(one.code == "N709" for one in result.diagnostics)


def test_the_default_domains() -> None:
    result = compiled(SOCKETS + CERT + 'tls_private_key = "/k.pem"\ntls_verify_client = yes\ntls_verify_server = 0\n'
                      "tls_method = TLSv1_2\ntls_handshake_timeout = 10\ntls_port_no = 5063\n"
                      'tls_client_domain_avp = "i:400"\n')
    assert result.ok, result.errors
    found = params(result)
    assert found == {
        "client_tls_domain_avp": ["$avp(i:400)"], "server_domain": ["default"], "client_domain": ["default_client"],
        "certificate": ["[default]/c.pem", "[default_client]/c.pem"],
        "private_key": ["[default]/k.pem", "[default_client]/k.pem"], "require_cert": ["[default]0"],
        "verify_cert": ["[default]1", "[default_client]0"], "tls_method": ["[default]TLSv1_2", "[default_client]TLSv1_2"],
        "tls_handshake_timeout": ["10000"], "tls_port": ["5063"]}
    loads = [item.name.value for item in result.script.items if isinstance(item, nodes.LoadModule)]
    assert sorted(loads) == ["proto_tls", "proto_udp", "tls_mgm"]


@pytest.mark.parametrize(("written", "server", "client"), [
    ("tls_verify = 0", ["0"], ["0"]), ("tls_verify_client = no", ["0"], []), ("tls_verify_server = no", [], ["0"])])
def test_whom_a_switch_is_for(written: str, server: list[str], client: list[str]) -> None:
    values = params(compiled(SOCKETS + CERT + written + "\n")).get("verify_cert", [])
    assert values == [f"[default]{one}" for one in server] + [f"[default_client]{one}" for one in client]


@pytest.mark.parametrize("written", ["tls_require_certificate = 1", "tls_require_client_certificate = yes"])
def test_clients_need_a_certificate_only_when_it_says_so(written: str) -> None:
    assert params(compiled(SOCKETS + CERT + written + "\n"))["require_cert"] == ["[default]1"]


@pytest.mark.parametrize("method", ["SSLv2", "SSLv3", "TLSv1", '"TLSv1"'])
def test_what_is_not_safe_any_more(method: str) -> None:
    result = compiled(SOCKETS + CERT + f"tls_method = {method}\n")
    assert params(result)["tls_method"] == ["[default]SSLv23", "[default_client]SSLv23"]
    assert said(result).count("N705:4") == 1


def test_blocks_take_what_they_do_not_say() -> None:
    result = compiled(SOCKETS + CERT + 'tls_private_key = "/k.pem"\n' + """tls_server_domain[10.0.0.1:5061] {
    tls_certificate = "/b.pem"; tls_verify_client = 0
}
tls_domain[::1:5061] { }
tls_client_domain[10.0.0.2:5061] { tls_certificate = "/d.pem" tls_verify_server = 0 }
tls_client_domain["out"] { tls_ciphers_list = "AES" }
""".replace("[::1:", "[10.0.0.9:"))
    assert result.ok, result.errors
    found = params(result)
    assert found["server_domain"] == ["default", "10.0.0.1_5061_0", "10.0.0.9_5061_1"]
    assert found["client_domain"] == ["default_client", "10.0.0.2_5061_2", "out"]
    assert found["match_ip_address"] == ["[10.0.0.1_5061_0]10.0.0.1:5061", "[10.0.0.9_5061_1]10.0.0.9:5061",
                                         "[10.0.0.2_5061_2]10.0.0.2:5061"]
    assert found["match_sip_domain"] == ["[out]only-by-name.invalid"]
    assert found["certificate"][2:] == ["[10.0.0.1_5061_0]/b.pem", "[10.0.0.9_5061_1]/c.pem", "[10.0.0.2_5061_2]/d.pem",
                                        "[out]/c.pem"]
    assert "[10.0.0.2_5061_2]0" in found["verify_cert"] and "[10.0.0.1_5061_0]0" in found["verify_cert"]
    assert found["require_cert"] == ["[default]0", "[10.0.0.1_5061_0]0", "[10.0.0.9_5061_1]0"]


def test_an_unknown_word_in_a_block() -> None:
    result = compiled(SOCKETS + CERT + "tls_server_domain[10.0.0.1:5061] { tls_certifcate = x }\n")
    assert [(one.code, one.hint) for one in result.errors] == [("E502", 'did you mean "tls_certificate"?')]


def test_without_a_tls_socket_it_is_only_noted() -> None:
    result = compiled('socket = udp:127.0.0.1:5060\nloadmodule "proto_udp.so"\n' + CERT + "tls_domain[10.0.0.1:1] { }\n")
    assert result.ok and params(result) == {} and {"N705:3", "N705:4"} <= set(said(result))


def test_modules_that_the_script_loads_are_not_loaded_again() -> None:
    result = compiled(SOCKETS + CERT + 'loadmodule "proto_udp.so"\nloadmodule "proto_tls.so"\nloadmodule "tls_mgm.so"\n')
    assert result.ok and not any(one.code in ("N709", "W610") for one in result.diagnostics)
    result = compiled(SOCKETS + CERT + 'loadmodule "proto_udp.so"\n')       # 2.x: transports are named
    assert [one.code for one in result.errors] == ["E504"]
