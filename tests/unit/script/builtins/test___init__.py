"""Check the set of built-in words as a whole."""
from __future__ import annotations

from collections import Counter

import pytest
from kit.builtin import INVITE, RINGING, Words

from osip.script.builtins import BUILTINS


def test_no_name_is_declared_twice() -> None:
    names = Counter(mark + name for cls in BUILTINS for mark, kind in (("", cls.spec.functions), ("$", cls.spec.pvars))
                    for word in kind for name in (word.name, *word.aliases))
    assert [name for name, count in names.items() if count > 1] == []
    assert len({cls.name for cls in BUILTINS}) == len(BUILTINS) and all(cls.name.startswith("core_")
                                                                        for cls in BUILTINS)


def test_every_word_has_a_docstring() -> None:
    bare = [word.name for cls in BUILTINS for kind in (cls.spec.functions, cls.spec.pvars, cls.spec.transforms)
            for word in kind if not word.doc]
    assert bare == []


@pytest.mark.parametrize("text", [INVITE, RINGING, "OPTIONS sip:h SIP/2.0\nX: y\n\n",
                                  "OPTIONS sip:[ SIP/2.0\nFrom: <\nTo: \"\nVia: x\nCSeq: -\nContact: <\nl: x\n\n"])
def test_every_variable_can_be_read_on_any_message(text: str) -> None:
    words = Words()
    ctx = words.ctx(text)
    keys = {"ctime": "sec", "C": "rr", "ct.fields": "uri", "return": "0", "time": "%Y",
            "proxy_protocol": "af"}
    for cls in BUILTINS:
        for spec in cls.spec.pvars:
            for index in (None, 0, -1, 7, "*") if spec.index else (None,):
                key = keys.get(spec.name, "x") if spec.key == "required" else None
                assert isinstance(words.get(ctx, spec.name, key, index), str | int | None), spec.name
