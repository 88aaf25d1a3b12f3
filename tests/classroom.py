"""Small courses for tests: chapters cut down to a few exercises, students who hand them in."""

import shutil
from dataclasses import replace

import nbformat

from autograder.bank import entries
from autograder.grading import course as courses
from autograder.grading.book import open_book
from autograder.publish import editions
from autograder.publish.source import read_chapter
from autograder.publish.write import write_notebook, write_text

STEM = "02_initialization"
NAMES = ["fans", "xavier_uniform_bound"]
FOR_EXPERIMENTS = ("import matplotlib", "from sklearn", "figures.style()")


def make_course(folder, exercises=None, extra_cells=()):
    """A course folder of chapters with only the exercises given: {stem: names}."""
    course = folder.resolve()
    course.mkdir(parents=True, exist_ok=True)
    (course / "submitted").mkdir()
    shutil.copy2(courses.CONFIG, course / "nbgrader_config.py")
    for stem, names in (exercises or {STEM: NAMES}).items():
        write_notebook(course / "source" / stem / f"{stem}.ipynb", cut(editions.grader(read_chapter(stem)), names, extra_cells))
        made = courses.api(course).generate_assignment(stem)
        assert made["success"], made
    return course


def cut(notebook, names, extra_cells=()):
    """Set-up and the exercises named; without what only experiments import, for a kernel starts in half the time."""
    kept = {*names, *map(editions.check_id, names)}
    notebook.cells = [c for c in notebook.cells if c.id in kept or c.metadata.get("role") == "setup"] + list(extra_cells)
    for cell in notebook.cells:
        if cell.metadata.get("role") == "setup":
            cell.source = "\n".join(line for line in cell.source.splitlines() if not line.startswith(FOR_EXPERIMENTS))
    return notebook


def reference(stem):
    """The chapter's own solutions, by exercise."""
    return {c.exercise: editions.unmarked(c.text) for c in read_chapter(stem).exercises}


def from_bank(name, right, number=0):
    return [e for e in entries(name) if e.is_right == right][number].source()


def hand_in(course, student, solutions, stem=STEM, file=None):
    """Write a submission: the released notebook with `solutions` (cell id -> source) laid in."""
    notebook = nbformat.read(course / "release" / stem / f"{stem}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = solutions.get(cell.id, cell.source)
    path = course / "submitted" / student / stem / (file or f"{stem}.ipynb")
    write_text(path, nbformat.writes(notebook))
    return path


def state(course, stem=STEM):
    """All that a grading run decides: the grade book by student and cell, and the files for people."""
    found = {}
    with open_book(course) as gradebook:
        for submission in gradebook.assignment_submissions(stem):
            notebook = submission.notebooks[0]
            found[submission.student_id] = {
                "scores": {g.cell.name: (g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade) for g in notebook.grades},
                "comments": {c.cell.name: (c.auto_comment, c.manual_comment) for c in notebook.comments},
                "handed in": (str(submission.timestamp), notebook.late_submission_penalty),
                "files": [(course / tree / submission.student_id / stem / f"{stem}{kind}").read_text()
                          for tree, kind in (("autograded", ".ipynb"), ("feedback", ".html"))]}
    found["grades.csv"] = (course / "grades.csv").read_text()
    return found


def marks(results):
    return {r.student: {grade_id: score for grade_id, (score, _) in r.scores.items()} for r in results}


class Pretend:
    """A pool that returns results that were computed before, at once; counts what it is asked."""

    def __init__(self, results):
        self.results, self.asked = {r.student: r for r in results}, []

    def __call__(self, jobs):
        return self

    def __enter__(self):
        return self.submit

    def __exit__(self, *_):
        pass

    def submit(self, job):
        from concurrent.futures import Future

        self.asked.append(job)
        future = Future()
        future.set_result(replace(self.results[job.student], seed=job.seed))
        return future
