"""Every damage to a notebook ends as a graded submission or a recorded verdict, and none stops the batch."""

import copy
import io
import json
import os
import time
import tracemalloc
import zipfile

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.grading import course as courses
from autograder.grading import demo
from autograder.grading.engine import grade_assignment
from autograder.grading.rebuild import LARGEST_CELL, parse_submission, rebuild
from autograder.publish import editions
from autograder.publish.source import read_chapter

STEM, NAMES = "05_batch_norm", ("bn_direct_path", "center_backward", "fold_bn")
HUGE = 100_000_000  # bytes of outputs


@pytest.fixture(scope="module")
def chapter():
    return read_chapter(STEM)


@pytest.fixture(scope="module")
def release(chapter):
    return editions.student(chapter)


@pytest.fixture(scope="module")
def solutions(chapter):
    return {c.exercise: editions.unmarked(c.text) for c in chapter.exercises}


@pytest.fixture(scope="module")
def perfect(chapter, solutions):
    return demo.handed_in(chapter, solutions)


def taken(release, notebook):
    """(source by exercise, remarks) of what the grader would run; `notebook` a notebook, JSON or bytes."""
    data = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
    return rebuild(release, parse_submission(data))[1:]


def stub(release, name):
    return next(c.source for c in release.cells if c.id == name)


def is_sentence(remark):
    return remark.endswith(".") or remark.endswith("?")


# --- damage that costs nothing ----------------------------------------------------------------


def retagged(notebook):
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception"]
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"] |= {"solution": False, "grade": True, "points": 1000.0, "locked": False, "grade_id": "x"}
    return notebook


def without_ids(notebook):
    return without(notebook, lambda cell: cell.pop("id"), lambda cell: cell.metadata.pop("id", None))


def without(notebook, *removals):
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        for remove in removals:
            remove(cell)
    return notebook


def version_3(notebook):
    cells = [{"cell_type": c.cell_type, "metadata": dict(c.metadata),
              **({"input": c.source, "language": "python", "outputs": []} if c.cell_type == "code" else {"source": c.source})}
             for c in notebook.cells]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells, "metadata": {}}]}


def lines(notebook):
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.source = cell.source.splitlines(keepends=True)
    return notebook


def text(notebook):
    return json.dumps(notebook)


HARMLESS = {
    "nothing": lambda n: text(n).encode(),
    "byte-order mark": lambda n: b"\xef\xbb\xbf" + text(n).encode(),
    "UTF-16": lambda n: text(n).encode("utf-16"),
    "UTF-16 without a mark": lambda n: text(n).encode("utf-16-le"),
    "UTF-32": lambda n: text(n).encode("utf-32"),
    "Windows line ends": lambda n: json.dumps(n, indent=1).replace("\n", "\r\n").encode(),
    "trailing garbage": lambda n: text(n).encode() + b"\n\x00\x00</html> {]",
    "leading blanks": lambda n: b"\n\n  " + text(n).encode(),
    "nbformat 3": lambda n: text(version_3(n)).encode(),
    "nbformat 4.0, as Colab saves": lambda n: text(demo.colab(n)).encode(),
    "missing ids": lambda n: text(without_ids(n)).encode(),
    "lost metadata": lambda n: text(demo.without_metadata(n)).encode(),
    "metadata that is a list": lambda n: text(without(n, lambda c: c.__setitem__("metadata", []))).encode(),
    "nbgrader metadata that is a list": lambda n: text(without(n, lambda c: c.metadata.__setitem__("nbgrader", []))).encode(),
    "ids that are numbers": lambda n: text(without(n, lambda c: c.__setitem__("id", 5))).encode(),
    "ids that are lists": lambda n: text(without(n, lambda c: c.__setitem__("id", [1]), lambda c: c.__setitem__("metadata", {"id": {}}))).encode(),
    "duplicated cells": lambda n: text(demo.duplicated(n)).encode(),
    "reordered cells": lambda n: text(demo.shuffled(n)).encode(),
    "retagged cells": lambda n: text(retagged(n)).encode(),
    "sources in lines": lambda n: text(lines(n)).encode(),
    "cells that are none": lambda n: text(n | {"cells": [None, 3, "x", [], {}, {"cell_type": "code"}, *n.cells]}).encode(),
    "sources that are numbers": lambda n: text(n | {"cells": [{"cell_type": "code", "source": 7}, {"cell_type": "code", "source": [1, None]}, *n.cells]}).encode(),
    "cell types that are none": lambda n: text(n | {"cells": [{"cell_type": [], "source": "x"}, *n.cells]}).encode(),
    "outputs that are nonsense": lambda n: text(without(n, lambda c: c.__setitem__("outputs", 9))).encode(),
    "metadata of the notebook that is a list": lambda n: text(n | {"metadata": []}).encode(),
    "half a surrogate pair in an own cell": lambda n: text(n).encode()[:-1].replace(b'"cells": [', b'"cells": [{"cell_type": "code", "source": "\\ud800"}, ', 1) + b"}",
}


