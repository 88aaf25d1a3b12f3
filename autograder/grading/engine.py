"""Grade an assignment: plan (pure), run on a pool, write results, apply them to the grade book.

Order of writes for a submission, each atomic: the result, the notebook and feedback for
people, the grade book, the stamp that says it is done. Killed anywhere, the next run finds
the result and applies it again, which changes nothing. One run at a time may write.
"""

import concurrent.futures
import contextlib
import fcntl
import hmac
import io
import json
import multiprocessing
import os
import secrets
import threading
import zipfile
from collections import deque
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from autograder.publish.source import ROOT
from autograder.publish.write import write_text

from . import book, feedback
from .course import CourseError, assignments, handed_in_at, open_course, students_of
from .job import _SANDBOX, DONE, NOT_GRADED, Job, Result, digest, grade
from .rebuild import LARGEST_SUBMISSION_BYTES
from .sandbox import nursery
from .sandbox.client import KeeperGone, Limits
from .sandbox.doctor import choose_rung

STATE = ".autograder"  # inside the course folder: results, stamps, the course's secret, the lock
EXCHANGE_FILES = ("timestamp.txt", "submission_secret.txt")  # `nbgrader release_feedback` wants them beside the page
WINDOW = 64  # jobs in flight, so that memory stays bounded
DASK_RETRIES = 2  # of a job whose machine was lost
LONGEST_NAME = 200  # bytes; a file system allows 255 with everything that is added
PACKAGES = ("torch", "numpy", "sympy")
NO_MARKS = ("report", "report_page", "progress", "demo", "leaderboard")  # modules of grading/ that decide on none
MOST_BROKEN = 20  # submissions in a row that break their worker, each alone: then it is not the submissions


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
    files = sorted(p for folder in ("checks", "hidden", "grading") for p in (ROOT / "autograder" / folder).rglob("*.py")
                   if p.stem not in NO_MARKS)
    return f"{version('autograder')}+{digest(*(p.read_bytes() for p in files))[:12]}"


@cache
def environment():
    return digest(*(f"{p} {version(p)}" for p in PACKAGES))[:12]


def grader_identity():
    return grader_version(), environment()


def secret(course):
    """The course's own random key: hidden inputs cannot be known before they are used."""
    path = course / STATE / "secret"
    if not path.exists():
        write_text(path, secrets.token_hex(32))
        path.chmod(0o600)
    return path.read_text().encode()


def seed_of(course, assignment, student, data):
    """Fresh for each submission, the same for the same one: regrading gives the same mark."""
    tag = hmac.digest(secret(course), digest(assignment, os.fsencode(student), data).encode(), "sha256")
    return int.from_bytes(tag[:4], "big")


# --- what was handed in -------------------------------------------------------------------


def find_notebook(folder, assignment):
    """(path or None, remarks): the notebook that a submission folder holds, under whatever name."""
    if folder.is_symlink() or not folder.is_dir():
        return None, (f"A {'link' if folder.is_symlink() else 'file'} was handed in where a folder belongs.",)
    try:
        found = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".ipynb", ".zip") and not p.name.startswith("."))
        files = [p for p in found if p.is_file() and not p.is_symlink()]
    except OSError as error:
        return None, (f"The folder cannot be read: {error.strerror}.",)
    named = [p for p in files if p.name == f"{assignment}.ipynb"] or [p for p in files if p.suffix.lower() == ".ipynb"] or files
    if not named:
        linked = any(p.is_symlink() for p in found)
        return None, ("The file is a link, not a notebook." if linked else "The folder holds no notebook (.ipynb).",)
    return named[-1], _name_remarks(named, assignment)


def _name_remarks(named, assignment):
    path, remarks = named[-1], ()
    if path.name != f"{assignment}.ipynb":
        remarks += (f"The notebook is called {path.name}; it was taken as {assignment}.ipynb.",)
    if len(named) > 1:
        remarks += (f"The folder holds {len(named)} notebooks; {path.name} was graded.",)
    return remarks


def read_bytes(path):
    """(the notebook's bytes, remarks); out of a zip the first notebook in it, whatever its name."""
    if path is None:
        return b"", ()
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_SUBMISSION_BYTES + 1)
    except OSError as error:
        return b"", (f"The file cannot be read: {error.strerror}.",)
    return unzipped(data) if path.suffix.lower() == ".zip" else (data, ())


def unzipped(data):
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inner = [i for i in archive.infolist() if i.filename.lower().endswith(".ipynb") and "__MACOSX" not in i.filename
                     and i.file_size <= LARGEST_SUBMISSION_BYTES]
            return (archive.read(inner[0]), ()) if inner else (b"", ("The zip file holds no notebook (.ipynb).",))
    except Exception:  # a damaged archive raises whatever its decoder stumbles over
        return b"", ("The zip file cannot be read.",)


