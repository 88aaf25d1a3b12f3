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
MATHJAX = re.compile(r'<script>window\.MathJax = .*?</script>\s*<script [^>]*src="[^"]*_static/mathjax/[^"]*"></script>\n', re.S)


def lay_previews(site):
    """Put into every page of the site the previews that its links need; a second call changes nothing."""
    pages = {path.relative_to(site).as_posix(): path for path in site.rglob("*.html") if "_static" not in path.parts}
    texts = {name: path.read_text() for name, path in pages.items()}
    targets = {name: shown(text) for name, text in texts.items()}
    scripts = next((m[0] for text in texts.values() if (m := MATHJAX.search(text))), "")
    for name, text in texts.items():
        laid = with_mathjax(with_previews(text, name, targets), name, scripts)
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
    laid = {}
    for file, anchor in LINK.findall(page):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), html.unescape(file))) if file else name
        preview = targets.get(target, {}).get(html.unescape(anchor))
        if preview:
            laid[f"{file}#{anchor}"] = preview
    templates = "".join(f'<template data-href="{href}">{preview}</template>\n' for href, preview in laid.items())
    return LAID.sub("", page).replace("</body>", templates + "</body>")


def with_mathjax(page, name, scripts):
    """The page with MathJax where only its previews need it: Sphinx loads it for formulas of the page's own."""
    if MATHJAX.search(page) or 'class="math' not in "".join(LAID.findall(page)):
        return page
    static = posixpath.relpath("_static", posixpath.dirname(name) or ".")
    return page.replace("</head>", re.sub(r'(?<=src=")[^"]*_static', static, scripts) + "</head>", 1)