@pytest.mark.parametrize("damage", HARMLESS)
def test_harmless_damage_loses_no_solution(damage, release, perfect, solutions):
    found, remarks = taken(release, HARMLESS[damage](copy.deepcopy(perfect)))
    assert {n: s.strip() for n, s in found.items()} == {n: s.strip() for n, s in solutions.items()}
    assert all(map(is_sentence, remarks))


def test_an_undamaged_notebook_is_taken_without_a_remark(release, perfect):
    assert taken(release, perfect)[1] == []


# --- one cell damaged -------------------------------------------------------------------------


def changed(notebook, name, cells):
    """The notebook with the cell `name` replaced by `cells(cell)`."""
    notebook = copy.deepcopy(notebook)
    place = next(i for i, c in enumerate(notebook.cells) if c.id == name)
    notebook.cells[place:place + 1] = cells(notebook.cells[place])
    return notebook


NAME = "fold_bn"


def split_at(count):
    def split(cell):
        head, tail = cell.source.split("\n")[:count], cell.source.split("\n")[count:]
        first = copy.deepcopy(cell)
        first.source = "\n".join(head)
        return [first, new_code_cell("\n".join(tail))]
    return split


@pytest.mark.parametrize("lines_kept", (1, 3, -3, -1))
def test_a_cell_split_in_two_is_put_together(lines_kept, release, perfect, solutions):
    found, remarks = taken(release, changed(perfect, NAME, split_at(lines_kept)))
    assert found[NAME].strip() == solutions[NAME].strip()
    assert remarks == [f"`{NAME}`: the cell was split; its parts were put together."]


def test_a_cell_split_in_three_is_put_together(release, perfect, solutions):
    def thrice(cell):
        first, rest = split_at(-4)(cell)
        middle, last = rest.source.rsplit("\n", 1)
        return [first, new_code_cell(middle), new_code_cell(last)]

    assert taken(release, changed(perfect, NAME, thrice))[0][NAME].strip() == solutions[NAME].strip()


def test_an_own_cell_that_is_whole_stays_out(release, perfect, solutions):
    notebook = changed(perfect, NAME, lambda c: [c, new_code_cell("import os\nprint('an experiment')")])
    found, remarks = taken(release, notebook)
    assert found[NAME] == solutions[NAME] and remarks == []


def test_nonsense_after_a_cell_does_not_spoil_it(release, perfect, solutions):
    notebook = changed(perfect, NAME, lambda c: [c, new_code_cell("this is no Python (")])
    assert taken(release, notebook)[0][NAME] == solutions[NAME]


def test_a_cell_of_the_release_is_never_joined(release, perfect):
    unfinished = f"def {NAME}(): pass\n{NAME} = \\"  # with the check cell that follows it would be Python
    found, _ = taken(release, changed(perfect, NAME, lambda c: [new_code_cell(unfinished, id=NAME)]))
    assert found[NAME] == unfinished


def test_a_deleted_cell_counts_as_not_solved(release, perfect, solutions):
    found, remarks = taken(release, changed(perfect, NAME, lambda c: []))
    assert found[NAME] == stub(release, NAME) and found["center_backward"] == solutions["center_backward"]
    assert remarks == [f"`{NAME}`: the cell was deleted; it counts as not solved."]


def test_a_cell_turned_into_text_is_read_as_code(release, perfect, solutions):
    notebook = changed(perfect, NAME, lambda c: [new_markdown_cell(c.source, id=c.id, metadata=c.metadata)])
    found, remarks = taken(release, notebook)
    assert found[NAME] == solutions[NAME]
    assert remarks == [f"`{NAME}`: the cell was turned into text; it was read as code."]


def test_of_a_stub_and_its_solution_the_solution_counts(release, perfect, solutions):
    empty = new_code_cell(stub(release, NAME), id=NAME)
    for cells in (lambda c: [empty, c], lambda c: [c, empty]):
        assert taken(release, changed(perfect, NAME, cells))[0][NAME] == solutions[NAME]


