"""Grading beside stock nbgrader in one run, the floor under both, cold start and memory.

The floor is what no grader can save: a fork of a process that has torch in memory, and in it
the student's own set-up, solutions and functions on the check's inputs; nothing is enclosed,
sent or judged.
"""

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import torch

from autograder.checks import find
from autograder.grading.course import api, init
from autograder.grading.demo import handed_in
from autograder.grading.engine import grade_assignment, seed_of
from autograder.grading.job import Job, grade, read_assignment, register_chapters
from autograder.grading.sandbox.client import Limits, payload_of
from autograder.grading.sandbox.doctor import choose_rung
from autograder.grading.sandbox.nursery import environment
from autograder.hidden import hidden_cases
from autograder.publish import editions
from autograder.publish.source import read_chapter
from autograder.publish.write import write_notebook, write_text

MINIMAL, MINIMAL_EXERCISE = "02_initialization", "fans"  # one exercise, `import torch`, nothing else
WHOLE = "05_batch_norm"  # with its experiments, which stock nbgrader runs again
COPIES, MANY, WARM = 300, 2000, 11
STOCK = {MINIMAL: 5, WHOLE: 1}  # submissions that stock nbgrader grades too


def grading():
    """The figures of both assignments, and of a class of MANY, as a dict."""
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder) / "course"
        init(course, chapters=[MINIMAL, WHOLE])
        cut_down(course)
        found = {"minimal torch notebook": measured(course, MINIMAL), "chapter 5": measured(course, WHOLE)}
        found["many"] = many(course)
    return found


def cut_down(course):
    """Leave one exercise in the minimal assignment."""
    kept = {MINIMAL_EXERCISE, editions.check_id(MINIMAL_EXERCISE)}
    notebook = editions.grader(read_chapter(MINIMAL))
    notebook.cells = [c for c in notebook.cells if c.id in kept or c.metadata.get("role") == "setup"]
    write_notebook(course / "source" / MINIMAL / f"{MINIMAL}.ipynb", notebook)
    assert api(course).generate_assignment(MINIMAL, force=True)["success"]


def solved(course, stem):
    """The released notebook with the chapter's own solutions laid in."""
    solutions = {c.exercise: editions.unmarked(c.text) for c in read_chapter(stem).exercises}
    notebook = nbformat.read(course / "release" / stem / f"{stem}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = solutions.get(cell.id, cell.source)
    return nbformat.writes(notebook)


def hand_in(course, stem, count):
    text = solved(course, stem)
    for k in range(count):
        write_text(course / "submitted" / f"student{k:04d}" / stem / f"{stem}.ipynb", text)


def measured(course, stem):
    """Seconds a submission: ours on all cores, one worker, the floor, stock; ours cold and unchanged."""
    hand_in(course, stem, COPIES)
    cold = first_result(course, stem)
    ours = timed(lambda: list(grade_assignment(stem, course)))
    again = timed(lambda: list(grade_assignment(stem, course)))
    stock = [timed(lambda: stock_grades(course, stem, f"student{k:04d}")) for k in range(STOCK[stem])]
    worker, floor, peak = one_worker(course, stem)
    return {"submissions": COPIES, "ours_s": round(ours / (COPIES - 1), 4), "stock_s": round(statistics.median(stock), 2),
            "times_stock": round(statistics.median(stock) / ours * (COPIES - 1), 1), "worker_s": round(worker, 4), "floor_s": round(floor, 4),
            "overhead_s": round(worker - floor, 4), "unchanged_s": round(again / COPIES, 4), "first_result_s": round(cold, 2),
            "private_bytes": peak}


def first_result(course, stem):
    """Seconds from the command to its first result, of one student."""
    command = [sys.executable, "-m", "autograder", "grade", stem, "--course", str(course), "--student", "student0000", "--json"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        record = json.loads(process.stdout.readline())
        seconds = time.perf_counter() - began
    assert record["score"] == record["max_score"], record
    return seconds


def stock_grades(course, stem, student):
    graded = api(course).autograde(stem, student)
    assert graded["success"], graded


def one_worker(course, stem):
    """(median seconds of a warm worker's job, of its floor, peak private bytes of a job's processes), measured in turn."""
    release, source = ((course / tree / stem / f"{stem}.ipynb").read_text() for tree in ("release", "source"))
    data, rung = solved(course, stem).encode(), choose_rung(False)
    jobs = [Job(stem, name, f"{stem}.ipynb", data, release, source, seed_of(course, stem, name, data), rung) for name in map(str, range(WARM + 1))]
    torch.set_num_threads(1)  # as a worker does
    grade(jobs[0])
    took, results = [], []
    with Floor() as floor:
        pairs = [(timed(lambda: results.append(grade(job))), floor.seconds(job)) for job in jobs[1:]]
    took, bare = zip(*pairs)
    return statistics.median(took), statistics.median(bare), max(r.peak_bytes for r in results)


class Floor:
    """A warm process that forks a child for each job it is sent, and says how long the child took."""

    def __enter__(self):
        register_chapters()
        self.process = subprocess.Popen([sys.executable, "-m", __name__], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def seconds(self, job):
        assignment = read_assignment(job.release, job.source)
        solutions = [(c.id, c.source) for c in nbformat.reads(job.data.decode(), as_version=4).cells if c.metadata.get("nbgrader", {}).get("solution")]
        exercises = [(e.subject(), e.prepare(e.cases + hidden_cases(e.name), job.seed)) for e in map(find, assignment.names)]
        payload = payload_of(assignment.setup + solutions, exercises, [])
        self.process.stdin.write(len(payload).to_bytes(8, "big") + payload)
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def serve_floor():
    """The process of `Floor`: what a job costs without enclosing, sending and judging."""
    from autograder.grading.sandbox import inside, keeper

    keeper.warm_up()
    inside.encoded = lambda seen: b""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    while size := int.from_bytes(sys.stdin.buffer.read(8), "big"):
        payload = sys.stdin.buffer.read(size)
        began = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            try:
                inside.run(inside.content_of(io.BytesIO(payload)) | vars(Limits()), nowhere)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        print(time.perf_counter() - began, flush=True)


def many(course):
    """A class of MANY in one run: seconds a submission, and memory of all processes after a tenth and at the end."""
    hand_in(course, MINIMAL, MANY)
    for k in range(MANY):  # other work than before, so that none of it is unchanged
        path = course / "submitted" / f"student{k:04d}" / MINIMAL / f"{MINIMAL}.ipynb"
        write_text(path, path.read_text() + "\n")
    memory, began = [], time.perf_counter()
    for number, (result, outcome) in enumerate(grade_assignment(MINIMAL, course)):
        assert (result.score, outcome) == (result.max_score, "graded"), result.remarks
        if number % (MANY // 10) == MANY // 10 - 1:
            memory.append(memory_bytes())
    return {"submissions": MANY, "ours_s": round((time.perf_counter() - began) / MANY, 4),
            "memory_bytes_early": memory[0], "memory_bytes_end": memory[-1]}


def memory_bytes():
    """Memory of this process and all its descendants; what several share is counted once."""
    total, pids = 0, [os.getpid()]
    while pids:
        pid = pids.pop()
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except OSError:
            continue  # it has ended
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024
    return total


def timed(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    serve_floor()
