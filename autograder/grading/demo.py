"""A demonstration class: submissions made from the reference, the bank, and what Colab does to notebooks."""

import copy
import csv
import io
import random
import shutil

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.bank import entries
from autograder.publish import editions
from autograder.publish.source import ROOT, read_chapter, stems
from autograder.publish.write import write_text

from .course import init
from .engine import grade_assignment
from .progress import table

DEMO = ROOT / "_build" / "demo"
SEED = 7


def class_of(chapter):
    """Student id -> the text of the notebook file handed in (`.ipynb`), or (file name, text)."""
    whole = {c.exercise: editions.unmarked(c.text) for c in chapter.exercises}
    names = list(whole)
    students = {"perfect": whole, "untouched": {}, "half-done": {n: whole[n] for n in names[:len(names) // 2]}}
    rights, wrongs = _by_exercise(names, True), _by_exercise(names, False)
    for k in range(3):
        students[f"own-style-{k + 1}"] = {n: _nth(rights[n], k) or whole[n] for n in names}
    for k in range(max(map(len, wrongs.values()))):
        students[f"misconception-{k + 1:02d}"] = {n: _nth(wrongs[n], k) or whole[n] for n in names}
    files = {student: _text(handed_in(chapter, solutions)) for student, solutions in students.items()}
    return files | broken(chapter, handed_in(chapter, whole))


def _by_exercise(names, is_right):
    pick = {name: [e for e in entries(name) if e.is_right == is_right] for name in names}
    if not is_right:
        pick = {name: list({e.cause: e for e in found if e.cause}.values()) for name, found in pick.items()}
    return {name: [e.source() for e in found] for name, found in pick.items()}


def _nth(sources, k):
    return sources[k] if k < len(sources) else None


def handed_in(chapter, solutions):
    """The student notebook with some exercises solved."""
    notebook = editions.student(chapter)
    for cell in notebook.cells:
        cell.source = solutions.get(cell.id, cell.source)
    return notebook


def _text(notebook):
    return nbformat.writes(notebook)


def broken(chapter, perfect):
    """Perfect work, damaged as Colab, mail and students damage notebooks."""
    name = chapter.exercises[0].exercise
    return {
        "colab-round-trip": _text(colab(perfect)),
        "colab-duplicated": _text(duplicated(perfect)),
        "colab-shuffled": _text(shuffled(perfect)),
        "colab-copy-of": (f"Copy of {chapter.stem}.ipynb", _text(colab(perfect))),
        "lost-metadata": _text(without_metadata(perfect)),
        "deleted-cell": _text(without_cell(perfect, name)),
        "byte-order-mark": "\ufeff" + _text(perfect) + "\n\ntrailing garbage",
        "empty-file": "",
        "not-a-notebook": "<html>Sign in to continue</html>",
        "wrong-chapter": _text(nbformat.v4.new_notebook(cells=[new_code_cell("print('hello')")])),
    }


def colab(notebook):
    """What a save in Colab does: nbformat 4.0, ids only in the metadata, a badge cell, its own metadata."""
    notebook = copy.deepcopy(notebook)
    notebook.cells.insert(0, new_markdown_cell('<a href="https://colab.research.google.com/">Open in Colab</a>'))
    for cell in notebook.cells:
        cell.metadata["id"] = cell.pop("id")
        cell.metadata["colab"] = {"base_uri": "https://localhost:8080/"}
    notebook.nbformat_minor = 0
    notebook.metadata["colab"] = {"provenance": []}
    return notebook


def duplicated(notebook):
    """Every solution and check cell twice, the first copy still the stub."""
    notebook = copy.deepcopy(notebook)
    cells = []
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            first = copy.deepcopy(cell)
            first.source = cell.source.split('"""')[0] + "    raise NotImplementedError()"
            cells.append(first)
        cells.append(cell)
    notebook.cells = cells
    return colab(notebook)


def shuffled(notebook):
    notebook = colab(notebook)
    random.Random(SEED).shuffle(notebook.cells)
    return notebook


def without_metadata(notebook):
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.metadata = {}
        cell.pop("id", None)
    notebook.nbformat_minor = 0
    return notebook


def without_cell(notebook, name):
    notebook = copy.deepcopy(notebook)
    notebook.cells = [c for c in notebook.cells if c.id != name]
    return notebook


def hand_in(course, chapter):
    """Write the class's submissions for a chapter; returns the students."""
    files = class_of(chapter)
    for student, content in files.items():
        name, text = content if isinstance(content, tuple) else (f"{chapter.stem}.ipynb", content)
        write_text(course / "submitted" / student / chapter.stem / name, text)
    return list(files)


def make_demo(stems, course=DEMO):
    """A fresh course with a class that hands in every chapter given."""
    chapters = [read_chapter(stem) for stem in stems]
    roster = course.with_name("demo_roster.csv")
    students = list(dict.fromkeys(s for chapter in chapters for s in class_of(chapter)))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["id", "first_name", "last_name"], *([s, s, "Demo"] for s in students)])
    write_text(roster, text.getvalue())
    init(course, roster)
    for chapter in chapters:
        hand_in(course, chapter)
    return course


def grade_demo():
    """Make the class, grade every chapter, print the tables and where everything lies."""
    shutil.rmtree(DEMO, ignore_errors=True)
    course = make_demo(stems())
    for stem in stems():
        results = [result for result, _ in grade_assignment(stem, course)]
        print(f"\n{stem}, {len(results)} submissions\n\n{table(results)}")
    print(f"\nGrade book: {course}/gradebook.db\nGrades:     {course}/grades.csv\n"
          f"Feedback:   {course}/feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html")
