"""Global parameters: name, type, range, and what reaches the config."""
from __future__ import annotations

import pytest

from osip.core.run.config import Config

CASES = [
    ('log_level = 3', []),
    ('log_levl = 3', ['2:1 E502']),
    ('log_level = "3"', ['2:13 E503']),
    ('log_level = 33', ['2:13 E503']),
    ('log_level = -2', []),
    ('check_via = yes', []),
    ('check_via = "yes"', ['2:13 E503']),
    ('server_header = "Server: x"', []),
    ('advertised_address = 1.2.3.4', []),
    ('advertised_address = sip.example.com', []),
    ('syslog_log_format = "json"', []),
    ('syslog_log_format = "jsn"', ['2:21 E503']),
    ('tos = IPTOS_LOWDELAY', []),
    ('tos = 0x10', []),
    ('memlog = 1', ['2:1 N705']),
    ('debug = 3', ['2:1 N706']),
    ('tcp_workers = 4 use_auto_scaling_profile P', ['2:1 E507']),
]


@pytest.mark.parametrize("line, expected", CASES)
def test_settings(findings, line, expected):
    assert findings(f"{line}\nroute {{ exit; }}") == expected


def test_values_reach_the_config(compiled):
    config = Config()
    compiled('loadmodule "proto_udp" socket=udp:127.0.0.1\ndebug=-1 mhomed=yes server_header="Server: x" '
             'log_level_=3 alias = udp:a.example:5070 alias = b.example route { exit; }', config)
    assert (config.log_level, config.mhomed, config.server_header) == (-1, 1, "Server: x")
    assert config.aliases == [("udp", "a.example", 5070, False), (None, "b.example", None, False)]
