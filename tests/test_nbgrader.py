"""nbgrader itself as the oracle: its autograder gives the same grade book, its other commands work on ours."""

import csv
import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from classroom import hand_in, make_course, reference, state
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.bank import entries
from autograder.delivery.collect import TAKEN, collect_exchange
from autograder.grading.course import api
from autograder.grading.engine import grade_assignment
from autograder.publish import editions
from autograder.publish.source import read_chapter

CHAPTERS = ("02_initialization", "05_batch_norm")
STUDENTS_PER_CHAPTER = 30
NBGRADER = [sys.executable, "-m", "nbgrader"]

# What honest students also write; none of it may count.
DECORATIONS = [
    "", "import collections\nprint('starting')\n", "import warnings\nwarnings.warn('old')\n", "%matplotlib inline\n",
    "import sys\nprint('careful', file=sys.stderr)\n", "x = np.arange(3)\nprint(x)\n"]
SLIPS = ["def {name}(:\n    pass", "def {name}(*args, **kwargs):\n    return 1 / 0", "def {name}(*args, **kwargs):\n    pass",
         "{name} = None", "def other():\n    return 1"]


def nbgrader_cell(kind, grade_id, source, *, grade=False, solution=False, task=False, points=None):
    new = new_code_cell if kind == "code" else new_markdown_cell
    metadata = {"schema_version": 3, "grade": grade, "grade_id": grade_id, "locked": task or grade and not solution, "solution": solution, "task": task}
    return new(source, id=grade_id, metadata={"nbgrader": metadata | ({} if points is None else {"points": points})})


def by_hand():
    """What an instructor adds: code with plain asserts, partial credit, an essay, code and a task for a person to grade."""
    return [
        nbgrader_cell("code", "double", "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION", solution=True),
        nbgrader_cell("code", "double-test", "assert double(2) == 4\nassert double(-1) == -2", grade=True, points=2),
        nbgrader_cell("code", "double-partial", "sum(double(k) == 2 * k for k in range(4)) / 2", grade=True, points=2),
        nbgrader_cell("code", "double-silent", "assert double(1)\nNone", grade=True, points=1),
        nbgrader_cell("markdown", "essay", "Your words here.", grade=True, solution=True, points=3),
        nbgrader_cell("code", "plot", "# your plot", grade=True, solution=True, points=1),
        nbgrader_cell("markdown", "task", "Do something.", task=True, points=1)]


HAND_WRITTEN = [
    {"double": "def double(x):\n    return x + x", "essay": "Because **variance**.", "plot": "plot = 1"},
    {"double": "def double(x):\n    return 2 * abs(x)", "plot": "plot = 2"}, {"double": "def double(x):\n    return 4", "essay": "No."},
    {"double": "def double(x:"}, {"double": "def double(x):\n    return None"}, {}]


def solutions_of(stem):
    """A class of honest work: perfect, untouched, half, own styles, misconceptions, slips."""
    whole = reference(stem)
    names = list(whole)
    rights, wrongs = ({n: [e.source() for e in entries(n) if e.is_right == right] for n in names} for right in (True, False))
    work = [whole, {}, {n: whole[n] for n in names[::2]}]
    work += [{n: pick(rights[n], k) for n in names} for k in range(9)]
    work += [{n: whole[n] if (k + i) % 3 else slip.format(name=n) for i, n in enumerate(names)} for k, slip in enumerate(SLIPS)]
    while len(work) < STUDENTS_PER_CHAPTER:
        k = len(work)
        work.append({n: pick(wrongs[n] if (k + i) % 4 else rights[n], k) for i, n in enumerate(names)})
    return [decorated(solutions, k) for k, solutions in enumerate(work)]


def pick(sources, k):
    return sources[k % len(sources)]


def decorated(solutions, k):
    return {n: DECORATIONS[(k + i) % len(DECORATIONS)] + text for i, (n, text) in enumerate(solutions.items())}


LATE_POLICY = """
c.AssignLatePenalties.plugin_class = "nbgrader.plugins.LateSubmissionPlugin"
c.LateSubmissionPlugin.penalty_method = "zero"
"""


