"""Forking against SIPp: five branches with every mix of outcomes, CANCEL, redirection, serial forking, challenges."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from kit.peer import Sipp, free_port, sipp
from kit.server import Running, osip_server
from kit.user import SCENARIOS

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.timeout(90)]

CALLS = 5
MODULES = """log_level = 2
socket = udp:127.0.0.1:5060
socket = tcp:127.0.0.1:5060
loadmodule "proto_udp.so"
loadmodule "proto_tcp.so"
loadmodule "rr.so"
loadmodule "tm.so"
loadmodule "sipmsgops.so"
loadmodule "uac_redirect.so"
modparam("tm", "fr_timeout", 2)
modparam("tm", "fr_inv_timeout", 6)
"""
# The first lines answer the kit's probe, whose copies would else reach the callees.
WITHIN = """	if (is_method("OPTIONS")) {
		t_reply(200, "OK");
		exit;
	}
	if (has_totag() || is_method("CANCEL")) {
		loose_route();
		t_relay();
		exit;
	}
	record_route();
"""


def scenario(folder: Path, name: str, **values: object) -> Path:
    """Copy a scenario with its @words@ filled in."""
    text = (SCENARIOS / f"{name}.xml").read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    made = folder / f"{name}-{len(list(folder.glob('*.xml')))}.xml"
    made.write_text(text)
    return made


def uri(port: int) -> str:
    return f"sip:x@127.0.0.1:{port}"


def forking(ports: Sequence[int]) -> str:
    appended = "".join(f'\tappend_branch("{uri(port)}");\n' for port in ports[1:])
    return f'{MODULES}route {{\n{WITHIN}\t$ru = "{uri(ports[0])}";\n{appended}\tt_relay();\n}}\n'


def callee(folder: Path, kind: object, port: int) -> list[object] | None:
    """Return SIPp's arguments for a callee: a status, "answer", "ring", or "dead" (none at all)."""
    if kind == "dead":
        return None
    if kind == "answer":
        return ["-sf", SCENARIOS / "uas_routed.xml"]
    if kind == "ring":
        return ["-sf", scenario(folder, "uas_ringing", delay=20)]
    status, _, header = str(kind).partition(" ")
    return ["-sf", scenario(folder, "uas_refusing", status=status, header=header or "X-None: 0")]


@contextmanager
def callees(folder: Path, kinds: Sequence[object], ports: Sequence[int]) -> Iterator[list[Sipp | None]]:
    with ExitStack() as stack:
        running: list[Sipp | None] = []
        for number, (kind, port) in enumerate(zip(kinds, ports, strict=True)):
            args = callee(folder, kind, port)
            running.append(None if args is None else stack.enter_context(
                sipp(folder, *args, name=f"callee{number}", port=port)))           # type: ignore[arg-type]
        yield running


def call(folder: Path, server: Running, expected: object, header: str = "Call-ID") -> None:
    """Make the calls; all must end in the expected status ("answer": they are set up and ended)."""
    which = SCENARIOS / "uac_routed.xml" if expected == "answer" else \
        scenario(folder, "uac_refused", status=expected, header=header)
    with sipp(folder, server.address, "-sf", which, "-m", CALLS, "-r", 20, name="caller") as caller:
        made = caller.finish(30)
    assert (made.successful, made.failed) == (CALLS, 0), made.errors


def check_ended(running: Sequence[Sipp | None], kinds: Sequence[object]) -> None:
    """Every callee must have ended its calls as its scenario says: refused and acknowledged, or cancelled."""
    for kind, peer in zip(kinds, running, strict=True):
        if peer is not None:
            counts = peer.quit()
            assert (counts.successful, counts.failed) == (CALLS, 0), f"{kind}: {counts}"


