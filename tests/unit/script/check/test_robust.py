"""Whatever stands in a script, checking it ends with findings and never with an exception."""
from __future__ import annotations

import random

import pytest

SCRIPT = '''
modparam("tm", "fr_timeout", 5)
route {
	if ($ru =~ "^sip:[0-9]+@" && !t_relay("x $rm")) { t_reply(404, "no $(avp(a)[1])"); exit; }
	switch ($rm) { case "A": route(X); break; default: $var(x) = $(ru{s.select,1,@}) + 1; }
	for ($var(i) in $(avp(x)[*])) xlog("L_INFO", "one $var(i)\\n");
	async(k_slow("x"), X, 5); launch(k_slow("a"), X, "t");
}
route[X] { k_many(1, , 3); k_var($var(x)); return(1); }
failure_route[F] { while ($var(n) < 3) { $var(n) += 1; } }
'''
PIECES = ["(", ")", "{", "}", "[", "]", ";", ",", '"', "'", "$", "$(", "$var(x)", "route", "case", "default:", "if", "else", "5", "-1", "=", "==", "=~", "&&", "!", "null", '"$ru"', '"a$"', "#", "/*", ":", "modparam", "loadmodule", "socket", "return", "break", "k_many(", "[append]"]


@pytest.mark.parametrize("seed", range(60))
def test_no_exception(findings, seed):
    rng = random.Random(seed)
    text = SCRIPT
    for _ in range(rng.randint(1, 5)):
        place = rng.randrange(len(text))
        kind = rng.random()
        if kind < 0.4:
            text = text[:place] + text[place + rng.randint(1, 8):]
        elif kind < 0.8:
            text = f"{text[:place]} {rng.choice(PIECES)} {text[place:]}"
        else:
            text = text[:place] + text[rng.randrange(len(text)):][:25] + text[place:]
    for finding in findings(text):
        line, col = finding.split()[0].split(":")
        assert int(line) >= 1 and int(col) >= 1
