"""Parameters of earlier versions (modules.md part C): a script that sets them loads, and hears what became of them."""
from __future__ import annotations

import pytest

from osip.core.run.config import Config
from osip.main import new_registry
from osip.script.boot import compile_script

LOADED = ("proto_udp", "tm", "sl", "signaling", "auth", "usrloc", "db_sqlite", "httpd", "rr", "maxfwd")
OLD = {
    "auth_db": "password_column_2 service_type", "cachedb_local": "cache_table_size", "cachedb_sql": "db_url",
    "dispatcher": "flags force_dst use_default list_file", "event_datagram": "sync_mode", "event_flatstore": "sync_mode",
    "event_rabbitmq": "sync_mode", "event_route": "sync_mode", "event_stream": "sync_mode", "event_virtual": "sync_mode",
    "event_xmlrpc": "sync_mode", "mi_datagram": "reply_indent", "mi_fifo": "reply_indent",
    "mi_http": "mi_http_root mi_http_method", "nathelper": "natping_processes",
    "tls_mgm": "client_domain_avp address_col", "tm": "fr_timer fr_inv_timer own_timer_proc",
    "uac": "credential auth_realm_avp auth_username_avp auth_password_avp",
    "uac_redirect": "acc_function acc_db_table",
    "usrloc": "db_mode accept_replicated_contacts replicate_contacts_to shared_pinging",
}


@pytest.mark.parametrize(("module", "param"), [(module, name) for module, names in OLD.items() for name in names.split()])
def test_it_is_known(module: str, param: str) -> None:
    modules = "".join(f'loadmodule "{name}.so"\n' for name in dict.fromkeys((*LOADED, module)))
    for value in ("1", '"1"'):
        text = f'socket = udp:127.0.0.1:5060\n{modules}modparam("{module}", "{param}", {value})\nroute {{ exit; }}\n'
        result = compile_script(text, new_registry(), Config(), need_socket=False)
        if [one.code for one in result.errors] != ["E304"]:             # it wants the other kind of value
            break
    assert "E303" not in [one.code for one in result.errors] and "E304" not in [one.code for one in result.errors]
