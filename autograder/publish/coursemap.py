"""The map of the course on the welcome page: an SVG whose nodes are links, drawn from the chapters' own text.

A chapter names what it builds on in its paragraph "You need …". An arrow that follows from others is
left out. Lengths across are in per cent and lengths down in pixels, so one drawing fits phones and desks.
"""

import re
import textwrap
from html import escape

from .source import SourceError

MARK = ":::{course-map}\n:::"
PLACES = {  # chapter: (row, sixths of the width)
    0: (0, 3), 1: (1, 1), 2: (1, 3), 3: (1, 5), 4: (2, 4), 5: (3, 3), 11: (3, 5), 6: (4, 3),
    8: (5, 2), 10: (5, 4), 9: (6, 1), 7: (6, 3), 12: (6, 5), 13: (7, 3)}
WIDTH = 30  # of a node, per cent
HEIGHT, GAP = 54, 36  # of a node, and between rows, pixels
NAMED = re.compile(r"[Cc]hapters? (\d+)(?: and (\d+))?|\((\d+)\)")


def number(chapter):
    return int(chapter.stem[:2])


def short_title(chapter):
    """"5 Batch normalisation, and …" -> "Batch normalisation"."""
    return re.split("[,:]", chapter.title)[0].lstrip("0123456789 ")


def builds_on(chapter):
    """Numbers of the chapters that the paragraph "You need …" names."""
    paragraphs = [p for cell in chapter.cells if cell.kind == "markdown" for p in cell.text.split("\n\n")]
    needs = [p for p in paragraphs if p.lstrip("*").startswith("You need")]
    if not needs:
        raise SourceError(f"{chapter.stem}: the course map needs a paragraph that begins with 'You need'.")
    return {int(n) for found in NAMED.findall(needs[0]) for n in found if n}


def arrows(needs):
    """(from, to) of each chapter and what it builds on, without those that follow from others.

    >>> arrows({0: set(), 3: {0}, 4: {0, 3}})
    [(0, 3), (3, 4)]
    """
    def reached(n):
        return needs[n].union(*(reached(m) for m in needs[n]))

    return [(m, n) for n in sorted(needs) for m in sorted(needs[n])
            if not any(m in reached(other) for other in needs[n] - {m})]


def course_map(chapters):
    """The map as HTML; raises SourceError for a chapter without a place."""
    lost = [c.stem for c in chapters if number(c) not in PLACES]
    if lost:
        raise SourceError(f"{', '.join(lost)}: give the chapter a row and a column in PLACES of publish/coursemap.py.")
    drawn = arrows({number(c): builds_on(c) for c in chapters})
    names = {number(c): short_title(c) for c in chapters}
    said = " ".join(f"{names[b]} builds on {names[a]}." for a, b in drawn)
    tall = max(row for row, _ in PLACES.values()) * (HEIGHT + GAP) + HEIGHT + 4
    return "\n".join([
        f'<svg class="course-map" width="100%" height="{tall}" role="group" aria-labelledby="map-title" aria-describedby="map-desc">',
        f'<title id="map-title">Map of the course</title><desc id="map-desc">{escape(said)}</desc>',
        '<defs><marker id="map-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>',
        *(_arrow(*PLACES[a], *PLACES[b]) for a, b in drawn), *(_node(c) for c in chapters), "</svg>"])


def _arrow(row, column, to_row, to_column):
    """Straight down below its start, then across in the last gap."""
    top = to_row * (HEIGHT + GAP) - 1
    turn = top - GAP + 3
    start = row * (HEIGHT + GAP) + HEIGHT
    line = '<line x1="{:.2f}%" y1="{}" x2="{:.2f}%" y2="{}"{}/>'
    x, to = column / 0.06, to_column / 0.06
    if x == to:
        return line.format(x, start, x, top, ' marker-end="url(#map-tip)"')
    down = line.format(x, start, x, turn, "") if turn > start + GAP else ""
    return down + line.format(x, turn if down else start, to, top, ' marker-end="url(#map-tip)"')


def _node(chapter):
    row, column = PLACES[number(chapter)]
    lines = textwrap.wrap(short_title(chapter), 14)
    first = HEIGHT / 2 + 7 - 9 * (len(lines) - 1)
    words = "".join(f'<text x="50%" y="{first + 18 * k:g}">{escape(text)}</text>' for k, text in enumerate(lines))
    label = escape(f"{number(chapter)} {short_title(chapter)}")
    return (f'<a href="notebooks/{chapter.stem}.html" aria-label="{label}"><svg x="{column / 0.06 - WIDTH / 2:.2f}%" '
            f'y="{row * (HEIGHT + GAP) + 1}" width="{WIDTH}%" height="{HEIGHT}"><rect width="100%" height="100%" rx="7"/>'
            f'<text class="number" x="9" y="15">{number(chapter)}</text>{words}</svg></a>')


def with_map(text, chapters):
    """The page's MyST with the map where it says `:::{course-map}`."""
    return text.replace(MARK, f"```{{raw}} html\n{course_map(chapters)}\n```")