def test_a_solution_in_another_cell_counts(release, perfect, solutions):
    notebook = changed(perfect, NAME, lambda c: [new_code_cell("# see below", id=NAME), new_code_cell(c.source)])
    found, remarks = taken(release, notebook)
    assert found[NAME] == solutions[NAME] and remarks == [f"`{NAME}`: it was solved in another cell, which counts."]


def test_an_id_on_the_wrong_cell_does_not_swap_two_exercises(release, perfect, solutions):
    notebook = copy.deepcopy(perfect)
    a, b = (next(c for c in notebook.cells if c.id == n) for n in NAMES[:2])
    a.source, b.source = b.source, a.source
    found, _ = taken(release, notebook)
    assert all(found[n] == solutions[n] for n in NAMES)


@pytest.mark.parametrize("line", ("%%time", "%matplotlib inline", "!pip install torch"))
def test_notebook_magic_does_not_hide_a_function(line, release, perfect):
    notebook = changed(perfect, NAME, lambda c: [new_code_cell(f"{line}\n{c.source}")])
    assert f"def {NAME}" in taken(release, notebook)[0][NAME]


def test_a_function_written_as_a_lambda_is_found(release, perfect):
    notebook = changed(perfect, NAME, lambda c: [new_code_cell(f"{NAME} = lambda *a: None")])
    assert taken(release, notebook)[0][NAME] == f"{NAME} = lambda *a: None"


def test_check_cells_and_own_cells_of_a_submission_are_never_taken(release, perfect):
    notebook = copy.deepcopy(perfect)
    for cell in notebook.cells:
        if cell.id.endswith("-check") or cell.metadata.get("role") == "setup":
            cell.source = "tampered = True"
    rebuilt = rebuild(release, parse_submission(json.dumps(notebook).encode()))[0]
    assert "tampered" not in nbformat.writes(rebuilt)


# --- what cannot be read ------------------------------------------------------------------------

UNREADABLE = {
    "empty": b"", "blank": b" \n\x00\x00", "a web page": b"<html>Sign in</html>", "half a notebook": b'{"cells": [{"cell_type": "code", "sou',
    "a conflict": b"<<<<<<< HEAD\n{}", "binary": os.urandom(999), "a number": b"5", "a list": b"[1]", "a text": b'"cells"', "null": b"null",
    "no cells": b"{}", "cells that are a text": b'{"cells": "x"}', "cells that are a dictionary": b'{"cells": {}}',
    "worksheets that are nonsense": b'{"worksheets": 3}', "deep nesting": b"[" * 10**6, "deep dictionaries": b'{"cells":' * 10**5,
    "a number without end": b'{"cells": ' + b"9" * 10_000 + b"}", "a picture": b"\x89PNG\r\n\x1a\n" + bytes(99), "a zip": b"PK\x03\x04" + bytes(99),
}


@pytest.mark.parametrize("file", UNREADABLE)
def test_what_cannot_be_read_is_one_sentence_and_no_solution(file, release):
    found, remarks = taken(release, UNREADABLE[file])
    assert found == {n: stub(release, n) for n in found}
    assert len(remarks) == 1 and is_sentence(remarks[0]) and remarks[0].isprintable()


def test_a_notebook_of_another_language_says_so(release):
    metadata = {"kernelspec": {"language": "R", "name": "ir"}}
    found, remarks = taken(release, {"cells": [new_code_cell("x <- 1")], "metadata": metadata})
    assert "language R" in remarks[0] and "right chapter" in remarks[1]


@pytest.mark.parametrize("deep", ("(" * 60000, "-" * 60000 + "1", "a" + ".b" * 60000, "not " * 60000 + "1", "[" * 60000 + "]" * 60000))
def test_code_nested_too_deep_to_parse_is_kept_as_it_is(deep, release, perfect):
    source = f"def {NAME}(): pass\nx = {deep[:LARGEST_CELL - 100]}"
    notebook = changed(perfect, NAME, lambda c: [new_code_cell(source, id=NAME)])
    assert taken(release, notebook)[0][NAME] == source


def test_a_cell_of_megabytes_is_left_out(release, perfect, solutions):
    notebook = changed(perfect, NAME, lambda c: [new_code_cell("x = 1\n" * 10**6, id=NAME)])
    found, remarks = taken(release, notebook)
    assert found[NAME] == stub(release, NAME) and found["bn_train"] == solutions["bn_train"] and "left out" in remarks[0]


