"""Check the finding of tests and the reports."""
from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from osip.core.errors import OsipError
from osip.testing import suite

SCRIPT = 'loadmodule "proto_udp.so"\nloadmodule "sl.so"\nroute {\n\tsl_send_reply(200, "OK");\n}\n'


def place(folder: Path) -> Path:
    (folder / "s.cfg").write_text(SCRIPT)
    path = folder / "a.osiptest"
    path.write_text("script s.cfg\nsend OPTIONS sip:x@y\ntest good\nexpect reply 200\ntest bad\nexpect reply 404\n")
    return path


def test_find(tmp_path: Path) -> None:
    path = place(tmp_path)
    (tmp_path / "test_x.py").write_text("")
    assert suite.find([tmp_path]) == ([path], [tmp_path / "test_x.py"])
    assert suite.find([path]) == ([path], [])
    for wrong in (tmp_path / "nope", tmp_path / "s.cfg"):
        with pytest.raises(OsipError, match=wrong.name):
            suite.find([wrong])


def test_reports(tmp_path: Path) -> None:
    results = suite.run_file(place(tmp_path))
    assert [(one.name, one.passed, one.line) for one in results] == [("good", True, 3), ("bad", False, 6)]
    text = suite.as_text(results, True)
    assert "ok " in text and "a.osiptest:6: bad" in text and "SIP/2.0 200 OK -> udp:10.0.0.1:5060" in text
    assert text.splitlines()[-1].startswith("2 tests, 1 failed")
    assert suite.as_json(results)["results"][1]["statement"] == "expect reply 404"
    tree = ET.fromstring(suite.as_junit(results))
    assert [case.get("name") for case in tree.iter("testcase")] == ["good", "bad"]
    assert "expected a reply 404" in tree.find(".//failure").text       # type: ignore[union-attr,operator]


def test_a_file_with_a_fault_is_one_failure(tmp_path: Path) -> None:
    path = tmp_path / "x.osiptest"
    path.write_text("nonsense\n")
    (result,) = suite.run_file(path)
    assert not result.passed and result.line == 1 and "column 1" in result.fault


def test_a_faulty_script_is_shown_with_its_diagnostics(tmp_path: Path) -> None:
    (tmp_path / "s.cfg").write_text("route {\n\tt_rely();\n}\n")
    (tmp_path / "x.osiptest").write_text("script s.cfg\nexpect nothing\n")
    (result,) = suite.run_file(tmp_path / "x.osiptest")
    assert "E101" in result.fault and "s.cfg:2:2" in result.fault


def test_junit_shows_what_xml_cannot_hold() -> None:
    ET.fromstring(suite.as_junit([suite.Result("p", "n", 1, 0.0, "bad \x00 \udc80 byte")]))
