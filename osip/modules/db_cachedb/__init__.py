"""Ask a cache as a database: `cachedb://redis:group` as a `db_url`."""
from osip.modules.db_cachedb.module import DbCachedb

__all__ = ["DbCachedb"]
