"""Who may run what: roles, tenants, and what a tenant sees of a list."""

from __future__ import annotations

from typing import Any

import pytest

from osip.api import MIError
from osip.core.exports.spec import MiSpec, Role, Scope
from osip.core.exports.types import Arg
from osip.core.mi import access
from osip.core.mi.access import Caller, check, domain_of, role_of, visible


def spec(name: str, *params: str, role: Role | None = None) -> MiSpec:
    group, _, bare = name.partition(":")
    return MiSpec(
        bare, group, group, bare, tuple(Arg(one, "str", True) for one in params), (), Scope.ANY, "", role=role
    )


@pytest.mark.parametrize(
    ("name", "given", "role"),
    [
        ("usrloc:dump", {}, Role.READ),
        ("usrloc:rm", {"aor": "a"}, Role.OPERATE),
        ("core:kill", {}, Role.ADMIN),
        ("core:log_level", {}, Role.READ),
        ("core:log_level", {"level": 4}, Role.OPERATE),
        ("nathelper:enable_ping", {"status": 0}, Role.OPERATE),
        ("mine:anything", {}, Role.OPERATE),
        ("cache:fetch", {}, Role.ADMIN),
    ],
)
def test_roles(name: str, given: dict[str, Any], role: Role) -> None:
    assert role_of(spec(name), given) is role


@pytest.mark.parametrize("role", list(Role))
def test_a_declared_role_counts(role: Role) -> None:
    assert role_of(spec("usrloc:dump", role=role), {}) is role


@pytest.mark.parametrize("has", list(Role))
@pytest.mark.parametrize("needs", list(Role))
def test_a_lesser_role_is_refused(has: Role, needs: Role) -> None:
    caller = Caller("bob", has)
    if has >= needs:
        check(spec("x:y", role=needs), {}, caller)
        return
    with pytest.raises(MIError) as caught:
        check(spec("x:y", role=needs), {}, caller)
    assert (caught.value.code, caught.value.message) == (403, "Forbidden")
    assert caught.value.data == f"x:y needs the role {needs.name.lower()}; bob has {has.name.lower()}"


TENANT = Caller("t", Role.OPERATE, frozenset(("a.example", "b.example")))


@pytest.mark.parametrize(
    ("name", "given", "is_allowed"),
    [
        ("usrloc:rm", {"table_name": "location", "aor": "bob@a.example"}, True),
        ("usrloc:rm", {"aor": "sip:bob@B.Example:5060;user=phone"}, True),
        ("usrloc:rm", {"aor": "bob@c.example"}, False),
        ("usrloc:rm", {"aor": "bob"}, False),
        ("usrloc:rm", {"aor": "bob@a.example@c.example"}, False),
        ("usrloc:rm", {"aor": "bob@c.example;x=@a.example"}, False),
        ("usrloc:rm", {}, False),
        ("usrloc:rm", {"aor": ["bob@a.example"]}, False),
        ("usrloc:dump", {}, True),
        ("domain:dump", {}, True),
        ("core:version", {}, True),
        ("usrloc:flush", {}, False),
        ("statistics:get", {"statistics": ["all"]}, False),
        ("dispatcher:list", {}, False),
        ("core:ps", {}, False),
    ],
)
def test_a_tenant(name: str, given: dict[str, Any], is_allowed: bool) -> None:
    if is_allowed:
        check(spec(name), given, TENANT)
        return
    with pytest.raises(MIError) as caught:
        check(spec(name), given, TENANT)
    assert caught.value.code == 403 and "a.example, b.example" in caught.value.data


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("bob@a.example", "a.example"),
        ("sip:bob@A.example:5060;lr", "a.example"),
        ("<sip:b@[::1]:5060>", "[::1]"),
        ("bob", ""),
        ("", ""),
        (None, ""),
        (7, ""),
        ("@a", ""),
        ("sip:a.example", ""),
        ("b@a?h=1", ""),
        ("c.example;x=bob@a.example", ""),
        ("b@a, c@d", ""),
        ("b@a@d", ""),
        (" b@a ", "a"),
        ("b@a;x=1", "a"),
        ("b @a", ""),
    ],
)
def test_domains(text: Any, domain: str) -> None:
    assert domain_of(text) == domain


@pytest.mark.parametrize(
    ("name", "result", "shown"),
    [
        (
            "usrloc:dump",
            {
                "Domains": [
                    {
                        "name": "location",
                        "hash_size": 1,
                        "AORs": [{"AOR": "x@a.example", "Contacts": []}, {"AOR": "y@c.example"}, {"AOR": "z"}],
                    }
                ]
            },
            {"Domains": [{"name": "location", "hash_size": 1, "AORs": [{"AOR": "x@a.example", "Contacts": []}]}]},
        ),
        (
            "usrloc:dump",
            {"Domains": [{"AORs": ["x@b.example", "y@c.example"]}]},
            {"Domains": [{"AORs": ["x@b.example"]}]},
        ),
        ("usrloc:dump", "OK", {}),
        (
            "domain:dump",
            {"Domains": [{"name": "A.example"}, {"name": "c.example"}]},
            {"Domains": [{"name": "A.example"}]},
        ),
        (
            "dialog:list",
            {
                "count": 2,
                "Dialogs": [
                    {"from_uri": "sip:x@a.example", "to_uri": "sip:y@c.example"},
                    {"from_uri": "sip:x@c.example", "to_uri": "sip:y@d.example"},
                ],
            },
            {"count": 1, "Dialogs": [{"from_uri": "sip:x@a.example", "to_uri": "sip:y@c.example"}]},
        ),
        (
            "dialog:list",
            {"Dialog": {"from_uri": "sip:x@c.example", "to_uri": "sip:y@c.example"}},
            {"count": 0, "Dialogs": []},
        ),
        ("core:version", {"Server": "x"}, {"Server": "x"}),
    ],
)
def test_what_a_tenant_sees(name: str, result: Any, shown: Any) -> None:
    assert visible(spec(name), result, TENANT) == shown
    assert visible(spec(name), result, access.LOCAL) is result


def test_no_command_is_classed_twice() -> None:
    assert not access.READS & access.ADMIN
    assert not access.READS & set(access.READS_WITHOUT)
