"""Grade an assignment: plan (pure), run on a pool, write results, apply them to the grade book.

Order of writes for a submission, each atomic: the result, the notebook and feedback for
people, the grade book, the stamp that says it is done. Killed anywhere, the next run finds
the result and applies it again, which changes nothing.
"""

import concurrent.futures
import contextlib
import hmac
import io
import json
import multiprocessing
import os
import secrets
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from autograder.publish.source import ROOT
from autograder.publish.write import write_text

from . import book, feedback
from .course import CourseError, assignments, open_course, students_of
from .job import DONE, Job, Result, digest, grade
from .sandbox.client import KeeperGone, Limits
from .sandbox.doctor import choose_rung

STATE = ".autograder"  # inside the course folder: results, stamps, the course's secret
TRIES = 2  # of a job whose worker or sandbox broke: our fault, not the submission's
PACKAGES = ("torch", "numpy", "sympy")


@dataclass(frozen=True)
class Planned:
    """A submission as found on disk, and the key that says whether its result is still good."""

    student: str
    path: Path | None
    remarks: tuple[str, ...]
    key: str


@cache
def grader_version():
    """The package version and a hash of everything that decides on a mark."""
    files = sorted(p for folder in ("checks", "hidden", "grading") for p in (ROOT / "autograder" / folder).rglob("*.py"))
    return f"{version('autograder')}+{digest(*(p.read_bytes() for p in files))[:12]}"


@cache
def environment():
    return digest(*(f"{p} {version(p)}" for p in PACKAGES))[:12]


def secret(course):
    """The course's own random key: hidden inputs cannot be known before they are used."""
    path = course / STATE / "secret"
    if not path.exists():
        write_text(path, secrets.token_hex(32))
        path.chmod(0o600)
    return path.read_text().encode()


def seed_of(course, assignment, student, data):
    """Fresh for each submission, the same for the same one: regrading gives the same mark."""
    tag = hmac.digest(secret(course), digest(assignment, student, data).encode(), "sha256")
    return int.from_bytes(tag[:4], "big")


def find_notebook(folder, assignment):
    """(path or None, remarks): the notebook that a submission folder holds, under whatever name."""
    found = sorted(p for p in folder.iterdir() if p.suffix in (".ipynb", ".zip") and not p.name.startswith("."))
    named = [p for p in found if p.name == f"{assignment}.ipynb"] or [p for p in found if p.suffix == ".ipynb"] or found
    named = [p for p in named if p.is_file() and not p.is_symlink()]
    if not named:
        linked = any(p.is_symlink() for p in found)
        return None, ("The file is a link, not a notebook." if linked else "The folder holds no notebook (.ipynb).",)
    path, remarks = named[-1], ()
    if path.name != f"{assignment}.ipynb":
        remarks += (f"The notebook is called {path.name}; it was taken as {assignment}.ipynb.",)
    if len(named) > 1:
        remarks += (f"The folder holds {len(named)} notebooks; {path.name} was graded.",)
    return path, remarks


def read_bytes(path):
    """The notebook's bytes; out of a zip the first notebook in it, by content, whatever its name."""
    if path is None:
        return b""
    data = path.read_bytes()
    if path.suffix != ".zip":
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inner = [i for i in archive.infolist() if i.filename.endswith(".ipynb") and i.file_size <= 200_000_000]
            return archive.read(inner[0]) if inner else b""
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError):
        return b""


def plan(course, assignment, student=None):
    """What there is to grade, sorted by student; raises CourseError for a stranger."""
    everyone = students_of(course, assignment)
    if student is not None and student not in everyone:
        raise CourseError(f"{student!r} has handed in nothing for {assignment} (looked in {course / 'submitted'}).")
    sources = [(course / tree / assignment / f"{assignment}.ipynb").read_bytes() for tree in ("release", "source")]
    for name in [student] if student else everyone:
        path, remarks = find_notebook(course / "submitted" / name / assignment, assignment)
        yield Planned(name, path, remarks, digest(*sources, grader_version(), environment(), read_bytes(path), *remarks))


