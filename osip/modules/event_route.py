"""Nothing: event routes are part of the language; old scripts load this module for them (2.x)."""
from __future__ import annotations

from osip.api import Module, param


class EventRoute(Module):
    """Kept so that scripts of 2.x load; `event_route` and `fetch_event_params` need no module."""

    sync_mode = param(0, kind=(int, str), removed="telling an event never holds a message up")
