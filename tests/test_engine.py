"""The engine: work is done once, a run may be killed at any moment, and one bad thing never stops the others."""

import concurrent.futures
import fcntl
import json
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from classroom import STEM, Pretend, from_bank, hand_in, make_course, marks, reference, state

from autograder.grading import engine
from autograder.grading.book import open_book
from autograder.grading.course import CourseError
from autograder.grading.engine import grade_assignment
from autograder.grading.job import Result
from autograder.grading.progress import Progress, table
from autograder.grading.sandbox.client import KeeperGone

ODD = "Zoë O'Neil [2] %s;--"
GRADE = [sys.executable, "-m", "autograder", "grade", STEM]
SLEEPY = "import time\ntime.sleep(1.5)\n"


def fill(course):
    """Four students: perfect, a misconception, nothing done, an odd name with half the work."""
    solved = reference(STEM)
    hand_in(course, "ada", solved)
    hand_in(course, "bob", {"fans": from_bank("fans", right=False), "xavier_uniform_bound": solved["xavier_uniform_bound"]})
    hand_in(course, "cyd", {})
    hand_in(course, ODD, {"fans": solved["fans"]})


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """A course that is not yet graded."""
    course = make_course(tmp_path_factory.mktemp("engine") / "course")
    fill(course)
    return course


@pytest.fixture(scope="module")
def graded(handed_in, tmp_path_factory):
    """(the graded course, its Results), by a real run."""
    course = tmp_path_factory.mktemp("graded") / "course"
    shutil.copytree(handed_in, course)
    return course, [result for result, _ in grade_assignment(STEM, course, jobs=2)]


@pytest.fixture
def course(handed_in, tmp_path):
    return shutil.copytree(handed_in, tmp_path / "course")


@pytest.fixture
def done(graded, tmp_path):
    """A graded course of this test's own."""
    return shutil.copytree(graded[0], tmp_path / "course")


@pytest.fixture
def pretend(graded, monkeypatch):
    """No sandbox: the results of the real run, at once."""
    pool = Pretend(graded[1])
    monkeypatch.setattr(engine, "local", pool)
    monkeypatch.setattr(engine, "choose_rung", lambda trust: "pretended")
    return pool


def outcomes(course, **options):
    return {result.student: outcome for result, outcome in grade_assignment(STEM, course, **options)}


# --- work is done once --------------------------------------------------------------------


def test_the_class_gets_the_marks_that_its_work_earns(graded):
    assert marks(graded[1]) == {
        "ada": {"fans-check": 1, "xavier_uniform_bound-check": 1}, "bob": {"fans-check": 0, "xavier_uniform_bound-check": 1},
        "cyd": {"fans-check": 0, "xavier_uniform_bound-check": 0}, ODD: {"fans-check": 1, "xavier_uniform_bound-check": 0}}


def test_unchanged_work_is_not_graded_again(done, pretend):
    before = state(done)
    assert set(outcomes(done).values()) == {"unchanged"} and not pretend.asked
    assert state(done) == before


def test_nothing_to_grade_needs_no_sandbox(done, monkeypatch):
    def refuse(trust):
        raise AssertionError("asked for a sandbox")

    monkeypatch.setattr(engine, "choose_rung", refuse)
    assert set(outcomes(done).values()) == {"unchanged"}
    hand_in(done, "ada", {})
    with pytest.raises(AssertionError, match="asked for a sandbox"):
        outcomes(done)


def test_a_changed_submission_is_graded_again_and_no_other(done, pretend):
    hand_in(done, "ada", {"fans": "def fans(shape):\n    return 1, 1"})
    assert outcomes(done) == {"ada": "graded", "bob": "unchanged", "cyd": "unchanged", ODD: "unchanged"}
    assert set(outcomes(done).values()) == {"unchanged"}


@pytest.mark.parametrize("what", ["grader_version", "environment"])
def test_another_grader_or_environment_grades_everything_again(done, pretend, monkeypatch, what):
    assert set(outcomes(done).values()) == {"unchanged"}
    monkeypatch.setattr(engine, what, lambda: "another")
    assert set(outcomes(done).values()) == {"graded"}
    assert set(outcomes(done).values()) == {"unchanged"}


def test_a_changed_release_or_source_grades_everything_again(done, pretend):
    for tree in ("release", "source"):
        path = done / tree / STEM / f"{STEM}.ipynb"
        path.write_text(path.read_text() + "\n")
        assert set(outcomes(done).values()) == {"graded"}


