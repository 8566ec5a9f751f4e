"""Check the invariants of docs/architecture.md that a machine can check."""
from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from osip.core.exports import loader

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "osip").rglob("*.py"))
FLOORS = {"core/sip": 0, "core/errors.py": 0, "core/accel.py": 0, "core/_accel": 0, "core/exports": 1, "core/net": 2, "core/store": 2, "core/mi": 2,
          "core/run": 3, "script": 4, "api.py": 3, "modules": 5, "main.py": 6, "cli": 7, "testing": 7, "__main__.py": 7,
          "__init__.py": 0, "_compiled.py": 0, "core/__init__.py": 0}
PURE = {"socket", "asyncio", "time", "os", "logging", "random"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT / "osip").as_posix()


def floor_of(name: str) -> int:
    return max((rank for prefix, rank in FLOORS.items() if name == prefix or name.startswith(prefix + "/")),
               default=-1, key=lambda rank: rank)


def imports(path: Path) -> list[tuple[str, bool]]:
    """Return (imported module, only for type checkers?) of a file."""
    tree = ast.parse(path.read_text())
    typing_only: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            typing_only |= {id(n) for part in node.body for n in ast.walk(part)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in typing_only) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.module, id(node) in typing_only))
    return found


def as_file(module: str) -> str:
    return module.removeprefix("osip.").replace(".", "/") if module != "osip" else "__init__.py"


BUILT_ON = {"mid_registrar": ("registrar",)}
"""Modules that are another one in front: they share its code, not its instance."""


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_go_down(path: Path) -> None:
    name = relative(path)
    mine = floor_of(name)
    assert mine >= 0, f"{name} stands on no floor"
    for module, typing_only in imports(path):
        if not module.startswith("osip") or typing_only:
            continue
        target = as_file(module)
        candidates = [target, target + ".py"]
        theirs = max(floor_of(c) for c in candidates)
        assert theirs <= mine, f"{name} imports {module}, which is above it"
        if name.startswith("modules/"):
            package = "osip.modules." + name.split("/")[1].removesuffix(".py")
            allowed = (package, *(f"osip.modules.{other}" for other in BUILT_ON.get(package.rpartition(".")[2], ())))
            assert module == "osip.api" or module in allowed or module.startswith(tuple(f"{one}." for one in allowed)), \
                f"{name} imports {module}: a module sees osip.api and its own package only"
        for neighbour in ("core/net", "core/store", "core/mi"):
            if name.startswith(neighbour) and theirs == 2:
                assert target.startswith(neighbour), f"{name} imports its neighbour {module}"
        if name.startswith("core/"):
            assert not target.startswith(("script", "modules", "cli")), f"{name} names {module}"


@pytest.mark.parametrize("path", [p for p in SOURCES if relative(p).startswith("core/sip/")
                                  or p.name == "machine.py" or relative(p) == "core/run/timers.py"], ids=relative)
def test_pure_files_import_no_world(path: Path) -> None:
    assert not PURE & {module.partition(".")[0] for module, _ in imports(path)}


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_file_and_function_sizes(path: Path) -> None:
    text = path.read_text()
    lines = text.count("\n")
    tree = ast.parse(text)
    doc = ast.get_docstring(tree) or ""
    limit = 600 if "lines" in doc or "one piece" in doc else 400
    assert lines <= limit, f"{lines} lines; a file has at most 400 (600 with the reason in its docstring)"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 62, f"{node.name} has {node.end_lineno - node.lineno} lines"


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name != "__init__.py"], ids=relative)
def test_every_file_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), "a file starts with a docstring"


@pytest.mark.parametrize("name", loader.available())
def test_every_export_is_documented(name: str) -> None:
    spec = loader.load(name, [])[0].spec
    assert spec.doc
    for entry in (*spec.functions, *spec.mi, *spec.pvars, *spec.transforms):
        assert entry.doc, f"{name}: {entry.name} has no docstring"
    for param in spec.params:
        assert param.doc or param.removed, f"{name}: parameter {param.name} has no doc"


def test_no_module_state_is_rebound() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.Global), f"{relative(path)} rebinds a module-level name"


def test_importing_a_module_declares_only() -> None:
    for name in loader.available():
        cls = loader.load(name, [])[0]
        assert inspect.isclass(cls)


def test_module_pages_are_in_step() -> None:
    import subprocess
    import sys

    run = subprocess.run([sys.executable, ROOT / "scripts" / "gen_docs.py", "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
