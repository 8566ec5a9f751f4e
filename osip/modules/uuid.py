"""Make UUIDs (RFC 9562) for scripts."""
from __future__ import annotations

import os
import uuid

from osip.api import Ctx, Module, Value, Var, function, pvar

VERSIONS = (0, 1, 3, 4, 5, 7)


def make(version: int, wall: float, space: str | None = None, name: str | None = None) -> str:
    """Return a UUID of a version, 0 = a random one; ValueError when it cannot be made of what is given."""
    if version in (3, 5):
        if space is None or name is None:
            raise ValueError(f"version {version} needs a namespace and a name")
        return str((uuid.uuid3 if version == 3 else uuid.uuid5)(uuid.UUID(space), name))
    if version == 1:
        return str(uuid.uuid1())
    if version == 7:
        bits = (int(wall * 1000) & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
        bits = bits & ~(0xF << 76) & ~(0x3 << 62) | 7 << 76 | 2 << 62
        return str(uuid.UUID(int=bits))
    if version not in VERSIONS:
        raise ValueError(f"there is no version {version}: it is one of 0, 1, 3, 4, 5, 7")
    return str(uuid.uuid4())


def parse_version(text: str) -> int:
    """Parse the version of `$uuid(v)`; those that need a name have none here."""
    if text not in ("0", "1", "4", "7"):
        raise ValueError(f'"{text}" is no version: 0, 1, 4 or 7')
    return int(text)


class Uuid(Module):
    """UUIDs."""

    @function()
    def uuid(self, ctx: Ctx, out: Var, version: int | None = None, namespace: str | None = None,
             name: str | None = None) -> int:
        """Put a UUID of a version (0 1 3 4 5 7) into the variable; 3 and 5 take a namespace (a UUID) and a name."""
        try:
            made = make(version or 0, self.env.wall(), namespace, name)
        except ValueError as error:
            self.env.log.error("uuid: %s", error)
            return -1
        return 1 if out.set(ctx, made) else -1

    @pvar("uuid", type="s", key="optional", key_parse=parse_version)
    def uuid_variable(self, ctx: Ctx, version: int | None) -> Value:
        """A new UUID at each reading, of version 0 (random), 1, 4 or 7."""
        return make(version or 0, self.env.wall())
