"""From the repository to a running course and back, on files as Canvas, Moodle, nbgrader and Gradescope write and read them."""

import contextlib
import csv
import http.server
import io
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml
from classroom import NAMES, STEM, from_bank, make_course, reference
from test_secrets import MARKERS, hidden_lines, leaks

from autograder.__main__ import main
from autograder.bank import entries
from autograder.delivery import collect as collecting
from autograder.delivery import export as exporting
from autograder.delivery import gradescope as scope
from autograder.delivery import plan as planning
from autograder.delivery.archives import read_download
from autograder.delivery.collect import Choices, collect
from autograder.delivery.release import release
from autograder.delivery.roster import canvas_key, moodle_key, read_people
from autograder.delivery.table import Row, lines
from autograder.grading.book import open_book
from autograder.grading.course import CourseError, api, read_roster
from autograder.grading.engine import grade_assignment
from autograder.grading.sandbox import doctor
from autograder.notebook.explorables import whole
from autograder.publish.source import ROOT, stems

OTHER = "05_batch_norm"
SECRET_FOLDERS = ("hidden", "bank", "audit", "grading", "publish", "delivery", "solutions", "tests")

# Rosters as the systems export them.
CANVAS_ROSTER = ('Student,ID,SIS User ID,SIS Login ID,Section,02_initialization (901),Current Score\n'
                 '    Points Possible,,,,,2.0,(read only)\n'
                 '"Lovelace, Ada",77,s101,ada@x.org,Lab A,,\n'
                 '"O\'Neil-Núñez, Zoë María",78,s102,zoe@x.org,Lab A,,\n'
                 '"Hopper, Grace",79,s103,grace@x.org,Lab B,,\n'
                 '"Smith, Jo",80,s104,jo1@x.org,Lab B,,\n'
                 '"Smith, Jo",81,s105,jo2@x.org,Lab B,,\n'
                 '"Student, Test",99,,abc,Lab A,,\n')
MOODLE_ROSTER = ('\ufeff"First name","Last name","ID number","Email address",Groups\n'
                 'Ada,Lovelace,s101,ada@x.org,\n"Zoë María","O\'Neil-Núñez",s102,zoe@x.org,\nGrace,Hopper,s103,grace@x.org,"Lab B"\n'
                 'Jo,Smith,s104,jo1@x.org,\nJo,Smith,s105,jo2@x.org,\n')
WORKSHEET = ('\ufeffIdentifier,"Full name","ID number","Email address",Status,Grade,"Maximum Grade","Grade can be changed",'
             '"Last modified (submission)","Last modified (grade)","Feedback comments"\n'
             '"Participant 5001","Ada Lovelace",s101,ada@x.org,"Submitted for grading",,100.00,Yes,"Thursday, 10 January 2030, 9:15 PM",-,\n'
             '"Participant 5002","Zoë María O\'Neil-Núñez",s102,zoe@x.org,"Submitted for grading",,100.00,Yes,"Friday, 11 January 2030, 8:00 AM",-,\n'
             '"Participant 5003","Grace Hopper",s103,grace@x.org,"No submission",,100.00,Yes,-,-,\n'
             '"Participant 5004","Jo Smith",s104,jo1@x.org,"Submitted for grading",,100.00,Yes,"Friday, 11 January 2030, 8:00 AM",-,\n'
             '"Participant 5009","Charles Babbage",s999,cb@x.org,"No submission",,100.00,Yes,-,-,\n')


def write(path, text):
    path.write_text(text, encoding="utf-8", newline="")
    return path


def course_with(folder, roster=CANVAS_ROSTER, exercises=None):
    """A small course with a roster, as `init` leaves it."""
    course = make_course(folder, exercises)
    path = write(course / "roster.csv", roster)
    with open_book(course) as gradebook:
        for student in read_roster(path):
            gradebook.update_or_create_student(student.pop("id"), **student)
    return course