def plan(course, assignment, student=None):
    """What there is to grade, sorted by student; raises CourseError for a stranger."""
    everyone = students_of(course, assignment)
    if student is not None and student not in everyone:
        raise CourseError(f"{student!r} has handed in nothing for {assignment} (looked in {course / 'submitted'}).")
    common = digest(*trees(course, assignment), grader_version(), environment())
    for name in [student] if student else everyone:
        folder = course / "submitted" / name / assignment
        path, remarks = find_notebook(folder, assignment)
        data, trouble = read_bytes(path)
        remarks += trouble + handed_in_at(folder)[1]
        yield Planned(name, path, remarks, digest(common, data, *(r.encode(errors="replace") for r in remarks)))


def trees(course, assignment):
    """The texts of the released notebook and of nbgrader's source."""
    paths = [course / tree / assignment / f"{assignment}.ipynb" for tree in ("release", "source")]
    for path in paths:
        if not path.is_file():
            raise CourseError(f"{path} is missing; nbgrader writes it: nbgrader generate_assignment {assignment}")
    return [path.read_text() for path in paths]


# --- a run --------------------------------------------------------------------------------


def grade_assignment(assignment, folder=".", student=None, jobs=None, scheduler=None, trust=False, limits=None):
    """Grade all submissions of an assignment, or one student's; yields (Result, "graded" | "unchanged") as they end.

    Raises CourseError for an unknown assignment or student, for a folder or grade book that
    cannot be written, and while another run is grading; NoSandbox where untrusted code would
    run without one. A submission that cannot be graded is a Result.
    """
    course = open_course(folder)
    if assignment not in assignments(course):
        raise CourseError(f"There is no assignment {assignment!r}; the assignments are {', '.join(assignments(course))}.")
    with in_one_sentence(course), alone(course), book.open_book(course) as gradebook:
        writer, todo = book.Writer(course, gradebook, assignment), []
        for planned in plan(course, assignment, student):
            kept = load(course, assignment, planned)
            if kept is None:
                todo.append(planned)
            else:
                yield applied(course, writer, planned, kept), "unchanged"
        if todo:
            make = job_maker(course, assignment, choose_rung(trust), limits or Limits())
            with remote(scheduler) if scheduler else local(jobs or os.cpu_count() or 1) as submit:
                for planned, result in results_of(submit, todo, make):
                    if result.status == DONE:
                        save(course, assignment, planned, result)
                        result = applied(course, writer, planned, result)
                    yield result, result.status
        book.write_grades(course, gradebook)


_LOCKS = []  # open lock files; a forked worker must not hold them


@contextlib.contextmanager
def alone(course):
    """One run at a time in a course folder; the lock ends with the process that holds it."""
    state = course / STATE
    state.mkdir(mode=0o700, exist_ok=True)
    with open(state / "lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CourseError(f"Another run is grading in {course}; wait until it ends.") from None
        _LOCKS.append(file)
        try:
            yield
        finally:
            _LOCKS.remove(file)


@contextlib.contextmanager
def in_one_sentence(course):
    """Where the disk or the data base refuses, say so; what was finished stays."""
    try:
        yield
    except OSError as error:
        where = error.filename or course
        raise CourseError(f"{where} cannot be used: {error.strerror}. What was finished is kept; run the command again.") from None
    except DBAPIError as error:
        raise CourseError(f"The grade book cannot be used: {error.orig}. What was finished is kept; run the command again.") from None


def job_maker(course, assignment, rung, limits):
    """planned -> Job, with what all jobs of a run share read once."""
    release, source = trees(course, assignment)

    def make(planned):
        data, _ = read_bytes(planned.path)
        name = planned.path.name if planned.path else ""
        return Job(assignment, planned.student, name, data, release, source, seed_of(course, assignment, planned.student, data),
                   rung, planned.remarks, limits)

    return make


def results_of(submit, todo, make):
    """Yield (planned, Result) as jobs end.

    A worker that breaks takes along what others had in flight, so those are tried again at
    the end, one by one: the submission that breaks workers falls alone.
    """
    lost, broken = [], 0
    yield from _finished(submit, todo, make, WINDOW, lost)
    for planned, _ in lost:
        again = []
        yield from _finished(submit, [planned], make, 1, again)
        yield from ((planned, not_graded(planned, error)) for planned, error in again)
        broken = broken + 1 if again else 0
        if broken == MOST_BROKEN:
            raise CourseError(f"{broken} submissions in a row ended their worker process, so the fault is not theirs "
                              f"(the last: {reason(again[0][1])}). What was finished is kept; `autograder doctor` looks at the sandbox.")


def _finished(submit, todo, make, window, lost):
    """Yield (planned, Result) of jobs that end well; (planned, error) of the others goes to `lost`."""
    waiting, running = deque(todo), {}
    while waiting or running:
        while waiting and len(running) < window:
            planned = waiting.popleft()
            running[submit(make(planned))] = planned
        done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in done:
            planned, error = running.pop(future), future.exception()
            if error:
                lost.append((planned, error))
            else:
                yield planned, future.result()


def not_graded(planned, error, assignment=""):
    return Result(assignment, planned.student, NOT_GRADED,
                  remarks=[f"Our fault, not the student's: {reason(error)}. Run the command again."])


def reason(error):
    text = str(error) if isinstance(error, KeeperGone) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:300]


