"""Declare db_cachedb: databases that are caches, by the URLs that the script gives."""
from __future__ import annotations

from osip.api import Module, ModuleError, StoreError, hide_password, param, parse_cache_url
from osip.modules.db_cachedb.store import CacheStore


class DbCachedb(Module):
    """A database in Redis: `cachedb://redis:group` as a `db_url`, for modules that ask simple things.

    It carries statements of one table with conditions joined by AND. Tables need not be made; versions are not looked
    at. What changes together is stored together. A column that is asked for by its value gets an index at that moment.
    """

    cachedb_url = param((), kind=str, multiple=True, doc="Cache that `cachedb://scheme:group` means; may be set several "
                                                         "times.")

    def mod_init(self) -> None:
        """Offer the scheme, and look at the URLs."""
        self.urls: dict[str, str] = {}
        for text in self.cachedb_url:
            try:
                id = parse_cache_url(text).id
            except ValueError as error:
                raise ModuleError(f"db_cachedb: cachedb_url: {error}") from None
            if id in self.urls:
                raise ModuleError(f'db_cachedb: cachedb_url names "{id}" twice: give each a group of its own, such as '
                                  f'"redis:two://host:6379/"')
            self.urls[id] = text
        self.env.stores.register("cachedb", self.open)

    def open(self, url: str) -> CacheStore:
        """Return the database of a `db_url`; StoreError when no cachedb_url fits, or its cache cannot do it."""
        id = url.partition("://")[2].strip("/")
        found = self.urls.get(id)
        if found is None:
            known = ", ".join(f"cachedb://{one}" for one in self.urls) or "none"
            raise StoreError(f'"{hide_password(url)}" means no cache (there are: {known}): write modparam("db_cachedb", '
                             f'"cachedb_url", "{id or "redis:group"}://host:port/")')
        cache = self.env.cache(found)
        if not hasattr(cache, "commands"):
            raise StoreError(f"{hide_password(url)}: tables can be kept in Redis only, not in "
                             f'"{found.partition(":")[0]}"')
        return CacheStore(url, cache)
