"""The module mid_registrar: its parameters and what has no effect."""
from __future__ import annotations

import pytest
from kit.midway import Midway
from kit.script import faults_of
from osip.api import ModuleError

MODULES = ("tm", "sl", "signaling", "usrloc", "mid_registrar")


@pytest.mark.parametrize(("params", "words"), [
    ('modparam("mid_registrar", "max_expires", 5)', "below min_expires"),
    ('modparam("mid_registrar", "contact_id_param", "a b")', "cannot be a URI parameter"),
    ('modparam("mid_registrar", "pn_enable", 1)', "needs pn_providers")])
def test_refused_parameters(params, words):
    with pytest.raises(ModuleError, match=words):
        Midway(1, params)


def test_an_aor_must_be_readable_again():
    with pytest.raises(ModuleError, match="at_escape_str"):
        Midway(2, 'modparam("mid_registrar", "at_escape_str", "")')


@pytest.mark.parametrize("line", ['modparam("mid_registrar", "mode", 3)',
                                  'modparam("mid_registrar", "contact_id_insertion", "other")'])
def test_values_that_the_check_refuses(line):
    assert faults_of(f"{line} route {{ exit; }}", *MODULES)
    assert not faults_of("route { exit; }", *MODULES)


def test_an_ownership_tag_is_told_of_once(caplog):
    book = Midway(0, save=', , , , "vip"')
    caplog.set_level("INFO", "osip")
    book.register()
    book.register()
    assert caplog.text.count("mid_registrar: ownership_tag has no effect") == 1