# --- workers ------------------------------------------------------------------------------

_WORKING = threading.Lock()


def work(job, grader):
    """In a worker, local or remote: one job at a time, on one thread, by the same grader."""
    import torch

    if grader != grader_identity():
        raise RuntimeError("this worker has another version of the grader or of its packages than the command")
    with _WORKING:
        torch.set_num_threads(1)
        return grade(job)


@contextlib.contextmanager
def local(jobs):
    """A pool of processes on this machine; a broken pool is replaced.

    Workers are forks of this process, so its imports serve them all. Each has a keeper of its own,
    and the keepers are forks of one, too.
    """
    context, pools = multiprocessing.get_context("fork"), []
    turn = context.Value("i", 0)
    nursery.prepare(jobs)

    def submit(job):
        if not pools or getattr(pools[-1], "_broken", False):
            pools.append(concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(turn,)))
        future = pools[-1].submit(work, job, grader_identity())
        nursery.give_away()
        return future

    try:
        yield submit
    except BaseException:
        for pool in pools:
            _stop(pool)
        raise
    else:
        for pool in pools:
            pool.shutdown(cancel_futures=True)
    finally:
        nursery.end()


def _begin(turn):
    """A worker of the local pool: an interrupt is the parent's business, and so are its end and its lock."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _SANDBOX.clear()
    for lock in _LOCKS:
        os.close(lock.fileno())
    with turn.get_lock():
        nursery.keep(turn.value)
        turn.value += 1


def _end_with_parent():
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _stop(pool):
    """End a pool now, running jobs included."""
    workers = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()


@contextlib.contextmanager
def remote(address):
    """Workers of a Dask cluster; jobs of lost workers are run again by Dask."""
    try:
        from distributed import Client
    except ImportError:
        raise CourseError("--scheduler needs Dask: pip install -e '.[cluster]' -c constraints.txt") from None
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise CourseError(f"No Dask scheduler answers at {address}: {error}.") from None
    with client, client.get_executor(retries=DASK_RETRIES, pure=False) as executor:
        yield lambda job: executor.submit(work, job, grader_identity())


# --- what is kept on disk -----------------------------------------------------------------


def file_name(student):
    """A student's name as part of a file name: itself, but where the file system would refuse its length."""
    name = os.fsencode(student)
    return student if len(name) <= LONGEST_NAME else digest(name)


def result_path(course, assignment, student):
    return course / STATE / "results" / assignment / f"{file_name(student)}.json"


def save(course, assignment, planned, result):
    record = {"key": planned.key, "grader": grader_version(), "environment": environment(), "result": result.to_dict()}
    write_text(result_path(course, assignment, planned.student), json.dumps(record))


def load(course, assignment, planned):
    """The Result kept for exactly this submission, grader and environment, or None."""
    try:
        record = json.loads(result_path(course, assignment, planned.student).read_text())
        return Result(**record["result"]) if record["key"] == planned.key else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def stamp_path(course, assignment, student):
    return course / STATE / "applied" / assignment / file_name(student)


def files_for_people(course, assignment, student):
    """(the graded notebook, the feedback page), where nbgrader looks for them."""
    return (course / "autograded" / student / assignment / f"{assignment}.ipynb",
            course / "feedback" / student / assignment / f"{assignment}.html")


def applied(course, writer, planned, result):
    """The result, once people's files and the grade book say the same; "not graded" where they cannot be made to."""
    stamp, path = f"{planned.key} {writer.terms(planned.student)}", stamp_path(course, result.assignment, planned.student)
    try:
        if is_applied(course, writer, planned, stamp):
            return result
        apply(course, writer, result)
        write_text(path, stamp)
        return result
    except (OSError, DBAPIError):
        raise
    except Exception as error:  # one result that cannot be written must not stop the others
        writer.gradebook.db.rollback()
        return not_graded(planned, error, result.assignment)


def is_applied(course, writer, planned, stamp):
    """True where the stamp is right and nobody has deleted what it stands for."""
    files = files_for_people(course, writer.assignment, planned.student)
    path = stamp_path(course, writer.assignment, planned.student)
    return planned.student in writer.known and path.exists() and path.read_text() == stamp and all(f.exists() for f in files)


def apply(course, writer, result):
    """Make people's files and the grade book say what the result says; safe to do again."""
    notebook, page = files_for_people(course, result.assignment, result.student)
    write_text(notebook, result.notebook)
    write_text(page, feedback.page(result))
    for name, content in exchange_files(course / "submitted" / result.student / result.assignment):
        write_text(page.with_name(name), content)
    writer.apply(result)


def exchange_files(folder):
    """(name, text) of what nbgrader's exchange laid beside a submission."""
    for name in EXCHANGE_FILES:
        path = folder / name
        with contextlib.suppress(OSError):
            if path.is_file() and not path.is_symlink():
                yield name, path.read_text(errors="replace")
