#!/usr/bin/env python3
"""Write docs/modules/*.md from what the modules declare; with --check only say whether they are up to date."""
from __future__ import annotations

import sys
from pathlib import Path

from osip.cli.modules import describe, sections
from osip.core.exports import loader

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "modules"
NOTE = "<!-- Written by scripts/gen_docs.py from the module's declarations; do not edit. -->\n"


def page(name: str) -> str:
    """Return the documentation of one module."""
    data = describe(loader.load(name, [])[0].spec)
    out = [NOTE, f"# {name}", "", data["doc"], ""]
    if data["needs"]:
        out += ["Needs: " + ", ".join(f"`{need}`" for need in data["needs"]) + ".", ""]
    for title, entries in sections(data):
        out += [f"## {title}", ""]
        for entry in entries:
            head, _, about = entry.partition("  ")
            out.append(f"- `{head}`" + (f": {about.strip()}" if about.strip() else ""))
        out.append("")
    return "\n".join(out)


def main() -> int:
    """Write or check all pages; 1 when a check finds an old one."""
    pages = {FOLDER / f"{name}.md": page(name) for name in loader.available()}
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    gone = [path for path in FOLDER.glob("*.md") if path not in pages]
    if "--check" in sys.argv:
        for path in (*stale, *gone):
            print(f"{path.name} is out of date: run scripts/gen_docs.py")
        return 1 if stale or gone else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in gone:
        path.unlink()
    for path in stale:
        path.write_text(pages[path])
    print(f"{len(pages)} modules, {len(stale)} pages written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
