"""Change the text of a script before it is parsed, keeping a way back from each new offset to the old one.

Two stages live here: the operator's external preprocessor, and one pass that decodes what web pages do to scripts
(typographic quotes, HTML entities, `<br>`) and puts in the defines of the command line. The pass leaves strings,
comments and variables alone.
"""
from __future__ import annotations

import difflib
import re
import subprocess
from bisect import bisect_right

PREPROCESSOR_TIMEOUT_S = 60

_REPLACED = {"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2033": '"', "\u2018": "'", "\u2019": "'",
             "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&nbsp;": " "}
_SUSPECT = re.compile("[\u201c\u201d\u201e\u2033\u2018\u2019]|&(?:amp|lt|gt|quot|nbsp);|<br", re.IGNORECASE)
_SCAN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'[^']*')"""
    r"""|(?P<comment>\#[^\n]*|(?<!:)//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)"""
    r"""|(?P<curly>[\u201c\u201d\u201e\u2033](?:[^"\\\u201c\u201d\u201e\u2033\n]|\\.)*["\u201c\u201d\u201e\u2033])"""
    r"""|(?P<entity>&(?:amp|lt|gt|quot|nbsp);|<br\s*/?>|[\u2018\u2019\u201c\u201d\u201e\u2033])"""
    r"""|(?P<variable>\$(?:[A-Za-z_][\w.]*+)?(?:\((?:[^()]++|\((?:[^()]++|\([^()]*+\))*+\))*+\))?)"""
    r"""|(?P<word>[A-Za-z_]\w*)""", re.DOTALL | re.IGNORECASE)


class Rewrite:
    """A changed text and the map from its offsets to those before the change."""
    __slots__ = ("_length", "_olds", "_parts", "_starts", "notices", "text")

    def __init__(self) -> None:
        self.text = ""
        self.notices: list[tuple[int, int]] = []
        self._starts: list[int] = []
        self._olds: list[tuple[int, int]] = []
        self._parts: list[str] = []
        self._length = 0

    def add(self, text: str, old: int, old_length: int | None = None) -> None:
        """Append `text` that stands for the old stretch from `old`; without a length the stretch is unchanged."""
        if text:
            self._starts.append(self._length)
            self._olds.append((old, -1 if old_length is None else old_length))
            self._parts.append(text)
            self._length += len(text)

    def done(self) -> Rewrite:
        """Join the parts; call once, after the last `add`."""
        self.text = "".join(self._parts)
        return self

    def before(self, offset: int) -> int:
        """Return the old offset of a new one; inside a replacement it is kept within the replaced stretch."""
        if not self._starts:
            return 0
        index = bisect_right(self._starts, offset) - 1
        old, length = self._olds[index]
        inside = offset - self._starts[index]
        return old + inside if length < 0 else old + min(inside, max(length - 1, 0))


def tidy(text: str, defines: dict[str, str], lenient: bool) -> Rewrite | None:
    """Return the text with defines and web-page repairs done, or None when there is nothing to do."""
    dirty = lenient and _SUSPECT.search(text) is not None
    if not dirty and not defines:
        return None
    result = Rewrite()
    at = 0
    for match in _SCAN.finditer(text):
        fresh = _replacement(match, defines, dirty)
        if fresh is None:
            continue
        result.add(text[at:match.start()], at)
        at = match.end()
        result.add(fresh, match.start(), at - match.start())
        if match.lastgroup in ("entity", "curly"):
            result.notices.append((match.start(), at))
    if at == 0:
        return None
    result.add(text[at:], at)
    return result.done()


def _replacement(match: re.Match[str], defines: dict[str, str], dirty: bool) -> str | None:
    kind, text = match.lastgroup, match.group()
    if kind == "word":
        return defines.get(text)
    if not dirty:
        return None
    if kind == "curly":
        return '"' + text[1:-1] + '"'
    if kind == "entity":
        return _REPLACED.get(text.lower(), "\n" if text[0] == "<" else None)
    return None


def preprocess(text: str, command: str) -> Rewrite | str:
    """Pipe the text through a shell command; return the new text with its map, or the reason of the failure."""
    try:
        run = subprocess.run(command, shell=True, input=text.encode("utf-8", "surrogateescape"), capture_output=True,
                             timeout=PREPROCESSOR_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if run.returncode != 0:
        words = run.stderr.decode("utf-8", "replace").strip().splitlines()
        return f"exit status {run.returncode}" + (f": {words[-1]}" if words else "")
    return _align(text, run.stdout.decode("utf-8", "surrogateescape"))


def _align(old: str, new: str) -> Rewrite:
    """Map a preprocessed text back to the old one line by line."""
    olds, news = old.splitlines(keepends=True), new.splitlines(keepends=True)
    offsets = [0]
    for line in olds:
        offsets.append(offsets[-1] + len(line))
    result = Rewrite()
    matcher = difflib.SequenceMatcher(None, olds, news, autojunk=False)
    for tag, old_first, old_last, new_first, new_last in matcher.get_opcodes():
        for index in range(new_first, new_last):
            source = min(old_first + index - new_first, max(old_last - 1, 0))
            if tag == "equal":
                result.add(news[index], offsets[source])
            else:
                length = len(olds[source].rstrip("\n")) if source < len(olds) else 0
                result.add(news[index], offsets[min(source, len(olds))], length)
    return result.done()