def test_regrading_gives_the_same_seed_and_another_student_another(done, pretend, graded):
    seeds = {r.student: r.seed for r in graded[1]}
    shutil.rmtree(done / ".autograder" / "results")
    list(grade_assignment(STEM, done))
    assert {j.student: j.seed for j in pretend.asked} == seeds and len(set(seeds.values())) == 4


def test_another_course_draws_other_seeds(course, pretend, tmp_path):
    other = shutil.copytree(course, tmp_path / "other")
    assert len(outcomes(course)) == len(outcomes(other)) == 4
    assert len({job.seed for job in pretend.asked}) == 8


def test_regrading_gives_the_same_marks_and_findings(done, graded):
    shutil.rmtree(done / ".autograder" / "results")
    again = [r for r, _ in grade_assignment(STEM, done, jobs=1)]
    plain = lambda results: {r.student: (r.scores, r.findings, r.seed) for r in results}  # noqa: E731
    assert plain(again) == plain(graded[1])


def test_only_the_named_student_is_graded(course, pretend):
    assert outcomes(course, student="bob") == {"bob": "graded"}
    with pytest.raises(CourseError, match="'eve' has handed in nothing for 02_initialization"):
        outcomes(course, student="eve")


def test_what_somebody_deleted_is_written_again_without_grading(done, pretend):
    before = state(done)
    shutil.rmtree(done / "feedback" / "ada")
    (done / "autograded" / "bob" / STEM / f"{STEM}.ipynb").unlink()
    with open_book(done) as gradebook:
        gradebook.remove_submission(STEM, "cyd")
    assert set(outcomes(done).values()) == {"unchanged"} and not pretend.asked
    assert state(done) == before


@pytest.mark.parametrize("damage", ["", '{"key": "', '{"key": 1}', "null", '{"key": "x", "result": {"nonsense": 1}}'])
def test_a_damaged_result_file_is_graded_again(done, pretend, damage):
    before = state(done)
    engine.result_path(done, STEM, "ada").write_text(damage)
    assert outcomes(done)["ada"] == "graded"
    assert state(done) == before


# --- killed at any moment -----------------------------------------------------------------


def with_manual_scores(course):
    """bob's work was graded by hand before: a manual score, a comment, extra credit."""
    with open_book(course) as gradebook:
        gradebook.add_student("bob")
        gradebook.add_submission(STEM, "bob")
        grade = gradebook.find_grade("fans-check", STEM, STEM, "bob")
        grade.manual_score, grade.extra_credit = 0.5, 0.25
        gradebook.find_comment("fans", STEM, STEM, "bob").manual_comment = "nearly"
        gradebook.db.commit()


def test_killed_before_or_after_any_write_the_next_run_ends_with_the_same_grade_book(course, graded, tmp_path):
    with_manual_scores(course)
    results, scratch = tmp_path / "results", tmp_path / "scratch"
    results.write_bytes(pickle.dumps(graded[1]))
    scratch.mkdir()
    script = Path(__file__).with_name("kill_points.py")
    said = json.loads(subprocess.run([sys.executable, script, course, results, scratch], check=True, capture_output=True, text=True).stdout)
    assert said["points"] >= 40
    assert said["survived"] == [] and said["differ"] == []


def test_manual_scores_and_comments_are_never_touched(course, pretend):
    with_manual_scores(course)
    list(grade_assignment(STEM, course))
    bob = state(course)["bob"]
    assert bob["scores"]["fans-check"] == (0.0, 0.5, 0.25, True)
    assert bob["comments"]["fans"] == (None, "nearly")


