"""The guides are followed to the letter: in a fresh clone, from an empty folder, with the commands as they stand on the page.

What this machine has in place of the reader's: the repository's address, an environment that is set up already, downloads
of Canvas and Moodle that are made up, and stand-ins for Slurm's commands.
"""

import json
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from classroom import from_bank, reference, state
from test_house import MAY_IMPORT
from walk import agrees, edit, follow, steps

from autograder.grading.report import correlation
from autograder.publish import plans
from autograder.publish.source import ROOT, SourceError, read_chapter, stems

PAGES = {name: (ROOT / "book" / f"{name}.md").read_text() for name in ("for_students", "for_lecturers", "larger_courses", "for_contributors")}
STEM = "00_start"
LEFT_OUT = shutil.ignore_patterns("_build", ".git", ".venv", "build", "*.egg-info", "__pycache__", ".pytest_cache")

# --- a machine to follow them on ----------------------------------------------------------


def git(folder, *words):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@x.org", *words], cwd=folder, check=True, capture_output=True)


def committed(folder):
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "as it stands")
    return folder


def program(path, text):
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """(an empty folder to begin in, the environment of the reader's shell)."""
    if not shutil.which("git"):
        pytest.skip("git is not installed: the guides were not followed")
    folder = tmp_path_factory.mktemp("machine")
    for name in ("begin", "home", "tools"):
        (folder / name).mkdir()
    program(folder / "tools" / "sbatch", 'SLURM_JOB_ID=$$ SLURM_NTASKS=2 bash "$@"')
    program(folder / "tools" / "srun", 'n="${1#--ntasks=}"; shift; for _ in $(seq "$n"); do "$@" & done; trap "kill $(jobs -p | xargs)" TERM; wait')
    program(folder / "tools" / "hostname", "echo 127.0.0.1")
    return folder / "begin", {"PATH": f"{folder}/tools:/usr/local/bin:/usr/bin:/bin", "HOME": f"{folder}/home", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}


@pytest.fixture(scope="module")
def repository(machine):
    """A repository to clone: this one as it stands here."""
    folder = machine[0].parent / "repository"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    return committed(folder)


def set_up(clone):
    """The state that set-up leaves, with the packages of this test's Python: nothing is downloaded."""
    folder = clone / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name, words in {"python": "", "autograder": "-m autograder", "nbgrader": "-m nbgrader", "dask": "-m dask", "alembic": "-m alembic"}.items():
        program(folder / name, f'PYTHONPATH="{clone}" exec "{sys.executable}" {words} "$@"')
    (clone / ".venv" / ".ready").touch()


# --- contributors -------------------------------------------------------------------------


@pytest.mark.slow
def test_the_contributors_walk_adds_an_exercise_that_passes_its_audit(repository, machine):
    folder, environment = machine[0] / "contributor", machine[1]
    folder.mkdir()
    done = dict(follow(PAGES["for_contributors"], folder, environment, {"ADDRESS": str(repository)}, {"make setup": set_up}))
    clone = folder / "course"
    assert "vjp_tanh" in (clone / "notebooks" / f"{STEM}.ipynb").read_text() and (clone / "notebooks" / "14_momentum.ipynb").exists()
    assert "x is taken for the output y." in next(printed for command, printed in done.items() if "run_check" in command)


def test_the_picture_of_the_house_shows_the_arrows_that_hold():
    page = PAGES["for_contributors"]
    drawn = set(re.findall(r'data-from="(\w+)" data-to="(\w+)"', page))
    assert closure(drawn) == closure({(a, b) for a, of in MAY_IMPORT.items() for b in of})
    svg = page[page.index("<svg"):page.index("</svg>")]
    assert set(re.findall(r">(\w+)</text>", svg)) >= set(MAY_IMPORT)
    assert "\n\n" not in svg and "<title" in svg and "<desc" in svg


def closure(arrows):
    found = set(arrows)
    while more := {(a, d) for a, b in found for c, d in found if b == c} - found:
        found |= more
    return found


# --- lecturers ----------------------------------------------------------------------------

WORKSHEET = ('Identifier,"Full name","ID number","Email address",Status,Grade,"Maximum Grade","Grade can be changed","Last modified (submission)",'
             '"Last modified (grade)","Feedback comments"\n'
             '"Participant 5001","Ada Lovelace",s101,ada@uni.example,"Submitted for grading",,100.00,Yes,"Thursday, 10 January 2030, 9:15 PM",-,\n'
             '"Participant 5002","Grace Hopper",s102,grace@uni.example,"Submitted for grading",,100.00,Yes,"Friday, 11 January 2030, 8:00 AM",-,\n')


def solved(path, solutions):
    """A notebook's text with solutions laid in."""
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        cell["source"] = solutions.get(cell["id"], cell["source"])
    return json.dumps(notebook)


