"""Keep tables in text files that a person can read and edit."""
from osip.modules.db_text.module import DbText

__all__ = ["DbText"]
