"""What surrounds the pages: descriptions, cards for those who pass a link on, site map, the page for lost readers.

A Sphinx extension (see `_config.yml`) writes each page's meta tags; `furnish` adds files to the built site.
"""

import re
from html import escape

import yaml
from docutils import nodes

from .source import ROOT
from .write import write_text

CARD = "_static/card.png"
CARD_PIXELS = (1200, 630)
DESCRIPTION = 160  # characters that search engines show
APART = {"404.html", "search.html", "genindex.html"}  # pages that nobody should land on

LOST = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>No such page: {title}</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto 0; padding: 0 1rem; }}
a {{ color: inherit; }}
</style>
</head>
<body>
<main>
<h1>No such page</h1>
<p>This address leads nowhere in “{title}”. Perhaps a chapter was renamed.</p>
<p><a href="{home}">Start from the welcome page</a>: it has a map of all chapters.</p>
</main>
</body>
</html>
"""


def config():
    return yaml.safe_load((ROOT / "_config.yml").read_text())


def base_url():
    """Where the site will stand, with a slash at its end, or "" where `_config.yml` does not say."""
    base = config()["html"].get("baseurl") or ""
    return base and base.rstrip("/") + "/"


def left_out():
    """One sentence on what the site lacks without a base URL, or ""."""
    return "" if base_url() else ("html.baseurl in _config.yml is empty, so the site has no sitemap.xml, no canonical addresses and "
                                  "no picture for shared links, and 404.html leads to the server's root.")


def setup(app):
    app.connect("html-page-context", _add_tags)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _add_tags(app, pagename, templatename, context, doctree):
    if doctree is not None:
        title = re.sub("<[^>]+>", "", context["title"])
        base = app.config.html_baseurl
        context["metatags"] += tags(title, app.config.html_title, description(doctree), base and base.rstrip("/") + "/", pagename)


def description(doctree):
    """The page's first paragraph: its first sentence, and as many more as search engines show."""
    paragraph = next(iter(doctree.findall(nodes.paragraph)), None)
    if paragraph is None:
        return ""
    first, *rest = re.split(r"(?<=[.?]) ", " ".join(paragraph.astext().split()))
    for sentence in rest:
        if len(first) + 1 + len(sentence) > DESCRIPTION:
            break
        first += " " + sentence
    return first


def tags(title, site, text, base, pagename):
    """Meta tags of one page as HTML; `title` is HTML already, addresses need a base URL."""
    found = {"name=\"description\"": text, "property=\"og:type\"": "article", "property=\"og:site_name\"": site,
             "property=\"og:description\"": text, "name=\"twitter:card\"": "summary_large_image" if base else "summary"}
    if base:
        found |= {"property=\"og:url\"": f"{base}{pagename}.html", "property=\"og:image\"": base + CARD,
                  "property=\"og:image:alt\"": f"{site}: a signal through fifty layers that explodes, stays or vanishes"}
    lines = [f'<meta property="og:title" content="{title}" />']
    return "\n".join(lines + [f'<meta {key} content="{escape(value)}" />' for key, value in found.items() if value]) + "\n"


def furnish(html):
    """Add to the built site what is no page of the book."""
    base, title = base_url(), config()["title"]
    write_text(html / "404.html", LOST.format(title=escape(title), home=base + "index.html" if base else "/"))
    if base:
        write_text(html / "sitemap.xml", sitemap(html, base))
        draw_card(html / CARD, title)


def sitemap(html, base):
    """The site map's XML: every page that a reader should land on."""
    pages = sorted(p.relative_to(html).as_posix() for p in html.rglob("*.html"))
    places = "".join(f"  <url><loc>{escape(base + page)}</loc></url>\n" for page in pages
                     if page not in APART and not page.startswith("_"))
    return ('<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            f"{places}</urlset>\n")


def draw_card(path, title):
    """The picture beside a shared link: the title over a signal in fifty layers, at three scales of the weights."""
    from matplotlib.figure import Figure

    width, height = CARD_PIXELS
    figure = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor="#14181d")
    axes = figure.add_axes((0, 0, 1, 0.62))
    layers = range(51)
    for factor, colour, line in ((1.08, "#E98A3C", "--"), (1, "#ffffff", "-"), (0.92, "#56B4E9", "-.")):
        axes.plot(layers, [factor**k for k in layers], line, color=colour, linewidth=6)
    axes.set(yscale="log", xlim=(-4, 54), ylim=(0.006, 90))
    axes.axis("off")
    head, tail = title.rsplit(" ", 2)[0], " ".join(title.rsplit(" ", 2)[1:])
    figure.text(0.06, 0.86, head, color="white", fontsize=50, fontweight="bold", va="center")
    figure.text(0.06, 0.72, tail, color="white", fontsize=50, fontweight="bold", va="center")
    figure.savefig(path, metadata={"Software": None})
