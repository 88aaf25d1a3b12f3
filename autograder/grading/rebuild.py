"""The released notebook with the student's solution cells laid in: all that is ever executed.

A cell is found by its id, then `metadata.id`, then its nbgrader grade id, then the function
it defines. So duplicated, moved, retagged or copied cells, and lost metadata, do no harm;
what was noticed is said in one sentence each. Whatever is not a solution cell stays out:
helpers belong into the cell of the exercise that uses them. Only a cell that was split is
put together again, with what follows it.
"""

import ast
import copy
import json
from dataclasses import dataclass, field
from functools import lru_cache

from nbformat.v4 import new_markdown_cell

LARGEST_SUBMISSION_BYTES = 200_000_000
LARGEST_CELL = 200_000  # characters
MOST_PARTS = 10  # of a split cell
KEPT_ROLES = {"setup"}


@dataclass(frozen=True)
class Cell:
    """A cell as handed in. ids: its id, `metadata.id`, its nbgrader grade id; whatever stands there."""

    ids: tuple
    source: str
    is_code: bool = True


@dataclass
class Submission:
    """The cells of a submission, and what was noticed on reading it."""

    cells: list = field(default_factory=list)
    remarks: list = field(default_factory=list)


def parse_submission(data):
    """Read defensively: any bytes give a Submission; what cannot be read becomes a remark."""
    if not data.strip(b"\x00 \t\r\n"):
        return _unreadable("The file is empty.")
    if len(data) > LARGEST_SUBMISSION_BYTES:
        return _unreadable(f"The file is larger than {LARGEST_SUBMISSION_BYTES // 1_000_000} MB; "
                           "clear the outputs and hand in again.")
    try:
        raw = _first_json(data)
    except (ValueError, RecursionError):
        return _unreadable("The file is not a notebook: it is not valid JSON.")
    cells = _cells(raw)
    if not isinstance(cells, list):
        return _unreadable("The file is JSON, but not a notebook: it has no cells.")
    submission = Submission([_cell(c) for c in cells if isinstance(c, dict)], _language(raw))
    if any(len(c.source) > LARGEST_CELL for c in submission.cells):
        submission.remarks.append(f"Cells of more than {LARGEST_CELL} characters were left out.")
        submission.cells = [c for c in submission.cells if len(c.source) <= LARGEST_CELL]
    return submission


def _first_json(data):
    """The first JSON value in the bytes, in any of Unicode's encodings; what follows it is not read."""
    text = data.decode(json.detect_encoding(data), errors="replace").lstrip("\ufeff \t\r\n")
    return json.JSONDecoder().raw_decode(text)[0]


def _cells(raw):
    """The list of cells, also of nbformat 3, where they lie in worksheets."""
    if not isinstance(raw, dict):
        return None
    if "cells" not in raw and isinstance(raw.get("worksheets"), list):
        sheets = [s.get("cells") for s in raw["worksheets"] if isinstance(s, dict)]
        return [cell for cells in sheets if isinstance(cells, list) for cell in cells]
    return raw.get("cells")


def _unreadable(remark):
    return Submission(remarks=[remark])


def _language(raw):
    """A remark where the notebook is meant for another language."""
    info = _dict(_dict(raw.get("metadata")).get("kernelspec"))
    language = info.get("language", "python")
    if not isinstance(language, str) or language.lower() == "python":
        return []
    return [f"The notebook is set to the language {printable(language)[:20]}; it was read as Python."]


def _cell(raw):
    metadata = _dict(raw.get("metadata"))
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list):
        source = "".join(s for s in source if isinstance(s, str))
    text = source if isinstance(source, str) else ""
    ids = (raw.get("id"), metadata.get("id"), _dict(metadata.get("nbgrader")).get("grade_id"))
    return Cell(ids, text.encode("utf-8", "replace").decode("utf-8"), raw.get("cell_type") == "code")


def _dict(value):
    return value if isinstance(value, dict) else {}


def printable(text):
    """Text from a submission on one line, without control characters."""
    return "".join(c if c.isprintable() else "\ufffd" for c in str(text))


