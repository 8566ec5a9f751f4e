"""Link and merge JSON trees; the variables `$json…` themselves belong to the core."""
from __future__ import annotations

import json
from typing import Any

from osip.api import Ctx, Module, Var, function, param

MAX_DEPTH = 200


class Json(Module):
    """Words for `$json`."""

    enable_long_quoting = param(0, ge=0, le=1, removed="integers have no bounds here", doc="No effect.")

    @function("QRFBLSTV")
    def json_link(self, ctx: Ctx, destination: Var, source: Var) -> bool:
        """Make a `$json` mean the same tree as another: what changes in one changes in both."""
        return bool(self.env.modules["core_json"].link(destination.name, source.name))

    @function()
    def json_merge(self, ctx: Ctx, main: str, patch: str, result: Var) -> int:
        """Apply a JSON merge patch (RFC 7396) and assign the compact text; -1 when a text is not JSON."""
        try:
            merged = merge_patch(json.loads(main), json.loads(patch))
            text = json.dumps(merged, separators=(",", ":"), ensure_ascii=False)
        except (ValueError, RecursionError) as error:
            self.env.log.error("json: json_merge: %s", error)
            return -1
        return 1 if result.set(ctx, text) is not False else -1


def merge_patch(target: Any, patch: Any, depth: int = 0) -> Any:
    """Return `target` with `patch` applied (RFC 7396 section 2)."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value, depth + 1)
    return merged
