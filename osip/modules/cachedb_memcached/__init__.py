"""Keep keys and values in memcached servers."""
from osip.modules.cachedb_memcached.module import CachedbMemcached

__all__ = ["CachedbMemcached"]
