"""Old spellings of variables, arguments and comparisons: reported, and mended where the new one means the same."""
from __future__ import annotations

import pytest
from kit.findings import HEAD
from kit.message import request
from kit.script import MODULES, ScriptBook, with_modules

from osip.core.exports.registry import Registry
from osip.core.run.config import Config
from osip.script.boot import compile_script
from osip.script.builtins import BUILTINS
from osip.script.lint import lint, mend

FIXED = [
    ("route { if (src_ip==myself || dst_ip != myself || msg:len>max_len) exit; }",
     "route { if (is_myself($si) || !is_myself($socket_in(ip)) || $ml>65535) exit; }", 3),
    ("route { if (uri==myself) exit; }", None, 1),
    ('route { if (status=="200") exit; }', None, 1),
    ('onreply_route { if (status=="200") exit; }', 'onreply_route { if ($rs=="200") exit; }', 1),
    ('route { xlog("$fs $Ri $(Rp{s.len}) $pr $af"); $fs = "x"; }',
     'route { xlog("$socket_out $socket_in(ip) $(socket_in(port){s.len}) $socket_in(proto) $socket_in(af)"); '
     '$socket_out = "x"; }', 6),
    ('route { $avp(i:10) = 1; xlog("\\t$(avp(s:x)[0]) $avp(i:10)"); $avp(s:x) = $shv(i:1); }',
     'route { $avp(10) = 1; xlog("\\t$(avp(x)[0]) $avp(10)"); $avp(x) = $shv(1); }', 5),
    ("route { setflag(1); resetflag(NAT); setbflag(2, 1); revert_uri; }",
     'route { setflag("1"); resetflag("NAT"); setbflag(2, 1); revert_uri(); }', 3),
    ("route { force_send_socket(udp:127.0.0.1:5060); }", 'route { force_send_socket("udp:127.0.0.1:5060"); }', 1),
    ('route { t_relay("0x06"); }', 'route { t_relay("no-auto-477,no-dns-failover"); }', 1),
    ('route { sl_send_reply("404", "x"); strip("2"); sl_send_reply("$var(c)", "x"); }',
     'route { sl_send_reply(404, "x"); strip(2); sl_send_reply("$var(c)", "x"); }', 2),
    ('route { $var(fs) = 1; xlog("$socket_in(ip) $$fs $avp(x)"); }', None, 0),
]


@pytest.mark.parametrize(("text", "new", "count"), FIXED, ids=[text for text, _, _ in FIXED])
def test_old_spellings(text: str, new: str | None, count: int) -> None:
    registry = Registry(BUILTINS)
    head = HEAD + 'loadmodule "cfgutils.so"\n'
    result = compile_script(f"{head}{text}\n", registry, Config())
    assert result.ok, result.errors
    assert sum(one.code == "W637" for one in lint(result, registry)) == count
    files = list(mend(result.script, registry).values())
    assert files == ([] if new is None else [f"{head}{new}\n"])
    if new is not None:
        again = Registry(BUILTINS)
        mended = compile_script(files[0], again, Config())
        assert mended.ok and not mend(mended.script, again)


SAME = [
    'route { if (src_ip==myself) xlog("a"); if (dst_ip==myself) xlog("b"); if (dst_ip!=myself) xlog("c"); '
    'if (!(src_ip==myself) && msg:len<max_len) xlog("d"); }',
    'route { xlog("$Ri $Rp $(Rp{s.len}) $pr $af $fs"); $avp(i:10) = 1; $avp(s:x) = "y"; '
    'xlog("$avp(10) $(avp(s:x)[0]) $avp(x)"); }',
    'route { setflag(1); setflag(NAT); if (isflagset(1)) xlog("$mf"); strip("1"); xlog("$ru"); revert_uri; xlog("$ru"); '
    'sl_send_reply("404", "No"); }',
]


@pytest.mark.parametrize("text", SAME, ids=[text[:30] for text in SAME])
def test_what_is_mended_behaves_the_same(text: str) -> None:
    registry = Registry(BUILTINS)
    script = compile_script(with_modules(text, MODULES) + "\n", registry, Config(), need_socket=False).script
    new, = mend(script, registry).values()
    seen = []
    for each in (text, new):
        book = ScriptBook(each)
        book.feed(request("INVITE", "sip:bob@10.0.0.8:5070"))
        seen.append((book.said, [data.split(b"\r\n")[0] for _, data in book.net.log]))
    assert seen[0] == seen[1] and seen[0][0]
