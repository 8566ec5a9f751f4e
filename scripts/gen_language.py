#!/usr/bin/env python3
"""Write docs/language.md from the declarations: every setting, statement, function, variable and transformation.

With --check only say whether the page is up to date. Names that have come take their leave from the section
`missing` of tests/house/language_names.txt.
"""
from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from osip.cli.modules import letters
from osip.core.errors import ModuleError
from osip.core.exports import loader
from osip.core.exports.spec import Spec
from osip.core.run.config import SETTINGS, SettingSpec
from osip.script.builtins import BUILTINS
from osip.script.check.types import signature

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "language.md"
NAMES = ROOT / "tests" / "house" / "language_names.txt"
ACTS = "acts"
WITHOUT = "accepted, no effect"

HEAD = """<!-- Written by scripts/gen_language.py from the declarations; do not edit. -->

# The language

Every word of a script and what becomes of it. Words without a module are always there; the others come with
`loadmodule`. State: *acts*, or *accepted, no effect* with the reason (`osip check` names such settings). Routes: Q request,
F failure, R onreply, B branch, E error, L local, S startup, T timer, V event, `*` all. Types: s text, i number,
si and is both, the first letter for what it is by itself; w can be assigned, [ ] takes an index.

The parameters of modules stand in [modules/](modules/).
"""

ITEMS = (
    ("socket", "A listening socket: `socket = udp:address:port options`.", ACTS, ("listen",)),
    ("bin_listen", "A socket of the binary protocol.", f"{ACTS} like `socket`, once a module brings that protocol", ()),
    ("alias", "Names that mean this server.", ACTS, ()),
    ("dst_blacklist", "A list of destinations that may not be reached.", ACTS, ()),
    ("mpath", "Folders in which modules are looked for.", ACTS, ()),
    ("auto_scaling_profile", "When to start and stop workers.", f"{WITHOUT}: the number of workers is fixed", ()),
    ("mem-group", "Modules whose memory is counted together.", f"{WITHOUT}: memory is managed by Python", ()),
    ("tls_server_domain", "Certificates of a TLS address, as in 1.x (now domains of tls_mgm).", ACTS,
     ("tls_client_domain", "tls_domain")),
)

STATEMENTS = (
    ("loadmodule", "`loadmodule \"tm.so\"`", "Load a module."),
    ("modparam", "`modparam(\"tm\", \"fr_timeout\", 5)`", "Set a parameter of a loaded module."),
    ("include_file", "`include_file \"path\"`", "Put another file in place of the line."),
    ("import_file", "`import_file \"path\"`", "The same; a missing file is forgiven with a warning."),
    ("route", "`route { }`", "Runs for every request from the network."),
    ("route[NAME]", "`route[NAME] { }`", "Runs when it is called."),
    ("failure_route", "`failure_route[NAME] { }`", "Runs when all branches failed, if armed by t_on_failure()."),
    ("branch_route", "`branch_route[NAME] { }`", "Runs for each branch before it is sent, if armed by t_on_branch()."),
    ("onreply_route", "`onreply_route { }`, `onreply_route[NAME] { }`",
     "Runs for every reply; with a name for those of a transaction, if armed by t_on_reply()."),
    ("error_route", "`error_route { }`", "Runs for requests that cannot be parsed and failed asserts."),
    ("local_route", "`local_route { }`", "Runs for requests that this server makes."),
    ("startup_route", "`startup_route { }`", "Runs once, before the first message."),
    ("timer_route", "`timer_route[NAME, SECONDS] { }`", "Runs again and again."),
    ("event_route", "`event_route[E_NAME] { }`", "Runs when the event is raised."),
    ("route()", "`route(NAME, value ...)`", "Run a route; its values are `$param(1)` and so on."),
    ("return", "`return;` `return(code, value ...);`", "Leave the route; 0 ends the script. Values: `$return(0)`."),
    ("exit", "`exit;`", "End the script; what was begun goes on."),
    ("drop", "`drop;`", "End the script and withhold the branch or the provisional reply."),
    ("if", "`if (condition) ... else ...`", "Choose."),
    ("else", "`else`", "The other branch of an if."),
    ("while", "`while (condition) ...`", "Repeat, at most `max_while_loops` times."),
    ("for", "`for ($var(x) in $(avp(y)[*])) ...`", "Go over a list."),
    ("in", "`in`", "Between the variable and the list of a for."),
    ("switch", "`switch ($x) { case 1: ... default: ... }`", "Choose by value; bodies fall through."),
    ("case", "`case 1:` `case \"text\":`", "A label of a switch."),
    ("default", "`default:`", "What runs when no label fits."),
    ("break", "`break;`", "Leave the switch or loop."),
    ("assert", "`assert(condition, \"text\");`", "Stop when it is false, with `enable_asserts`."),
    ("async", "`async(function(...), route, seconds);`", "Do something that waits, go on in another route."),
    ("launch", "`launch(function(...), route, \"text\");`", "Do something that waits, and go on at once."),
    ("log", "`log(level, \"text\");`", "Write a line as it stands."),
    ("xlog", "`xlog(\"L_INFO\", \"text with $variables\");`", "Write a line with variables."),
    ("xdbg", "`xdbg(\"text with $variables\");`", "The same at the level L_DBG."),
    ("error", "`error(\"text\", \"text\");`", "Write a line at the level of errors."),
)


