"""Say who calls a management command, and whether he may: three roles, and tenants that see their own domains only.

A command tells its role where it is declared; the commands that OpenSIPS has are classed here, so that those of
modules still to come are classed before they come. What nobody classed needs `operate`.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from osip.core.errors import MIError
from osip.core.exports.spec import MiSpec, Role

FORBIDDEN = 403
_USER = re.compile(r'<?(?:sips?:)?[^@;?<>":,\s]+@([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:;[^@<>\s]*)?>?')

READS = frozenset("""
core:help core:ps core:pwd core:uptime core:version core:which core:pi_list tcp:list evi:list evi:subscribers
statistics:get statistics:list status_report:get status_report:status status_report:reports status_report:identifiers
blacklists:list blacklists:check_all blacklists:check b2b_entities:list b2b_entities:ua_session_list b2b_logic:list
b2b_sca:list benchmark:poll_results cachedb_redis:redis_cluster_info call_center:list_queue call_center:list_flows
call_center:list_agents call_center:list_calls carrierroute:dump_routes cfgutils:rand_get_prob
cfgutils:get_config_hash cfgutils:check_config_hash clusterer:list clusterer:list_topology clusterer:list_cap
clusterer:list_shtags db_virtual:get dialog:list dialog:list_ctx dialog:profile_get_size dialog:profile_list_dlgs
dialog:profile_get_values dialog:list_all_profiles dialplan:translate dialplan:show_partition dispatcher:list
domain:dump drouting:number_routing drouting:reload_status fraud_detection:show_stats freeswitch_scripting:list
gflags:check gflags:get httpd:list_root_path imc:list_rooms imc:list_members load_balancer:list mqueue:get_sizes
mqueue:get_size msrp_gateway:list_sessions msrp_ua:list_sessions permissions:address_dump permissions:subnet_dump
permissions:allow_uri pike:list presence:phtable_list presence:subs_phtable_list presence_callinfo:list_lines
qrouting:status rate_cacher:getVendorPrice rate_cacher:getClientPrice ratelimit:list ratelimit:get_pid
ratelimit:dump_pipe regex:match regex:match_group rtp_relay:list rtpengine:show rtpproxy:show sockets_mgm:list
tls_mgm:list tm:hash trie:search trie:reload_status uac_registrant:list usrloc:dump usrloc:show_contact
""".split())
"""Commands that only look."""

READS_WITHOUT: Mapping[str, str] = {
    "core:log_level": "level", "core:xlog_level": "level", "core:log_level_filter": "level_filter",
    "core:log_mute_state": "mute_state", "core:profiling_proc": "level", "proto_tcp:trace": "trace_mode",
    "proto_tls:trace": "trace_mode", "proto_ws:trace": "trace_mode", "proto_wss:trace": "trace_mode",
    "drouting:gw_status": "status", "drouting:carrier_status": "status", "drouting:enable_probing": "status",
    "load_balancer:status": "new_status", "nathelper:enable_ping": "status", "tracer:trace": "mode",
    "call_center:internal_call_dispatching": "dispatching", "sipcapture:capture": "capture_mode",
}
"""Commands that only look unless they are given this parameter."""

ADMIN = frozenset("""
core:kill core:reload_routes core:pi_reload evi:subscribe config:reload config:list config:push config:push_bulk
config:flush tls_mgm:reload sockets_mgm:reload tcp_mgm:reload clusterer:reload clusterer:set_status clusterer:send_mi
clusterer:broadcast_mi clusterer:remove_node clusterer:set_cap_status cachedb_local:fetch_chunk cache:fetch
""".split())
"""Commands that change what the server is, show secrets, or send what it knows elsewhere."""

OPEN_TO_TENANTS = frozenset(("core:help", "core:uptime", "core:version", "core:which"))

TENANT_PARAMS: Mapping[str, str] = {
    "usrloc:rm": "aor", "usrloc:rm_contact": "aor", "usrloc:add": "aor", "usrloc:show_contact": "aor",
    "uac_registrant:list": "aor", "uac_registrant:enable": "aor", "uac_registrant:disable": "aor",
    "uac_registrant:force_register": "aor", "presence:refresh_watchers": "presentity_uri",
    "rls:update_subscriptions": "presentity_uri",
}
"""Commands about one user, and the parameter that names him."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a name, what he may, for a tenant the domains he is limited to, and the way he came."""
    name: str = "local"
    role: Role = Role.ADMIN
    domains: frozenset[str] | None = None
    via: str = ""
    peer: str = ""

    @property
    def is_tenant(self) -> bool:
        """Say whether he is limited to domains."""
        return self.domains is not None


