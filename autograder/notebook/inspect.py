"""`autograder check NOTEBOOK`: are the graded cells there and whole, and do the visible checks pass?

Works with what students have installed, on Colab too: plain JSON, no nbformat, no kernel.
The set-up and solution cells run here; the student's own machine runs the student's code.
"""

import contextlib
import io
import json
import linecache
from pathlib import Path

from autograder.checks import exercises, run_check
from autograder.checks.render import text
from autograder.checks.verdict import FAILED, Finding


class NotANotebook(ValueError):
    """The file cannot be read as a course notebook; the text says why."""


def read_cells(path):
    """[(ids, metadata, source)] of the code cells; raises NotANotebook."""
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8-sig"))
        cells = [c for c in raw["cells"] if c["cell_type"] == "code"]
    except OSError as error:
        raise NotANotebook(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NotANotebook(f"{path} is not a notebook.") from None
    return [_cell(c) for c in cells]


def _cell(raw):
    metadata = raw.get("metadata", {})
    ids = {raw.get("id"), metadata.get("id"), metadata.get("nbgrader", {}).get("grade_id")} - {None}
    return ids, metadata, "".join(raw.get("source", ""))


def inspect(path):
    """A Finding for every exercise of the notebook's chapter, in order; raises NotANotebook."""
    cells = read_cells(path)
    chapter = _chapter(cells)
    if chapter is None:
        raise NotANotebook(f"{path} holds none of the course's exercise cells; is it one of the course's notebooks?")
    namespace, problems = _run(cells, chapter)
    return [_finding(name, namespace, problems, cells) for name in chapter]


def _chapter(cells):
    """Names of all exercises of the chapter most cells belong to, or None."""
    ids = set().union(*(c[0] for c in cells), set())
    known = exercises()
    found = [known[i].chapter for i in ids if i in known]
    if not found:
        return None
    stem = max(set(found), key=found.count)
    return [e.name for e in known.values() if e.chapter == stem]


def _run(cells, chapter):
    """Run set-up and solution cells; (namespace, exercise -> what went wrong in its cell)."""
    namespace, problems = {"__name__": "__main__"}, {}
    for ids, metadata, source in cells:
        name = next((i for i in ids if i in chapter), None)
        if name is None and (metadata.get("role") != "setup" or "colab" in ids):
            continue
        file = f"<cell {name or 'set-up'}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(source, file, "exec"), namespace)
        except Exception as error:  # student code: any error is theirs to read
            problems[name] = f"its cell stops with {type(error).__name__}: {error}"
    return namespace, problems


def _finding(name, namespace, problems, cells):
    if not any(name in ids for ids, _, _ in cells):
        return Finding(name, FAILED, "its cell is missing; take it from a fresh copy of the notebook.")
    if name in problems:
        return Finding(name, FAILED, problems[name])
    if not callable(namespace.get(name)):
        return Finding(name, FAILED, f"its cell defines no function called {name}.")
    return run_check(name, namespace[name])


def report(findings):
    passed = sum(f.passed for f in findings)
    return "\n".join([*map(text, findings), f"{passed} of {len(findings)} exercises pass their visible checks."])
