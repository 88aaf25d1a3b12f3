"""An nbgrader course folder: made by `init`, opened by everything else.

    source/ release/            the chapters as assignments
    submitted/<student>/<assignment>/*.ipynb
    autograded/ feedback/       written by grading
    gradebook.db grades.csv     the grade book, and what was last exported
"""

import csv
import os
import shutil
import sys
import warnings
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning
from traitlets.config import Config, PyFileConfigLoader

from autograder.publish.source import ROOT
from autograder.publish.write import write_sources

# nbgrader calls `alembic` by name; find it also where the environment is not activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

warnings.simplefilter("ignore", SAWarning)  # nbgrader's own models, under SQLAlchemy 2.1

CONFIG = ROOT / "nbgrader_config.py"
ROSTER_COLUMNS = {"id": ("id", "student_id", "sis user id", "id number", "username"),
                  "first_name": ("first_name", "first name", "firstname"),
                  "last_name": ("last_name", "last name", "surname", "lastname"),
                  "email": ("email", "email address", "e-mail")}


class CourseError(Exception):
    """The course folder cannot be used; the text says what is wrong and what to do."""


def api(course, submitted="submitted"):
    """nbgrader's own interface on a course folder; `submitted` is where it reads submissions."""
    config = Config()
    if (course / "nbgrader_config.py").exists():
        config.merge(PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config())
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.submitted_directory = submitted
    config.Execute.extra_arguments = ["--IPKernelApp.log_level=40"]
    config.NbGraderAPI.log_level = "ERROR"
    return NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)


def db_url(course):
    """The grade book's address, from the course's own nbgrader_config.py."""
    return api(course).coursedir.db_url


def open_course(folder):
    """The course folder as a Path; raises CourseError where `init` has not been run."""
    course = Path(folder).resolve()
    if not (course / "release").is_dir() or not (course / "source").is_dir():
        raise CourseError(f"{course} is not a course folder; make one with: autograder init {folder}")
    return course


def init(folder, roster=None):
    """Make a course folder of all chapters: source, release, configuration, grade book, roster.

    Raises CourseError where the folder already holds a course or the roster cannot be read.
    Returns the assignments made.
    """
    course = Path(folder).resolve()
    if course.exists() and any(course.iterdir()):
        raise CourseError(f"{course} is not empty; choose a new folder, so that nothing is overwritten.")
    students = read_roster(roster) if roster else []
    course.mkdir(parents=True, exist_ok=True)
    shutil.copy2(CONFIG, course / "nbgrader_config.py")
    stems = [path.stem for path in write_sources(course / "source")]
    (course / "submitted").mkdir()
    interface = api(course)
    for stem in stems:
        generated = interface.generate_assignment(stem)
        if not generated["success"]:
            raise CourseError(f"nbgrader cannot release {stem}: {generated.get('log', generated.get('error', ''))[-3000:]}")
    with Gradebook(db_url(course)) as gradebook:
        for student in students:
            gradebook.update_or_create_student(student.pop("id"), **student)
    return stems


def read_roster(path):
    """Students from a CSV with at least an id column; raises CourseError naming the line."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"The roster {path} cannot be read: {error}.") from None
    rows = list(csv.DictReader(text.splitlines()))
    header = {name.strip().lower(): name for name in (rows[0] if rows else {}) if name}
    found = {key: next((header[n] for n in names if n in header), None) for key, names in ROSTER_COLUMNS.items()}
    if not found["id"]:
        raise CourseError(f"The roster {path} has no id column; its first line must name one, for example: "
                          "id,first_name,last_name,email")
    students = [{key: (row[column] or "").strip() for key, column in found.items() if column} for row in rows]
    _refuse_bad_ids(path, [s["id"] for s in students])
    return students


def _refuse_bad_ids(path, ids):
    for line, student in enumerate(ids, 2):
        if not student or "/" in student or student.startswith("."):
            raise CourseError(f"The roster {path}, line {line}: {student!r} is no student id "
                              "(it names a folder: not empty, no '/', no leading '.').")
        if ids.index(student) != line - 2:
            raise CourseError(f"The roster {path}, line {line}: {student!r} stands twice.")


def assignments(course):
    """The assignments that were released."""
    return sorted(p.name for p in (course / "release").iterdir() if p.is_dir())


def students_of(course, assignment):
    """Students who handed something in for the assignment."""
    return sorted(p.parent.name for p in (course / "submitted").glob(f"*/{assignment}") if p.is_dir())


def students_handed_in(folder, assignment, student=None):
    """How many submissions a `grade` of these will look at."""
    everyone = students_of(open_course(folder), assignment)
    return len([s for s in everyone if student in (None, s)])
