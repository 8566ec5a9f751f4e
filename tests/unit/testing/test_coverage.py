"""Check the counting of lines and arms against scripts whose runs are known, and the reports."""
from __future__ import annotations

from pathlib import Path

import pytest

from osip.testing.bench import Bench
from osip.testing.coverage import Coverage, as_json, as_lcov, as_text, percent, ranges
from osip.testing.journal import Step

HEAD = 'loadmodule "proto_udp.so"\nroute {\n'            # statements begin on line 3


def counted(body: str, *starts: str) -> tuple[Coverage, Bench]:
    coverage = Coverage()
    with Bench(text=HEAD + body) as made:
        for start in starts:
            made.send(start)
    coverage.add(made.tracer)
    return coverage, made


O, M = "OPTIONS sip:bob@10.0.0.2", "MESSAGE sip:bob@10.0.0.2"


@pytest.mark.parametrize(("body", "starts", "lines", "missed_arms"), [
    ('if ($rm == "OPTIONS") {\n$var(a) = 1;\n} else {\n$var(a) = 2;\n}\n}', [O], {3: 1, 4: 1, 6: 0}, [(3, 1)]),
    ('if ($rm == "OPTIONS") {\n$var(a) = 1;\n} else {\n$var(a) = 2;\n}\n}', [M], {3: 1, 4: 0, 6: 1}, [(3, 0)]),
    ('if ($rm == "OPTIONS") {\n$var(a) = 1;\n} else {\n$var(a) = 2;\n}\n}', [M, O, M], {3: 3, 4: 1, 6: 2}, []),
    ('if ($rm == "OPTIONS")\n$var(a) = 1;\n$var(b) = 2;\n}', [O], {3: 1, 4: 1, 5: 1}, [(3, 1)]),
    ('if ($rm == "OPTIONS") exit; else $var(a) = 1;\n}', [O], {3: 1}, [(3, 1)]),
    ('if ($rm == "OPTIONS") exit; else $var(a) = 1;\n}', [O, M], {3: 2}, []),
    ('if (route(deny)) {\n$var(a) = 1;\n}\n}\nroute[deny] {\nreturn(-1);\n}', [O], {3: 1, 4: 0, 8: 1}, [(3, 0)]),
    ('if ($rm == "A") {\n$var(a) = 1;\n} else if ($rm == "OPTIONS") {\n$var(a) = 2;\n}\n}', [O],
     {3: 1, 4: 0, 5: 1, 6: 1}, [(3, 0), (5, 1)]),
    ('$var(i) = 0;\nwhile ($var(i) < 3) {\n$var(i) = $var(i) + 1;\n}\nexit;\n}', [O], {3: 1, 4: 1, 5: 3, 7: 1}, []),
    ('$var(i) = 0;\nwhile ($var(i) < 3) {\nif ($var(i) == 1)\n$var(x) = 1;\n$var(i) = $var(i) + 1;\n}\n}', [O],
     {3: 1, 4: 1, 5: 3, 6: 1, 7: 3}, []),
    ('switch ($rm) {\ncase "OPTIONS":\n$var(a) = 1;\nbreak;\ncase "MESSAGE":\n$var(a) = 2;\nbreak;\ndefault:\n'
     '$var(a) = 3;\n}\n}', [O], {3: 1, 5: 1, 8: 0, 11: 0}, [(3, 1), (3, 2)]),
    ('switch ($rm) {\ncase "OPTIONS":\n$var(a) = 1;\ncase "MESSAGE":\n$var(a) = 2;\n}\n$var(b) = 1;\n}', [O],
     {3: 1, 5: 1, 7: 1, 9: 1}, []),
    ('$avp(x) = 1; $avp(x) = 2;\nfor ($var(v) in $(avp(x)[*]))\n$var(n) = $var(v);\n}', [O], {3: 1, 4: 1, 5: 2}, []),
    ('assert($rm == "X", "off");\nexit;\n}', [O], {4: 1}, []),
])
def test_lines_and_arms(body: str, starts: list[str], lines: dict[int, int], missed_arms: list[tuple[int, int]]) -> None:
    coverage, _ = counted(body, *starts)
    (_, covered), = list(coverage)
    assert dict(covered.lines) == lines
    assert [(line, number) for line, _, number in covered.missed_arms] == missed_arms