def class_of(stem, folder):
    """A course of one chapter without experiments; every fourth student hands in late."""
    chapter = read_chapter(stem)
    course = make_course(folder, {stem: [c.exercise for c in chapter.exercises]}, by_hand())
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + LATE_POLICY)
    with api(course).gradebook as gradebook:
        gradebook.update_or_create_assignment(stem, duedate="2030-01-10 12:00:00 UTC")
    for k, solutions in enumerate(solutions_of(stem)):
        path = hand_in(course, f"student-{k:02d}", solutions | HAND_WRITTEN[k % len(HAND_WRITTEN)], stem)
        path.with_name("timestamp.txt").write_text(f"2030-01-{9 + 2 * (k % 4 == 0):02d} 12:00:00 UTC")
    return course


@pytest.fixture(scope="module")
def courses(tmp_path_factory):
    """stem -> (our graded course, the same one graded by stock nbgrader), both chapters side by side."""
    found, runs = {}, []
    for stem in CHAPTERS:
        ours = class_of(stem, tmp_path_factory.mktemp("ours") / stem)
        stock = shutil.copytree(ours, tmp_path_factory.mktemp("stock") / stem)
        runs.append(subprocess.Popen([*NBGRADER, "autograde", stem], cwd=stock, stderr=subprocess.PIPE, text=True))
        found[stem] = ours, stock
    logs = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], logs
    for stem, (ours, _) in found.items():
        assert {r.status for r, _ in grade_assignment(stem, ours, jobs=2)} == {"graded"}
    return found


def book_of(course, stem, what):
    """student -> what the grade book holds; pages for people are not stock's."""
    for tree in ("autograded", "feedback"):  # stock has no page yet
        for student in (course / "submitted").iterdir():
            page = course / tree / student.name / stem / f"{stem}{'.ipynb' if tree == 'autograded' else '.html'}"
            page.parent.mkdir(parents=True, exist_ok=True)
            page.touch()
    (course / "grades.csv").touch()
    return {student: row[what] for student, row in state(course, stem).items() if student != "grades.csv"}


@pytest.mark.slow
@pytest.mark.parametrize("stem", CHAPTERS)
@pytest.mark.parametrize("what", ["scores", "comments", "handed in"])
def test_the_grade_book_is_that_of_stock_nbgrader_cell_by_cell(courses, stem, what):
    ours, stock = (book_of(course, stem, what) for course in courses[stem])
    assert len(ours) == STUDENTS_PER_CHAPTER
    assert {s: (ours[s], stock[s]) for s in stock if ours[s] != stock[s]} == {}


@pytest.mark.slow
@pytest.mark.parametrize("stem", CHAPTERS)
def test_the_class_of_the_comparison_is_mixed(courses, stem):
    scores = book_of(courses[stem][1], stem, "scores")
    for name in reference(stem):
        earned = [row[editions.check_id(name)][0] for row in scores.values()]
        assert 8 <= sum(map(bool, earned)) <= 24, name
    assert {row["double-partial"][0] for row in scores.values()} == {0, 0.5, 2}
    assert {row["essay"][3] for row in scores.values()} == {True, False}


@pytest.mark.slow
def test_a_late_submission_gets_the_penalty_of_the_plugin(courses):
    ours = book_of(courses[CHAPTERS[0]][0], CHAPTERS[0], "handed in")
    assert ours["student-00"][1] > 0 and ours["student-01"][1] is None


# --- nbgrader's own commands on a course that we graded -----------------------------------

