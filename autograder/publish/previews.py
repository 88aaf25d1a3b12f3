"""Previews of references: each built page carries, as `<template>`s, what its links point to.

Equations, terms of the glossary and entries of the bibliography are copied out of the built pages, so that
`book/site/previews.js` can show them without asking for another page, also from the disk.
"""

import html
import posixpath
import re

from .links import TAG
from .write import write_text

TARGETS = re.compile("|".join([
    r'<div class="math notranslate nohighlight" id="(?P<equation>eq-[\d-]+)">(?P<tex>.*?)</div>',
    r'<dt id="(?P<term>term-[^"]+)">(?P<said>.*?)</dt>\s*<dd>(?P<means>.*?)</dd>',
    r'<div class="citation" id="(?P<cited>[\w-]+)"[^>]*>.*?(?P<entry><p>.*?</p>)',
]), re.S)
LINK = re.compile(r'<a class="reference internal" href="([^"#]*)#([^"]+)"')
LAID = re.compile(r"<template data-href=.*</template>\n(?=</body>)", re.S)


def lay_previews(site):
    """Put into every page of the site the previews that its links need; a second call changes nothing."""
    pages = {path.relative_to(site).as_posix(): path for path in site.rglob("*.html") if "_static" not in path.parts}
    texts = {name: path.read_text() for name, path in pages.items()}
    targets = {name: shown(text) for name, text in texts.items()}
    for name, text in texts.items():
        laid = with_previews(text, name, targets)
        if laid != text:
            write_text(pages[name], laid)


def shown(page):
    """Anchor -> HTML of what a preview of it shows."""
    found = {}
    for m in TARGETS.finditer(page):
        if m["equation"]:
            tex = TAG.sub("", m["tex"])  # the link says the number, and the card is narrow
            found[m["equation"]] = f'<div class="math notranslate nohighlight">{tex}</div>'
        elif m["term"]:
            found[m["term"]] = f"<p><strong>{_plain(m['said'])}</strong></p>{_plain(m['means'])}"
        else:
            found[m["cited"]] = _plain(m["entry"])
    return found


def _plain(text):
    """Without links: a preview cannot be clicked."""
    return re.sub(r'<a class="headerlink".*?</a>|</?a\b[^>]*>', "", text).strip()


def with_previews(page, name, targets):
    """The page called `name` with a template before its end for each of its links that has a target in `targets`."""
    laid, typesets = {}, "mathjax" in page  # Sphinx loads it only where a page has formulas of its own
    for file, anchor in LINK.findall(page):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), html.unescape(file))) if file else name
        preview = targets.get(target, {}).get(html.unescape(anchor))
        if preview and (typesets or 'class="math' not in preview):
            laid[f"{file}#{anchor}"] = preview
    templates = "".join(f'<template data-href="{href}">{preview}</template>\n' for href, preview in laid.items())
    return LAID.sub("", page).replace("</body>", templates + "</body>")