def rebuild(release, submission):
    """(notebook to execute, the student's source by exercise, remarks). `release` is left as it is."""
    notebook, remarks = copy.deepcopy(release), list(submission.remarks)
    stubs = {c.id: c.source for c in notebook.cells if _is_solution(c)}
    own = Handed(submission.cells, {c.id for c in notebook.cells})
    taken = {name: own.solution(name, stub) for name, stub in stubs.items()}
    if submission.cells and not any(source for source, _ in taken.values()):
        remarks.append("None of the chapter's exercise cells is in this notebook; is it the right chapter?")
    else:
        remarks += _grouped({name: remark for name, (_, remark) in taken.items() if remark})
    notebook.cells = [c for c in notebook.cells if _is_kept(c)]
    for cell in notebook.cells:
        if cell.id in taken and taken[cell.id][0]:
            cell.source = taken[cell.id][0]
    if remarks:
        text = "**What the grader noticed**\n\n" + "\n".join(f"- {r}" for r in remarks)
        notebook.cells.insert(0, new_markdown_cell(text, id="remarks"))
    return notebook, {c.id: c.source for c in notebook.cells if c.id in stubs}, remarks


def _grouped(remarks):
    """One sentence per remark, with all the exercises that it holds for."""
    groups = {}
    for name, remark in remarks.items():
        groups.setdefault(remark, []).append(f"`{name}`")
    return [f"{', '.join(names)}: {remark}" for remark, names in groups.items()]


def _is_solution(cell):
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def _is_kept(cell):
    return cell.cell_type == "markdown" or "nbgrader" in cell.metadata or cell.metadata.get("role") in KEPT_ROLES


class Handed:
    """The cells that were handed in, searched for solutions. `released`: ids of the release's cells."""

    def __init__(self, cells, released):
        self.cells, self.released = cells, released

    def solution(self, name, stub):
        """(the student's source for exercise `name` or "", a remark or "")."""
        found, remark = self._found(name)
        if not found:
            return "", "the cell was deleted; it counts as not solved." if self.cells else ""
        written = [i for i in found if self.cells[i].source.strip() != stub.strip()] or found
        best = ([i for i in written if name in self.defined(i)] or written)[-1]
        source = self.joined(best)
        if source != self.cells[best].source:
            return source, "the cell was split; its parts were put together."
        if len({self.cells[i].source for i in found}) > 1:
            remark = "several cells claim to be this exercise; the last one that defines it counts."
        return source, remark

    def _found(self, name):
        """(places of the cells that are this exercise, a remark)."""
        places = range(len(self.cells))
        for kind in range(3):
            same = [i for i in places if self.cells[i].ids[kind] == name]
            found = [i for i in same if self.cells[i].is_code]
            if same and not found:
                return same, "the cell was turned into text; it was read as code."
            if any(self.defined(i, parts=True) & {name} for i in found):
                return found, ""
            if found:
                break
        elsewhere = [i for i in places if self.cells[i].is_code and name in self.defined(i)]
        if found and elsewhere:
            return elsewhere, "it was solved in another cell, which counts."
        return found or elsewhere, "the cell has lost its id; it was found by the function's name." if elsewhere else ""

    def defined(self, place, parts=False):
        """Names of the functions that a cell defines; with `parts`, that it and its following parts define."""
        return defined(self.joined(place) if parts else self.cells[place].source)

    def joined(self, place):
        """A cell's source with the parts that were split off: own cells right after it that are no Python alone,
        or without which it is none."""
        source = self.cells[place].source
        for cell in self.cells[place + 1:place + 1 + MOST_PARTS]:
            if not cell.is_code or self.released & {i for i in cell.ids if isinstance(i, str)}:
                break
            if (parses(source) and parses(cell.source)) or not cell.source.strip():
                break
            source = f"{source}\n{cell.source}"
        return source if parses(source) else self.cells[place].source


def runnable(source):
    """Notebook-only lines (`%magic`, `!shell`) as comments, where the cell is no Python with them."""
    if parses(source):
        return source
    return "\n".join("#" + line if line.lstrip()[:1] in ("%", "!") else line for line in source.split("\n"))


@lru_cache(maxsize=1000)
def _tree(source):
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def parses(source):
    return _tree(source) is not None


def defined(source):
    """Names of the functions that a cell defines at top level, `f = lambda …` too; empty where it does not parse."""
    tree = _tree(runnable(source))
    nodes = tree.body if tree else []
    names = {n.name for n in nodes if isinstance(n, ast.FunctionDef)}
    lambdas = [n.targets for n in nodes if isinstance(n, ast.Assign) and isinstance(n.value, ast.Lambda)]
    return names | {t.id for targets in lambdas for t in targets if isinstance(t, ast.Name)}