def test_the_steps_are_those_that_ran() -> None:
    _, made = counted('if ($rm == "A") {\n$var(a) = 1;\n}\nroute(x);\n}\nroute[x] {\n$var(b) = 1;\n}', O)
    assert [(step.line, step.route, step.depth) for step in made.journal.of(Step)] == [
        (3, "route", 0), (6, "route", 0), (9, "route[x]", 1)]


def test_reports() -> None:
    coverage, _ = counted('if ($rm == "OPTIONS") {\n$var(a) = 1;\n}\nexit;\n}\nroute[unused] {\nexit;\n}', O)
    text = as_text(coverage).splitlines()
    assert text[1].split() == ["script.cfg", "4", "1", "75.0%", "2", "1", "50.0%", "1/2", "9,", "3:else"]
    found = as_json(coverage)
    assert (found["lines"], found["arms"]) == (75.0, 50.0)
    assert found["files"]["script.cfg"]["routes"] == {"route": 1, "route[unused]": 0}
    lcov = as_lcov(coverage).splitlines()
    for line in ("SF:script.cfg", "FNDA:0,route[unused]", "BRDA:3,1,1,0", "DA:3,1", "DA:9,0", "LF:4", "LH:3", "BRF:2",
                 "BRH:1", "end_of_record"):
        assert line in lcov


def test_runs_add_up() -> None:
    coverage = Coverage()
    for start in (O, M):
        with Bench(text=HEAD + 'if ($rm == "OPTIONS")\nexit;\n}') as made:
            made.send(start)
        coverage.add(made.tracer)
    assert coverage.line_percent == coverage.arm_percent == 100.0


def test_numbers() -> None:
    assert ranges([3, 1, 2, 9]) == "1-3, 9"
    assert (percent(0, 0), percent(1, 4)) == (100.0, 25.0)


def test_lines_of_an_included_file_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "in.cfg").write_text('\nif ($rm == "OPTIONS")\n    $var(a) = 1;\nelse\n    $var(a) = 2;\n')
    (tmp_path / "out.cfg").write_text(HEAD + '$var(x) = 1;\ninclude_file "in.cfg"\n$var(b) = 3;\n}\n')
    coverage = Coverage()
    with Bench(tmp_path / "out.cfg") as made:
        made.send(O)
        steps = [(Path(step.file).name, step.line) for step in made.journal.events if isinstance(step, Step)]
    coverage.add(made.tracer)
    assert steps == [("out.cfg", 3), ("in.cfg", 2), ("in.cfg", 3), ("out.cfg", 5)]
    covered = {Path(name).name: one for name, one in coverage}
    assert dict(covered["out.cfg"].lines) == {3: 1, 5: 1} and dict(covered["in.cfg"].lines) == {2: 1, 3: 1, 5: 0}
    assert [arm[0] for arm in covered["in.cfg"].missed_arms] == [2] and not covered["out.cfg"].missed_arms


def test_what_is_logged_in_an_included_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "in.cfg").write_text("\n\nif ($var(t) == 5) exit;\n")
    (tmp_path / "out.cfg").write_text(HEAD + '$var(t) = "x";\ninclude_file "in.cfg"\nif ($var(t) == 5) exit;\n}\n')
    with Bench(tmp_path / "out.cfg") as made:
        made.send(O)
        places = [said.text.rpartition("at=")[2] for said in made.logs if "comparison" in said.text]
    assert [(Path(one.partition(":")[0]).name, one.rpartition(":")[2]) for one in places] == [
        ("in.cfg", "3"), ("out.cfg", "5")]
