"""Check digest credentials against a table of users."""
from osip.modules.auth_db.module import AuthDb

__all__ = ["AuthDb"]