LOCAL = Caller()
"""Who may do all: code of the server itself."""


def role_of(spec: MiSpec, given: Mapping[str, Any]) -> Role:
    """Return the role that a call with these parameters needs."""
    name = spec.canonical
    if spec.role is not None:
        return spec.role
    if name in ADMIN:
        return Role.ADMIN
    if name in READS or (name in READS_WITHOUT and READS_WITHOUT[name] not in given):
        return Role.READ
    return Role.OPERATE


def check(spec: MiSpec, given: Mapping[str, Any], caller: Caller) -> None:
    """Refuse a call that its caller may not make: MIError 403 that says what he would need."""
    needed = role_of(spec, given)
    if caller.role < needed:
        raise MIError(FORBIDDEN, "Forbidden", f"{spec.canonical} needs the role {needed.name.lower()}; {caller.name} "
                                              f"has {caller.role.name.lower()}")
    if caller.domains is None or spec.canonical in OPEN_TO_TENANTS or spec.canonical in _FILTERS:
        return
    param = TENANT_PARAMS.get(spec.canonical)
    if param is None:
        raise MIError(FORBIDDEN, "Forbidden", f"{spec.canonical} concerns all domains; {caller.name} is limited to "
                                              f"{', '.join(sorted(caller.domains))}")
    if not _belongs(given.get(param), caller.domains):
        raise MIError(FORBIDDEN, "Forbidden", f'"{param}" must name a user of {", ".join(sorted(caller.domains))}, as '
                                              "in user@domain")


def visible(spec: MiSpec, result: Any, caller: Caller) -> Any:
    """Return the part of a result that the caller may see."""
    if caller.domains is None:
        return result
    show = _FILTERS.get(spec.canonical)
    return show(result, caller.domains) if show is not None else result


def domain_of(text: Any) -> str:
    """Return the domain of `user@domain` or of a SIP URI in lower case; "" when it is not plainly one.

    It is strict, as no other part of the server may read another domain in the same text.
    """
    found = _USER.fullmatch(text.strip()) if isinstance(text, str) else None
    return found[1].lower() if found else ""


def _belongs(text: Any, domains: frozenset[str]) -> bool:
    return domain_of(text) in domains


def _contacts(result: Any, domains: frozenset[str]) -> Any:
    """Leave what belongs to the domains of `{"Domains":[{"AORs":[{"AOR":…}]}]}`."""
    if not isinstance(result, dict):
        return {}
    return {"Domains": [{**table, "AORs": [one for one in table.get("AORs", ()) if _belongs(_aor(one), domains)]}
                        for table in result.get("Domains", ()) if isinstance(table, dict)]}


def _aor(entry: Any) -> Any:
    return entry.get("AOR") if isinstance(entry, dict) else entry


def _domains(result: Any, domains: frozenset[str]) -> Any:
    """Leave the domains of `{"Domains":[{"name":…}]}` that are the tenant's."""
    listed = result.get("Domains", ()) if isinstance(result, dict) else ()
    return {"Domains": [one for one in listed if isinstance(one, dict) and str(one.get("name")).lower() in domains]}


def _dialogs(result: Any, domains: frozenset[str]) -> Any:
    """Leave the dialogs from or to a user of the domains."""
    if not isinstance(result, dict):
        return {}
    found = [result["Dialog"]] if "Dialog" in result else result.get("Dialogs", ())
    kept = [one for one in found if isinstance(one, dict)
            and (_belongs(one.get("from_uri"), domains) or _belongs(one.get("to_uri"), domains))]
    return {"count": len(kept), "Dialogs": kept}


_FILTERS: Mapping[str, Callable[[Any, frozenset[str]], Any]] = {
    "usrloc:dump": _contacts, "domain:dump": _domains, "dialog:list": _dialogs,
}
"""Commands that list everybody, and what leaves a tenant's part of their result."""
