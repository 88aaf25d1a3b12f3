"""The released notebook with the student's solution cells laid in: all that is ever executed.

A cell is found by its id, then `metadata.id`, then its nbgrader grade id, then the function
it defines. So duplicated, moved, retagged or copied cells, and lost metadata, do no harm;
what was noticed is said in one sentence each. Whatever is not a solution cell stays out:
helpers belong into the cell of the exercise that uses them.
"""

import ast
import copy
import json
from dataclasses import dataclass, field

from nbformat.v4 import new_markdown_cell

LARGEST_SUBMISSION_BYTES = 200_000_000
KEPT_ROLES = {"setup"}


@dataclass
class Submission:
    """The code cells of a submission as (ids, source), and what was noticed on reading it."""

    cells: list = field(default_factory=list)
    remarks: list = field(default_factory=list)


def parse_submission(data):
    """Read defensively: any bytes give a Submission; what cannot be read becomes a remark."""
    if not data.strip():
        return _unreadable("The file is empty.")
    if len(data) > LARGEST_SUBMISSION_BYTES:
        return _unreadable(f"The file is larger than {LARGEST_SUBMISSION_BYTES // 1_000_000} MB; "
                           "clear the outputs and hand in again.")
    try:
        text = data.decode("utf-8-sig", errors="replace").lstrip()
        raw = json.JSONDecoder().raw_decode(text)[0]
    except (json.JSONDecodeError, RecursionError):
        return _unreadable("The file is not a notebook: it is not valid JSON.")
    cells = _cells(raw)
    if not isinstance(cells, list):
        return _unreadable("The file is JSON, but not a notebook: it has no cells.")
    return Submission([_code_cell(c) for c in cells if isinstance(c, dict) and c.get("cell_type") == "code"])


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


def _code_cell(raw):
    metadata = raw.get("metadata") if isinstance(raw.get("metadata"), dict) else {}
    nbgrader = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list):
        source = "".join(s for s in source if isinstance(s, str))
    ids = (raw.get("id"), metadata.get("id"), nbgrader.get("grade_id"))
    text = source if isinstance(source, str) else ""
    return ids, text.encode("utf-8", "replace").decode("utf-8")


def rebuild(release, submission):
    """(notebook to execute, the student's source by exercise, remarks). `release` is left as it is."""
    notebook, remarks = copy.deepcopy(release), list(submission.remarks)
    stubs = {c.id: c.source for c in notebook.cells if _is_solution(c)}
    taken = {name: _find(name, stub, submission.cells) for name, stub in stubs.items()}
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


def _find(name, stub, cells):
    """(the student's source for exercise `name` or "", a remark or "")."""
    for place in range(3):
        found = [source for ids, source in cells if ids[place] == name]
        if found:
            break
    by_name = not found
    if by_name:
        found = [source for _, source in cells if name in defined(source)]
    if not found:
        return "", "the cell was deleted; it counts as not solved." if cells else ""
    written = [source for source in found if source.strip() != stub.strip()] or found
    best = [source for source in written if name in defined(source)] or written
    if len(set(found)) > 1:
        return best[-1], "several cells claim to be this exercise; the last one that defines it counts."
    return best[-1], "the cell has lost its id; it was found by the function's name." if by_name else ""


def defined(source):
    """Names of the functions that a cell defines at top level; empty where it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
