"""One submission as plain data, and its grading by a worker. No course folder is needed here.

A job carries bytes in and a result carries bytes out, so the same function runs in a local
process and on a remote Dask worker.
"""

import hashlib
import importlib
import math
import pkgutil
import time
from dataclasses import asdict, dataclass, field
from functools import lru_cache

import cloudpickle
import nbformat

import autograder.checks
import autograder.hidden
from autograder.checks import UnknownExercise, find
from autograder.checks.render import html, text
from autograder.checks.verdict import FAILED, Finding, Trial
from autograder.hidden import hidden_cases
from autograder.publish.editions import check_id

from .rebuild import Submission, parse_submission, printable, rebuild, runnable
from .sandbox.client import Limits, Sandbox

CHECK_SUFFIX = "-check"
DONE, NOT_GRADED = "graded", "not graded"


@dataclass(frozen=True)
class Job:
    """A submission to grade, beside the assignment's released notebook and nbgrader source, as JSON."""

    assignment: str
    student: str
    name: str  # of the file handed in
    data: bytes
    release: str
    source: str
    seed: int
    rung: str
    remarks: tuple[str, ...] = ()
    limits: Limits = Limits()


@dataclass
class Result:
    """A graded submission. status: graded | not graded (our own fault, to be run again)."""

    assignment: str
    student: str
    status: str = DONE
    scores: dict = field(default_factory=dict)  # grade id -> [score or None, maximum]
    findings: list = field(default_factory=list)  # Finding.to_dict()
    tests: dict = field(default_factory=dict)  # hand-written tests, not isolated: grade id -> why it failed, or ""
    remarks: list = field(default_factory=list)
    incidents: list = field(default_factory=list)  # limits hit
    solutions: dict = field(default_factory=dict)  # the student's own cells
    notebook: str = ""  # the rebuilt notebook with the verdicts as outputs, for nbgrader
    seconds: float = 0.0
    peak_bytes: int = 0
    seed: int = 0

    @property
    def score(self):
        return sum(score or 0 for score, _ in self.scores.values())

    @property
    def max_score(self):
        return sum(maximum for _, maximum in self.scores.values())

    def to_dict(self):
        return asdict(self)


@dataclass(frozen=True)
class Assignment:
    """What an assignment says: the released notebook, cells to run, exercises to judge, tests to run, points."""

    release: nbformat.NotebookNode
    setup: list
    names: list  # of exercises, in order
    tests: list  # (grade id, source) of hand-written grade cells
    points: dict  # grade id -> points of code grade cells
    manual: dict  # grade id -> points of cells that a person grades


@lru_cache(maxsize=4)
def read_assignment(release, source):
    setup, names, tests, points, manual = [], [], [], {}, {}
    for cell in nbformat.reads(source, as_version=4).cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        grade_id = nbgrader.get("grade_id", "")
        if cell.metadata.get("role") == "setup" and cell.id != "colab":
            setup.append(("set-up", cell.source))
        if not nbgrader.get("grade"):
            continue
        if nbgrader.get("solution"):
            manual[grade_id] = float(nbgrader["points"])
            continue
        points[grade_id] = float(nbgrader["points"])
        if _is_exercise(grade_id):
            names.append(grade_id.removesuffix(CHECK_SUFFIX))
        else:
            tests.append((grade_id, cell.source))
    return Assignment(nbformat.reads(release, as_version=4), setup, names, tests, points, manual)


def _is_exercise(grade_id):
    try:
        return grade_id.endswith(CHECK_SUFFIX) and bool(find(grade_id.removesuffix(CHECK_SUFFIX)))
    except UnknownExercise:
        return False


_SANDBOX = {}  # rung -> the process's own sandbox, started at the first job


def sandbox(rung, limits):
    if rung not in _SANDBOX or not _SANDBOX[rung].alive:  # none yet, or its keeper was killed
        register_chapters()
        _SANDBOX[rung] = Sandbox(rung, limits).__enter__()
    _SANDBOX[rung].limits = limits
    return _SANDBOX[rung]


