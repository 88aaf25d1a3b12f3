"""Explorables: modules of `book/explorables/` mounted on the site's pages, and named in the notebooks.

A chapter says where: `:::{explorable} NN_name` and `:::` on lines of their own. A module says `//= FILE`
where the lines of a shared file of the folder belong, since it may import nothing. On a page the whole
source stands inside the page, so that a page opened from the disk can mount it too.
"""

import html
import json
import re

from .source import ROOT, SourceError

FOLDER = ROOT / "book" / "explorables"
DIRECTIVE = re.compile(r"^:::\{explorable\} (\w+)\n:::$", re.M)
SHARED = re.compile(r"^//= ([\w.]+)\n", re.M)
FIELD = re.compile(r'^  (title|question|alt): ("(?:[^"\\]|\\.)*")', re.M)


def whole(name):
    """A module's source with the shared lines in it; raises SourceError where there is none."""
    path = FOLDER / f"{name}.js"
    if not path.is_file():
        raise SourceError(f"there is no explorable {name!r} in {FOLDER}.")
    return SHARED.sub(lambda match: (FOLDER / match[1]).read_text(), path.read_text())


def about(name):
    """(whole source, {title, question, alt}) of a module."""
    source = whole(name)
    return source, {key: json.loads(text) for key, text in FIELD.findall(source)}


def mounted(text):
    """Markdown of the site's page: each directive becomes its question, a sentence for readers without scripts, and the module."""
    return DIRECTIVE.sub(lambda match: _figure(match[1]), text)


def named(text):
    """Markdown of a notebook: each directive becomes the question, to be played with on the site."""
    return DIRECTIVE.sub(lambda match: _sentence(about(match[1])[1]), text)


def _figure(name):
    source, said = about(name)
    title, question, alt = (html.escape(said[key]) for key in ("title", "question", "alt"))
    return "\n".join([
        "```{raw} html", f'<div class="explorable" data-name="{name}"><p><strong>{title}</strong> {question}</p><p>{alt}</p></div>',
        f'<script type="text/plain" data-explorable="{name}">{source}</script>', "```"])


def _sentence(said):
    return f"**To play with, on this chapter's page:** {said['question']}"