def test_killed_at_random_times_the_command_ends_with_the_same_grade_book(handed_in, course, graded):
    shutil.copy2(graded[0] / ".autograder" / "secret", put(course / ".autograder") / "secret")
    for delay in [random.Random(5).uniform(1, 6), 9]:
        run = subprocess.Popen([*GRADE, "--course", course, "--jobs", "2"], start_new_session=True, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        time.sleep(delay)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert subprocess.run([*GRADE, "--course", course], capture_output=True).returncode == 0
    assert scores_of(course) == scores_of(graded[0])


def put(folder):
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def scores_of(course):
    return {student: row["scores"] for student, row in state(course).items() if student != "grades.csv"}


def test_an_interrupt_stops_the_run_at_once_and_keeps_what_was_finished(course, graded):
    hand_in(course, "slow", {"fans": "import time\ntime.sleep(9)\n" + reference(STEM)["fans"]})
    run = subprocess.Popen([*GRADE, "--course", course, "--jobs", "1", "--json"], start_new_session=True, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = json.loads(run.stdout.readline())
    began = time.monotonic()
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 2 and said == "Stopped; what was finished is kept.\n" and time.monotonic() - began < 9
    assert first["student"] in state_of_scores(course) and not [p for p in (course / "autograded").rglob("*") if p.is_file() and p.suffix != ".ipynb"]


def test_an_interrupt_that_falls_into_a_finaliser_is_not_lost():
    script = """
import os, signal, time, weakref
from autograder import __main__ as command

class Thing: pass

def check(args):
    thing = Thing()
    told = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
    del thing
    time.sleep(20)

command.check = check
command.run()
"""
    began = time.monotonic()
    run = subprocess.run([sys.executable, "-c", script, "check", "any.ipynb"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (2, "Stopped; what was finished is kept.\n") and time.monotonic() - began < 15


def state_of_scores(course):
    with open_book(course) as gradebook:
        return {s.student_id: s.score for s in gradebook.assignment_submissions(STEM)}


# --- two runs, disks, data bases ----------------------------------------------------------


def test_a_second_run_on_the_same_course_says_so_and_leaves(done, pretend, capfd):
    from autograder.__main__ import main

    with open(done / ".autograder" / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["grade", STEM, "--course", str(done)]) == 2
    assert capfd.readouterr().err == f"Another run is grading in {done}; wait until it ends.\n"
    assert main(["grade", STEM, "--course", str(done)]) == 0


def test_the_state_folder_is_the_teachers_alone(course, pretend):
    outcomes(course)
    assert (course / ".autograder").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("spoil, words", [("cat /dev/zero > {disk}/rest", "No space left on device"),
                                          ("mount -o remount,ro {disk}", "Read-only file system")])
def test_a_full_or_read_only_disk_is_said_in_one_sentence(course, tmp_path, spoil, words):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", disk], capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    grade = f"{' '.join(GRADE)} --course {disk}/c --jobs 1 --student ada --trust-submissions"
    script = f"mount -t tmpfs -o size=8m none {disk} && cp -r {course} {disk}/c && ({spoil.format(disk=disk)}) 2>/dev/null; {grade}"
    ended = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
    assert ended.returncode == 2 and words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("where", ["save", "apply"])
def test_a_disk_that_fills_up_stops_the_run_and_the_next_one_goes_on(course, pretend, monkeypatch, where):
    full = iter([None, OSError(28, "No space left on device", "/there")])
    real = getattr(engine, where)

    def write(*args):
        error = next(full, None)
        if error:
            raise error
        return real(*args)

    monkeypatch.setattr(engine, where, write)
    with pytest.raises(CourseError, match="^/there cannot be used: No space left on device. What was finished is kept"):
        outcomes(course)
    assert len(state_of_scores(course)) == 1
    assert list(outcomes(course).values()).count("graded") == (3 if where == "save" else 2)
    assert len(state(course)) == 5


def test_a_locked_grade_book_is_said_in_one_sentence(course, pretend, monkeypatch):
    import sqlite3

    with sqlite3.connect(course / "gradebook.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CourseError, match="The grade book cannot be used: database is locked."):
            outcomes(course)
        other.execute("ROLLBACK")
    assert len(outcomes(course)) == 4


def test_a_grade_book_that_does_not_know_the_assignment_says_what_to_do(course, pretend):
    (course / "gradebook.db").unlink()
    with pytest.raises(CourseError, match="nbgrader generate_assignment --force 02_initialization"):
        outcomes(course)


def test_a_missing_release_says_what_to_do(course, pretend):
    (course / "source" / STEM / f"{STEM}.ipynb").unlink()
    with pytest.raises(CourseError, match="is missing; nbgrader writes it"):
        outcomes(course)


def test_one_result_that_cannot_be_written_does_not_stop_the_others(course, pretend, monkeypatch):
    page = engine.feedback.page
    monkeypatch.setattr(engine.feedback, "page", lambda r: page(r) if r.student != "bob" else 1 / 0)
    results = {r.student: r for r, _ in grade_assignment(STEM, course)}
    assert {s: r.status for s, r in results.items()} == {"ada": "graded", "bob": "not graded", "cyd": "graded", ODD: "graded"}
    assert "ZeroDivisionError" in results["bob"].remarks[0] and results["bob"].assignment == STEM
    monkeypatch.undo()
    assert outcomes(course)["bob"] == "unchanged" and "bob" in state(course)


# --- workers that break -------------------------------------------------------------------


@pytest.fixture
def sleepy(course):
    for student in ("ada", "bob", "cyd", "dan", "eve"):
        hand_in(course, student, {"fans": SLEEPY + reference(STEM)["fans"]})
    return course


def keepers():
    return [p for p in psutil.Process().children(recursive=True) if "autograder.grading.sandbox.keeper" in " ".join(command_of(p))]


def command_of(process):
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # it has just ended
        return []


def graded_while(course, break_something):
    """The marks of a run, in which something is broken after the first result."""
    results = []
    for result, _ in grade_assignment(STEM, course, jobs=2):
        results.append(result)
        if len(results) == 1:
            break_something()
    assert {r.status for r in results} == {"graded"} and len(results) == 6
    return {r.student: r.score for r in results}


ALL_SLEEPY = {"ada": 1, "bob": 1, "cyd": 1, "dan": 1, "eve": 1, ODD: 1}


def test_a_worker_killed_in_mid_run_loses_nothing(sleepy):
    workers = []
    assert graded_while(sleepy, lambda: (workers.extend(multiprocessing.active_children()), workers[0].kill())) == ALL_SLEEPY
    assert len(workers) == 2


def test_a_keeper_killed_in_mid_run_loses_nothing(sleepy):
    assert graded_while(sleepy, lambda: keepers()[0].kill()) == ALL_SLEEPY


def test_nothing_is_left_running_after_a_run(graded):
    assert not multiprocessing.active_children() and not keepers()


def test_workers_end_with_a_run_that_is_killed(sleepy):
    run = subprocess.Popen([*GRADE, "--course", sleepy, "--jobs", "2", "--json"], stdout=subprocess.PIPE)
    run.stdout.readline()
    family = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    until = time.monotonic() + 10
    while any(is_alive(process) for process in family) and time.monotonic() < until:
        time.sleep(0.1)
    assert len(family) >= 3 and not [p for p in family if is_alive(p)]


def is_alive(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


class Fragile:
    """A pool whose jobs take a moment; the poison breaks it, and takes along all that is in flight."""

    def __init__(self):
        self.flying = []

    def submit(self, name):
        future = concurrent.futures.Future()
        self.flying.append(future)
        if name == "poison":
            for lost in self.flying:
                lost.set_exception(KeeperGone("gone"))
            self.flying = []
        else:
            threading.Timer(0.05, self.end, (future, name)).start()
        return future

    def end(self, future, name):
        if future in self.flying:
            self.flying.remove(future)
            future.set_result(Result(STEM, name))


def test_a_submission_that_breaks_its_worker_every_time_falls_alone():
    pool = Fragile()
    todo = [engine.Planned(name, None, (), name) for name in ("a", "b", "poison", "c", "d")]
    found = {p.student: r for p, r in engine.results_of(pool.submit, todo, make=lambda planned: planned.student)}
    assert {s: r.status for s, r in found.items()} == {"a": "graded", "b": "graded", "c": "graded", "d": "graded", "poison": "not graded"}
    assert found["poison"].remarks == ["Our fault, not the student's: gone. Run the command again."]


def test_dask_workers_give_the_marks_of_the_local_pool_and_one_may_be_lost(sleepy):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster, \
            distributed.Client(cluster) as client:
        pids, results = list(client.run(os.getpid).values()), []
        for result, _ in grade_assignment(STEM, sleepy, scheduler=cluster.scheduler_address):
            results.append(result)
            if len(results) == 1:
                os.kill(pids[0], signal.SIGKILL)
    assert len(pids) == 2 and {r.student: (r.score, r.status) for r in results} == {s: (m, "graded") for s, m in ALL_SLEEPY.items()}


def test_a_scheduler_that_does_not_answer_is_said_in_one_sentence(course, monkeypatch):
    monkeypatch.setattr(engine, "choose_rung", lambda trust: "pretended")
    monkeypatch.setattr("distributed.Client", refused)
    with pytest.raises(CourseError, match="No Dask scheduler answers at 127.0.0.1:9: refused"):
        outcomes(course, scheduler="127.0.0.1:9")


def refused(*_, **__):
    raise OSError("refused")


def test_a_worker_with_another_grader_refuses(graded):
    with pytest.raises(RuntimeError, match="another version of the grader"):
        engine.work(None, ("0.0+older", "x"))


# --- what is handed in --------------------------------------------------------------------


def submission(course, student, make):
    """The result of one student whose submission `make(folder)` made."""
    folder = course / "submitted" / student / STEM
    make(folder)
    return next(r for r, _ in grade_assignment(STEM, course, student=student))


BAD = {
    "a file in place of a folder": (lambda f: (f.parent.mkdir(), f.write_text("x")), "A file was handed in where a folder belongs."),
    "a link in place of a folder": (lambda f: (f.parent.mkdir(), f.symlink_to(f.parents[1] / "ada" / STEM)), "A link was handed in"),
    "an empty folder": (lambda f: f.mkdir(parents=True), "The folder holds no notebook"),
    "a broken zip": (lambda f: (f.mkdir(parents=True), (f / "x.zip").write_bytes(b"PK\3\4 nonsense")), "The zip file cannot be read."),
    "a timestamp that is no date": (lambda f: (f.mkdir(parents=True), (f / "timestamp.txt").write_bytes(b"\xff soon")), "timestamp.txt holds no date"),
    "a folder called timestamp.txt": (lambda f: (f / "timestamp.txt").mkdir(parents=True), "timestamp.txt holds no date"),
    "a folder called like a notebook": (lambda f: (f / f"{STEM}.ipynb").mkdir(parents=True), "The folder holds no notebook"),
}


@pytest.fixture
def zero(pretend, monkeypatch):
    """Whatever is planned gets an empty result with its own remarks."""
    def submit(job):
        future = concurrent.futures.Future()
        future.set_result(Result(job.assignment, job.student, remarks=list(job.remarks), notebook="{}"))
        return future

    monkeypatch.setattr(pretend, "submit", submit)


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_submission_gets_a_verdict_of_one_sentence(course, zero, name):
    make, words = BAD[name]
    result = submission(course, "eve", make)
    assert result.status == "graded" and words in " ".join(result.remarks)
    assert "eve" in state_of_scores(course)


@pytest.mark.parametrize("what, method", [("folder", "iterdir"), ("file", "open")])
def test_what_cannot_be_read_gets_a_verdict_of_one_sentence(course, zero, monkeypatch, what, method):
    def refuse(path, *args, **kwargs):
        if "submitted/ada" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    place = (Path, "iterdir") if what == "folder" else ("builtins.open",)
    real = Path.iterdir if what == "folder" else open
    monkeypatch.setattr(*place, refuse)
    results = {r.student: r for r, _ in grade_assignment(STEM, course)}
    assert results["ada"].remarks == [f"The {what} cannot be read: Permission denied."] and len(results) == 4


def test_hidden_folders_are_no_students(course):
    (course / "submitted" / ".ipynb_checkpoints" / STEM).mkdir(parents=True)
    assert ".ipynb_checkpoints" not in [p.student for p in engine.plan(course, STEM)]


@pytest.mark.parametrize("name", ["x" * 255, "a b\tc", "-rf", "x\x1b[31m", "安娜", "%(x)s {y} $HOME"])
def test_any_name_that_a_folder_may_have_is_graded(course, zero, name):
    hand_in(course, name, {})
    assert outcomes(course)[name] == "graded" and outcomes(course)[name] == "unchanged"


def test_a_name_that_is_no_text_is_a_verdict_and_stops_nobody(course, zero):
    name = os.fsdecode(b"caf\xe9")
    hand_in(course, name, {})
    results = {r.student: r for r, _ in grade_assignment(STEM, course)}
    assert len(results) == 5 and results[name].status == "not graded" and results["ada"].status == "graded"
    assert "caf?" in table(results.values())


def test_the_table_lets_no_escape_sequence_through(graded):
    from dataclasses import replace

    text = table([replace(graded[1][0], student="x\x1b[2J", remarks=["\x1b]0;title\x07 \u202e"])])
    assert "\x1b" not in text and "\u202e" not in text and "x?[2J" in text


# --- the command --------------------------------------------------------------------------


def test_json_lines_parse_and_the_exit_status_says_whether_all_was_graded(course, pretend, capsys, monkeypatch):
    from autograder.__main__ import main

    assert main(["grade", STEM, "--course", str(course), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(r["student"], r["outcome"], r["score"], r["max_score"]) for r in lines} == {
        ("ada", "graded", 2, 2), ("bob", "graded", 1, 2), ("cyd", "graded", 0, 2), (ODD, "graded", 1, 2)}
    assert main(["grade", "nothing", "--course", str(course)]) == 2
    assert main(["grade", STEM, "--course", str(course / "source")]) == 2
    assert "is not a course folder" in capsys.readouterr().err
    monkeypatch.setattr(engine.feedback, "page", lambda r: 1 / 0)
    shutil.rmtree(course / "feedback")
    assert main(["grade", STEM, "--course", str(course)]) == 1


def test_progress_counts_and_estimates():
    class Out:
        isatty = lambda self: False  # noqa: E731

    bar = Progress(4, stream=Out())
    bar.began -= 2
    bar.step(Result("a", "s"), "graded")
    bar.step(Result("a", "t", status="not graded"), "not graded")
    assert bar.line().startswith("[############............] 2 of 4, 0.5 a second, 4 s left, 1 not graded")
