"""Events of contacts are put together only when somebody listens."""
from __future__ import annotations

from types import SimpleNamespace

import pytest

from osip.core.run.env import Env
from osip.modules.usrloc.audience import EVENTS, Audience


def audience(subscribers=(), routes=None):
    told = []
    env = Env()
    env.program = None if routes is None else SimpleNamespace(events=routes)
    env.events = SimpleNamespace(declare=lambda name: SimpleNamespace(subscribers=list(subscribers)))
    return Audience(env, lambda what, thing: told.append((what, thing))), told


@pytest.mark.parametrize(("subscribers", "routes", "is_told"), [
    ((), None, False),
    ((), {}, False),
    (("udp:127.0.0.1:9",), None, True),
    ((), {"E_UL_CONTACT_UPDATE": [1]}, True),
    ((), {"E_UL_CONTACT_INSERT": [1]}, False),
])
def test_only_who_listens_is_told(subscribers, routes, is_told):
    hearing, told = audience(subscribers, routes)
    hearing.on_change("contact_update", "contact")
    assert told == ([("contact_update", "contact")] if is_told else [])


def test_a_reloaded_script_is_asked_anew():
    hearing, told = audience(routes={})
    hearing.on_change("aor_insert", "record")
    hearing._env.program = SimpleNamespace(events={"E_UL_AOR_INSERT": [1]})
    hearing.on_change("aor_insert", "record")
    assert told == [("aor_insert", "record")]


def test_every_change_has_its_event():
    assert set(EVENTS) == {"contact_insert", "contact_update", "contact_delete", "aor_insert", "aor_delete"}
