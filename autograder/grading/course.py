"""An nbgrader course folder: made by `init`, opened by everything else.

    source/ release/            the chapters as assignments
    submitted/<student>/<assignment>/*.ipynb
    autograded/ feedback/       written by grading
    gradebook.db grades.csv     the grade book, and what was last exported
"""

import csv
import io
import os
import shutil
import sys
import warnings
from pathlib import Path

from jupyter_core.paths import jupyter_config_path
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc
from sqlalchemy.exc import SAWarning
from traitlets.config import Config, PyFileConfigLoader

from autograder.publish.source import ROOT
from autograder.publish.write import write_sources

# nbgrader calls `alembic` by name; find it also where the environment is not activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

warnings.simplefilter("ignore", SAWarning)  # nbgrader's own models, under SQLAlchemy 2.1

CONFIG = ROOT / "nbgrader_config.py"
# Names of columns in rosters of nbgrader, Canvas and Moodle; the first that holds anything is taken.
ROSTER_COLUMNS = {"id": ("student_id", "sis user id", "id number", "id", "sis login id", "username", "email address", "email"),
                  "first_name": ("first_name", "first name", "firstname"),
                  "last_name": ("last_name", "last name", "surname", "lastname"),
                  "email": ("email", "email address", "e-mail")}
NO_STUDENTS = ("", "Points Possible", "Student, Test")  # rows of a Canvas export that are nobody


class CourseError(Exception):
    """The course folder cannot be used; the text says what is wrong and what to do."""


def api(course, submitted="submitted"):
    """nbgrader's own interface on a course folder; `submitted` is where it reads submissions.

    Configured as nbgrader's commands are: by the machine's, the environment's, the user's and the course's file.
    """
    config = Config()
    for folder in [*reversed(jupyter_config_path()), str(course)]:
        if Path(folder, "nbgrader_config.py").exists():
            config.merge(PyFileConfigLoader("nbgrader_config.py", path=folder).load_config())
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.submitted_directory = submitted
    config.Execute.extra_arguments = ["--IPKernelApp.log_level=40"]
    config.NbGraderAPI.log_level = "ERROR"
    return NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)


def open_course(folder):
    """The course folder as a Path; raises CourseError where `init` has not been run."""
    course = Path(folder).resolve()
    if not (course / "release").is_dir() or not (course / "source").is_dir():
        raise CourseError(f"{course} is not a course folder; make one with: autograder init {folder}")
    return course


def init(folder, roster=None, chapters=None, settle=None):
    """Make a course folder: source, release, configuration, grade book, roster. All of it, or nothing.

    Args:
        folder: a path that does not exist or is empty.
        roster: a CSV, see `read_roster`.
        chapters: stems of the chapters; all of them where None.
        settle: called with the course folder at the end; what it raises undoes everything.
    Returns:
        The assignments made.
    Raises:
        CourseError: the folder is not empty, the roster cannot be read, or nbgrader refuses a chapter.
    """
    course = Path(folder).resolve()
    if course.is_file() or course.exists() and any(course.iterdir()):
        raise CourseError(f"{course} is not empty; choose a new folder, so that nothing is overwritten.")
    students = read_roster(roster) if roster else []
    try:
        course.mkdir(parents=True, exist_ok=True)
        stems = _fill(course, students, chapters)
        if settle:
            settle(course)
        return stems
    except BaseException as error:
        shutil.rmtree(course, ignore_errors=True)
        if isinstance(error, OSError):
            raise CourseError(f"{course} cannot be made: {error.strerror}.") from None
        raise


def _fill(course, students, chapters):
    shutil.copy2(CONFIG, course / "nbgrader_config.py")
    stems = [path.stem for path in write_sources(course / "source", chapters)]
    (course / "submitted").mkdir()
    interface = api(course)
    for stem in stems:
        generated = interface.generate_assignment(stem)
        if not generated["success"]:
            raise CourseError(f"nbgrader cannot release {stem}: {generated.get('log', generated.get('error', ''))[-3000:]}")
    with interface.gradebook as gradebook:
        for student in students:
            gradebook.update_or_create_student(student.pop("id"), **student)
    return stems


def read_roster(path):
    """Students from a CSV with an id column, such as Canvas and Moodle export; raises CourseError naming every bad line."""
    rows, columns = roster_rows(path)
    students = [_split_name(row, {key: row.get(name, "") for key, name in columns.items()}) for _, row in rows]
    _refuse_bad_ids(path, [(line, student["id"]) for (line, _), student in zip(rows, students)])
    return students


def roster_rows(path):
    """([(line number, {column in small letters: text})], {what nbgrader keeps: the column that holds it}) of a roster."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CourseError(f"The roster {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CourseError(f"The roster {path} is not UTF-8; save it as CSV in UTF-8.") from None
    first = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    try:
        rows = [(reader.line_num, _cleaned(row)) for row in reader]
    except csv.Error as error:
        raise CourseError(f"The roster {path}, line {reader.line_num}: it is no CSV ({error}).") from None
    rows = [(line, row) for line, row in rows if row.get("student") not in NO_STUDENTS]
    columns = _columns([row for _, row in rows])
    if "id" not in columns:
        raise CourseError(f"The roster {path} has no id column with students in it; its first line must name one, "
                          "for example: id,first_name,last_name,email")
    return rows, columns


def _cleaned(row):
    return {name.strip().lower(): (text or "").strip() for name, text in row.items() if name and not isinstance(text, list)}


def _columns(rows):
    """{what nbgrader keeps: the column that holds it}."""
    found = {key: [n for n in names if any(row.get(n) for row in rows)] for key, names in ROSTER_COLUMNS.items()}
    return {key: names[0] for key, names in found.items() if names}


def _split_name(row, student):
    """Canvas gives one column, "Last, First"."""
    last, comma, first = row.get("student", "").partition(", ")
    return ({"last_name": last, "first_name": first} if comma else {}) | student


def _refuse_bad_ids(path, ids):
    seen, problems = {}, []
    for line, student in ids:
        if not student or "/" in student or student.startswith(".") or not student.isprintable():
            problems.append(f"The roster {path}, line {line}: {student!r} is no student id "
                            "(it names a folder: not empty, no '/', no leading '.').")
        elif student in seen:
            problems.append(f"The roster {path}, line {line}: {student!r} stands twice (first in line {seen[student]}).")
        seen.setdefault(student, line)
    if problems:
        raise CourseError("\n".join(problems))


def assignments(course):
    """The assignments that were released."""
    return sorted(p.name for p in (course / "release").iterdir() if p.is_dir() and not p.name.startswith("."))


def students_of(course, assignment):
    """Students who handed something in for the assignment, be it a folder or not."""
    found = (course / "submitted").glob(f"*/{assignment}")
    return sorted(p.parent.name for p in found if not p.parent.name.startswith("."))


def handed_in_at(folder):
    """(when the work in a submission folder was handed in, or None; remarks), by nbgrader's timestamp.txt."""
    try:
        text = (folder / "timestamp.txt").read_text().strip()
        return (parse_utc(text) if text else None), ()
    except (FileNotFoundError, NotADirectoryError):
        return None, ()
    except Exception:  # the file may come from a student, and the parser raises whatever it stumbles over
        return None, ("The file timestamp.txt holds no date; the work counts as handed in on time.",)


def students_handed_in(folder, assignment, student=None):
    """How many submissions a `grade` of these will look at."""
    everyone = students_of(open_course(folder), assignment)
    return len([s for s in everyone if student in (None, s)])
