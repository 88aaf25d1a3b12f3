"""`course.toml`: what counts in a course, in one file that people read and change.

`init` writes it; `grade` and `export` read it. Due dates, points and the late policy are carried
into nbgrader's own data base and notebooks, so nbgrader's commands say the same.
"""

import datetime
import json
import re
import shutil
import tomllib
import zoneinfo
from dataclasses import dataclass, field

import nbformat

from autograder.grading.book import open_book
from autograder.grading.course import CourseError, api, assignments, init, open_course
from autograder.grading.engine import STATE, alone, in_one_sentence
from autograder.publish.editions import check_id
from autograder.publish.source import read_chapter, stems
from autograder.publish.write import write_notebook, write_text

FILE = "course.toml"
POLICIES = ("none", "zero", "daily")
KEYS = {"timezone": str, "late": dict, "chapters": dict}
CHAPTER_KEYS = {"due": (datetime.datetime, datetime.date), "weight": (int, float), "name": str, "points": dict}


@dataclass(frozen=True)
class Chapter:
    """How an assignment counts. due: naive UTC or None; name: what Canvas or Moodle call it, or ""."""

    points: dict  # exercise -> points
    weight: float = 1.0
    due: datetime.datetime | None = None
    name: str = ""


@dataclass(frozen=True)
class Plan:
    timezone: str = "UTC"
    late: str = "none"
    per_day: float = 0.1
    chapters: dict = field(default_factory=dict)  # stem -> Chapter


def chapter_named(name):
    """The stem of a chapter by its stem, its number or its name without the number; raises CourseError."""
    known = stems()
    found = [s for s in known if name in (s, s.partition("_")[0], s.partition("_")[2])]
    found = found or [s for s in known if name.isdigit() and int(name) == int(s.partition("_")[0])]
    if len(found) != 1:
        raise CourseError(f"There is no chapter {name!r}; the chapters are {', '.join(known)}.")
    return found[0]


def default(chapters, late="none", due=()):
    """The plan of a new course: the points of the chapter sources."""
    return Plan(late=late, chapters={
        stem: Chapter({c.exercise: c.points for c in read_chapter(stem).exercises}, due=dict(due).get(stem)) for stem in chapters})


def make_course(folder, roster=None, chapters=None, late="none", due=()):
    """A course folder with `course.toml` and the roster in it; all of it, or nothing. Returns the assignments made.

    Args:
        chapters: names of chapters, see `chapter_named`; all of them where None.
        due: [(name of a chapter, moment in UTC)].
    """
    chosen = sorted({chapter_named(name) for name in chapters}) if chapters else stems()
    dates = {chapter_named(name): moment for name, moment in due}
    if set(dates) - set(chosen):
        raise CourseError(f"There is a due date for {', '.join(sorted(set(dates) - set(chosen)))}, but not the chapter.")

    def settle(course):
        write_text(course / FILE, text(default(chosen, late, dates)))
        if roster:
            shutil.copyfile(roster, course / "roster.csv")
        carry_out(course)

    return init(folder, roster, chosen, settle)


def text(plan):
    """The file of a plan."""
    out = ["# What counts in this course. `autograder grade` and `autograder export` read it each time they run.",
           f'timezone = "{plan.timezone}"  # of the due dates, such as "Europe/Zurich"', "", "[late]",
           f'policy = "{plan.late}"  # "none"; "zero": late work earns nothing; "daily": each day begun costs per_day of the score',
           f"per_day = {plan.per_day:g}"]
    for stem, chapter in plan.chapters.items():
        due = f"due = {chapter.due:%Y-%m-%dT%H:%M:%S}" if chapter.due else "# due = 2030-01-31T23:59:00"
        name = f"name = {json.dumps(chapter.name)}" if chapter.name else '# name = "Homework 1"'
        out += ["", f"[chapters.{stem}]", due, f"weight = {chapter.weight:g}  # in the course's total",
                f"{name}  # what Canvas or Moodle call it", "", f"[chapters.{stem}.points]"]
        out += [f"{exercise} = {points:g}" for exercise, points in chapter.points.items()]
    return "\n".join(out) + "\n"


# --- reading ------------------------------------------------------------------------------


def read_plan(course):
    """The plan of a course folder; a folder without the file counts as its notebooks say. Raises CourseError."""
    path = course / FILE
    if not path.exists():
        return Plan(chapters={a: Chapter(points_of(course, a)) for a in assignments(course)})
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} is not TOML: {error}.") from None
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from None
    problems = []
    plan = _plan(course, raw, problems)
    if problems:
        raise CourseError("\n".join(f"{path}: {p}" for p in problems))
    return plan


def _plan(course, raw, problems):
    _check_keys("", raw, KEYS, problems)
    zone = _zone(raw.get("timezone", "UTC"), problems)
    late = raw.get("late") if isinstance(raw.get("late"), dict) else {}
    policy, per_day = late.get("policy", "none"), late.get("per_day", 0.1)
    if policy not in POLICIES:
        problems.append(f"late.policy is {policy!r}; known are {', '.join(POLICIES)}.")
    if not _number(per_day) or not 0 <= per_day <= 1:
        problems.append(f"late.per_day is {per_day!r}; it is a share, from 0 to 1.")
    said = raw.get("chapters") if isinstance(raw.get("chapters"), dict) else {}
    known = assignments(course)
    problems += [f"chapters.{s}: the course has no such assignment; it has {', '.join(known)}." for s in said if s not in known]
    chapters = {a: _chapter(a, said.get(a, {}), points_of(course, a), zone, problems) for a in known}
    return Plan(str(raw.get("timezone", "UTC")), policy, per_day, chapters)


