"""Odd but right scripts: not one finding, not even a warning."""
from __future__ import annotations

import pytest

CLEAN = {
    "loops and switches": '''
route {
	$var(i) = 0;
	while ($var(i) < 10) {
		if ($var(i) == 5)
			break;
		$var(i) = $var(i) + 1;
	}
	switch ($rm) {
		case "INVITE":
		case "BYE":
			t_relay();
			break;
		case "CANCEL":
			exit;
			break;
		default:
			t_reply(405, "Method Not Allowed");
	};
	for ($var(v) in $(avp(list)[*]))
		xlog("one: $var(v)\\n");
}''',
    "assigning in a condition on purpose": '''
route {
	if (($var(x) = k_str("a")) && $var(x) > 0)
		exit;
	if (!t_relay())
		exit;
}''',
    "texts that are not expanded": '''
route {
	$var(x) = "costs 5$ and $nothing";
	if ($ru =~ "^sip:[0-9]+@.*$" || $ru =~ "^(a|b)\\.c$")
		k_static("$whatever");
	k_re("^sip:100$");
	xlog("100$$ for $rm\\n");
}''',
    "computed routes": '''
route {
	$var(name) = "A";
	route($var(name));
	t_on_failure("F_$rm");
}
route[A] { t_relay(); }
failure_route[F_INVITE] { t_relay(); }''',
    "numbers as names": '''
route {
	route(1);
	route("2");
	t_on_failure("1");
	setflag(5);
}
route[1] { setflag("five"); }
route[2] { setflag(SIX); }
failure_route[1] { t_reply(404, "x"); }''',
    "leaving early": '''
route {
	if ($rm == "ACK") { exit; }
	else if ($rm == "BYE") { return(1); }
	if ($rm == "X") drop;
	while (1) { exit; }
	xlog("still here by max_while_loops\\n");
}''',
    "left out and quoted arguments": '''
route {
	k_many(1, , 3);
	k_many("1", "x", "$var(n)");
	t_reply("404", "Not $rm Found");
	k_var("$avp(x)");
	k_all("a", "b");
}''',
    "kinds by path": '''
route { t_on_reply("R"); route(log); t_relay(); }
route[log] { xlog("$rm\\n"); }
onreply_route[R] { route(log); t_relay(); }
timer_route[t, 10] { route(log); }
event_route[E_X] { route(log); }
startup_route { route(log); }''',
    "recursion": '''
route { route(A); }
route[A] { if ($var(n) > 3) return; route(B); }
route[B] { route(A); }''',
    "a message of another time": '''
route { t_on_reply("R"); }
onreply_route[R] { xlog("$(<request>ru) $(<reply>rm) $(hdr(Via)[1]) $(avp(a)[$var(i)])\\n"); }''',
    "a route named by a parameter or text": '''
modparam("tm", "both", "7")
route { k_static("name=called"); }
route[called] { exit; }''',
    "statements after a waiting call": '''
route { async(k_slow("x"), done, 5); xlog("never, but upstream scripts do that\\n"); }
route[done] { t_relay(); }''',
}


@pytest.mark.parametrize("name", CLEAN)
def test_nothing_is_found(findings, name):
    assert findings(CLEAN[name]) == []
