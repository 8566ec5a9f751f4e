"""`osip modules`: what the modules export, read from their declarations."""
from __future__ import annotations

from typing import Any

import click

from osip.cli.output import fail, show_json, show_rows
from osip.core.errors import ModuleError
from osip.core.exports import loader
from osip.core.exports.spec import Spec


@click.group()
def modules() -> None:
    """List modules and show what they export."""


@modules.command("list")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
def list_modules(as_json: bool) -> None:
    """List the modules that come with osip."""
    rows = []
    for name in loader.available():
        try:
            spec = loader.load(name, [])[0].spec
            rows.append((name, spec.doc.splitlines()[0] if spec.doc else ""))
        except ModuleError as error:
            rows.append((name, f"cannot be loaded: {str(error).splitlines()[0]}"))
    show_rows(("module", "about"), rows, "json" if as_json else "table")


@modules.command()
@click.argument("name")
@click.option("--mpath", multiple=True, help="Also look in this folder.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def show(name: str, mpath: tuple[str, ...], as_json: bool) -> None:
    """Show functions, parameters, variables, commands, events and statistics of a module."""
    try:
        spec = loader.load(name, list(mpath))[0].spec
    except ModuleError as error:
        fail(f"{error}; osip modules list names all")
    if as_json:
        show_json(describe(spec))
        return
    click.echo(f"{spec.name}: {spec.doc}\n")
    for title, entries in sections(describe(spec)):
        click.echo(title)
        for entry in entries:
            click.echo(f"  {entry}")
        click.echo()


def describe(spec: Spec) -> dict[str, Any]:
    """Return a spec as JSON-ready data."""
    return {
        "name": spec.name, "doc": spec.doc, "needs": [need.module for need in spec.needs],
        "functions": [{"name": f.name, "aliases": list(f.aliases), "routes": letters(f.routes),
                       "async": f.is_async or bool(f.deferred),
                       "args": [{"name": a.label, "kind": a.kind, "optional": a.optional} for a in f.args],
                       "doc": f.doc} for f in spec.functions],
        "params": [{"name": p.name, "aliases": list(p.aliases), "type": "|".join(k.__name__ for k in p.kinds),
                    "default": p.default, "multiple": p.multiple, "doc": p.doc or p.removed} for p in spec.params],
        "variables": [{"name": "$" + v.name, "type": v.type, "writable": bool(v.setter), "doc": v.doc}
                      for v in spec.pvars],
        "transformations": [{"name": t.name, "doc": t.doc} for t in spec.transforms],
        "mi": [{"name": m.canonical, "aliases": list(m.aliases), "params": [list(r) for r in m.recipes],
                "doc": m.doc} for m in spec.mi],
        "events": [{"name": e.name, "params": list(e.params), "doc": e.doc} for e in spec.events],
        "statistics": [{"name": f"{s.group}:{s.name}", "kind": str(s.kind), "doc": s.doc} for s in spec.stats],
        "tables": [{"name": t.name, "version": t.version} for t in spec.tables],
    }


def letters(mask: int) -> str:
    """Return the letters of a route mask."""
    return "*" if mask == 511 else "".join(c for i, c in enumerate("QFRBELSTV") if mask >> i & 1)


def sections(data: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the parts of a description as titled lines; empty parts are left out."""
    out = []
    functions = [f"{f['name']}({', '.join(_arg(a) for a in f['args'])}) {f['routes']}{' async' if f['async'] else ''}"
                 f"  {_first(f['doc'])}" for f in data["functions"]]
    params = [f"{p['name']} ({p['type']}, {p['default']!r})  {_first(p['doc'])}" for p in data["params"]]
    mi = [f"{m['name']} {' | '.join(' '.join(r) or '-' for r in m['params'])}  {_first(m['doc'])}" for m in data["mi"]]
    for title, entries in (("Functions", functions), ("Parameters", params), ("Commands", mi)):
        if entries:
            out.append((title, entries))
    for title, key in (("Variables", "variables"), ("Transformations", "transformations"), ("Events", "events"),
                       ("Statistics", "statistics"), ("Tables", "tables")):
        if data[key]:
            out.append((title, [f"{e['name']}  {_first(e.get('doc', ''))}".rstrip() for e in data[key]]))
    return out


def _arg(arg: dict[str, Any]) -> str:
    text = f"{arg['name']}:{arg['kind']}"
    return f"[{text}]" if arg["optional"] else text


def _first(doc: str) -> str:
    return doc.splitlines()[0] if doc else ""
