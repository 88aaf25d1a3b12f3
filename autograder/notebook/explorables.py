"""The sources of the explorables: ES modules that the site's pages and the notebooks show alike.

They lie in `book/explorables/` of a clone, and inside the package where it is installed. A module says
`//= FILE` where the lines of a shared file of the folder belong, since it may import nothing.
"""

import json
import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CLONE, INSTALLED = PACKAGE.parent / "book" / "explorables", PACKAGE / "explorables"
FOLDER = CLONE if CLONE.is_dir() else INSTALLED
SHARED = re.compile(r"^//= ([\w.]+)\n", re.M)
FIELD = re.compile(r'^  (title|question|alt): ("(?:[^"\\]|\\.)*")', re.M)
DEFAULTS = re.compile(r"^export const defaults = \{ (.*) \};", re.M)
KEY = re.compile(r'(?<![^ ])(\w+): (?=[\d"\[\-tf])')  # bare, as JSON does not have it


class UnknownExplorable(LookupError):
    """No explorable has this name; the text lists those that there are."""


def names():
    """All explorables, in chapter order."""
    return sorted(path.stem for path in FOLDER.glob("[0-9][0-9]_*.js"))


def whole(name):
    """A module's source with the shared lines in it; raises UnknownExplorable."""
    if name not in names():
        raise UnknownExplorable(f"there is no explorable {name!r}; there are {', '.join(names())}.")
    text = (FOLDER / f"{name}.js").read_text(encoding="utf-8")
    return SHARED.sub(lambda match: (FOLDER / match[1]).read_text(encoding="utf-8"), text)


def about(source):
    """What a module says of itself: {title, question, alt}."""
    return {key: json.loads(text) for key, text in FIELD.findall(source)}


def defaults(source):
    """The keys of a module's state, with the values at the start: plain data, written as JSON with bare keys."""
    return json.loads("{" + KEY.sub(r'"\1": ', DEFAULTS.search(source)[1]) + "}")