def downloads(clone):
    """What Canvas and Moodle give: one whole solution, one with a misconception, and nothing from the third student."""
    released, whole = clone / "mycourse" / "release" / STEM / f"{STEM}.ipynb", reference(STEM)
    work = {"ada": solved(released, whole), "grace": solved(released, whole | {"numerical_gradient": from_bank("numerical_gradient", False)})}
    names = {"submissions.zip": {"ada": f"lovelaceada_77_5001_{STEM}.ipynb", "grace": f"hoppergrace_78_5002_{STEM}.ipynb"},
             "moodle.zip": {"ada": f"Ada Lovelace_5001_assignsubmission_file/{STEM}.ipynb",
                            "grace": f"Grace Hopper_5002_assignsubmission_file/{STEM}.ipynb"}}
    for file, of in names.items():
        with zipfile.ZipFile(clone.parent / file, "w") as archive:
            for student, name in of.items():
                archive.writestr(name, work[student])
    (clone.parent / "worksheet.csv").write_text(WORKSHEET)


@pytest.fixture(scope="module")
def taught(repository, machine):
    """The lecturers' page followed to its end; the folder it began in."""
    folder, environment = machine
    follow(PAGES["for_lecturers"], folder, environment, {"ADDRESS": str(repository)},
           {"make setup": set_up, f"autograder collect {STEM} --from ../submissions.zip": downloads})
    return folder


@pytest.mark.slow
def test_the_lecturers_page_leads_from_a_clone_to_marks(taught):
    course = taught / "course"
    assert '"Lovelace, Ada",77,s101,ada@uni.example,Lab A,10' in (course / "marks.csv").read_text()
    assert "66.67" in (course / "moodle.csv").read_text()
    with zipfile.ZipFile(course / "feedback.zip") as archive:
        assert f"lovelaceada_77_5001_{STEM}.html" in archive.namelist()
    left = [p for p in (course / "mycourse").rglob("*") if "s102" in p.parts or p.stem == "s102"]
    assert not left


@pytest.fixture(scope="module")
def teacher(taught, machine):
    """The environment of the shell in which the lecturers' page ended."""
    return machine[1] | {"PATH": f"{taught}/course/.venv/bin:{machine[1]['PATH']}"}


SHARED = re.search(r"^## A shared grade book.*?(?=^## )", PAGES["larger_courses"], re.M | re.S)[0]


@pytest.mark.slow
def test_the_page_on_larger_courses_grades_on_workers(taught, teacher):
    pytest.importorskip("distributed", reason="Dask is not installed (the extra cluster): its page was not followed")
    follow(PAGES["larger_courses"].replace(SHARED, ""), taught / "course", teacher, before={"sbatch": forget_results})
    grades = (taught / "course" / "mycourse" / "grades.csv").read_text()
    assert "s101" in grades and "s102" not in grades  # who was forgotten
    assert "Start worker at" in (taught / "course" / "slurm-workers.log").read_text()


@pytest.mark.slow
def test_the_page_on_larger_courses_shares_the_grade_book(taught, teacher, tmp_path, postgresql):
    course = shutil.copytree(taught / "course" / "mycourse", tmp_path / "mycourse")
    before = state(course, STEM)["s101"]
    follow(SHARED, tmp_path, teacher, {"postgresql://USER:PASSWORD@HOST/DATABASE": postgresql})
    (course / "gradebook.db").unlink()
    after = state(course, STEM)
    assert after.pop("grades.csv") == f"student_id,assignment,score,max_score\ns101,{STEM},7,7\n" and after == {"s101": before}


def forget_results(clone):
    shutil.rmtree(clone / "mycourse" / ".autograder" / "results")


def test_the_worked_example_of_the_report_is_what_the_report_computes():
    rows = re.findall(r"^\| ([A-D]) \| ([01 ]+) \| (\d+) % \| ([−\d.]+) \|$", PAGES["for_lecturers"], re.M)
    points = {name: [int(p) for p in given.split()] for name, given, _, _ in rows}
    assert len(points) == 4
    for name, _, difficulty, discrimination in rows:
        rest = [sum(of[i] for other, of in points.items() if other != name) for i in range(10)]
        assert f"{100 * sum(points[name]) / 10:.0f}" == difficulty
        assert f"{correlation(points[name], rest):.2f}".replace("-", "−") == discrimination


# --- plans --------------------------------------------------------------------------------


def test_the_plans_hold_each_chapter_once_in_an_order_that_needs_nothing_later():
    numbers = [int(stem[:2]) for stem in stems()]
    for weeks in (plans.FOURTEEN, plans.SEVEN):
        assert [n for week in weeks for n in week] == numbers
    assert (len(plans.FOURTEEN), len(plans.SEVEN), len(plans.HALF)) == (14, 7, 7)
    half = [n for week in plans.HALF for n in week]
    assert half == sorted(set(half)) and set(half) < set(numbers)


def test_the_plans_count_what_the_sources_hold():
    page = plans.page([read_chapter(stem) for stem in stems()])
    text = "".join((ROOT / "solutions" / f"{stem}.md").read_text() for stem in stems())
    exercises, points = len(re.findall(r"^:exercise: ", text, re.M)), sum(map(float, re.findall(r"^:points: (\S+)$", text, re.M)))
    totals = re.findall(r"^\|  \| in all \| (\S+) \| (\S+) \| (\S+) \|$", page, re.M)
    assert totals[0] == totals[1] and totals[0][1:] == (f"{exercises}", f"{points:g}")
    rows = re.findall(r"^\| \d+ \| .* \| (\S+) \| (\S+) \| (\S+) \|$", page.split("\n## ")[1], re.M)
    assert [f"{sum(map(float, column)):g}" for column in zip(*rows)] == list(totals[0])


