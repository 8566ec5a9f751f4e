"""Check the pytest plugin in a pytest of its own."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = ('loadmodule "proto_udp.so"\nloadmodule "tm.so"\nroute {\n\tif ($rU == "no")\n\t\texit;\n\tt_relay();\n}\n')
TESTS = '''
import pytest

def test_called(script):
    call = script("s.cfg").send("INVITE sip:bob@10.0.0.2", from_="sip:alice@example.com", headers={"X": "y"})
    call.expect_relay("sip:bob@10.0.0.2", header={"X": "y", "Via": ...})
    call.answer(180).expect_reply(180)
    call.answer(486).expect_reply(486)
    script.advance(31)

@pytest.mark.osip("s.cfg", log_level=4)
def test_marked(script):
    script.dns.add("gw.example.com", "10.0.0.9")
    script.send("OPTIONS sip:gw.example.com").expect_relay(to="10.0.0.9")

def test_no_script(script):
    with pytest.raises(AttributeError, match="no script is loaded"):
        script.send("OPTIONS sip:x")

def test_fails(script):
    script("s.cfg").send("OPTIONS sip:no@10.0.0.2").expect_relay()
'''


def run(folder: Path, *args: str) -> tuple[int, str]:
    plugin = [] if _installed() else ["-p", "osip.testing.plugin"]
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *args], cwd=folder,
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def _installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.name == "osip" for point in entry_points(group="pytest11"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.cfg").write_text(SCRIPT)
    (tmp_path / "test_s.py").write_text(TESTS)
    (tmp_path / "s.osiptest").write_text("script s.cfg\ntest plain\nsend OPTIONS sip:no@x\nexpect nothing\n"
                                         "test wrong\nsend OPTIONS sip:no@x\nexpect relay\n")
    return tmp_path


def test_python_and_plain_tests(folder: Path) -> None:
    code, text = run(folder)
    assert code == 1 and "2 failed, 4 passed" in text
    assert "s.osiptest:7: expect relay" in text and "expected OPTIONS to be relayed" in text


def test_coverage(folder: Path) -> None:
    code, text = run(folder, "--osip-cov", "--osip-cov-lcov", "out.lcov", "--osip-cov-html", "pages", "-k", "called or marked")
    assert code == 0 and "66.7%" in text and "5, 4:then" in text
    assert "DA:5,0" in (folder / "out.lcov").read_text()
    assert "index.html" in text and len(list((folder / "pages").iterdir())) == 2
    code, text = run(folder, "--osip-cov-fail-under", "90", "-k", "called or marked")
    assert code == 1 and "90% are wanted" in text


def test_a_faulty_file_is_a_collection_error(folder: Path) -> None:
    (folder / "x.osiptest").write_text("\nnonsense\n")
    code, text = run(folder, "x.osiptest")
    assert code == 2 and "x.osiptest:2:1" in text