STEM, NAMES = "02_initialization", ["fans", "xavier_uniform_bound"]


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A small course with hand-written cells; ada is right, bob writes only the essay, cyd nothing."""
    course = make_course(tmp_path_factory.mktemp("small") / "course", {STEM: NAMES}, by_hand())
    hand_in(course, "ada", reference(STEM) | HAND_WRITTEN[0])
    hand_in(course, "bob", {"essay": "Mine."})
    hand_in(course, "cyd", {})
    return course, {r.student: r for r, _ in grade_assignment(STEM, course, jobs=1)}


def test_hand_written_tests_run_and_are_marked_not_isolated(graded):
    course, results = graded
    assert {k: v[0] for k, v in results["ada"].scores.items() if k.startswith("double")} == {"double-test": 2, "double-partial": 2, "double-silent": 1}
    assert results["bob"].tests["double-test"].startswith("failed: ") and results["bob"].scores["double-test"] == [0, 2]
    notebook = nbformat.read(course / "autograded" / "ada" / STEM / f"{STEM}.ipynb", as_version=4)
    cell = next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "double-test")
    assert "not isolated" in cell.outputs[0].text
    assert "not isolated" in (course / "feedback" / "ada" / STEM / f"{STEM}.html").read_text()


def test_what_a_person_grades_waits_for_that_person(graded):
    scores = {s: row["scores"] for s, row in state(graded[0]).items() if s != "grades.csv"}
    assert [scores[s]["essay"] for s in ("ada", "bob", "cyd")] == [(None, None, None, True), (None, None, None, True), (0, None, None, False)]
    assert [scores[s]["plot"][3] for s in ("ada", "bob", "cyd")] == [True, False, False]
    notebook = nbformat.read(graded[0] / "autograded" / "bob" / STEM / f"{STEM}.ipynb", as_version=4)
    assert "Mine." in [c.source for c in notebook.cells]


def test_an_untouched_cell_is_commented_as_nbgrader_does(graded):
    comments = {s: row["comments"] for s, row in state(graded[0]).items() if s != "grades.csv"}
    assert comments["cyd"]["fans"] == ("No response.", None) and comments["ada"]["fans"] == (None, None)


def test_nbgrader_exports_our_grades(graded, tmp_path):
    course, results = graded
    subprocess.run([*NBGRADER, "export", "--to", tmp_path / "grades.csv"], check=True, capture_output=True, cwd=course)
    rows = {row["student_id"]: row for row in csv.DictReader(open(tmp_path / "grades.csv"))}
    assert {s: float(row["score"]) for s, row in rows.items()} == {s: r.score for s, r in results.items()}
    ours = {row["student_id"]: row for row in csv.DictReader(open(course / "grades.csv"))}
    assert {s: (float(r["score"]), float(r["max_score"])) for s, r in ours.items()} == {s: (float(r["score"]), float(r["max_score"])) for s, r in rows.items()}


def test_nbgrader_writes_its_own_feedback_from_our_notebooks(graded, tmp_path):
    course = shutil.copytree(graded[0], tmp_path / "course")
    shutil.rmtree(course / "feedback")
    made = api(course).generate_feedback(STEM)
    assert made["success"], made
    page = (course / "feedback" / "bob" / STEM / f"{STEM}.html").read_text()
    assert "(Score: 0.0 / 12.0)" in page and "Mine." in page


def test_nbgrader_releases_our_feedback_through_its_exchange(graded, tmp_path):
    """Configured beside the environment, not in the course, as on a hub: our commands read that file too."""
    course, exchange = shutil.copytree(graded[0], tmp_path / "course"), tmp_path / "exchange"
    exchange.mkdir()
    shutil.rmtree(course / "submitted" / "ada")
    (tmp_path / "nbgrader_config.py").write_text(f"c = get_config()\nc.Exchange.root = {str(exchange)!r}\n")
    (tmp_path / "home" / STEM).mkdir(parents=True)
    shutil.copy2(course / "nbgrader_config.py", tmp_path / "home")
    notebook = nbformat.read(course / "release" / STEM / f"{STEM}.ipynb", as_version=4)
    environment = {"JUPYTER_CONFIG_PATH": str(tmp_path), "JUPYTER_DATA_DIR": str(tmp_path / "data")}

    def nbgrader(where, *words):
        done = subprocess.run([*NBGRADER, *words], cwd=where, env=os.environ | environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    nbgrader(course, "release_assignment", STEM)
    nbformat.write(notebook, tmp_path / "home" / STEM / f"{STEM}.ipynb")
    nbgrader(tmp_path / "home", "submit", STEM, "--student=ada")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
        assert [row.what for row in collect_exchange(course, STEM)[0] if row.outcome == TAKEN] == ["ada"]
    assert "graded" in {outcome for _, outcome in grade_assignment(STEM, course, student="ada", jobs=1)}
    nbgrader(course, "release_feedback", STEM, "--student=ada")
    nbgrader(tmp_path / "home", "fetch_feedback", STEM, "--student=ada")
    page, = (tmp_path / "home" / STEM / "feedback").glob(f"*/{STEM}.html")
    assert page.read_text() == (course / "feedback" / "ada" / STEM / f"{STEM}.html").read_text()


def test_formgrader_sees_students_submissions_and_cells(graded):
    interface = api(graded[0])
    rows = {row["student"]: row for row in interface.get_submissions(STEM)}
    assert {s: (r["autograded"], r["needs_manual_grade"]) for s, r in rows.items()} == {s: (True, True) for s in ("ada", "bob", "cyd")}
    assert rows["ada"]["score"] == 7 and interface.get_assignment(STEM)["num_submissions"] == 3
    assert {s["id"] for s in interface.get_students()} == {"ada", "bob", "cyd"}
    assert len(interface.get_notebook_submissions(STEM, STEM)) == 3 and interface.get_autograded_students(STEM) == {"ada", "bob", "cyd"}


def test_a_score_given_in_formgrader_survives_the_next_run(graded, tmp_path):
    course = shutil.copytree(graded[0], tmp_path / "course")
    with api(course).gradebook as gradebook:
        gradebook.find_grade("essay", STEM, STEM, "bob").manual_score = 2.5
        gradebook.db.commit()
    hand_in(course, "bob", {"essay": "Mine, longer."})
    assert dict((r.student, outcome) for r, outcome in grade_assignment(STEM, course, jobs=1))["bob"] == "graded"
    assert state(course)["bob"]["scores"]["essay"] == (None, 2.5, None, True)
    assert "bob,02_initialization,2.5,12\n" in (course / "grades.csv").read_text()


def test_a_new_due_date_or_extension_changes_the_penalty_without_grading(graded, tmp_path):
    course = shutil.copytree(graded[0], tmp_path / "course")
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + LATE_POLICY)
    (course / "submitted" / "ada" / STEM / "timestamp.txt").write_text("2030-01-11 12:00:00 UTC")
    penalties = []
    for change in (lambda g: None, lambda g: g.update_or_create_assignment(STEM, duedate="2030-01-10 12:00:00 UTC"),
                   lambda g: g.grant_extension(STEM, "ada", days=2)):
        with api(course).gradebook as gradebook:
            change(gradebook)
        assert {outcome for _, outcome in grade_assignment(STEM, course)} == {"unchanged"}
        penalties.append(state(course)["ada"]["handed in"][1])
    assert penalties == [None, 7, None]


@pytest.mark.parametrize("stem", CHAPTERS)
def test_nbgrader_releases_the_notebook_that_we_release(stem, tmp_path):
    course = make_course(tmp_path / "course", {stem: []})
    from autograder.publish.write import write_notebook

    write_notebook(course / "source" / stem / f"{stem}.ipynb", editions.grader(read_chapter(stem)))
    assert api(course).generate_assignment(stem, force=True)["success"]
    theirs, ours = nbformat.read(course / "release" / stem / f"{stem}.ipynb", as_version=4), editions.student(read_chapter(stem))
    assert [(c.id, c.cell_type, c.source) for c in theirs.cells] == [(c.id, c.cell_type, c.source) for c in ours.cells]
    for their, our in zip(theirs.cells, ours.cells):
        nbgrader, wanted = their.metadata.get("nbgrader", {}), our.metadata.get("nbgrader", {})
        assert {k: v for k, v in nbgrader.items() if k not in ("checksum", "cell_type")} == wanted


def test_a_postgresql_grade_book_is_written_by_its_address(graded, tmp_path, postgresql):
    course = shutil.copytree(graded[0], tmp_path / "course")
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + f"\nc.CourseDirectory.db_url = {postgresql!r}\n")
    assert api(course).generate_assignment(STEM, force=True)["success"]
    assert {outcome for _, outcome in grade_assignment(STEM, course)} == {"unchanged"}
    (course / "gradebook.db").unlink()
    assert state(course) == state(graded[0])