def grade_assignment(assignment, folder=".", student=None, jobs=None, scheduler=None, trust=False, limits=None):
    """Grade all submissions of an assignment, or one student's; yields (Result, "graded" | "unchanged") as they end.

    Raises CourseError for an unknown assignment or student, and where untrusted code would
    run without a sandbox. A submission that cannot be graded is a Result.
    """
    course = open_course(folder)
    if assignment not in assignments(course):
        raise CourseError(f"There is no assignment {assignment!r}; the assignments are {', '.join(assignments(course))}.")
    rung = choose_rung(trust)
    todo = []
    with book.open_book(course) as gradebook:
        for planned in plan(course, assignment, student):
            kept = load(course, assignment, planned)
            if kept is None:
                todo.append(planned)
                continue
            if not is_applied(course, assignment, planned):
                apply(course, gradebook, planned, kept)
            yield kept, "unchanged"
        run = remote(scheduler) if scheduler else local(jobs or os.cpu_count() or 1)
        make = lambda planned: job_of(course, assignment, planned, rung, limits or Limits())  # noqa: E731
        with run as submit:
            for planned, result in results_of(submit, todo, make):
                if result.status == DONE:
                    save(course, assignment, planned, result)
                    apply(course, gradebook, planned, result)
                yield result, result.status
        book.write_grades(course, gradebook)


def job_of(course, assignment, planned, rung, limits):
    data = read_bytes(planned.path)
    release, source = ((course / tree / assignment / f"{assignment}.ipynb").read_text() for tree in ("release", "source"))
    return Job(assignment, planned.student, planned.path.name if planned.path else "", data, release, source,
               seed_of(course, assignment, planned.student, data), rung, planned.remarks, limits)


def results_of(submit, todo, make, window=64):
    """Yield (planned, Result) as jobs end; at most `window` are in flight, so memory stays bounded."""
    waiting, running, tries = list(reversed(todo)), {}, {}
    while waiting or running:
        while waiting and len(running) < window:
            planned = waiting.pop()
            running[submit(make(planned))] = planned
        done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in done:
            planned = running.pop(future)
            try:
                yield planned, future.result()
            except Exception as error:  # a worker or its sandbox broke; the submission is not to blame
                tries[planned.student] = tries.get(planned.student, 0) + 1
                if tries[planned.student] < TRIES:
                    waiting.append(planned)
                else:
                    yield planned, not_graded(planned, error)


def not_graded(planned, error):
    reason = str(error) if isinstance(error, KeeperGone) else f"{type(error).__name__}: {error}"
    return Result("", planned.student, "not graded", remarks=[f"Our fault, not the student's: {reason[:300]}. Run the command again."])


@contextlib.contextmanager
def local(jobs):
    """A pool of processes on this machine; a broken pool is replaced, and its jobs are tried again."""
    pools = []

    def submit(job):
        if not pools or getattr(pools[-1], "_broken", False):
            context = multiprocessing.get_context("spawn")
            pools.append(concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context, initializer=quiet))
        return pools[-1].submit(grade, job)

    try:
        yield submit
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def quiet():
    """A worker of the local pool: one thread each, and no traceback on an interrupt."""
    import signal

    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def remote(address):
    """Workers of a Dask cluster; jobs of lost workers are run again by Dask and by `results_of`."""
    try:
        from distributed import Client
    except ImportError:
        raise CourseError("--scheduler needs Dask: pip install -e '.[cluster]' -c constraints.txt") from None
    try:
        client = Client(address, timeout="10s")
    except OSError as error:
        raise CourseError(f"No Dask scheduler answers at {address}: {error}.") from None
    with client, client.get_executor(retries=TRIES) as executor:
        yield lambda job: executor.submit(grade, job)


# --- what is kept on disk -----------------------------------------------------------------


def result_path(course, assignment, student):
    return course / STATE / "results" / assignment / f"{student}.json"


def save(course, assignment, planned, result):
    record = {"key": planned.key, "grader": grader_version(), "environment": environment(), "result": result.to_dict()}
    write_text(result_path(course, assignment, planned.student), json.dumps(record))


def load(course, assignment, planned):
    """The Result kept for exactly this submission, grader and environment, or None."""
    try:
        record = json.loads(result_path(course, assignment, planned.student).read_text())
        return Result(**record["result"]) if record["key"] == planned.key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def stamp_path(course, assignment, student):
    return course / STATE / "applied" / assignment / student


def is_applied(course, assignment, planned):
    try:
        return stamp_path(course, assignment, planned.student).read_text() == planned.key
    except OSError:
        return False


def apply(course, gradebook, planned, result):
    """Make people's files and the grade book say what the result says; safe to do again."""
    assignment, student = result.assignment, planned.student
    write_text(course / "autograded" / student / assignment / f"{assignment}.ipynb", result.notebook)
    write_text(course / "feedback" / student / assignment / f"{assignment}.html", feedback.page(result))
    book.apply(course, gradebook, result)
    write_text(stamp_path(course, assignment, student), planned.key)
