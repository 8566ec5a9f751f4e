"""Coverage as pages: every line in its colour, missed arms named, no page overwrites another, nothing unescaped."""
from __future__ import annotations

import re
from pathlib import Path

from osip.testing.bench import Bench
from osip.testing.coverage import Coverage
from osip.testing.page import as_pages, write_pages

BODY = ('loadmodule "proto_udp.so"\nroute {\n\tif ($rm == "OPTIONS") {\n\t\t$var(a) = "<b>&";\n\t}\n\troute(x);\n}\n'
        "route[x] {\n\tif (0)\n\t\texit;\n}\n")


def counted() -> Coverage:
    coverage = Coverage()
    with Bench(text=BODY) as made:
        made.send("OPTIONS sip:bob@10.0.0.2")
    coverage.add(made.tracer)
    return coverage


def test_lines_and_arms() -> None:
    pages = as_pages(counted())
    assert set(pages) == {"index.html", "script.cfg.html"}
    lines = dict(re.findall(r'<span id="L(\d+)"([^>]*)>', pages["script.cfg.html"]))
    assert {number: kind.strip() for number, kind in lines.items() if kind} == {
        "3": 'class="half"', "4": 'class="ran"', "6": 'class="ran"', "9": 'class="half"', "10": 'class="missed"'}
    assert "never: else</em>" in pages["script.cfg.html"] and "never: then</em>" in pages["script.cfg.html"]
    assert "&lt;b&gt;&amp;" in pages["script.cfg.html"] and '"<b>&' not in pages["script.cfg.html"]
    assert 'href="script.cfg.html"' in pages["index.html"] and ">80.0%<" in pages["index.html"]
    assert not re.search(r"https?://|<script|<link", "".join(pages.values())), "a page needs nothing from elsewhere"


def test_names_do_not_clash(tmp_path: Path) -> None:
    coverage = counted()
    covered, = coverage.files.values()
    for path in ("a/x.cfg", "a_x.cfg", "index"):
        coverage.files[str(Path.cwd() / path)] = covered
    first = write_pages(coverage, tmp_path / "new" / "cov")
    assert first == tmp_path / "new/cov/index.html"
    assert len(list(first.parent.iterdir())) == 5


def test_empty() -> None:
    assert "100.0%" in as_pages(Coverage())["index.html"]
