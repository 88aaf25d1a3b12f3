"""Lower MyST to the Markdown that JupyterLab and Colab read alike.

Admonitions become block quotes, dropdowns become <details>, citations become "Author
(year)", cross-references become their text. Anything else in MyST is refused by name, so
that no notebook shows raw directives.
"""

import re
from functools import cache

from pybtex.database import parse_file

from .source import ROOT, SourceError

REFERENCES = ROOT / "book" / "references.bib"
ADMONITIONS = {"note", "tip", "warning", "important"}
LABEL = re.compile(r"^\([\w:-]+\)=\s*$")
OPENING = re.compile(r"^(:{3,}|`{3,})\{([\w:-]+)\}\s*(.*)$")
ROLE = re.compile(r"\{([\w:]+)\}`([^`]+)`")


@cache
def bibliography():
    """Citation key -> (authors as text, year, address or "")."""
    entries = {}
    for key, entry in parse_file(str(REFERENCES)).entries.items():
        people = [" ".join(p.prelast_names + p.last_names) for p in entry.persons["author"]]
        names = people[0] if len(people) == 1 else " and ".join(people) if len(people) == 2 else f"{people[0]} et al."
        entries[key] = (names.replace("{", "").replace("}", ""), entry.fields["year"], entry.fields.get("url", ""))
    return entries


def lower(text):
    """Plain Markdown with the same meaning."""
    return "\n".join(_blocks(text.split("\n")))


def _blocks(lines):
    out, i = [], 0
    while i < len(lines):
        opening = OPENING.match(lines[i])
        if opening:
            fence, name, title = opening.groups()
            end = _closing(lines, i, fence)
            out += _directive(name, title, lines[i + 1:end])
            i = end
        elif not LABEL.match(lines[i]):
            out.append(ROLE.sub(_role, lines[i]))
        i += 1
    return out


def _closing(lines, start, fence):
    for i in range(start + 1, len(lines)):
        if lines[i].strip() == fence:
            return i
    raise SourceError(f"directive {lines[start]!r} is not closed by {fence!r}.")


def _directive(name, title, body):
    while body and re.match(r"^:[\w-]+:", body[0]):
        body = body[1:]
    inner = _blocks(body)
    if name == "dropdown":
        return ["<details>", f"<summary>{title}</summary>", "", *inner, "", "</details>"]
    if name in ADMONITIONS:
        head = title or name.capitalize()
        return [f"> **{head}.**" if not head.endswith((".", "?")) else f"> **{head}**", ">"] + \
            [f"> {line}".rstrip() for line in inner]
    if name == "math":
        return ["$$", *body, "$$"]
    raise SourceError(f"directive {{{name}}} has no plain form; use one of {', '.join(sorted(ADMONITIONS))}, dropdown, math.")


def _role(match):
    name, content = match.groups()
    if name in ("cite:t", "cite:p"):
        cited = [_citation(key.strip(), name == "cite:p") for key in content.split(",")]
        return f"({'; '.join(cited)})" if name == "cite:p" else ", ".join(cited)
    if name in ("ref", "doc", "term", "numref"):
        return re.sub(r"\s*<[^>]+>$", "", content)
    raise SourceError(f"role {{{name}}} has no plain form; use cite:t, cite:p, ref, doc or term.")


def _citation(key, parenthetical):
    if key not in bibliography():
        raise SourceError(f"citation {key!r} is not in book/references.bib.")
    names, year, url = bibliography()[key]
    words = f"{names}, {year}" if parenthetical else f"{names} ({year})"
    return f"[{words}]({url})" if url else words
