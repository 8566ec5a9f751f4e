"""Permit by address, from a table, and by URIs, from files of rules."""
from osip.modules.permissions.module import Permissions

__all__ = ["Permissions"]
