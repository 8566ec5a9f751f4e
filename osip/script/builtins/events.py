"""Raise events and subscribe to them (core_functions.md section 9)."""
from __future__ import annotations

from typing import Any

from osip.api import Ctx, Module, OsipError, Raw, Value, Var, event, function
from osip.script.builtins.variable_text import assign, avp_values, parse_variables


class CoreEvents(Module):
    """Events of scripts."""
    name = "core_events"

    disconnected = event("E_CORE_TCP_DISCONNECT", "A connection of a stream transport ended.", src_ip=str, src_port=int,
                         dst_ip=str, dst_port=int, proto=str)

    @function()
    def raise_event(self, ctx: Ctx, name: str, names: Var | None = None, values: Var | None = None) -> bool:
        """Raise an event; the AVPs give its parameters, index 0 first: with names, or values alone."""
        if not name:
            return False
        params: dict[str, Any] = {}
        if names is not None and values is not None:
            keys, content = avp_values(ctx, names), avp_values(ctx, values)
            if len(keys) != len(content):
                self.env.log.error("event %s not raised: %d names for %d values", name, len(keys), len(content))
                return False
            params = {str(key): value for key, value in zip(keys, content, strict=True)}
        else:
            given = values if values is not None else names
            content = avp_values(ctx, given) if given is not None else []
            params = {str(at): value for at, value in enumerate(content, 1)}
        self.env.events.raise_event(name, params, ctx)
        return True

    @function()
    def subscribe_event(self, ctx: Ctx, name: str, socket: str, expire: int | None = None) -> bool:
        """Send an event to an address of a loaded event transport, such as `rabbitmq:...`; no expiry: for ever."""
        try:
            is_taken = self.env.events.subscribe_everywhere(name, socket, expire or None)
        except (ValueError, OsipError) as error:
            self.env.log.error("event %s not subscribed: %s", name, error)
            return False
        if not is_taken:
            self.env.log.error("event %s not subscribed: it has too many subscribers", name)
        return is_taken

    @function(routes="V")
    def fetch_event_params(self, ctx: Ctx, variables: Raw) -> bool:
        """Assign the event's parameters to variables, in order or by name: `$var(a);name=$avp(b)`."""
        try:
            items = parse_variables(variables)
        except ValueError as error:
            self.env.log.error("fetch_event_params: %s", error)
            return False
        params: dict[str, Value] = ctx.event or {}
        ordered = list(params.values())
        complete = True
        for at, (name, kind, key) in enumerate(items):
            value = params.get(name) if name else ordered[at] if at < len(ordered) else None
            complete = complete and value is not None
            assign(ctx, kind, key, value)
        return complete
