"""Run a browser's SIP stack under Node.js."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kit.peer import HOST, Child, child, program
from kit.server import CHECKOUT

SCRIPTS = CHECKOUT / "tests/e2e/js"
MODULES = CHECKOUT / ".peers/node/node_modules"


@contextmanager
def jssip(folder: Path, port: int, user: str, scheme: str = "ws", **options: Any) -> Iterator[Child]:
    """Run a JsSIP phone that has registered; js/phone.js says what options there are and what it prints."""
    wanted = {"url": f"{scheme}://{HOST}:{port}/", "user": user, "domain": "localhost", "hangUp": -1, **options}
    argv = [program("node") or "node", SCRIPTS / "node.js", MODULES, json.dumps(wanted)]
    # Certificates of tests are signed by nobody.
    with child(f"jssip-{user}", argv, folder, {"NODE_TLS_REJECT_UNAUTHORIZED": "0"}) as running:
        running.wait_for("^registered$")
        yield running
