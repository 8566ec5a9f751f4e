"""Flags: 32 names for each set."""
from __future__ import annotations

import pytest

MANY = "; ".join(f"setflag(F{i})" for i in range(32))


@pytest.mark.parametrize("body, expected", [
    (f"{MANY};", []),
    (f"{MANY}; setflag(F0); $msg.flag(F31) = 1;", []),
    (f"{MANY}; setflag(F32);", ["2:455 E407"]),
    (f"{MANY}; $msg.flag(F32) = 1;", ["2:447 E407"]),
    (f"{MANY}; setflag(F32); setflag(F32);", ["2:455 E407"]),
    (f"{MANY}; setbflag(F32); setbflag(1, F33);", []),
    ("; ".join(f"setbflag({i}, F)" for i in range(40)) + ";", []),
])
def test_flags(findings, body, expected):
    assert findings(f"route {{ {body} }}") == expected
