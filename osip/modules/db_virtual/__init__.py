"""Put several databases behind one URL: the first that works, each in turn, or all at once."""
from osip.modules.db_virtual.module import DbVirtual

__all__ = ["DbVirtual"]
