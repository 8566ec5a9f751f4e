"""Spread requests over sets of destinations, probe them, and go on with the next when one fails."""
from osip.modules.dispatcher.module import Dispatcher

__all__ = ["Dispatcher"]