def test_a_chapter_that_says_not_how_long_it_takes_is_named():
    chapter = read_chapter(STEM)
    with pytest.raises(SourceError, match=f"{STEM}: its head must say how long it takes"):
        plans.hours(type(chapter)(STEM, chapter.cells[:1]))


# --- students -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_students_page_leads_from_a_clone_through_an_update(taught, machine):
    """The repository is what the lecturers' page released; while a student works, its teacher releases a change."""
    published = committed(taught / "students")
    folder, environment = machine[0] / "student", machine[1]
    folder.mkdir()
    follow(PAGES["for_students"], folder, environment, {"ADDRESS": str(published)},
           {"export PATH": set_up, "autograder check": solve_a_little, "git pull": lambda clone: change(published), "mv -n": work_in_place},
           {"autograder check": 1})
    clone = folder / "course"
    assert "MINE" in (clone / "work" / "01_generalization.ipynb").read_text()
    assert "changed" in (clone / "notebooks" / "01_generalization.ipynb").read_text() and "changed" in (clone / "README.md").read_text()
    assert subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], cwd=clone, capture_output=True, text=True).stdout == ""


def solve_a_little(clone):
    path = clone / "work" / f"{STEM}.ipynb"
    path.write_text(solved(path, {"vjp_linear": reference(STEM)["vjp_linear"], "vjp_relu": from_bank("vjp_relu", False)}))


def work_in_place(clone):
    path = clone / "notebooks" / "01_generalization.ipynb"
    path.write_text(path.read_text().replace("YOUR CODE HERE", "MINE"))


def change(published):
    """A new release: other text in every notebook and in the README."""
    for path in [published / "README.md", *(published / "notebooks").glob("*.ipynb")]:
        path.write_text(path.read_text().replace("YOUR CODE HERE", f"YOUR CODE HERE, changed {time.time_ns()}").replace("# What makes", f"# changed {time.time_ns()} What makes"))
    git(published, "commit", "-q", "-a", "-m", "a change")


def test_a_pull_is_refused_and_nothing_lost_where_a_student_worked_in_place(tmp_path):
    """The reason for the folder `work`, and why the page says that nothing is lost."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    published = tmp_path / "published"
    (published / "notebooks").mkdir(parents=True)
    (published / "notebooks" / "a.ipynb").write_text("YOUR CODE HERE")
    (published / "README.md").write_text("# What makes")
    committed(published)
    git(tmp_path, "clone", "-q", str(published), "mine")
    (tmp_path / "mine" / "notebooks" / "a.ipynb").write_text("solved")
    change(published)
    refused = subprocess.run(["git", "pull"], cwd=tmp_path / "mine", capture_output=True, text=True)
    assert refused.returncode and (tmp_path / "mine" / "notebooks" / "a.ipynb").read_text() == "solved"


# --- the walk itself ----------------------------------------------------------------------


def test_every_command_on_the_pages_is_run_or_shown_for_a_reason():
    """What is only shown: what downloads, what needs another machine, and what takes minutes."""
    shown = {line for page in PAGES.values() for step in steps(page) if step.kind == "shown" and step.language == "sh" for line in step.text.splitlines()}
    reasons = re.compile(r"pip install|python3 -m venv|jupyter lab|make site|gpu_bench|^dask |^kill |autograder grade 00_start --course mycourse")
    assert not [line for line in shown if not reasons.search(line)]
    assert sum(len(step.commands) for page in PAGES.values() for step in steps(page)) > 35


def test_printed_lines_agree_in_shape_alone():
    assert agrees("s101   6     6\n", "s101  4  6") and agrees("a\nb\nlast 3\n", "…\nlast 4") and agrees("Report: /x/y.html\n", "Report: …/y.html")
    assert not agrees("s101  6  6  late\n", "s101  6  6") and not agrees("s102  6\n", "s101 a") and not agrees("", "Feedback: f.zip")


@pytest.mark.parametrize("caption, expected", [
    ("New file `new.txt`", None), ("At the end of `a.txt`", "one\n  two three\nnew\n"), ("In `a.txt`, before the line `  two …`", "one\nnew\n  two three\n"),
    ("In `a.txt`, after the line `one`", "one\nnew\n  two three\n"), ("In `a.txt`, in place of the line `one`", "new\n  two three\n")])
def test_a_box_goes_where_its_title_says(tmp_path, caption, expected):
    (tmp_path / "a.txt").write_text("one\n  two three\n")
    step, = steps(f"```{{code-block}} text\n:caption: {caption}\nnew\n```\n")
    edit(tmp_path, step)
    assert (tmp_path / "a.txt").read_text() == (expected or "one\n  two three\n") and (tmp_path / "new.txt").exists() == (expected is None)