@pytest.fixture(scope="module")
def huge(perfect):
    notebook = copy.deepcopy(perfect)
    notebook.cells[-1] = new_code_cell("plot()", outputs=[{"output_type": "stream", "name": "stdout", "text": "@"}])
    return json.dumps(notebook).encode().replace(b"@", b"A" * HUGE, 1)


def test_a_hundred_megabytes_of_outputs_are_read_in_seconds(huge, release, solutions):
    tracemalloc.start()
    began = time.monotonic()
    found, _ = taken(release, huge)
    seconds, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[NAME] == solutions[NAME] and seconds < 10 and peak < 5 * HUGE


# --- the batch ----------------------------------------------------------------------------------


def zipped(**files):
    """A zip archive; dots in names are written as `__`."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", ".").replace("~", "/"), content)
    return data.getvalue()


@pytest.fixture(scope="module")
def batch(tmp_path_factory, chapter, perfect, huge):
    """A course where every submission is damaged in another way; result by student."""
    folder = tmp_path_factory.mktemp("batch") / "course"
    courses.init(folder, chapters=[STEM])
    whole = text(perfect).encode()
    files = {f"fine {k:02d}": damage(copy.deepcopy(perfect)) for k, damage in enumerate(HARMLESS.values())}
    files |= {f"lost {k:02d}": data for k, data in enumerate(UNREADABLE.values())}
    files |= {"fine huge": huge, "lost surrogate": b'{"cells": [{"cell_type": "code", "id": "bn_train", "source": "x = \\"\\ud800\\""}]}'}
    for student, data in files.items():
        write(folder, student, f"{STEM}.ipynb", data)
    odd(folder, whole)
    results = {r.student: r for r, _ in grade_assignment(STEM, folder, jobs=2)}
    return folder, results


def write(folder, student, name, data):
    path = folder / "submitted" / student / STEM / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def odd(folder, whole):
    """What is no file of the right name."""
    write(folder, "fine copy", f"Copy of {STEM} (1).ipynb", whole)
    write(folder, "fine name", "\u202e\x1b[2J<b>.ipynb", whole)
    write(folder, "fine zip", "submission.zip", zipped(**{"..~..~evil__ipynb": whole, "readme__txt": "x"}))
    write(folder, "lost zip", "submission.zip", b"PK\x03\x04" + os.urandom(200))
    write(folder, "lost zip empty", "submission.zip", zipped(readme__txt="x"))
    crooked = bytearray(zipped(a__ipynb=whole))
    crooked[60:260] = os.urandom(200)
    write(folder, "lost zip crooked", "submission.zip", bytes(crooked))
    write(folder, "lost nothing", "notes.txt", b"x")
    (folder / "submitted" / "lost folder" / STEM / f"{STEM}.ipynb").mkdir(parents=True)
    (folder / "submitted" / "lost link" / STEM).mkdir(parents=True)
    (folder / "submitted" / "lost link" / STEM / f"{STEM}.ipynb").symlink_to(write(folder, "fine linked", f"{STEM}.ipynb", whole))
    os.mkfifo(write(folder, "lost pipe", "x.txt", b"").with_name(f"{STEM}.ipynb"))
    write(folder, "lost closed", f"{STEM}.ipynb", whole).chmod(0)


def test_every_damaged_submission_gets_a_verdict(batch):
    folder, results = batch
    assert set(results) == {p.name for p in (folder / "submitted").iterdir()}
    assert all(r.status == "graded" for r in results.values())


def test_harmless_damage_costs_no_point_in_the_batch(batch):
    for student, result in batch[1].items():
        if student.startswith("fine"):
            assert result.score == result.max_score, (student, result.remarks, result.incidents)


def test_what_cannot_be_graded_says_why_in_one_sentence(batch):
    for student, result in batch[1].items():
        if student.startswith("lost") and (student != "lost closed" or os.getuid()):
            assert result.score == 0, student
            assert result.remarks and all(is_sentence(r) and r.isprintable() for r in result.remarks), (student, result.remarks)


def test_the_batch_is_written_for_people(batch):
    folder, results = batch
    for student in results:
        assert (folder / "feedback" / student / STEM / f"{STEM}.html").read_text().endswith("</html>\n")
    assert len((folder / "grades.csv").read_text().splitlines()) == len(results) + 1


def test_names_of_files_cannot_write_on_the_terminal(batch):
    assert all(r.isprintable() for result in batch[1].values() for r in result.remarks + result.incidents)