def _chapter(stem, raw, points, zone, problems):
    where = f"chapters.{stem}"
    if not isinstance(raw, dict):
        problems.append(f"{where}: it is no table.")
        return Chapter(points)
    _check_keys(f"{where}.", raw, CHAPTER_KEYS, problems)
    weight, said = raw.get("weight", 1.0), raw.get("points", {})
    if not _number(weight) or weight < 0:
        problems.append(f"{where}.weight is {weight!r}; it is a number from 0.")
    for exercise, worth in said.items() if isinstance(said, dict) else ():
        if exercise not in points:
            problems.append(f"{where}.points: there is no exercise {exercise!r}; the exercises are {', '.join(points)}.")
        elif not _number(worth) or worth < 0:
            problems.append(f"{where}.points.{exercise} is {worth!r}; it is a number from 0.")
    said = said if isinstance(said, dict) else {}
    return Chapter(points | {e: float(w) for e, w in said.items() if e in points and _number(w)}, weight, _utc(raw.get("due"), zone),
                   str(raw.get("name", "")))


def _check_keys(where, raw, known, problems):
    for key, value in raw.items():
        if key not in known:
            problems.append(f"{where}{key} is not known; known are {', '.join(known)}.")
        elif not isinstance(value, known[key]):
            problems.append(f"{where}{key} is {value!r}, which does not fit.")


def _number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _zone(name, problems):
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        problems.append(f'timezone {name!r} is not known; an example is "Europe/Zurich".')
        return zoneinfo.ZoneInfo("UTC")


def _utc(moment, zone):
    """A TOML date as naive UTC, as nbgrader keeps it; a day alone ends at its midnight."""
    if isinstance(moment, datetime.date) and not isinstance(moment, datetime.datetime):
        moment = datetime.datetime.combine(moment, datetime.time(23, 59, 59))
    if not isinstance(moment, datetime.datetime):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)


def moment(text):
    """A date and time as given on the command line; raises CourseError."""
    try:
        return _utc(datetime.datetime.fromisoformat(text) if re.search(r"[T ]", text) else datetime.date.fromisoformat(text),
                    zoneinfo.ZoneInfo("UTC"))
    except ValueError:
        raise CourseError(f"{text!r} is no date; write it as 2030-01-31T23:59 (in UTC).") from None


# --- carrying out -------------------------------------------------------------------------


def source_of(course, assignment):
    path = course / "source" / assignment / f"{assignment}.ipynb"
    try:
        return path, nbformat.read(path, as_version=4)
    except (OSError, ValueError):
        raise CourseError(f"{path} cannot be read; a fresh `autograder init` writes it.") from None


def points_of(course, assignment):
    """Exercise -> points, as the course's own source says."""
    _, notebook = source_of(course, assignment)
    cells = {c.id: c for c in notebook.cells}
    return {c.id: float(cells[check_id(c.id)].metadata.nbgrader.points) for c in notebook.cells if check_id(c.id) in cells}


def carry_out(course):
    """Make nbgrader's notebooks, data base and late policy say what `course.toml` says; returns the plan.

    Safe to do again; without the file nothing is touched.
    """
    plan = read_plan(course)
    if not (course / FILE).exists():
        return plan
    for stem, chapter in plan.chapters.items():
        if chapter.points != points_of(course, stem):
            _regenerate(course, stem, chapter.points)
    with open_book(course) as gradebook:
        for stem, chapter in plan.chapters.items():
            if chapter.due:  # a date that was set in formgrader alone stays
                gradebook.update_or_create_assignment(stem, duedate=chapter.due)
    _renew_penalties(course, plan)
    return plan


def pending(course, plan):
    """Assignments whose marks do not yet follow the plan."""
    if not (course / FILE).exists():
        return []
    path = course / STATE / "late.json"
    entered = path.read_text() if path.exists() else late_terms(Plan())
    if entered != late_terms(plan) and (path.exists() or plan.late != "none"):
        return list(plan.chapters)
    with open_book(course) as gradebook:
        due = {a.name: a.duedate for a in gradebook.assignments}
    return [a for a, c in plan.chapters.items() if c.points != points_of(course, a) or c.due and c.due != due.get(a)]


def late_terms(plan):
    return json.dumps([plan.late, plan.per_day])


def _regenerate(course, stem, points):
    """nbgrader writes release and grade book anew from a source with other points."""
    path, notebook = source_of(course, stem)
    before = path.read_text()
    for cell in notebook.cells:
        name = cell.id.removesuffix("-check")
        if cell.id == check_id(name) and name in points:
            cell.metadata.nbgrader["points"] = points[name]
    write_notebook(path, notebook)
    made = api(course).generate_assignment(stem)
    if not made["success"]:
        write_text(path, before)
        raise CourseError(f"nbgrader cannot release {stem} with other points: {made.get('log', made.get('error', ''))[-3000:]}")


def _renew_penalties(course, plan):
    """Where the late policy has changed, scores are entered again; nothing is graded again."""
    path, now = course / STATE / "late.json", late_terms(plan)
    if path.exists() and path.read_text() == now:
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.rmtree(course / STATE / "applied", ignore_errors=True)
    write_text(path, now)


def before_grading(folder):
    """What `grade` does first: carry the plan out where there is one. Raises CourseError."""
    course = open_course(folder)
    if (course / FILE).exists():
        with in_one_sentence(course), alone(course):
            carry_out(course)
