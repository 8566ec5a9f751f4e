"""A reload takes what can be taken and names the rest."""
from __future__ import annotations

import pytest
from kit.playbook import make_worker

from osip.api import Module, OsipError, param
from osip.core.exports.registry import Registry
from osip.core.net.endpoint import LocalSocket
from osip.core.run.config import Config
from osip.core.run.env import FlagTable
from osip.core.run.reload import apply, check_modules


class Tuned(Module):
    """Has parameters of every kind."""
    name = "tuned"
    at_use = param(1, live=True, doc="Read at use.")
    taken = param(1, doc="Taken over by the module.")
    fixed = param(1, doc="Read at start.")
    words = param((), kind=str, multiple=True, live=True, doc="Words.")

    def reload_params(self, changes):
        if "taken" in changes:
            self.taken = changes["taken"]
        return {"taken"} & set(changes)


class Other(Module):
    """Was not loaded."""
    name = "other"


def registry(*classes, **values) -> Registry:
    made = Registry()
    for cls in classes:
        made.add(cls)
    for spec in Tuned.spec.params:
        for value in values.get(spec.attr, []):
            made.set_param(spec, value)
    return made


@pytest.mark.parametrize(("values", "left", "warned"), [
    ({"at_use": [5]}, (5, 1, 1, []), []), ({"taken": [6]}, (1, 6, 1, []), []),
    ({"fixed": [7]}, (1, 1, 1, []), ["fixed"]), ({"words": ["a", "b"]}, (1, 1, 1, ["a", "b"]), []),
    ({"at_use": [1]}, (1, 1, 1, []), [])])
def test_parameters(values, left, warned) -> None:
    worker, _, _ = make_worker((Tuned,))
    tuned = worker.registry.instances["tuned"]
    for _ in range(2):                  # the second time nothing is new, but what is fixed is said again
        found = apply(worker, registry(Tuned, **values), Config(), worker.env.sockets)
        assert (tuned.at_use, tuned.taken, tuned.fixed, tuned.words) == left
        assert [f'"{name}"' in d.message and d.code == "W641" for name, d in zip(warned, found, strict=True)] == \
            [True] * len(warned)


def test_a_further_module_is_refused() -> None:
    assert [d.code for d in check_modules(registry(Tuned), registry(Tuned, Other))] == ["E308"]
    assert not check_modules(registry(Tuned, Other), registry(Tuned))


def test_settings_and_sockets(monkeypatch) -> None:
    worker, _, _ = make_worker((Tuned,))
    added: list[LocalSocket] = []
    monkeypatch.setattr(worker, "add_socket", added.append)
    config = Config()
    config.set("xlog_level", 4)
    config.set("tos", "16")
    new = LocalSocket("udp", "10.0.0.9", 5090)
    found = apply(worker, registry(Tuned), config, [worker.env.sockets[0], new])
    assert worker.env.config.xlog_level == 4 and worker.env.config.tos == "" and added == [new]
    assert [d.message.split()[0:2] for d in found] == [['"tos"', "changes"], ["socket", worker.env.sockets[1].text]]


def test_sockets_that_the_script_no_longer_lists_are_dropped(monkeypatch) -> None:
    worker, _, _ = make_worker((Tuned,))
    dropped: list[LocalSocket] = []
    monkeypatch.setattr(worker, "drop_socket", lambda socket: not dropped.append(socket))
    first, second = worker.env.sockets
    assert not apply(worker, registry(Tuned), Config(), [first]) and dropped == [second]


@pytest.mark.parametrize(("options", "warned"), [({}, 0), ({"tos": 16}, 1)])
def test_what_is_said_of_a_socket_is_taken_over(options, warned) -> None:
    worker, _, _ = make_worker((Tuned,))
    first, second = worker.env.sockets
    changed = LocalSocket(first.proto, first.host, first.port, "edge.example.com", 5099, "out", options)
    found = apply(worker, registry(Tuned), Config(), [changed, second])
    assert worker.env.sockets == [first, second] and len(found) == warned
    assert (first.sent_by, first.tag) == ("edge.example.com:5099", "out")
    assert b"edge.example.com:5099" in first.via_start


def test_flags_of_scripts_that_are_gone_give_up_their_bits() -> None:
    table = FlagTable()
    kept = table.bit("module")
    table.begin()
    first = [table.bit(f"a{n}") for n in range(31)]
    with pytest.raises(OsipError, match="one too many"):
        table.bit("b")
    table.begin()
    assert table.bit("a5") == first[5]
    new = [table.bit(f"c{n}") for n in range(30)]
    assert len({*new, first[5], kept}) == 32 and table.bit("module") == kept
    with pytest.raises(OsipError):
        table.bit("d")
