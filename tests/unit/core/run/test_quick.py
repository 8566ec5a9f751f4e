"""The settings that are kept close at hand."""
from __future__ import annotations

from typing import Any

import pytest

from osip.core.run.config import Config
from osip.core.run.quick import SERVER, Quick


@pytest.mark.parametrize(("setting", "value", "name", "before", "after"), [
    ("reply_to_via", 1, "reply_to_via", False, True), ("sip_warning", 1, "sip_warning", False, True),
    ("mhomed", 1, "mhomed", False, True), ("udp_mtu", 1300, "udp_mtu", 0, 1300),
    ("udp_mtu_try_proto", "SCTP", "udp_mtu_try_proto", "tcp", "sctp"), ("check_via", 1, "check_via", False, True),
    ("disable_stateless_fwd", 1, "stateless_fwd", True, False), ("max_branches", 3, "max_branches", 12, 3),
    ("exec_msg_threshold", 5, "exec_msg_threshold", 0, 5), ("server_signature", 0, "server", SERVER, b""),
    ("server_header", "Server: mine", "server", SERVER, b"mine")])
def test_a_setting_counts_once_it_was_read(setting: str, value: Any, name: str, before: Any, after: Any) -> None:
    config = Config()
    quick = Quick(config)
    assert getattr(quick, name) == before
    config.set(setting, value)
    assert getattr(quick, name) == before
    quick.read(config)
    assert getattr(quick, name) == after
