"""Run SQL from scripts and keep AVPs in a table."""
from osip.modules.sqlops.module import Sqlops

__all__ = ["Sqlops"]