def notebook_of(course, solutions, stem=STEM):
    notebook = nbformat.read(course / "release" / stem / f"{stem}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = solutions.get(cell.id, cell.source)
    return nbformat.writes(notebook).encode()


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def table(rows):
    return "\n".join(lines(rows))


def outcomes(rows):
    return {row.what: row.outcome for row in rows}


def handed(course, stem=STEM):
    return {p.parent.parent.name: p.read_bytes() for p in (course / "submitted").glob(f"*/{stem}/*.*") if p.suffix in (".ipynb", ".zip")}


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    return course_with(tmp_path_factory.mktemp("delivery") / "course", exercises={STEM: NAMES, OTHER: ["bn_eval"]})


@pytest.fixture
def course(template, tmp_path):
    """A fresh copy of a course of two chapters, with Canvas's roster."""
    return shutil.copytree(template, tmp_path / "course").resolve()


@pytest.fixture(scope="module")
def work(template):
    """Names of pieces of work -> the notebook file."""
    whole = {n: s for n, s in reference(STEM).items() if n in NAMES}
    return {"whole": notebook_of(template, whole), "half": notebook_of(template, {"fans": whole["fans"]}),
            "own": notebook_of(template, {n: from_bank(n, True) for n in NAMES}), "stub": notebook_of(template, {}),
            "other": notebook_of(template, {}, OTHER)}


# --- the students' repository -------------------------------------------------------------


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release") / "student"
    release(folder)
    return folder


def texts(folder):
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_the_release_holds_what_students_need(released):
    files = texts(released)
    assert {f"notebooks/{s}.ipynb" for s in stems()} <= set(files)
    assert {"README.md", "LICENSE", "environment.yml", "postBuild", "pyproject.toml", ".gitignore", "book/results/cpu.json",
            "book/explorables/06_sphere.js"} <= set(files)
    assert os.access(released / "postBuild", os.X_OK) and not os.access(released / "README.md", os.X_OK)
    assert all(s in files["README.md"] for s in stems()) and "https://" in files["README.md"]
    pins = next(d["pip"] for d in yaml.safe_load(files["environment.yml"])["dependencies"] if isinstance(d, dict))
    assert set(pins) <= set((ROOT / "constraints.txt").read_text().splitlines()) and any(p.startswith("torch==") for p in pins)


def test_the_release_holds_no_solution_no_hidden_case_and_no_bank_entry(released):
    files, hidden = texts(released), hidden_lines()
    assert not [n for n in files if set(Path(n).parts[:-1]) & set(SECRET_FOLDERS)]
    known = {max(lines, key=len).strip(): lines for lines in (e.source().split("\n") for e in entries())}
    for name, text in files.items():
        assert not [leak for leak in leaks(text) if name.endswith(".ipynb") or leak not in MARKERS], name
        plain = text.replace("\\n", "\n").replace('\\"', '"')
        found = {line.strip().strip('",') for line in plain.splitlines()}
        assert not hidden & found, name
        assert not [known[line] for line in found & set(known) if "\n".join(known[line]) in plain], name


def test_the_release_is_the_same_byte_for_byte(released, tmp_path):
    release(tmp_path / "again")
    first, again = ({n: (t, (f / n).stat().st_mode) for n, t in texts(f).items()} for f in (released, tmp_path / "again"))
    assert first == again


def test_the_release_overwrites_nothing_and_leaves_nothing_half_done(released, tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    write(tmp_path / "own" / "README.md", "mine")
    with pytest.raises(CourseError, match="is not empty and holds no earlier release"):
        release(tmp_path / "own")
    assert (tmp_path / "own" / "README.md").read_text() == "mine" and not (tmp_path / "own").joinpath("notebooks").exists()

    def full_disk(folder):
        folder.mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("autograder.delivery.release.write_students", full_disk)
    with pytest.raises(CourseError, match="No space left on device"):
        release(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["own"]


@pytest.mark.slow
def test_the_release_installs_alone_and_a_released_notebooks_checks_run(released, tmp_path):
    """A fresh environment that has the students' dependencies and nothing of ours."""
    import torch

    source = shutil.copytree(released, tmp_path / "student")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", source], check=True)
    site = subprocess.run([python, "-c", "import site; print(site.getsitepackages()[0])"], capture_output=True, text=True, check=True).stdout.strip()
    (Path(site) / "dependencies.pth").write_text(str(Path(torch.__file__).parents[1]))
    where = subprocess.run([python, "-c", "import autograder; print(autograder.__file__)"], cwd=tmp_path, capture_output=True, text=True).stdout
    assert where.startswith(str(tmp_path / "venv"))
    shown = "from autograder import explorable; print(explorable('06_sphere')._esm, end='')"
    assert subprocess.run([python, "-c", shown], cwd=tmp_path, capture_output=True, text=True).stdout == whole("06_sphere")
    path = tmp_path / f"{STEM}.ipynb"
    notebook = nbformat.read(source / "notebooks" / f"{STEM}.ipynb", as_version=4)
    solutions = reference(STEM)
    for cell in notebook.cells:
        cell.source = solutions.get(cell.id, cell.source)
    for cells, code in ((notebook, 0), (nbformat.read(source / "notebooks" / f"{STEM}.ipynb", as_version=4), 1)):
        nbformat.write(cells, path)
        done = subprocess.run([python.with_name("autograder"), "check", path], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == code and f"of {len(solutions)} exercises pass" in done.stdout, done.stderr
    refused = subprocess.run([python.with_name("autograder"), "release", "--to", "x"], cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 2 and "needs the teachers' tools" in refused.stderr


# --- a course: chapters, dates, points ----------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    roster = write(folder / "roster.csv", CANVAS_ROSTER)
    assert main(["init", str(folder / "course"), "--roster", str(roster), "--chapters", "initialization",
                 "--due", "02=2030-01-31T23:59", "--late", "zero"]) == 0
    return folder / "course"


def test_init_takes_chapters_by_name_dates_policy_and_roster(made):
    plan = planning.read_plan(made)
    assert list(plan.chapters) == [STEM] and plan.late == "zero" and f"{plan.chapters[STEM].due}" == "2030-01-31 23:59:00"
    with open_book(made) as gradebook:
        assert str(gradebook.find_assignment(STEM).duedate) == "2030-01-31 23:59:00"
        assert {s.id for s in gradebook.students} == {"s101", "s102", "s103", "s104", "s105"}
    assert api(made).config.LateSubmissionPlugin.penalty_method == "zero"
    assert (made / "roster.csv").read_text() == CANVAS_ROSTER


@pytest.mark.parametrize("name, stem", [("05", OTHER), ("5", OTHER), ("batch_norm", OTHER), (OTHER, OTHER)])
def test_a_chapter_is_found_by_stem_number_and_name(name, stem):
    assert planning.chapter_named(name) == stem


@pytest.mark.parametrize("words, problem", [
    (["--chapters", "norm"], "There is no chapter 'norm'; the chapters are 00_start"),
    (["--chapters", "02", "--due", "05=2030-01-31"], "There is a due date for 05_batch_norm, but not the chapter."),
    (["--due", "02=tomorrow"], "'tomorrow' is no date"), (["--due", "02"], "--due takes NAME=VALUE, not '02'")])
def test_init_refuses_what_it_does_not_understand_and_leaves_nothing(tmp_path, capsys, words, problem):
    assert main(["init", str(tmp_path / "course"), *words]) == 2
    assert problem in capsys.readouterr().err and not (tmp_path / "course").exists()


def test_points_of_the_file_reach_notebooks_grade_book_and_marks(course, work):
    write(course / planning.FILE, f"[chapters.{STEM}]\nweight = 3\npoints = {{ fans = 5 }}\n")
    (course / "submitted" / "s101" / STEM).mkdir(parents=True)
    (course / "submitted" / "s101" / STEM / f"{STEM}.ipynb").write_bytes(work["half"])
    planning.before_grading(course)
    assert planning.points_of(course, STEM) == {"fans": 5.0, "xavier_uniform_bound": 1.0}
    released = nbformat.read(course / "release" / STEM / f"{STEM}.ipynb", as_version=4)
    assert {c.id: c.metadata.nbgrader.points for c in released.cells if c.id == "fans-check"} == {"fans-check": 5.0}
    with open_book(course) as gradebook:
        assert gradebook.find_assignment(STEM).max_score == 6
    (result, _), = grade_assignment(STEM, course, jobs=1)
    assert (result.score, result.max_score) == (5.0, 6.0)
    before = (course / "source" / STEM / f"{STEM}.ipynb").stat().st_mtime_ns
    planning.before_grading(course)
    assert (course / "source" / STEM / f"{STEM}.ipynb").stat().st_mtime_ns == before


def test_late_work_loses_by_the_policy_and_a_new_policy_needs_no_new_grading(course, work):
    folder = course / "submitted" / "s101" / STEM
    folder.mkdir(parents=True)
    (folder / f"{STEM}.ipynb").write_bytes(work["whole"])
    (folder / "timestamp.txt").write_text("2030-01-11 12:00:00 UTC")
    found = []
    for policy in ('policy = "daily"\nper_day = 0.25', 'policy = "zero"', 'policy = "none"'):
        write(course / planning.FILE, f'timezone = "Europe/Zurich"\n[late]\n{policy}\n[chapters.{STEM}]\ndue = 2030-01-10T13:30:00\n')
        planning.before_grading(course)
        (_, outcome), = grade_assignment(STEM, course, jobs=1)
        found.append((outcome, exporting.read_marks(course, [STEM]).of("s101", STEM).score))
    assert found == [("graded", 1.5), ("unchanged", 0.0), ("unchanged", 2.0)]


BAD_PLANS = {
    "this is no toml": "is not TOML",
    'timezone = "Mars/Base"': "timezone 'Mars/Base' is not known",
    '[late]\npolicy = "cruel"': "late.policy is 'cruel'; known are none, zero, daily.",
    '[late]\npolicy = "daily"\nper_day = 7': "late.per_day is 7; it is a share, from 0 to 1.",
    "[chapters.99_magic]\nweight = 1": "chapters.99_magic: the course has no such assignment; it has 02_initialization, 05_batch_norm.",
    f"[chapters.{STEM}]\nweight = -1": f"chapters.{STEM}.weight is -1; it is a number from 0.",
    f"[chapters.{STEM}]\nwieght = 1": f"chapters.{STEM}.wieght is not known; known are due, weight, name, points.",
    f'[chapters.{STEM}]\ndue = "soon"': f"chapters.{STEM}.due is 'soon', which does not fit.",
    f"[chapters.{STEM}.points]\nfns = 2": f"chapters.{STEM}.points: there is no exercise 'fns'; the exercises are fans, xavier_uniform_bound.",
    f"[chapters.{STEM}.points]\nfans = true": f"chapters.{STEM}.points.fans is True; it is a number from 0.",
    f"chapters = 3\nlate = 4": "late is 4, which does not fit.",
}


@pytest.mark.parametrize("text", BAD_PLANS)
def test_a_bad_plan_is_refused_by_name(template, text):
    try:
        write(template / planning.FILE, text)
        with pytest.raises(CourseError) as refused:
            planning.read_plan(template)
        assert BAD_PLANS[text] in str(refused.value)
    finally:
        (template / planning.FILE).unlink()


def test_all_problems_of_a_plan_and_of_a_roster_are_said_at_once(template, tmp_path):
    try:
        write(template / planning.FILE, f"colour = 1\n[late]\npolicy = 1\n[chapters.{STEM}.points]\nx = 1\ny = 1\n")
        with pytest.raises(CourseError) as refused:
            planning.read_plan(template)
    finally:
        (template / planning.FILE).unlink()
    assert str(refused.value).count("\n") == 3
    with pytest.raises(CourseError) as refused:
        read_roster(write(tmp_path / "r.csv", "id,first_name\nada,A\nada,B\n.x,C\n,D\n"))
    assert [line.split(", ", 1)[1][:14] for line in str(refused.value).split("\n")] == ["line 3: 'ada' ", "line 4: '.x' i", "line 5: '' is "]


def test_the_plan_written_is_the_plan_read(made):
    plan = planning.read_plan(made)
    before = (made / planning.FILE).read_text()
    write(made / planning.FILE, planning.text(plan))
    assert planning.read_plan(made) == plan
    write(made / planning.FILE, before)


# --- ways in ------------------------------------------------------------------------------


def canvas_name(person, file, file_id=4242, late=False):
    """By Canvas's rule: sortable name in small letters without what is no word character, LATE, numbers, file."""
    return f"{canvas_key(person.canvas_name)}{'_LATE' * late}_{person.canvas_id}_{file_id}_{file}"


def test_names_are_folded_as_canvas_and_moodle_fold_them():
    assert canvas_key("O'Neil-Núñez, Zoë María") == "oneilnúñezzoëmaría" and canvas_key("Lovelace, Ada") == "lovelaceada"
    assert moodle_key("Zoë  María O'Neil_Núñez") == "zoë maría oneil núñez"


def test_canvas_zip_is_laid_in_by_canvas_numbers(course, work, tmp_path):
    people = read_people(course)
    files = {canvas_name(people["s101"], f"{STEM}.ipynb"): work["whole"], canvas_name(people["s102"], f"{STEM}-2.ipynb"): work["half"],
             canvas_name(people["s104"], "Copy of my notebook.ipynb"): work["own"],
             canvas_name(people["s105"], f"{STEM}.ipynb", late=True): work["stub"]}
    rows, missing = collect(course, STEM, zipped(tmp_path / "submissions.zip", files))
    assert handed(course) == {"s101": work["whole"], "s102": work["half"], "s104": work["own"], "s105": work["stub"]}
    assert missing == ["s103"] and {r.outcome for r in rows} == {"taken", "same name"}
    late, = (r for r in rows if r.is_open)
    assert "s105; Canvas marks it late, but its zip says not when" in late.note
    assert "Jo Smith" in table(rows) and "s104, s105" in table(rows)


def test_canvas_without_numbers_in_the_roster_goes_by_name_and_never_guesses(tmp_path, template, work):
    course = shutil.copytree(template, tmp_path / "course")
    write(course / "roster.csv", MOODLE_ROSTER)
    files = {f"lovelaceada_9001_1_{STEM}.ipynb": work["whole"], f"smithjo_9002_2_{STEM}.ipynb": work["half"],
             f"babbagecharles_9003_3_{STEM}.ipynb": work["own"]}
    rows, _ = collect(course, STEM, zipped(tmp_path / "s.zip", files))
    assert set(handed(course)) == {"s101"}
    assert "2 students of the roster fit: s104, s105; say whose it is: --match '9002=ID'" in table(rows)
    assert "not in the roster; say whose it is: --match '9003=ID'" in table(rows)
    rows, _ = collect(course, STEM, tmp_path / "s.zip", choices=Choices(match=(("smithjo", "s105"),)))
    assert handed(course)["s105"] == work["half"] and outcomes(rows)[f"lovelaceada_9001_1_{STEM}.ipynb"] == "unchanged"


MOODLE_FORMS = {
    "a folder each": lambda name, number, file: f"{name}_{number}_assignsubmission_file/{file}",
    "a folder each, before 4.1": lambda name, number, file: f"{name}_{number}_assignsubmission_file_/{file}",
    "flat": lambda name, number, file: f"{name}_{number}_assignsubmission_file_{file}",
    "packed again": lambda name, number, file: f"download/{name}_{number}_assignsubmission_file_/{file}",
}


@pytest.mark.parametrize("form", MOODLE_FORMS)
def test_moodle_zip_is_laid_in_by_name_and_by_the_worksheet(template, work, tmp_path, form):
    course = shutil.copytree(template, tmp_path / "course")
    write(course / "roster.csv", MOODLE_ROSTER)
    name = MOODLE_FORMS[form]
    files = {name("Ada Lovelace", 5001, f"{STEM}.ipynb"): work["whole"], name("Zoë María ONeil-Núñez", 5002, f"{STEM}.ipynb"): work["half"],
             name("Jo Smith", 5004, f"{STEM}.ipynb"): work["own"], name("Charles Babbage", 5009, f"{STEM}.ipynb"): work["stub"]}
    path = zipped(tmp_path / "Deep-02-1234.zip", files)
    rows, _ = collect(course, STEM, path)
    assert set(handed(course)) == {"s101", "s102"} and table(rows).count("NOT TAKEN") == 2
    rows, _ = collect(course, STEM, path, write(tmp_path / "grades.csv", WORKSHEET))
    assert handed(course)["s104"] == work["own"]
    assert (course / "submitted" / "s104" / STEM / "timestamp.txt").read_text() == "2030-01-11 08:00:00 UTC"
    assert "not in the roster" in table(rows)


def test_moodles_times_are_of_the_courses_time_zone_and_foreign_ones_are_named(course, work, tmp_path):
    write(course / planning.FILE, 'timezone = "Europe/Zurich"\n')
    sheet = write(tmp_path / "w.csv", WORKSHEET.replace("Friday, 11 January 2030, 8:00 AM", "Freitag, 11. Januar 2030, 8:00"))
    files = {f"Ada Lovelace_5001_assignsubmission_file/{STEM}.ipynb": work["whole"],
             f"Jo Smith_5004_assignsubmission_file/{STEM}.ipynb": work["own"]}
    rows, _ = collect(course, STEM, zipped(tmp_path / "m.zip", files), sheet)
    assert (course / "submitted" / "s101" / STEM / "timestamp.txt").read_text() == "2030-01-10 20:15:00 UTC"
    assert "s104: the worksheet's date is not in English; it counts as handed in on time" in table(rows)


def test_a_stranger_who_bears_a_students_name_is_not_the_student(course, work, tmp_path):
    """The number in the download is not the one of the roster: the same name does not make it the same person."""
    rows, _ = collect(course, STEM, zipped(tmp_path / "c.zip", {f"lovelaceada_555_1_{STEM}.ipynb": work["whole"]}))
    sheet = write(tmp_path / "w.csv", WORKSHEET.replace("s101,ada@x.org", "s555,ada@elsewhere.org"))
    more, _ = collect(course, STEM, zipped(tmp_path / "m.zip", {f"Ada Lovelace_5001_assignsubmission_file/{STEM}.ipynb": work["whole"]}), sheet)
    assert not handed(course) and "--match '555=ID'" in table(rows) and "--match '5001=ID'" in table(more)


@pytest.mark.parametrize("layout", ["nbgrader", "a folder each", "files"])
def test_a_folder_is_laid_in(course, work, tmp_path, layout):
    for student, data in (("s101", work["whole"]), ("s103", work["half"]), ("ada", work["own"])):
        path = {"nbgrader": Path(student) / STEM / f"{STEM}.ipynb", "a folder each": Path(student) / "anything.ipynb",
                "files": Path(f"{student}.ipynb")}[layout]
        (tmp_path / "in" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / path).write_bytes(data)
    rows, _ = collect(course, STEM, tmp_path / "in")
    assert handed(course) == {"s101": work["whole"], "s103": work["half"]}
    assert "not in the roster; say whose it is: --match 'ada=ID'" in table(rows)


def test_what_is_wrong_with_work_is_named_and_nothing_is_guessed(course, work, tmp_path):
    people = read_people(course)
    first, again = (canvas_name(people["s101"], f"{STEM}{more}.ipynb", i) for i, more in ((1, ""), (2, "-1")))
    files = {first: work["whole"], again: work["half"], canvas_name(people["s102"], f"{STEM}.ipynb"): work["other"],
             canvas_name(people["s103"], "essay.ipynb"): json.dumps({"cells": [{"cell_type": "code", "source": "print()"}]}).encode(),
             f"smithjo_80_text.html": b"<p>see my mail</p>", canvas_name(people["s105"], "photo.jpg"): b"x", "notes.txt": b"x"}
    path = zipped(tmp_path / "s.zip", files)
    rows, missing = collect(course, STEM, path)
    said = table(rows)
    assert not handed(course) and missing == ["s101", "s102", "s103", "s104", "s105"]
    assert said.count("s101: 2 submissions") == 2 and f"choose one: --take '{STEM}-1.ipynb'" in said
    assert f"s102: it is {OTHER}, not {STEM}; to grade it all the same: --take '{STEM}.ipynb'" in said
    assert "s103: it holds none of the exercises" in said and "s104: no notebook" in said and "s105: no notebook" in said
    assert "notes.txt" in said and "the name says no student" in said and sum(r.is_open for r in rows) == 7
    collect(course, STEM, path, choices=Choices(take=(f"{STEM}-1.ipynb", "essay.ipynb", canvas_name(people["s102"], f"{STEM}.ipynb"))))
    assert handed(course)["s101"] == work["half"] and handed(course)["s102"] == work["other"] and "s103" in handed(course)


def test_two_equal_files_of_a_student_are_one(course, work, tmp_path):
    person = read_people(course)["s101"]
    files = {canvas_name(person, f"{STEM}.ipynb", i): work["whole"] for i in (1, 2)}
    rows, _ = collect(course, STEM, zipped(tmp_path / "s.zip", files))
    assert set(handed(course)) == {"s101"} and sorted(r.outcome for r in rows) == ["left out", "same name", "taken"]


def test_work_handed_in_again_replaces_only_when_told(course, work, tmp_path):
    name = canvas_name(read_people(course)["s101"], f"{STEM}.ipynb")
    for data, update, expected in (("half", False, "taken"), ("half", False, "unchanged"), ("whole", False, "left as it was"), ("whole", True, "taken")):
        rows, _ = collect(course, STEM, zipped(tmp_path / "s.zip", {name: work[data]}), choices=Choices(update=update))
        assert outcomes(rows)[name] == expected
    assert handed(course)["s101"] == work["whole"]
    assert not [p for p in (course / "submitted").rglob(".*")]


def test_work_that_cannot_be_read_is_the_graders_to_judge(course, tmp_path):
    name = canvas_name(read_people(course)["s101"], f"{STEM}.ipynb")
    rows, _ = collect(course, STEM, zipped(tmp_path / "s.zip", {name: b"<html>Sign in</html>"}))
    assert outcomes(rows)[name] == "taken" and handed(course)["s101"] == b"<html>Sign in</html>"


def test_a_zip_handed_in_by_a_student_is_taken_as_it_is(course, work, tmp_path):
    inner = zipped(tmp_path / "i.zip", {f"{STEM}.ipynb": work["whole"]}).read_bytes()
    name = canvas_name(read_people(course)["s101"], "work.zip")
    collect(course, STEM, zipped(tmp_path / "s.zip", {name: inner}))
    assert (course / "submitted" / "s101" / STEM / f"{STEM}.zip").read_bytes() == inner


def test_hostile_archives_reach_nothing(course, work, tmp_path):
    path, link = tmp_path / "s.zip", zipfile.ZipInfo("s103.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.ipynb", work["whole"])
        archive.writestr("/s102.ipynb", work["whole"])
        archive.writestr(link, "/etc/passwd")
        archive.writestr("__MACOSX/s101.ipynb", b"x")
        archive.writestr("\x1b[31ms101.ipynb", work["whole"])
    before = set(tmp_path.rglob("*"))
    rows, _ = collect(course, STEM, path)
    assert {p for p in set(tmp_path.rglob("*")) - before if course not in p.parents} == set()
    assert not handed(course) and "\x1b" not in table(rows)
    damaged = bytearray(zipped(path, {"s101.ipynb": os.urandom(4000)}).read_bytes())
    damaged[100:200] = bytes(100)
    path.write_bytes(damaged)
    rows, _ = collect(course, STEM, path)
    assert "s101: it cannot be read (BadZipFile" in table(rows)


@pytest.mark.parametrize("name", ["anon_k3Xz9_4242_02_initialization.ipynb", "Participant_5001_assignsubmission_file_/02_initialization.ipynb"])
def test_anonymous_downloads_name_nobody(course, work, tmp_path, name):
    rows, _ = collect(course, STEM, zipped(tmp_path / "s.zip", {name: work["whole"]}))
    assert not handed(course) and rows[0].is_open


def test_downloads_that_are_none_are_refused_in_one_sentence(course, tmp_path, capsys):
    write(tmp_path / "s.zip", "no zip")
    for words, problem in ((["--from", str(tmp_path / "s.zip")], "is no zip file that can be read"), (["--from", str(tmp_path / "none")], "neither a folder nor"),
                           ([], "Say where the work lies"), (["--from", str(tmp_path), "--match", "x=nobody"], "--match names nobody, who is not in the roster"),
                           (["--from", str(tmp_path), "--worksheet", str(course / "roster.csv")], "is no grading worksheet of Moodle")):
        assert main(["collect", STEM, "--course", str(course), *words]) == 2
        assert problem in capsys.readouterr().err
    assert main(["collect", "99", "--course", str(course), "--from", str(tmp_path)]) == 2
    assert "There is no assignment '99'" in capsys.readouterr().err


def test_the_command_exits_with_one_while_something_is_open(course, work, tmp_path, capsys):
    names = {canvas_name(read_people(course)["s101"], f"{STEM}.ipynb"): work["whole"]}
    assert main(["collect", STEM, "--course", str(course), "--from", str(zipped(tmp_path / "a.zip", names))]) == 0
    assert "Nothing from: s102, s103, s104, s105" in capsys.readouterr().out
    names["x_1_2_y.ipynb"] = work["half"]
    assert main(["collect", STEM, "--course", str(course), "--from", str(zipped(tmp_path / "b.zip", names))]) == 1
    assert capsys.readouterr().out.startswith("x_1_2_y.ipynb")


def test_the_systems_are_told_apart(tmp_path):
    for names, system in ((["lovelaceada_1_2_a.ipynb", "x.ipynb"], "canvas"), (["A B_1_assignsubmission_file/a.ipynb"], "moodle"),
                          (["ada/a.ipynb", "bob_2.ipynb"], "plain"), (["smith_2nd_LATE_7_8_02_x_3_4.ipynb"], "canvas")):
        items, _ = read_download(zipped(tmp_path / "s.zip", dict.fromkeys(names, b"")))
        assert {i.system for i in items} == {system}
    assert (items[0].name, items[0].number, items[0].late, items[0].file) == ("smith_2nd", "7", True, "02_x_3_4.ipynb")


@pytest.mark.slow
def test_nbgraders_exchange_is_a_way_in(course, work, tmp_path):
    """Released, fetched and submitted by nbgrader's own commands, collected by ours."""
    import getpass

    root, student = tmp_path / "exchange", tmp_path / "student"
    root.mkdir()
    root.chmod(0o777)
    student.mkdir()
    config = (course / "nbgrader_config.py").read_text() + f"\nc.Exchange.root = {str(root)!r}\nc.Exchange.cache = {str(tmp_path / 'cache')!r}\n"
    (course / "nbgrader_config.py").write_text(config)
    (student / "nbgrader_config.py").write_text(config)
    with open_book(course) as gradebook:
        gradebook.update_or_create_student(getpass.getuser())

    def nbgrader(where, *words):
        subprocess.run([sys.executable, "-m", "nbgrader", *words], cwd=where, check=True, capture_output=True)

    nbgrader(course, "release_assignment", STEM)
    nbgrader(student, "fetch_assignment", STEM)
    (student / STEM / f"{STEM}.ipynb").write_bytes(work["whole"])
    nbgrader(student, "submit", STEM)
    rows, missing = collecting.collect_exchange(course, STEM)
    assert outcomes(rows) == {getpass.getuser(): "taken"} and "s101" in missing
    assert outcomes(collecting.collect_exchange(course, STEM)[0]) == {getpass.getuser(): "unchanged"}
    (result, _), = grade_assignment(STEM, course, jobs=1)
    assert result.score == 2


NGSHARE = Path(os.environ.get("NGSHARE_VENV", ROOT / "_build" / "ngshare"))


class Hub(http.server.BaseHTTPRequestHandler):
    """The one question that ngshare asks a JupyterHub: whose token is this? Here a token is the user's name."""

    def do_GET(self):
        name = self.headers.get("Authorization", "").removeprefix("token ").strip()
        self.send_response(200 if self.path.endswith("/user") and name else 403)
        self.end_headers()
        self.wfile.write(json.dumps({"name": name}).encode())

    def log_message(self, *words):
        pass


@contextlib.contextmanager
def ngshare(folder):
    """A real ngshare, with a JupyterHub that knows tokens alone; yields its address."""
    hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "files").mkdir(parents=True)
    environment = {"PATH": os.environ["PATH"], "JUPYTERHUB_API_TOKEN": "service", "JUPYTERHUB_CLIENT_ID": "ngshare", "JUPYTERHUB_SERVICE_PREFIX": "/api/",
                   "JUPYTERHUB_API_URL": f"http://127.0.0.1:{hub.server_port}/hub/api", "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}"}
    server = subprocess.Popen([NGSHARE / "bin" / "python", "-m", "ngshare", "--database", f"sqlite:///{folder}/db", "--storage", folder / "files",
                               "--admins", "teacher"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert server.poll() is None, server.stdout.read().decode()[-2000:]
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/api"
    finally:
        server.terminate()
        server.wait()
        hub.shutdown()
        hub.server_close()


def ask(address, user, **fields):
    request = urllib.request.Request(address, urllib.parse.urlencode(fields).encode(), {"Authorization": f"token {user}"})
    answer = json.loads(urllib.request.urlopen(request).read())
    assert answer["success"], answer


@pytest.mark.slow
@pytest.mark.skipif(not (NGSHARE / "client").is_dir(), reason="ngshare is not here; `make test-hub` makes it")
def test_ngshare_is_a_way_in(course, work, tmp_path, monkeypatch):
    """Released, fetched and submitted through a running ngshare, collected by ours."""
    student = tmp_path / "student"
    student.mkdir()
    with ngshare(tmp_path / "ngshare") as address:
        with open(course / "nbgrader_config.py", "a") as file:
            file.write(f"\nimport ngshare_exchange\nngshare_exchange.configureExchange(get_config(), {address!r})\n")
        (student / "nbgrader_config.py").write_text((course / "nbgrader_config.py").read_text())
        ask(f"{address}/course/deep-networks", "teacher", instructors='["teacher"]')
        ask(f"{address}/student/deep-networks/s101", "teacher", first_name="Ada", last_name="Lovelace", email="ada@x.org")

        def nbgrader(where, user, *words):
            environment = os.environ | {"JUPYTERHUB_API_TOKEN": user, "JUPYTERHUB_USER": user, "PYTHONPATH": str(NGSHARE / "client")}
            done = subprocess.run([sys.executable, "-m", "nbgrader", *words], cwd=where, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-3000:]

        nbgrader(course, "teacher", "release_assignment", STEM)
        nbgrader(student, "s101", "fetch_assignment", STEM)
        (student / STEM / f"{STEM}.ipynb").write_bytes(work["whole"])
        nbgrader(student, "s101", "submit", STEM)
        monkeypatch.setenv("JUPYTERHUB_USER", "teacher")
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "teacher")
        monkeypatch.syspath_prepend(str(NGSHARE / "client"))
        rows, missing = collecting.collect_exchange(course, STEM)
    assert outcomes(rows) == {"s101": "taken"} and missing == ["s102", "s103", "s104", "s105"]
    assert handed(course)["s101"] == work["whole"]


def test_an_exchange_that_refuses_is_said_in_one_sentence(course, tmp_path, capsys):
    with open(course / "nbgrader_config.py", "a") as file:
        file.write(f"\nc.Exchange.root = {str(tmp_path / 'nowhere')!r}\n")
    assert main(["collect", STEM, "--course", str(course), "--exchange"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("nbgrader's exchange refuses: ") and "Traceback" not in said


# --- ways out -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graded(template, work, tmp_path_factory):
    """A graded course: full, half and no marks, one student who handed in nothing, all through Canvas's zip."""
    folder = tmp_path_factory.mktemp("graded")
    course = shutil.copytree(template, folder / "course").resolve()
    people = read_people(course)
    files = {canvas_name(people[s], f"{STEM}.ipynb"): work[w] for s, w in (("s101", "whole"), ("s102", "half"), ("s103", "stub"), ("s104", "own"))}
    collect(course, STEM, zipped(folder / "s.zip", files))
    assert {r.status for r, _ in grade_assignment(STEM, course, jobs=1)} == {"graded"}
    return course


SCORES = {"s101": 2.0, "s102": 1.0, "s103": 0.0, "s104": 2.0}


def read_csv(path):
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def as_canvas_imports(path):
    """{(Canvas's number, SIS number): {column: score}} by the rules of Canvas's importer; Points Possible."""
    header, *rows = read_csv(path)
    assert header[0] == "Student" and "ID" in header[1] and len(header) > 3
    width = 3 + (header[2:4] == ["SIS User ID", "SIS Login ID"]) * 2
    assert header[width - 1] == "Section"
    possible = next(r for r in rows if "Points Possible" in r[0])
    students = [r for r in rows if "Points Possible" not in r[0] and any(c.strip() and "Manual Posting" not in c for c in r)]
    return {(r[1], r[2]): dict(zip(header[width:], r[width:])) for r in students}, dict(zip(header[width:], possible[width:]))


def test_canvas_csv_comes_back_as_it_went_out(graded, tmp_path):
    rows = exporting.export(graded, "canvas", tmp_path / "c.csv", [STEM])
    students, possible = as_canvas_imports(tmp_path / "c.csv")
    assert possible == {STEM: "2"} and not rows
    numbers = {p.id: p.canvas_id for p in read_people(graded).values()}
    assert {s: students[numbers[s], s][STEM] for s in numbers} == {**{s: f"{v:g}" for s, v in SCORES.items()}, "s105": ""}
    assert {s["id"] for s in read_roster(tmp_path / "c.csv")} == set(numbers)


def test_canvas_export_is_filled_in(graded, tmp_path):
    sheet = write(tmp_path / "gradebook.csv", CANVAS_ROSTER.replace(",2.0,", ",10.0,") + '"Babbage, Charles",90,s900,cb,Lab A,3,\n')
    rows = exporting.export(graded, "canvas", tmp_path / "c.csv", [STEM], sheet)
    students, possible = as_canvas_imports(tmp_path / "c.csv")
    assert possible == {f"{STEM} (901)": "10.0"}
    assert {key[1]: row[f"{STEM} (901)"] for key, row in students.items()} == {
        "s101": "10", "s102": "5", "s103": "0", "s104": "10", "s105": "", "": "", "s900": "3"}
    assert "2 points here are 10.0 there" in table(rows)
    assert [r.what for r in rows if r.is_open] == ["Babbage, Charles"]


def test_a_canvas_export_without_the_column_says_which_name_is_missing(graded, tmp_path):
    sheet = write(tmp_path / "g.csv", CANVAS_ROSTER.replace(f"{STEM} (901)", "Homework 2 (901)"))
    assert "write the name that Canvas uses as chapters" in table(exporting.export(graded, "canvas", tmp_path / "c.csv", [STEM], sheet))
    try:
        write(graded / planning.FILE, f'[chapters.{STEM}]\nname = "homework 2"\n')
        assert not [r for r in exporting.export(graded, "canvas", tmp_path / "c.csv", [STEM], sheet) if r.is_open]
    finally:
        (graded / planning.FILE).unlink()
    assert as_canvas_imports(tmp_path / "c.csv")[0]["77", "s101"] == {"Homework 2 (901)": "2"}


def as_moodle_imports(path):
    """{participant number: grade} by the rules of Moodle's worksheet importer."""
    header, *rows = read_csv(path)
    place = {name: header.index(name) for name in ("Identifier", "Grade", "Last modified (grade)")}
    return {int(r[place["Identifier"]][len("Participant "):]): r[place["Grade"]] for r in rows}


def test_moodles_worksheet_comes_back_filled_in(graded, tmp_path):
    sheet = write(tmp_path / "w.csv", WORKSHEET)
    rows = exporting.export(graded, "moodle", tmp_path / "m.csv", [STEM], sheet)
    assert as_moodle_imports(tmp_path / "m.csv") == {5001: "100", 5002: "50", 5003: "0", 5004: "100", 5009: ""}
    assert [r.what for r in rows if r.is_open] == ["Participant 5009 Charles Babbage"] and "2 points here are 100.00 there" in table(rows)
    given, back = read_csv(sheet), read_csv(tmp_path / "m.csv")
    drop = back[0].index("Grade")
    assert [r[:drop] + r[drop + 1:] for r in back[1:]] == [r[:drop] + r[drop + 1:] for r in given[1:]]


def test_students_who_are_graded_but_not_in_the_roster_are_named(graded, tmp_path):
    before = (graded / "roster.csv").read_text()
    try:
        write(graded / "roster.csv", before.replace(',s102,', ',s902,'))
        assert [r.what for r in exporting.export(graded, "csv", tmp_path / "g.csv", [STEM]) if r.outcome == "no roster"] == ["s102"]
    finally:
        write(graded / "roster.csv", before)


def test_moodles_grades_without_a_worksheet_go_by_id_number(graded, tmp_path):
    exporting.export(graded, "moodle", tmp_path / "m.csv", [STEM])
    header, *rows = read_csv(tmp_path / "m.csv")
    assert header == ["ID number", "First name", "Last name", "Email address", STEM]
    assert {r[0]: r[4] for r in rows} == {**{s: f"{v:g}" for s, v in SCORES.items()}, "s105": ""}
    assert {s["id"] for s in read_roster(tmp_path / "m.csv")} == {*SCORES, "s105"}


def test_plain_csv_holds_marks_and_the_weighted_total(graded, tmp_path):
    try:
        write(graded / planning.FILE, f"[chapters.{STEM}]\nweight = 3\n[chapters.{OTHER}]\nweight = 1\n")
        exporting.export(graded, "csv", tmp_path / "g.csv")
    finally:
        (graded / planning.FILE).unlink()
    rows = {r["student_id"]: r for r in csv.DictReader((tmp_path / "g.csv").open())}
    assert {s: (rows[s][STEM], rows[s][f"{STEM} maximum"], rows[s]["total percent"]) for s in ("s101", "s102", "s105")} == {
        "s101": ("2", "2", "75"), "s102": ("1", "2", "37.5"), "s105": ("", "2", "0")}


def test_gradescopes_columns(graded, tmp_path):
    exporting.export(graded, "gradescope", tmp_path / "g.csv", [STEM])
    rows = {r["SID"]: r for r in csv.DictReader((tmp_path / "g.csv").open())}
    assert list(rows["s101"]) == ["First Name", "Last Name", "SID", "Email", "Sections", STEM, f"{STEM} - Max Points",
                                  f"{STEM} - Submission Time", f"{STEM} - Lateness (H:M:S)"]
    assert rows["s102"][STEM] == "1" and rows["s105"][STEM] == "" and exporting._clock(3661) == "01:01:01"


def test_marks_that_do_not_follow_the_plan_yet_are_not_exported(graded, tmp_path):
    for text in (f"[chapters.{STEM}.points]\nfans = 7\n", f"[chapters.{STEM}]\ndue = 2031-01-01\n", '[late]\npolicy = "zero"\n'):
        try:
            write(graded / planning.FILE, text)
            with pytest.raises(CourseError, match=f"course.toml has changed since {STEM}.* was graded; run: autograder grade {STEM}"):
                exporting.export(graded, "csv", tmp_path / "g.csv")
        finally:
            (graded / planning.FILE).unlink()


def test_a_name_is_never_a_formula(graded, tmp_path):
    assert exporting.safe("=HYPERLINK(1)") == "'=HYPERLINK(1)" and exporting.safe("Ada") == "Ada"


@pytest.mark.parametrize("kind, text, problem", [
    ("canvas", "Name,Grade\nAda,1\n", "is no grade export of Canvas"), ("moodle", "Name,Grade\nAda,1\n", "it has no column Identifier, Last modified (grade)"),
    ("moodle", "", "is empty")])
def test_files_of_another_kind_are_refused(graded, tmp_path, capsys, kind, text, problem):
    path = write(tmp_path / "x.csv", text)
    words = ["export", "--format", kind, "--to", str(tmp_path / "o.csv"), "--assignment", STEM, "--template", str(path), "--course", str(graded)]
    assert main(words) == 2
    assert problem in capsys.readouterr().err and not (tmp_path / "o.csv").exists()


def test_a_worksheet_names_who_stands_twice_and_who_is_locked(graded, tmp_path):
    double = '"Participant 5010","Ada Lovelace",s101,ada@x.org,x,,100.00,Yes,-,-,\n'
    sheet = write(tmp_path / "w.csv", WORKSHEET.replace("100.00,Yes,\"Friday, 11 January 2030, 8:00 AM\",-,\n\"Participant 5003",
                                                        "100.00,No,\"Friday, 11 January 2030, 8:00 AM\",-,\n\"Participant 5003") + double)
    said = table(exporting.export(graded, "moodle", tmp_path / "m.csv", [STEM], sheet))
    assert "s101 stands in the worksheet twice" in said and "the grade cannot be changed" in said
    assert as_moodle_imports(tmp_path / "m.csv")[5002] == ""


def test_feedback_is_zipped_per_student_and_goes_back_under_canvas_names(graded, tmp_path):
    assert main(["export", "--format", "csv", "--feedback", str(tmp_path / "f.zip"), "--course", str(graded)]) == 0
    with zipfile.ZipFile(tmp_path / "f.zip") as archive:
        assert archive.namelist() == [f"{s}/{STEM}.html" for s in SCORES]
        assert archive.read(f"s102/{STEM}.html") == (graded / "feedback" / "s102" / STEM / f"{STEM}.html").read_bytes()
    assert not exporting.export_feedback(graded, tmp_path / "c.zip", "canvas", [STEM])
    with zipfile.ZipFile(tmp_path / "c.zip") as archive:
        assert f"lovelaceada_77_4242_{STEM}.html" in archive.namelist()
    first = (tmp_path / "f.zip").read_bytes()
    exporting.export_feedback(graded, tmp_path / "f.zip")
    assert (tmp_path / "f.zip").read_bytes() == first
    assert "the work came last from elsewhere; collect Moodle's download too" in table(exporting.export_feedback(graded, tmp_path / "m.zip", "moodle", [STEM]))


def test_feedback_goes_to_the_system_that_the_same_work_was_collected_from_last(graded, work, tmp_path):
    course, person = shutil.copytree(graded, tmp_path / "course"), read_people(graded)["s101"]
    for kind, name in (("moodle", f"Ada Lovelace_5001_assignsubmission_file/{STEM}.ipynb"), ("canvas", canvas_name(person, f"{STEM}.ipynb"))):
        rows, _ = collect(course, STEM, zipped(tmp_path / f"{kind}.zip", {name: work["whole"]}))
        assert rows[0].outcome == "unchanged"
        assert "s101" not in table(exporting.export_feedback(course, tmp_path / f"{kind}-feedback.zip", kind, [STEM]))


def test_feedback_goes_back_under_moodles_names():
    origin = {"system": "moodle", "path": "x", "name": "Ada Lovelace", "number": "5001"}
    name = exporting.feedback_name("moodle", "s101", STEM, origin)
    info = name.split("/")[0].split("_", 4)  # as Moodle's importer takes it apart
    assert info[1:4] == ["5001", "assignsubmission", "file"] and name.endswith(f"/{STEM}.html")


def test_export_says_what_is_missing(graded, capsys):
    assert main(["export", "--format", "csv", "--course", str(graded)]) == 2
    assert "Say where to" in capsys.readouterr().err
    assert main(["export", "--format", "csv", "--to", "x", "--assignment", "99", "--course", str(graded)]) == 2
    assert "There is no assignment '99'" in capsys.readouterr().err


# --- Gradescope ---------------------------------------------------------------------------

STATUSES, RESULT_KEYS = {"passed", "failed"}, {"tests", "score", "execution_time", "output", "output_format", "test_output_format", "test_name_format",
                                               "visibility", "stdout_visibility", "extra_data", "leaderboard"}
TEST_KEYS = {"score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags", "visibility", "extra_data"}


def check_results(results):
    """Gradescope's own format of results.json."""
    assert set(results) <= RESULT_KEYS and ("score" in results or results["tests"])
    for test in results["tests"]:
        assert set(test) <= TEST_KEYS and 0 <= test["score"] <= test["max_score"] and test["status"] in STATUSES
        assert isinstance(test["number"], str) and test["visibility"] in scope.VISIBILITIES and test["output_format"] == "text"
        assert isinstance(test["output"], str) and all(isinstance(t, str) for t in test["tags"])
    return results


@pytest.fixture(scope="module")
def bundle(template, tmp_path_factory):
    path = tmp_path_factory.mktemp("scope") / "bundle.zip"
    assert main(["gradescope", STEM, "--to", str(path), "--course", str(template), "--visibility", "after_due_date",
                 "--visibility", "fans=visible"]) == 0
    return path


def autograder_folder(bundle, folder, files):
    """/autograder as Gradescope lays it out."""
    for name in ("source", "submission", "results"):
        (folder / name).mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "zipfile", "-e", bundle, folder / "source"], check=True)
    (folder / "run_autograder").write_bytes((folder / "source" / "run_autograder").read_bytes())
    (folder / "run_autograder").chmod(0o755)
    (folder / "submission_metadata.json").write_text(json.dumps({"id": 123456, "created_at": "2030-01-10T14:22:32-07:00", "users": [
        {"email": "ada@x.org", "id": 7, "name": "Ada Lovelace"}], "assignment": {"title": "Homework", "due_date": "2030-01-31T23:00:00-07:00"}}))
    for name, data in files.items():
        (folder / "submission" / name).write_bytes(data)
    return folder


def run_autograder(folder):
    environment = {"PATH": os.environ["PATH"], "GRADESCOPE_ROOT": str(folder), "GRADESCOPE_PYTHON": sys.executable, "HOME": str(folder)}
    done = subprocess.run([folder / "run_autograder"], cwd=folder, env=environment, capture_output=True, text=True)
    return done, check_results(json.loads((folder / "results" / "results.json").read_text()))


def test_the_bundle_has_its_scripts_at_the_root_and_no_solution(bundle, template):
    with zipfile.ZipFile(bundle) as archive:
        modes = {i.filename: i.external_attr >> 16 & 0o777 for i in archive.infolist()}
        assert modes["setup.sh"] == modes["run_autograder"] == 0o755
        assert archive.read("run_autograder").startswith(b"#!/usr/bin/env bash\n")
        assert not [n for n in modes if "/bank/" in n or "/audit/" in n or n.startswith("course/solutions")]
        secret = (template / ".autograder" / "secret").read_text()
        assert not [n for n in modes if secret.encode() in archive.read(n)]
        pins = archive.read("constraints.txt").decode().split()
        setup = archive.read("setup.sh").decode()
    assert set(pins) <= set((ROOT / "constraints.txt").read_text().splitlines()) and all(p.split("==")[0] in setup for p in pins)


def test_the_bundle_is_the_same_byte_for_byte(bundle, template, tmp_path):
    scope.make_bundle(template, STEM, tmp_path / "again.zip", ["after_due_date", "fans=visible"])
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


def test_setup_finds_a_python_and_installs_the_tested_versions(bundle, tmp_path):
    """setup.sh with an environment and an installer that only write down what they are asked."""
    folder = autograder_folder(bundle, tmp_path / "autograder", {})
    (tmp_path / "bin").mkdir()
    fake = write(tmp_path / "bin" / "python3.11", '#!/bin/sh\n[ "$1" = -c ] && exit 0\nmkdir -p "$3/bin"\n'
                 f'printf \'#!/bin/sh\\necho "$@" > {tmp_path}/asked\\n\' > "$3/bin/python"\nchmod +x "$3/bin/python"\n')
    fake.chmod(0o755)
    subprocess.run(["bash", folder / "source" / "setup.sh"], check=True,
                   env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "GRADESCOPE_ROOT": str(folder)})
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith(f"-m pip install --quiet -c {folder}/source/constraints.txt") and " torch " in asked


@pytest.mark.slow
def test_run_autograder_gives_points_output_and_visibility_per_exercise(bundle, tmp_path, work):
    wrong = next(e for e in entries("xavier_uniform_bound") if not e.is_right and e.cause)
    cells = json.loads(work["whole"])
    for cell in cells["cells"]:
        if cell["id"] == "xavier_uniform_bound":
            cell["source"] = wrong.source()
    done, results = run_autograder(autograder_folder(bundle, tmp_path / "a", {"Copy of it.ipynb": json.dumps(cells).encode()}))
    assert done.returncode == 0, done.stderr
    fans, bound = results["tests"]
    assert (fans["name"], fans["score"], fans["max_score"], fans["status"], fans["visibility"]) == ("fans", 1.0, 1.0, "passed", "visible")
    assert (bound["score"], bound["status"], bound["visibility"]) == (0.0, "failed", "after_due_date")
    assert "Read: section 2." in bound["output"] and "Copy of it.ipynb" in results["output"]
    assert results["stdout_visibility"] == "hidden" and results["extra_data"]["sandbox"] in doctor.RUNGS


@pytest.mark.slow
@pytest.mark.parametrize("files, said", [({"a.ipynb": b"<html>"}, "not a notebook"), ({"x.pdf": b"%PDF"}, "holds no notebook")])
def test_gradescope_gives_every_submission_a_verdict(bundle, tmp_path, files, said):
    done, results = run_autograder(autograder_folder(bundle, tmp_path / "a", files))
    assert done.returncode == 0 and said in results["output"] and [t["score"] for t in results["tests"]] == [0.0, 0.0]


def test_without_a_sandbox_nothing_is_graded_unless_the_bundle_says_so(bundle, template, tmp_path, work, monkeypatch):
    monkeypatch.setattr(doctor, "self_test", lambda rung: {"start (refused)": False})
    folder = autograder_folder(bundle, tmp_path / "a", {f"{STEM}.ipynb": work["whole"]})
    results, status = scope.grade_submission(folder)
    assert status == 1 and not check_results(results)["tests"] and "not graded, through no fault of yours" in results["output"]
    assert "No sandbox holds" in results["extra_data"]["not graded"] and "No sandbox" not in results["output"]
    scope.make_bundle(template, STEM, tmp_path / "trusting.zip", trust=True)
    folder = autograder_folder(tmp_path / "trusting.zip", tmp_path / "b", {f"{STEM}.ipynb": work["whole"]})
    results, status = scope.grade_submission(folder)
    assert status == 0 and [t["score"] for t in results["tests"]] == [1.0, 1.0] and results["extra_data"]["sandbox"] == "none"


def test_our_own_fault_is_a_valid_result_too(bundle, tmp_path, capsys):
    folder = autograder_folder(bundle, tmp_path / "a", {})
    (folder / "source" / "release.ipynb").write_text("{}")
    assert scope.main(str(folder)) == 1
    assert "not graded" in check_results(json.loads((folder / "results" / "results.json").read_text()))["output"] and capsys.readouterr().err


@pytest.mark.parametrize("words, problem", [
    (["--visibility", "secret"], "'secret' is no visibility; known are visible, hidden"), (["--visibility", "fns=hidden"], "There is no exercise 'fns'"),
    (["--torch-index", "x; rm -rf /"], "is no address")])
def test_a_bundle_is_refused_in_one_sentence(template, tmp_path, capsys, words, problem):
    assert main(["gradescope", STEM, "--to", str(tmp_path / "b.zip"), "--course", str(template), *words]) == 2
    assert problem in capsys.readouterr().err and not (tmp_path / "b.zip").exists()


def test_the_table_puts_what_is_open_first():
    assert lines([Row("a", "taken"), Row("b\x1b", "NOT TAKEN", "why", True)]) == ["b?  NOT TAKEN  why", "a   taken"]
