"""Course folders: made whole or not at all, rosters of nbgrader, Canvas and Moodle, errors that say what to do."""

import subprocess
import sys

import pytest
from classroom import STEM

from autograder.__main__ import main
from autograder.grading import course as courses
from autograder.grading.book import open_book
from autograder.grading.course import CourseError, assignments, init, open_course, read_roster, students_handed_in

ROSTERS = {
    "nbgrader": ("id,first_name,last_name,email\nada,Ada,Lovelace,ada@x.org\n",
                 {"id": "ada", "first_name": "Ada", "last_name": "Lovelace", "email": "ada@x.org"}),
    "id alone": ("id\nada\n", {"id": "ada"}),
    "Canvas": ("Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n,,,,Manual Posting\n"
               '"Lovelace, Ada",77,s123,ada,A\n"Student, Test",78,,t,A\n',
               {"id": "s123", "first_name": "Ada", "last_name": "Lovelace"}),
    "Canvas without SIS": ('Student,ID,SIS User ID,Section\n"Lovelace, Ada",77,,A\n', {"id": "77", "first_name": "Ada", "last_name": "Lovelace"}),
    "Moodle": ("First name,Surname,ID number,Email address\nAda,Lovelace,s123,ada@x.org\n",
               {"id": "s123", "first_name": "Ada", "last_name": "Lovelace", "email": "ada@x.org"}),
    "Moodle without numbers": ("Username,First name,Last name,ID number\nada,Ada,Lovelace,\n",
                               {"id": "ada", "first_name": "Ada", "last_name": "Lovelace"}),
    "Excel": ("\ufeffID;First Name;Last Name\r\nada;Ada;Lovelace\r\n", {"id": "ada", "first_name": "Ada", "last_name": "Lovelace"}),
}


def roster(folder, text):
    path = folder / "roster.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("kind", ROSTERS)
def test_rosters_of_other_systems_are_read(tmp_path, kind):
    text, student = ROSTERS[kind]
    assert read_roster(roster(tmp_path, text)) == [student]


BAD_ROSTERS = {
    "id,first_name\nada,Ada\n,Bob\n": "line 3: '' is no student id",
    "id\nada\nb/ob\n": "line 3: 'b/ob' is no student id",
    "id\n.ada\n": "line 2: '.ada' is no student id",
    'id,first_name\nada,"A\nda"\nada,B\n': "line 4: 'ada' stands twice",
    "name,mail\nAda,a@x\n": "has no id column with students in it; its first line must name one, for example: id,first_name",
    "id\n": "has no id column with students in it",
    "": "has no id column with students in it",
}


@pytest.mark.parametrize("text", BAD_ROSTERS)
def test_a_bad_roster_is_refused_with_the_line(tmp_path, text):
    with pytest.raises(CourseError) as refused:
        read_roster(roster(tmp_path, text))
    assert BAD_ROSTERS[text] in str(refused.value) and "roster.csv" in str(refused.value)


def test_a_roster_that_cannot_be_read_is_said_in_one_sentence(tmp_path):
    with pytest.raises(CourseError, match="none.csv cannot be read: No such file or directory.$"):
        read_roster(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("id\nZo\xeb\n".encode("latin-1"))
    with pytest.raises(CourseError, match="latin.csv is not UTF-8; save it as CSV in UTF-8.$"):
        read_roster(tmp_path / "latin.csv")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A course made by `init` with one chapter and a roster."""
    folder = tmp_path_factory.mktemp("init")
    return folder / "course", init(folder / "course", roster(folder, "id,first_name\nada,Ada\nbob,Bob\n"), chapters=[STEM])


def test_init_makes_the_chapters_asked_for(made):
    course, stems = made
    assert stems == assignments(course) == [STEM]
    assert {p.name for p in course.iterdir()} == {"source", "release", "submitted", "nbgrader_config.py", "gradebook.db"}


def test_init_enters_the_roster(made):
    with open_book(made[0]) as gradebook:
        assert {s.id: s.first_name for s in gradebook.students} == {"ada": "Ada", "bob": "Bob"}


def test_without_chapters_named_init_takes_all(tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.publish.write.stems", lambda: [STEM])
    assert init(tmp_path / "course") == [STEM]


def test_init_overwrites_nothing(made, tmp_path):
    course, _ = made
    before = {p: p.stat().st_mtime_ns for p in course.rglob("*")}
    with pytest.raises(CourseError, match="is not empty; choose a new folder"):
        init(course, chapters=[STEM])
    assert {p: p.stat().st_mtime_ns for p in course.rglob("*")} == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(CourseError, match="is not empty; choose a new folder"):
        init(tmp_path / "file")


@pytest.mark.parametrize("error, seen", [(OSError(28, "No space left on device"), CourseError), (KeyboardInterrupt(), KeyboardInterrupt)])
def test_init_that_is_stopped_leaves_nothing(tmp_path, monkeypatch, error, seen):
    def write_half(folder, chapters):
        folder.mkdir()
        raise error

    monkeypatch.setattr(courses, "write_sources", write_half)
    with pytest.raises(seen):
        init(tmp_path / "course")
    assert not (tmp_path / "course").exists()


def test_a_bad_roster_leaves_nothing(tmp_path):
    with pytest.raises(CourseError):
        init(tmp_path / "course", roster(tmp_path, "id\n.x\n"))
    assert not (tmp_path / "course").exists()


def test_a_chapter_that_nbgrader_refuses_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(courses.NbGraderAPI, "generate_assignment", lambda self, stem: {"success": False, "log": "no kernel"})
    with pytest.raises(CourseError, match=f"nbgrader cannot release {STEM}: no kernel"):
        init(tmp_path / "course", chapters=[STEM])


def test_a_folder_that_is_no_course_says_how_to_make_one(tmp_path):
    with pytest.raises(CourseError, match=f"{tmp_path} is not a course folder; make one with: autograder init {tmp_path}"):
        open_course(tmp_path)


def test_the_command_reports_errors_in_one_sentence(tmp_path, capsys):
    (tmp_path / "x").write_text("")
    assert main(["init", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"{tmp_path} is not empty; choose a new folder, so that nothing is overwritten.\n"


def test_students_handed_in_counts_what_a_run_looks_at(tmp_path):
    course = tmp_path
    for tree in ("release", "source"):
        (course / tree).mkdir()
    for student in ("ada", "bob", ".hidden"):
        (course / "submitted" / student / STEM).mkdir(parents=True)
    (course / "submitted" / "readme.txt").write_text("x")
    assert students_handed_in(course, STEM) == 2 and students_handed_in(course, STEM, "bob") == 1


def test_hidden_folders_are_no_assignments(made):
    (made[0] / "release" / ".ipynb_checkpoints").mkdir(exist_ok=True)
    assert assignments(made[0]) == [STEM]


def test_a_course_folder_works_through_the_nbgrader_command(made):
    listed = subprocess.run([sys.executable, "-m", "nbgrader", "db", "student", "list", "--course-dir", made[0]], capture_output=True, text=True)
    assert "ada" in listed.stdout + listed.stderr and listed.returncode == 0
