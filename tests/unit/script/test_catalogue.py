"""Every code that the front end reports has its entry."""
from __future__ import annotations

import re
from pathlib import Path

from osip.script import catalogue


def test_codes_in_the_source_are_explained():
    folder = Path(catalogue.__file__).parent
    used = {code for path in folder.rglob("*.py") if path.name != "catalogue.py"
            for code in re.findall(r'"([EWN]\d{3})"', path.read_text("utf-8"))}
    assert used and used <= set(catalogue.CATALOGUE)
