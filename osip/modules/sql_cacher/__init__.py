"""Keep rows of SQL tables in a cache, and read them by `$sql_cached_value`."""
from osip.modules.sql_cacher.module import SqlCacher

__all__ = ["SqlCacher"]
