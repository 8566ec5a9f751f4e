"""Keep keys and values in memory, in collections that all workers share, if need be over a restart."""
from __future__ import annotations

import asyncio
import re
from fnmatch import translate
from pathlib import Path
from typing import Any

from osip.api import (
    CacheUrl,
    Ctx,
    Env,
    LocalCache,
    MIError,
    Module,
    ModuleError,
    Scope,
    StoreError,
    function,
    mi,
    param,
    parse_cache_url,
    read_snapshot,
    timer,
    write_snapshot,
)

DEFAULT = "default"
SAVE_SECONDS = 5
_ALONE = "without the module clusterer entries stay on this server"
MAX_SHOWN = 10_000
"""Entries in one answer of fetch_chunk."""


def collection_of(text: str) -> str:
    """Read one collection of `cache_collections`: `name[=size][/r]`."""
    found = re.fullmatch(r"\s*([\w.-]+)\s*(?:=\s*\d+\s*)?(/r)?\s*", text)
    if found is None:
        raise ValueError(f'"{text}" is no collection: write name, name=9 or name/r')
    return found[1]


class CachedbLocal(Module):
    """A key-value cache in memory: `cache_store("local", ...)`, or `"local:group"` for a collection of its own."""

    cache_table_size = param(9, removed="the table grows by itself")
    cache_clean_period = param(600, ge=1, doc="Seconds between two looks for what has ended.")
    exec_threshold = param(0, ge=0, removed="nothing here takes long", doc="No effect.")
    cache_collections = param(multiple=True, kind=str, doc='Collections, "c1=9;c2/r". Sizes and /r have no effect: '
                              "memory grows as needed, and all workers share all of them.")
    cachedb_url = param(multiple=True, kind=str, parse=parse_cache_url,
                        doc='"local:group:///collection": `local:group` is that collection.')
    cluster_id = param(0, ge=0, removed=_ALONE, doc="No effect yet.")
    cluster_persistency = param("sync-from-cluster", removed=_ALONE, doc="No effect yet.")
    enable_restart_persistency = param(0, ge=0, le=1, doc="1: entries outlive a restart, in the file that the setting "
                                       "restart_persistency_cache_file names; after a crash, all but the last 5 seconds.")

    def mod_init(self) -> None:
        """Map groups to collections and read what was kept."""
        names = {DEFAULT}
        try:
            for text in self.cache_collections:
                names |= {collection_of(one) for one in text.split(";") if one.strip()}
        except ValueError as error:
            raise ModuleError(f"cachedb_local: cache_collections: {error}") from None
        self._names, self._groups = names, {"": ""}
        for url in self.cachedb_url:
            self._add(url)
        self.env.caches.register("local", self._open, lambda text: self._open(parse_cache_url(text).group))
        self._changes: dict[str, int] = {}
        self._file = Path(self.env.config.restart_persistency_cache_file or ".osip_cache")
        self._saving = False
        if any(text.rstrip().endswith("/r") for one in self.cache_collections for text in one.split(";")):
            self.env.log.info("cachedb_local: /r in cache_collections has no effect: %s", _ALONE)
        if self.enable_restart_persistency:
            self._load()

    def _add(self, url: CacheUrl) -> None:
        if url.scheme != "local":
            raise ModuleError(f'cachedb_local: cachedb_url "{url.scheme}:" is not for this module: write local:group:///c')
        if url.path and url.path not in self._names:
            raise ModuleError(f'cachedb_local: collection "{url.path}" is not in cache_collections')
        self._groups[url.group] = "" if url.path in ("", DEFAULT) else url.path

    def _open(self, group: str) -> LocalCache:
        # A group that no URL defines is a collection of its own name.
        name = self._groups.get(group, group)
        return self.env.caches.collection("" if name == DEFAULT else name)

    def _collection(self, name: str | None) -> LocalCache:
        bare = "" if name in (None, "", DEFAULT) else str(name)
        if bare and bare not in self._names and bare not in self.env.caches.collections():
            known = ", ".join(sorted(self._names | {one or DEFAULT for one in self.env.caches.collections()}))
            raise StoreError(f'no collection "{name}"; there are {known}')
        return self.env.caches.collection(bare)

    # --- keeping -----------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        now, count = self.env.wall(), 0
        try:
            for name, key, value, until in read_snapshot(self._file):
                if not until or until > now:
                    self.env.caches.collection(name).apply("set", key, value, until - now if until else 0)
                    count += 1
        except (StoreError, ValueError, TypeError) as error:
            raise ModuleError(f"cachedb_local: {error}") from None
        self.env.log.info("cachedb_local: read entries=%d file=%s", count, self._file)

    def _items(self) -> list[tuple[str, str, Any, float]]:
        now = self.env.wall()
        return [(name, key, value, now + left if left else 0) for name, cache in self.env.caches.collections().items()
                for key, value, left in cache.items()]

    def _is_changed(self) -> bool:
        counts = {name: cache.changes for name, cache in self.env.caches.collections().items()}
        changed, self._changes = counts != self._changes, counts
        return changed

    @timer(SAVE_SECONDS, on=Scope.LEADER)
    async def save(self) -> None:
        """Write the entries to the file, if any changed."""
        if not self.enable_restart_persistency or self._saving or not self._is_changed():
            return
        self._saving = True
        try:
            await asyncio.get_running_loop().run_in_executor(None, write_snapshot, self._file, self._items())
        except StoreError as error:
            self.env.log.error("cachedb_local: %s: entries would be lost by a restart", error)
            self._changes = {}
        finally:
            self._saving = False

    async def destroy(self) -> None:
        """Write the entries a last time."""
        if self.enable_restart_persistency and self.env.number == 0:
            try:
                write_snapshot(self._file, self._items())
            except StoreError as error:
                self.env.log.error("cachedb_local: %s: entries are lost", error)

    async def child_init(self, env: Env) -> None:
        """Sweep now and then."""
        self._changes = {name: cache.changes for name, cache in env.caches.collections().items()}

    @timer("cache_clean_period")
    def clean(self) -> None:
        """Drop what has ended."""
        for cache in self.env.caches.collections().values():
            cache.sweep()

    # --- words -------------------------------------------------------------------------------------------------------

    @function("QRFBLS")
    def cache_remove_chunk(self, ctx: Ctx, collection: str | None, glob: str | None = None) -> int:
        """Remove all keys that match a glob from a collection (by default from the first one)."""
        if glob is None:                        # one argument alone is the glob
            collection, glob = None, collection
        try:
            self._remove(self._collection(collection), glob or "")
        except StoreError as error:
            self.env.log.error("cachedb_local: cache_remove_chunk: %s call_id=%s", error, ctx.msg.call_id)
            return -1
        return 1

    @staticmethod
    def _matching(cache: LocalCache, glob: str) -> list[tuple[str, Any]]:
        fits = re.compile(translate(glob)).match
        return [(key, value) for key, value, _ in cache.items() if fits(key)]

    def _remove(self, cache: LocalCache, glob: str) -> None:
        for key, _ in self._matching(cache, glob):
            cache.remove(key)

    @mi(aliases=("cache_remove_chunk",))
    def remove_chunk(self, glob: str, collection: str | None = None) -> None:
        """Remove all keys that match a glob."""
        try:
            self._remove(self._collection(collection), glob)
        except StoreError as error:
            raise MIError(404, str(error)) from None

    @mi(aliases=("cache_fetch_chunk",))
    def fetch_chunk(self, glob: str, collection: str | None = None) -> dict[str, Any]:
        """Show the keys that match a glob, with their values; at most 10000."""
        try:
            found = self._matching(self._collection(collection), glob)
        except StoreError as error:
            raise MIError(404, str(error)) from None
        return {"keys": [{"name": key, "value": str(value)} for key, value in found[:MAX_SHOWN]]}
