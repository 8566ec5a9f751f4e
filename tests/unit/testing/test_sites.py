"""Check where statements begin and which arms they have."""
from __future__ import annotations

from osip.script.parse import parse
from osip.script.source import Source
from osip.testing.sites import Sites

TEXT = """route {
	if (a()) b(); else if (c()) {
		d();
	} else { ; }
	switch ($rm) {
		case "X":
			break;
		case "Y":
			e();
			break;
	}
	while ($var(i) < 3)
		f();
	assert($rm == "X", "no");
	exit;
}
failure_route[x] {
	exit;
}
"""


def sites(asserts: bool = False) -> Sites:
    return Sites(parse(Source.from_text(TEXT, "s.cfg"))[0], asserts)


def test_places() -> None:
    found = sites()
    assert sorted(key[1:] for key in found.by_key) == [
        (2, 2), (2, 11), (2, 21), (3, 3), (5, 2), (9, 4), (12, 2), (13, 3), (15, 2), (18, 2)]
    assert ("s.cfg", 14, 2) in sites(True).by_key
    assert found.routes == {"route": ("s.cfg", 1), "failure_route[x]": ("s.cfg", 17)}
    assert found.files == {"s.cfg"}


def test_arms_and_what_stands_above() -> None:
    found = sites().by_key
    outer, inner, switch = found["s.cfg", 2, 2], found["s.cfg", 2, 21], found["s.cfg", 5, 2]
    assert outer.arms == (("s.cfg", 2, 11), ("s.cfg", 2, 21))
    assert inner.arms == (("s.cfg", 3, 3), None)
    assert switch.arms == (("s.cfg", 9, 4),)                    # the case that only leaves does nothing
    assert found["s.cfg", 3, 3].above == {outer.key, inner.key}
    assert [site.key[1] for site in found.values() if site.is_loop] == [12]
    assert found["s.cfg", 9, 4].line == "e();"
