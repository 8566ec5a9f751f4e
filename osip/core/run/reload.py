"""Take over what a changed script says besides its routes: parameters, global settings, sockets.

A reload checks everything first and changes nothing when there is an error. What a running server cannot change is
named in a warning and comes with a restart.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osip.core.exports.diagnostic import Diagnostic, Severity
from osip.core.run import log
from osip.core.run.config import SETTINGS, Config

if TYPE_CHECKING:
    from osip.core.exports.registry import Registry
    from osip.core.net.endpoint import LocalSocket
    from osip.core.run.worker import Worker

FIXED = frozenset({"chroot", "user", "group", "fork", "open_files_limit", "maxbuffer", "tos", "port", "wdir",
                   "disable_core_dump", "udp_workers", "tcp_workers"})
"""Global parameters that count only while the server starts."""


def check_modules(running: Registry, new: Registry) -> list[Diagnostic]:
    """Refuse a script that loads modules which the running server has not."""
    fresh = sorted(set(new.classes) - set(running.classes))
    if not fresh:
        return []
    return [Diagnostic("E308", f"the new script loads further modules ({', '.join(fresh)}): that needs a restart")]


def apply(worker: Worker, new: Registry, config: Config, sockets: list[LocalSocket]) -> list[Diagnostic]:
    """Take over the parameters, settings and sockets of a checked script; return what could not be."""
    return [*_params(worker.registry, new), *_settings(worker, config), *_sockets(worker, sockets)]


def _warn(what: str) -> Diagnostic:
    return Diagnostic("W641", f"{what} changes with a restart only", severity=Severity.WARNING)


def _params(running: Registry, new: Registry) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for name in running.loaded:
        instance = running.instances[name]
        if name not in new.classes:
            continue
        changes: dict[str, Any] = {}
        for spec in instance.spec.params:
            value = new.configured(spec)
            if spec.removed or value == running.configured(spec):
                continue
            if spec.live:
                setattr(instance, spec.attr, value)
            changes[spec.attr] = value
        live = {spec.attr for spec in instance.spec.params if spec.live}
        done = live | instance.reload_params(changes) if changes else live
        found += [_warn(f'parameter "{attr}" of module "{name}"') for attr in changes if attr not in done]
        for attr in changes:
            if attr in done:
                running.take_param(name, attr, changes[attr])
    return found


def _settings(worker: Worker, config: Config) -> list[Diagnostic]:
    now, found = worker.env.config, []
    for spec in SETTINGS:
        value = getattr(config, spec.name)
        if value == getattr(now, spec.name) or spec.inert:
            continue
        if spec.name in FIXED:
            found.append(_warn(f'"{spec.name}"'))
        else:
            setattr(now, spec.name, value)
    now.aliases, now.secrets = config.aliases, config.secrets
    now.blacklists, now.bonds = config.blacklists, config.bonds
    log.set_up(now)
    worker.dispatch.refresh()
    for listener in worker.env.on_reload:
        listener()
    return found


def _sockets(worker: Worker, sockets: list[LocalSocket]) -> list[Diagnostic]:
    present = {socket.text: socket for socket in worker.env.sockets}
    wanted = {socket.text for socket in sockets}
    found: list[Diagnostic] = []
    for socket in sockets:
        old = present.get(socket.text)
        if old is None:
            worker.add_socket(socket)
            continue
        old.tag = socket.tag
        old.advertise(socket.adv_host, socket.adv_port)
        if old.options != socket.options:
            found.append(_warn(f"what is set at socket {socket.text}"))
    return found + [_warn(f"socket {text} is still open: it") for text in sorted(present.keys() - wanted)
            if not worker.drop_socket(present[text])]
