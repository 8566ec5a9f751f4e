"""Find the class of a module by the name in `loadmodule` (architecture.md section 9)."""
from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
import traceback
from pathlib import Path

from osip.core.errors import ModuleError
from osip.core.exports.module import Module
from osip.core.exports.spec import API

BUILT_IN = "osip.modules"
NO_MODULE = "no module"
SUCCESSORS = {"siptrace": "tracer", "mi_json": "mi_http", "mi_xmlrpc_ng": "mi_xmlrpc", "event_jsonrpc": "event_stream",
              "rabbitmq": "event_rabbitmq", "tlsops": "tls_mgm", "uri_db": "uri"}
"""Names that modules had in older OpenSIPS, and who does their work now."""


def module_name(text: str) -> str:
    """Return the bare name in a `loadmodule` text: no folder, no `.so`, `cpl-c` as `cpl_c`, an old name as its successor."""
    name = text.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    for ending in (".so", ".py"):
        name = name.removesuffix(ending)
    name = name.replace("-", "_")
    return SUCCESSORS.get(name, name)


def load(text: str, mpaths: list[str], base: str = ".") -> tuple[type[Module], str]:
    """Load a module class; return it and where it came from. ModuleError (with the traceback in it) when it fails."""
    name = module_name(text)
    for path in _candidates(text, name, mpaths, base):
        return _checked(_from_file(name, path), name), str(path)
    for entry in importlib.metadata.entry_points(group="osip.modules"):
        if entry.name == name:
            return _checked(entry.load(), name), f"entry point {entry.value}"
    full = f"{BUILT_IN}.{name}"
    if name.isidentifier() and importlib.util.find_spec(full) is not None:
        return _checked(_class_in(_import(full, name), name), name), full
    raise ModuleError(f'{NO_MODULE} "{name}"')


def shadows(name: str, origin: str) -> bool:
    """Say whether a module found elsewhere hides a built-in one of the same name."""
    return not origin.startswith(BUILT_IN + ".") and name in available()


def available() -> list[str]:
    """List the names of the built-in modules, loaded or not."""
    package = importlib.import_module(BUILT_IN)
    return sorted(info.name for info in pkgutil.iter_modules(package.__path__))


def _candidates(text: str, name: str, mpaths: list[str], base: str) -> list[Path]:
    folders = [Path(text).parent] if text.startswith("/") else []
    folders += [Path(p) if Path(p).is_absolute() else Path(base) / p for p in mpaths]
    found = []
    for folder in folders:
        for path in (folder / f"{name}.py", folder / name / "__init__.py"):
            if path.is_file():
                found.append(path)
    return found


def _from_file(name: str, path: Path) -> type[Module]:
    full = f"osip_ext.{name}"
    if "osip_ext" not in sys.modules:
        parent = importlib.util.module_from_spec(importlib.machinery.ModuleSpec("osip_ext", None, is_package=True))
        parent.__path__ = []
        sys.modules["osip_ext"] = parent
    known = sys.modules.get(full)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return _class_in(known, name)
    spec = importlib.util.spec_from_file_location(full, path, submodule_search_locations=(
        [str(path.parent)] if path.name == "__init__.py" else None))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[full]
        raise ModuleError(f'module "{name}" ({path}) could not be loaded: {error}\n{_short_trace()}') from error
    return _class_in(module, name)


def _import(full: str, name: str) -> object:
    try:
        return importlib.import_module(full)
    except ImportError as error:
        missing = getattr(error, "name", None) or str(error)
        if missing.partition(".")[0] == "osip":         # our own file is at fault, no package is missing
            raise ModuleError(f'module "{name}" could not be loaded: {error}\n{_short_trace()}') from error
        raise ModuleError(f'module "{name}" needs the Python package "{missing}", which is not installed: '
                          f"install the extra that the module's documentation names\n{_short_trace()}") from error
    except Exception as error:
        raise ModuleError(f'module "{name}" could not be loaded: {error}\n{_short_trace()}') from error


def _short_trace() -> str:
    return "".join(traceback.format_exc(limit=-3)).rstrip()


def _class_in(module: object, name: str) -> type[Module]:
    package = getattr(module, "__name__", name)
    classes = {value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Module)
               and value is not Module and value.__module__.startswith(package)}
    if len(classes) != 1:
        raise ModuleError(f'module "{name}" must define one subclass of Module, it defines {len(classes)}')
    return classes.pop()


def _checked(cls: type[Module], name: str) -> type[Module]:
    if cls.api != API:
        older = "the module is older than this osip" if cls.api < API else "this osip is older than the module"
        raise ModuleError(f'module "{name}" speaks module API {cls.api}, osip speaks {API}: {older}')
    return cls
