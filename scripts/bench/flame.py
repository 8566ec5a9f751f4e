"""Draw stacks as a flame graph: an SVG that opens in a browser and needs nothing else.

The width of a box is the share of samples in which its function was on the stack; what it called stands above it.
A click on a box makes it as wide as the picture, one on the bottom box goes back, and the field finds names.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

WIDTH, ROW, MARGIN, TEXT = 1200.0, 17, 36, 6.6
NARROWEST = 0.4
"""Boxes of fewer pixels are left out."""

Stacks = Counter[tuple[str, ...]]


class Box:
    """A function at one place of the tree of calls."""

    __slots__ = ("below", "name", "total")

    def __init__(self, name: str) -> None:
        self.name, self.total = name, 0
        self.below: dict[str, Box] = {}


def read_stacks(lines: Iterable[str]) -> Stacks:
    """Read lines `outer;inner;innermost count`."""
    stacks: Stacks = Counter()
    for line in lines:
        names, _, count = line.rstrip("\n").rpartition(" ")
        if names and count.isdigit():
            stacks[tuple(names.split(";"))] += int(count)
    return stacks


def grow(stacks: Stacks) -> Box:
    """Make the tree of calls."""
    root = Box("all")
    for stack, count in stacks.items():
        box = root
        box.total += count
        for name in stack:
            box = box.below.setdefault(name, Box(name))
            box.total += count
    return root


def trim(root: Box) -> Box:
    """Cut what all samples have in common at the bottom: the start of the program and its loop."""
    while len(root.below) == 1 and next(iter(root.below.values())).total == root.total:
        root = next(iter(root.below.values()))
    return root


def self_shares(stacks: Stacks) -> list[tuple[str, float]]:
    """Return the functions with the share of samples in which they were innermost, the largest first."""
    total = sum(stacks.values()) or 1
    inner: Counter[str] = Counter()
    for stack, count in stacks.items():
        inner[stack[-1]] += count
    return [(name, count / total) for name, count in inner.most_common()]


def _colour(name: str) -> str:
    mark = zlib.crc32(name.rpartition("(")[2].encode())     # one file, one hue
    shade = zlib.crc32(name.encode())
    return f"hsl({mark % 60}, {70 + mark // 64 % 20}%, {58 + shade % 14}%)"


def _boxes(box: Box, x: float, depth: int, scale: float) -> Iterable[tuple[Box, float, int]]:
    yield box, x, depth
    for inner in sorted(box.below.values(), key=lambda one: one.name):
        if inner.total * scale >= NARROWEST:
            yield from _boxes(inner, x, depth + 1, scale)
        x += inner.total * scale


SCRIPT = """
const W = %(width)s, T = %(text)s, boxes = [...document.querySelectorAll('g.box')];
function place(b, x, w) {
  b.style.display = w < 0.3 ? 'none' : '';
  const r = b.querySelector('rect'), t = b.querySelector('text'), n = Math.floor((w - 6) / T), s = b.dataset.name;
  r.setAttribute('x', x); r.setAttribute('width', Math.max(w - 0.5, 0.3)); t.setAttribute('x', x + 3);
  t.textContent = n < 3 ? '' : s.length <= n ? s : s.slice(0, n - 1) + '\\u2026';
}
function zoom(to) {
  const x0 = +to.dataset.x, w0 = +to.dataset.w, d0 = +to.dataset.d;
  for (const b of boxes) {
    const x = +b.dataset.x, w = +b.dataset.w, inside = x >= x0 - 1e-6 && x + w <= x0 + w0 + 1e-6;
    if (+b.dataset.d < d0 && x <= x0 + 1e-6 && x + w >= x0 + w0 - 1e-6) place(b, 0, W);
    else if (inside && +b.dataset.d >= d0) place(b, (x - x0) / w0 * W, w / w0 * W);
    else b.style.display = 'none';
  }
}
function find(word) {
  let hits = 0;
  for (const b of boxes) {
    const hit = word !== '' && b.dataset.name.toLowerCase().includes(word.toLowerCase());
    b.querySelector('rect').style.fill = hit ? '#a040e0' : ''; hits += hit;
  }
  document.getElementById('hits').textContent = word === '' ? '' : hits + ' boxes';
}
for (const b of boxes) b.addEventListener('click', () => zoom(b));
document.getElementById('find').addEventListener('click', () => find(prompt('name contains') || ''));
zoom(boxes[0]);
"""


def as_svg(stacks: Stacks, title: str) -> str:
    """Return the picture."""
    root = trim(grow(stacks))
    total = root.total or 1
    placed = list(_boxes(root, 0.0, 0, WIDTH / total))
    height = (max(depth for _, _, depth in placed) + 1) * ROW + 2 * MARGIN
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}" height="{height}" '
            f'viewBox="0 0 {WIDTH:.0f} {height}" font-family="monospace" font-size="11">\n'
            "<style>g.box{cursor:pointer} g.box:hover rect{stroke:#000} text{pointer-events:none} "
            "#find{pointer-events:all;cursor:pointer}</style>\n"
            f'<rect width="100%" height="100%" fill="#fffdf5"/>\n'
            f'<text x="8" y="20" font-size="14">{escape(title)}</text>\n'
            f'<text id="find" x="{WIDTH - 170:.0f}" y="20" fill="#00f">find a name</text>'
            f'<text id="hits" x="{WIDTH - 85:.0f}" y="20"></text>')
    out = [head]
    for box, x, depth in placed:
        width, y = box.total * WIDTH / total, height - MARGIN - (depth + 1) * ROW
        told = f"{box.name}: {box.total} samples, {box.total / total:.1%}"
        out.append(
            f'<g class="box" data-name={quoteattr(box.name)} data-x="{x:.3f}" data-w="{width:.3f}" data-d="{depth}">'
            f'<title>{escape(told)}</title><rect x="{x:.2f}" y="{y}" width="{max(width - 0.5, 0.3):.2f}" '
            f'height="{ROW - 1}" rx="1" fill="{_colour(box.name)}"/><text x="{x + 3:.2f}" y="{y + 12}">'
            f"{escape(_shortened(box.name, width))}</text></g>")
    out.append(f"<script><![CDATA[{SCRIPT % {'width': WIDTH, 'text': TEXT}}]]></script></svg>\n")
    return "\n".join(out)


def _shortened(name: str, width: float) -> str:
    room = int((width - 6) / TEXT)
    if room < 3:
        return ""
    return name if len(name) <= room else name[:room - 1] + "\u2026"
