"""Choose between the compiled form of hot modules and their source, while the package is imported.

mypyc compiles these modules as they stand; the source is what counts. A compiled form that was built from other
sources than those beside it is not used, nor is any with OSIP_PURE=1 in the environment.
"""
from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path

MODULES = (
    "osip.core.net.association", "osip.core.net.batch", "osip.core.net.endpoint", "osip.core.net.port",
    "osip.core.run.ctx", "osip.core.run.dispatch", "osip.core.run.env", "osip.core.run.forward",
    "osip.core.run.inbox", "osip.core.run.logline", "osip.core.run.myself", "osip.core.run.onward",
    "osip.core.run.outlet", "osip.core.run.quick", "osip.core.run.refusal", "osip.core.run.reply", "osip.core.run.sender",
    "osip.core.run.timers", "osip.core.sip.auth", "osip.core.sip.binding", "osip.core.sip.build",
    "osip.core.sip.digest", "osip.core.sip.edits", "osip.core.sip.fields", "osip.core.sip.identity",
    "osip.core.sip.mark", "osip.core.sip.params", "osip.modules.acc.clerk", "osip.modules.auth.guard",
    "osip.modules.auth.nonce", "osip.modules.auth.words", "osip.modules.dispatcher.algorithm", "osip.modules.dispatcher.select",
    "osip.modules.dispatcher.state", "osip.modules.maxfwd.hops", "osip.modules.registrar.address",
    "osip.modules.registrar.flag", "osip.modules.registrar.flow", "osip.modules.registrar.lookup",
    "osip.modules.registrar.read", "osip.modules.registrar.rule", "osip.modules.registrar.save",
    "osip.modules.rr.follow", "osip.modules.rr.record", "osip.modules.rr.router", "osip.modules.signaling.choice",
    "osip.modules.sl.replies", "osip.modules.tm.answer", "osip.modules.tm.arrival", "osip.modules.tm.branch",
    "osip.modules.tm.cancel", "osip.modules.tm.echo", "osip.modules.tm.launch", "osip.modules.tm.layer",
    "osip.modules.tm.machine", "osip.modules.tm.match", "osip.modules.tm.relay", "osip.modules.tm.response",
    "osip.modules.tm.transaction", "osip.modules.usrloc.audience", "osip.modules.usrloc.state",
    "osip.script.builtins.reader", "osip.script.reference", "osip.script.runtime",
)
DIGEST = "_compiled.sum"
"""The file beside this one that tells from which sources the compiled forms were made."""


def digest(package: Path) -> str:
    """Return the digest of the sources of all these modules, `package` being the folder of osip."""
    total = sha256()
    for name in MODULES:
        total.update(package.joinpath(*name.split(".")[1:]).with_suffix(".py").read_bytes())
    return total.hexdigest()


def state(package: Path) -> str:
    """Say what there is of compiled forms: "current", "stale" when their sources have changed since, "" for none."""
    try:
        return "current" if (package / DIGEST).read_text() == digest(package) else "stale"
    except OSError:
        return ""


class SourceFinder:
    """Find the source of these modules although a compiled form lies beside it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Return the source of one of `MODULES`; None leaves the search to the next finder."""
        if name not in MODULES or path is None:
            return None
        for folder in path:
            found = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name)
            if found is not None:
                return found
        return None


def is_pure() -> bool:
    """Say whether the environment asks for pure Python (OSIP_PURE=1)."""
    return os.environ.get("OSIP_PURE", "") not in ("", "0")


def choose() -> None:
    """Make Python import the sources where the compiled forms are not wanted or do not fit."""
    if is_pure() or state(Path(__file__).parent) != "current":
        sys.meta_path.insert(0, SourceFinder)       # type: ignore[arg-type]