MIXES = [
    ((486, 404, 480, 486, 500), 404), ((486, "302 Contact: <sip:y@127.0.0.1:1>", 404, 503, 500), 302),
    ((503, 503, 503, 503, 503), 500), (("answer", "ring", "ring", "ring", "ring"), "answer"),
    (("ring", 486, 404, 503, "answer"), "answer"), ((603, "ring", "ring", "ring", 486), 603),
    (("dead", 486, 503, 500, "dead"), 486), (("dead", "dead", 503, "dead", "dead"), 408),
]


@pytest.mark.parametrize(("kinds", "expected"), MIXES, ids=["-".join(str(k)[:6] for k in kinds) for kinds, _ in MIXES])
def test_five_branches(tmp_path: Path, kinds: Sequence[object], expected: object) -> None:
    ports = [free_port() for _ in kinds]
    with osip_server(forking(ports), tmp_path / "server") as server, callees(tmp_path, kinds, ports) as running:
        call(tmp_path, server, expected)
        # A winner cancels the others, and a callee may be about to refuse just then: which comes first is chance.
        if not (expected in ("answer", 603) and any(isinstance(kind, int) and kind != expected for kind in kinds)):
            check_ended(running, kinds)


def test_challenges_of_two_branches(tmp_path: Path) -> None:
    kinds = ['401 WWW-Authenticate: Digest realm="one", nonce="1"', '407 Proxy-Authenticate: Digest realm="two", nonce="2"']
    ports = [free_port(), free_port()]
    with osip_server(forking(ports), tmp_path / "server") as server, callees(tmp_path, kinds, ports) as running:
        call(tmp_path, server, 401, 'WWW-Authenticate: Digest realm=.one.*Proxy-Authenticate: Digest realm=.two')
        check_ended(running, kinds)


@pytest.mark.parametrize(("delay", "wait"), [
    (20, '<recv response="100"/><recv response="180"/>'), (600, '<recv response="100"/>')], ids=["after 180", "before 180"])
def test_cancel(tmp_path: Path, delay: int, wait: str) -> None:
    port = free_port()
    with (osip_server(forking([port]), tmp_path / "server") as server,
          sipp(tmp_path, "-sf", scenario(tmp_path, "uas_ringing", delay=delay), name="callee", port=port) as peer,
          sipp(tmp_path, server.address, "-sf", scenario(tmp_path, "uac_cancelling", wait=wait), "-m", CALLS, "-r", 20,
               name="caller") as caller):
        made = caller.finish(30)
        assert (made.successful, made.failed) == (CALLS, 0), made.errors
        check_ended([peer], ["ring"])


def test_redirection_is_followed(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    kinds = [f"302 Contact: <{uri(second)}>", "answer"]
    script = forking([first]).replace("\tt_relay();\n}\n", """	t_on_failure("MOVED");
	t_relay();
}
failure_route[MOVED] {
	if (t_check_status("3[0-9][0-9]") && get_redirects()) {
		t_on_failure("MOVED");
		t_relay();
	}
}
""")
    with osip_server(script, tmp_path / "server") as server, callees(tmp_path, kinds, [first, second]) as running:
        call(tmp_path, server, "answer")
        check_ended(running, kinds)


def test_four_gateways_one_after_the_other(tmp_path: Path) -> None:
    kinds = [503, "dead", 500, "answer"]
    ports = [free_port() for _ in kinds]
    pushed = "".join(f'\t$avp(gateway) = "{uri(port)}";\n' for port in reversed(ports[1:]))
    script = forking(ports[:1]).replace("\tt_relay();\n}\n", pushed + """	t_on_failure("NEXT");
	t_relay();
}
failure_route[NEXT] {
	if (t_was_cancelled() || $avp(gateway) == NULL)
		exit;
	$ru = $avp(gateway);
	$avp(gateway) = NULL;
	t_on_failure("NEXT");
	t_relay();
}
""")
    with osip_server(script, tmp_path / "server") as server, callees(tmp_path, kinds, ports) as running:
        call(tmp_path, server, "answer")
        check_ended(running, kinds)
