"""Places of traces as scripts write them."""
from __future__ import annotations

import pytest

from osip.modules.tracer.place import parse_places, parse_trace


@pytest.mark.parametrize(("text", "name", "shown"), [
    ("[a]uri=hep:dst", "a", ["hep:dst"]),
    (" [ a b ] uri=hep:10.0.0.1:9060;transport=tcp;version=3", "a b", ["hep:10.0.0.1:9060;transport=tcp;version=3"]),
    ("uri=syslog", "default", ["syslog"]),
    ("[a]uri=syslog:LOG_LOCAL0:3;uri=file:/a/b", "a", ["syslog:LOG_LOCAL0:3", "file:/a/b"]),
    ("[a]uri=mysql://u:pw@h/db;table=x;uri=sip:h:5060;transport=tcp", "a", ["mysql://u:***@h/db", "sip:h:5060;transport=tcp"]),
    ("[a] URI = sqlite:////x.db", "a", ["sqlite:////x.db"]),
])
def test_what_can_be_read(text: str, name: str, shown: list[str]) -> None:
    found, places = parse_trace(text)
    assert (found, [place.shown for place in places]) == (name, shown)


def test_a_table_belongs_to_its_database() -> None:
    first, second = parse_places("uri=postgres://h/a;table=one;uri=postgres://h/b")
    assert first.params == {"table": "one"} and not second.params and first.text == "postgres://h/a"


@pytest.mark.parametrize("text", ["", "[a]", "[]uri=syslog", "[a]hep:dst", "[a]uri=", "[a]uri=hep", "[a]uri=sip:",
                                  "[a]uri=ftp:x", "[a]uri=file:x", "[a]uri=syslog;table=x", "[a]table=x;uri=syslog",
                                  "[a]uri=hep:x;colour=red", "[a]uri=hep:x;tcp"])
def test_what_cannot(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        parse_trace(text)
