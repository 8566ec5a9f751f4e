"""The command `osip`: its short form, versions, usage."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kit.peer import free_port
from osip import __version__
from osip.cli.main import main, osip, version_text


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["osip", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    code = caught.value.code
    return code if isinstance(code, int) else 0 if code is None else 1


@pytest.mark.parametrize("words", [("-V",), ("--version",)])
def test_version(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, *words) == 0
    assert capsys.readouterr().out == version_text() + "\n" and __version__ in version_text()


@pytest.mark.parametrize(("words", "code"), [
    (("-C", "-f", "GOOD"), 0), (("-c", "-f", "GOOD"), 0), (("-f", "GOOD", "-C"), 0), (("-C", "-f", "BAD"), 1), (("-c",
        "-f", "BAD"), 1),
    (("-C", "-f", "GOOD", "-m", "64", "-M", "8", "-n", "4", "-E", "-F", "-d", "-d"), 0),
    (("-C", "-f", "GOOD", "-o", "nothing"), 0), (("--no-such-option",), 2), (("-C", "-f"), 2), (("-F", "-f", "BAD"),
        5), (("-F", "-f", "NONE"), 5),
    (("check", "GOOD"), 0), (("check", "BAD"), 1), (("no-such-command",), 2), (("-F", "-f", "GOOD", "-l",
        "nonsense:1:2:3"), 1),
    (("-F", "-f", "GOOD", "-o", "nothing"), 2), (("-F", "-f", "GOOD", "-u", "no-such-user"), 1)])
def test_short_form_and_exit_codes(words: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch, script: Path,
                                   broken: Path) -> None:
    monkeypatch.chdir(script.parent)
    names = {"GOOD": str(script), "BAD": str(broken), "NONE": str(script.parent / "none.cfg")}
    script.write_text(script.read_text().replace("5060", str(free_port())).replace('"/x"',
        f'"{script.parent}/fifo"').replace(
        'loadmodule "httpd.so"\nloadmodule "mi_http.so"\n', ""))
    assert call(monkeypatch, *[names.get(word, word) for word in words]) == code


def test_the_errors_of_a_refused_start(monkeypatch: pytest.MonkeyPatch, broken: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    call(monkeypatch, "-F", "-f", str(broken))
    told = capsys.readouterr()
    assert told.out == "" and f"{broken}:10:2: error[E101]" in told.err
    assert "^^^^" in told.err and "1 error(s)" in told.err


def test_help_lists_the_commands(run) -> None:       # type: ignore[no-untyped-def]
    text = run(osip, "--help").stdout
    for name in ("start", "check", "explain", "modules", "mi"):
        assert f"\n  {name} " in text
        assert run(osip, name, "--help").exit_code == 0


def test_python_m_osip() -> None:
    found = subprocess.run([sys.executable, "-m", "osip", "-V"], capture_output=True, text=True, timeout=30)
    assert found.stdout == version_text() + "\n" and found.returncode == 0
