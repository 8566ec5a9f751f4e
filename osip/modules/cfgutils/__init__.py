"""Chance, waiting, locks, shared variables and times for scripts."""
from osip.modules.cfgutils.module import Cfgutils

__all__ = ["Cfgutils"]