def register_chapters():
    """Probes and inputs travel by value, since the sandbox cannot import their modules."""
    for module in [*_chapter_modules(autograder.checks), *_chapter_modules(autograder.hidden)]:
        cloudpickle.register_pickle_by_value(module)


def _chapter_modules(package):
    return [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)
            if m.name.startswith("ch")]


def grade(job):
    """Grade one submission; a bad submission is a Result, only our own fault raises."""
    began = time.perf_counter()
    assignment = read_assignment(job.release, job.source)
    explained = job.remarks and not job.data and not job.name.endswith(".ipynb")  # no file, or a zip without a notebook
    submission = Submission() if explained else parse_submission(job.data)
    submission.remarks[:0] = map(printable, job.remarks)
    notebook, solutions, remarks = rebuild(assignment.release, submission)
    cells = assignment.setup + [(c.id, runnable(c.source)) for c in notebook.cells if c.id in solutions]
    exercises = {name: find(name) for name in assignment.names}
    cases = {name: e.cases + hidden_cases(name) for name, e in exercises.items()}
    prepared = {name: e.prepare(cases[name], job.seed) for name, e in exercises.items()}
    trials = {name: Trial(e, cases[name], job.seed, [inputs for _, inputs in prepared[name]]) for name, e in exercises.items()}
    tests = [(grade_id, runnable(source)) for grade_id, source in assignment.tests]
    seen = sandbox(job.rung, job.limits).run(
        cells, [(e.subject(), prepared[name]) for name, e in exercises.items()], tests, meanwhile=lambda: [t.expected for t in trials.values()])
    findings = {name: _judged(trial, seen.observations.get(name)) for name, trial in trials.items()}
    scores = {check_id(n): [assignment.points[check_id(n)] * f.passed, assignment.points[check_id(n)]] for n, f in findings.items()}
    scores |= {i: [test_score(seen.tests.get(i, "was not run"), assignment.points[i]), assignment.points[i]] for i, _ in tests}
    return Result(
        job.assignment, job.student, DONE, scores, [f.to_dict() for f in findings.values()],
        {i: str(seen.tests.get(i) or "") for i, _ in tests}, remarks, seen.incidents, solutions,
        nbformat.writes(with_verdicts(notebook, findings, seen.tests)), round(time.perf_counter() - began, 3),
        seen.peak_bytes, job.seed)


def _judged(trial, observations):
    if not observations:
        return Finding(trial.exercise.name, FAILED, "sent nothing back.")
    try:
        return trial.judge(observations, shown=False)
    except Exception as error:  # values no honest function returns; the judge must not fall over them
        return Finding(trial.exercise.name, FAILED, f"what came back cannot be judged ({type(error).__name__}).")


def test_score(outcome, points):
    """nbgrader's rule for a hand-written test: nothing said is full, a number is that many points, else none."""
    if not outcome:
        return points
    return min(max(float(outcome), 0.0), points) if is_number(outcome) else 0.0


def with_verdicts(notebook, findings, tests):
    """The rebuilt notebook with each verdict as output of its check cell, in nbgrader's own convention."""
    for cell in notebook.cells:
        name = cell.id.removesuffix(CHECK_SUFFIX)
        if cell.id == check_id(name) and name in findings:
            finding = findings[name]
            cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": html(finding), "text/plain": text(finding)})]
            if not finding.passed:
                cell.outputs.append(nbformat.v4.new_output("error", ename="NotPassed", evalue=finding.fact, traceback=[finding.fact]))
        elif cell.id in tests:
            problem = tests[cell.id] if not is_number(tests[cell.id]) else ""
            note = "This test ran in the same process as the student's code: it is not isolated."
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=note)]
            if problem:
                cell.outputs.append(nbformat.v4.new_output("error", ename="NotPassed", evalue=problem, traceback=[problem]))
    return notebook


def is_number(text):
    try:
        return math.isfinite(float(text))
    except (TypeError, ValueError, OverflowError):
        return False


def digest(*parts):
    """A short hash of texts and bytes."""
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:32]