def specs() -> list[Spec]:
    """Return the specs of the language's own words and of every module that can be loaded."""
    found = [cls.spec for cls in BUILTINS]
    for name in loader.available():
        try:
            found.append(loader.load(name, [])[0].spec)
        except ModuleError as error:
            print(f"{name} is left out: {str(error).splitlines()[0]}", file=sys.stderr)
    return found


def page() -> str:
    """Return the page."""
    modules = specs()
    parts = [HEAD, *table("Settings", ("name", "meaning", "state"), settings()),
             *table("Statements", ("word", "form", "meaning"), ((f"`{a}`", b, c) for a, b, c in STATEMENTS)),
             *table("Functions", ("function", "routes", "module", "meaning", "state"), functions(modules)),
             *table("Variables", ("variable", "type", "module", "meaning", "state"), variables(modules)),
             *table("Transformations", ("transformation", "module", "meaning", "state"), transformations(modules))]
    return "\n".join(parts)


def table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield a titled table, its rows in order of the first column."""
    yield f"## {title}\n"
    yield f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}"
    ordered = rows if title == "Statements" else sorted(rows, key=lambda row: (row[0].lower(), row))
    yield from (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in ordered)
    yield ""


def settings() -> Iterator[tuple[str, str, str]]:
    """Yield a row for each global parameter and each other item that looks like one."""
    for name, about, state, aliases in ITEMS:
        yield named(name, aliases), about, state
    for spec in SETTINGS:
        yield named(spec.name, spec.aliases), meaning(spec), f"{WITHOUT}: {spec.inert}" if spec.inert else ACTS


def meaning(spec: SettingSpec) -> str:
    """Return what a global parameter means, its kind and its default."""
    default = "" if spec.default in (None, "") else f", {spec.default}"
    return f"{spec.doc} ({spec.kind}{default})".strip()


def named(name: str, aliases: Iterable[str], sign: str = "") -> str:
    """Return a name with its other spellings."""
    others = ", ".join(f"`{sign}{alias}`" for alias in aliases)
    return f"`{sign}{name}`" + (f" ({others})" if others else "")


def owner(module: str) -> str:
    """Return the module that brings a word; the language's own words have none."""
    return "" if module.startswith("core") else f"[{module}](modules/{module}.md)"


def first(doc: str) -> str:
    """Return the first sentence of a docstring."""
    text = " ".join(doc.split("\n\n")[0].split())
    end = text.find(". ")
    return text if end < 0 else text[:end + 1]


def functions(modules: list[Spec]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each function."""
    for spec in modules:
        for item in spec.functions:
            how = f"`{signature(item)}`" + "".join(f", `{alias}`" for alias in item.aliases)
            yield how, letters(item.routes), owner(spec.name), first(item.doc), ACTS


def variables(modules: list[Spec]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each variable."""
    for spec in modules:
        for item in spec.pvars:
            key = {"": "", "optional": "[(key)]", "required": "(key)"}[item.key]
            kind = item.type + (" w" if item.setter else "") + (" [ ]" if item.index else "")
            yield (named(item.name, item.aliases, "$") + (f" `{key}`" if key else ""), kind, owner(spec.name),
                   first(item.doc), ACTS)


def transformations(modules: list[Spec]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each transformation."""
    for spec in modules:
        for item in spec.transforms:
            least, most = item.min_args, item.max_args
            count = ",arg" * least + "[,arg]" * (most - least)
            yield f"`{{{item.name}}}`" + (f" `{count}`" if count else ""), owner(spec.name), first(item.doc), ACTS


def missing(lines: list[str], modules: list[Spec]) -> list[str]:
    """Return the lines of the names file without the names that are there by now."""
    here = {
        "setting": {name for spec in SETTINGS for name in (spec.name, *spec.aliases)},
        "function": {name for spec in modules for item in spec.functions for name in (item.name, *item.aliases)},
        "variable": {name for spec in modules for item in spec.pvars for name in (item.name, *item.aliases)},
        "transformation": {item.name for spec in modules for item in spec.transforms},
    }
    start = lines.index("[missing]") + 1
    kept = lines[:start]
    for line in lines[start:]:
        head, _, names = line.partition(": ")
        left = [name for name in names.split() if name not in here[head.split()[0]]]
        if left:
            kept.append(f"{head}: {' '.join(left)}")
    return kept


def main() -> int:
    """Write or check the page and the names that are missing; 1 when a check finds an old one."""
    names = NAMES.read_text().splitlines()
    wanted = {PAGE: page(), NAMES: "\n".join(missing(names, specs())) + "\n"}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if "--check" in sys.argv:
            print(f"{path.name} is out of date: run scripts/gen_language.py")
        else:
            path.write_text(wanted[path])
            print(f"{path.name} written")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    raise SystemExit(main())
