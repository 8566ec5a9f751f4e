"""Keep keys and values in Redis: one server, several to fail over to, Sentinel or Cluster."""
from osip.modules.cachedb_redis.module import CachedbRedis

__all__ = ["CachedbRedis"]
