"""Show coverage as HTML pages: one for each script with every line coloured, and one that lists them.

The pages need nothing from elsewhere: no server, no script, no font.
"""
from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from osip.testing.coverage import Coverage, Covered, percent, shown

INDEX = "index.html"
_STYLE = """
:root { color-scheme: light dark; --ran: #2e7d3222; --missed: #c6282833; --half: #f9a82533; --quiet: #8888; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; } a { color: inherit; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem; text-align: right; }
th:first-child, td:first-child { text-align: left; } tr + tr { border-top: 1px solid var(--quiet); }
.bar { background: var(--missed); display: inline-block; height: .7rem; width: 8rem; }
.bar i { background: #2e7d32; display: block; height: 100%; }
pre { font: 13px/1.45 ui-monospace, monospace; tab-size: 4; } pre span { display: block; white-space: pre-wrap; }
pre b { color: var(--quiet); display: inline-block; font-weight: normal; text-align: right; width: 3.5rem; }
pre u { display: inline-block; text-align: right; text-decoration: none; width: 4rem; opacity: .7; }
.ran { background: var(--ran); } .missed { background: var(--missed); } .half { background: var(--half); }
em { font-style: normal; margin-left: 1.5rem; opacity: .8; } em::before { content: "\\2190  "; }
"""


def as_pages(coverage: Coverage) -> dict[str, str]:
    """Return the pages by file name; `index.html` is the first."""
    names: dict[str, str] = {}
    taken: set[str] = {INDEX}
    for path in sorted(coverage.files):
        plain = base = "".join(c if c.isalnum() or c in "._-" else "_" for c in shown(path)).strip("_") or "script"
        number = 1
        while f"{plain}.html" in taken:
            number += 1
            plain = f"{base}-{number}"
        names[path] = f"{plain}.html"
        taken.add(names[path])
    pages = {INDEX: _page("Coverage of scripts", "\n".join(_index(coverage, names)))}
    for path, name in names.items():
        pages[name] = _page(shown(path), "\n".join(_script(coverage.files[path], coverage.texts.get(path, []))))
    return pages


def write_pages(coverage: Coverage, folder: str | Path) -> Path:
    """Write the pages into a folder, which is made when missing; return the path of the first page."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, text in as_pages(coverage).items():
        (target / name).write_text(text, "utf-8", "surrogateescape")
    return target / INDEX


def _page(title: str, body: str) -> str:
    return (f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>\n'
            f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n{body}\n</html>\n")


def _index(coverage: Coverage, names: dict[str, str]) -> Iterator[str]:
    yield "<table><tr><th>Script<th>Lines<th>Missed<th>Covered<th><th>Arms<th>Missed<th>Covered<th>Routes</tr>"
    for path, covered in sorted(coverage.files.items()):
        ran = sum(1 for _, hits in covered.routes.values() if hits)
        link = f'<a href="{escape(names[path])}">{escape(shown(path))}</a>'
        yield f"<tr><td>{link}{_numbers(covered)}<td>{ran}/{len(covered.routes)}</tr>"
    yield (f"<tr><th>All<th colspan=2><th>{coverage.line_percent:.1f}%<th colspan=3><th>{coverage.arm_percent:.1f}%"
           "<th></tr></table>")


def _numbers(covered: Covered) -> str:
    lines, arms = len(covered.lines), len(covered.arms)
    share = percent(lines - len(covered.missed), lines)
    of_arms = percent(arms - len(covered.missed_arms), arms)
    return (f'<td>{lines}<td>{len(covered.missed)}<td>{share:.1f}%<td><span class="bar"><i style="width:{share:.0f}%">'
            f"</i></span><td>{arms}<td>{len(covered.missed_arms)}<td>{of_arms:.1f}%")


def _script(covered: Covered, lines: list[str]) -> Iterator[str]:
    yield f'<p><a href="{INDEX}">all scripts</a></p>'
    yield ("<table><tr><th>Lines<th>Missed<th>Covered<th><th>Arms<th>Missed<th>Covered</tr>"
           f"<tr>{_numbers(covered)}</tr></table>")
    rows = [_line(covered, number, lines[number - 1].rstrip("\r") if number <= len(lines) else "")
            for number in range(1, max([len(lines), *covered.lines]) + 1)]
    yield f"<pre>{''.join(rows)}</pre>"         # each row is a block: a line end between them would show


def _line(covered: Covered, number: int, text: str) -> str:
    hits = covered.lines.get(number)
    arms = [_arm(arm) for line, _, arm in covered.missed_arms if line == number] if hits else []
    kind = "" if hits is None else ' class="missed"' if not hits else ' class="half"' if arms else ' class="ran"'
    count = "" if hits is None else f"{hits}x"
    note = f"<em>never: {', '.join(arms)}</em>" if arms else ""
    return f'<span id="L{number}"{kind}><b>{number}</b><u>{count}</u>  {escape(text)}{note}</span>'


def _arm(number: int) -> str:
    return ("then", "else")[number] if number < 2 else f"arm {number + 1}"
