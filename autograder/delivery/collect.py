"""Lay what came back into `submitted/STUDENT/ASSIGNMENT/`: every file of a download ends in the course or in the table."""

import csv
import datetime
import io
import json
import os
import secrets
import shutil
import zoneinfo
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder.grading.course import CourseError, api, assignments
from autograder.grading.engine import STATE, alone, read_bytes, unzipped
from autograder.grading.rebuild import defined, parse_submission
from autograder.publish.write import write_text

from .archives import read_download
from .plan import read_plan
from .roster import Index, doubles, folded, moodle_key, read_people
from .table import Row

TAKEN, SAME, KEPT, OPEN = "taken", "unchanged", "left as it was", "NOT TAKEN"
MOODLE_TIMES = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%d %B %Y, %I:%M %p", "%d/%m/%y, %H:%M")  # in English


@dataclass(frozen=True)
class Choices:
    """What a person has decided. match: (name, number or path in the download, student id); take: files to take in any case."""

    match: tuple = ()
    take: tuple = ()
    update: bool = False


def collect(course, assignment, download, worksheet=None, choices=Choices()):
    """Take the work in a zip or folder; returns the table. Raises CourseError where nothing can be looked at."""
    if assignment not in assignments(course):
        raise CourseError(f"There is no assignment {assignment!r}; the assignments are {', '.join(assignments(course))}.")
    people = read_people(course)
    strangers = sorted(set(dict(choices.match).values()) - set(people))
    if strangers:
        raise CourseError(f"--match names {', '.join(strangers)}, who is not in the roster.")
    index, sheet = Index(people, choices.match), read_worksheet(worksheet, read_plan(course).timezone) if worksheet else {}
    items, unnamed = read_download(download)
    rows = [Row(path, OPEN, "the name says no student", True) for path in unnamed]
    with alone(course):
        handed, origins = defaultdict(list), {}
        for item in items:
            student, problem = owner(item, index, sheet)
            if student:
                handed[student].append(item)
            else:
                rows.append(Row(item.path, OPEN, problem + _how_to_match(item), True))
        for student, found in handed.items():
            rows += _one_student(course, assignment, student, found, sheet, choices, origins)
        remember(course, assignment, origins)
    return rows + [Row(name, "same name", f"borne by {', '.join(ids)}; only a number tells them apart") for name, ids in doubles(people)], \
        sorted(set(people) - {p.parent.name for p in (course / "submitted").glob(f"*/{assignment}")})


def owner(item, index, sheet):
    """(student id or "", why not)."""
    names = tuple(filter(None, (item.path, item.number, item.name)))
    if item.system == "canvas":
        if not item.name and not item.number:
            return "", "an anonymous download names nobody; download again with names"
        sure = ("canvas id", item.number)
        return index.find(names, sure if index.has("canvas id") else ("canvas name", item.name))
    if item.system == "moodle":
        known = sheet.get(item.number, {})
        sure = [("number", known.get("id number", "")), ("email", folded(known.get("email address", "")))]
        sure = [(kind, value) for kind, value in sure if value and index.has(kind)]
        return index.find(names, *(sure or [("moodle name", moodle_key(item.name))]))
    return index.find(names, ("id", item.name))


def _how_to_match(item):
    return f"; say whose it is: --match '{item.number or item.name}=ID'" if item.name else ""


def _one_student(course, assignment, student, items, sheet, choices, origins):
    """The rows of one student's files; at most one of them is taken."""
    work, rows = [i for i in items if i.is_work], []
    rows += [Row(i.path, "left out", f"{student}: no notebook") for i in items if not i.is_work and work]
    if not work:
        return [Row(i.path, OPEN, f"{student}: no notebook", True) for i in items]
    readable = []
    for item in work:
        try:
            readable.append((item, item.read()))
        except OSError as error:
            rows.append(Row(item.path, OPEN, f"{student}: it cannot be read ({error})", True))
    chosen = [(i, data) for i, data in readable if i.path in choices.take or i.file in choices.take]
    if not chosen:
        looked = [(i, data, wrong_chapter(course, assignment, i.file, data)) for i, data in readable]
        chosen = [(i, data) for i, data, problem in looked if not problem]
        how = f"; to grade it all the same: --take '{{}}'"
        rows += [Row(i.path, OPEN, f"{student}: {problem}{how.format(i.file)}", True) for i, _, problem in looked if problem]
    if len({data for _, data in chosen}) > 1:
        names = ", ".join(i.file for i, _ in chosen)
        return rows + [Row(i.path, OPEN, f"{student}: {len(chosen)} submissions ({names}); choose one: --take '{i.file}'", True) for i, _ in chosen]
    rows += [Row(i.path, "left out", f"{student}: the same as {chosen[0][0].path}") for i, _ in chosen[1:]]
    for item, data in chosen[:1]:
        origins[student] = {"system": item.system, "path": item.path, "name": item.name, "number": item.number}
        moment = when(item, sheet)
        rows.append(lay_in(course, assignment, student, item, data, moment, choices.update))
        if _time_is_lost(item, sheet, moment):
            rows.append(Row(item.path, "no time", f"{student}: the worksheet's date is not in English; it counts as handed in on time", True))
    return rows


def wrong_chapter(course, assignment, name, data):
    """Why a notebook is not of this assignment, or ""; what cannot be read is the grader's to say."""
    if name.lower().endswith(".zip"):
        data = unzipped(data)[0]
    submission = parse_submission(data)
    if not submission.cells:
        return ""
    here = {i for c in submission.cells for i in c.ids if isinstance(i, str)}
    here |= {f for c in submission.cells if c.is_code for f in defined(c.source)}
    found = {a: len(here & exercises_of(course, a)) for a in assignments(course)}
    best = max(found, key=lambda a: (found[a], a == assignment))
    if not found[best]:
        return "it holds none of the exercises"
    return "" if found[assignment] == found[best] else f"it is {best}, not {assignment}"


def exercises_of(course, assignment):
    notebook = nbformat.read(course / "release" / assignment / f"{assignment}.ipynb", as_version=4)
    return {c.id for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution")}


def when(item, sheet):
    """The moment of the submission as the worksheet says it, or ""."""
    return sheet.get(item.number, {}).get("when", "") if item.system == "moodle" else ""


def _time_is_lost(item, sheet, moment):
    said = sheet.get(item.number, {}).get("last modified (submission)", "") if item.system == "moodle" else ""
    return bool(not moment and said.strip(" -"))


def lay_in(course, assignment, student, item, data, moment, update):
    """Write one submission, all of it or nothing."""
    folder = course / "submitted" / student / assignment
    name = f"{assignment}{'.zip' if item.file.lower().endswith('.zip') else '.ipynb'}"
    late = "; Canvas marks it late, but its zip says not when: write timestamp.txt beside it" if item.late and not moment else ""
    if folder.exists():
        before = [read_bytes(p)[0] if p.suffix != ".zip" else p.read_bytes() for p in folder.iterdir() if p.suffix.lower() in (".ipynb", ".zip")]
        if before == [data]:
            return Row(item.path, SAME, f"{student}{late}", bool(late) and not (folder / "timestamp.txt").exists())
        if not update:
            return Row(item.path, KEPT, f"{student} has handed in something else before; --update takes this instead", True)
    fresh = folder.with_name(f".{assignment}-{secrets.token_hex(4)}")
    fresh.mkdir(parents=True)
    try:
        (fresh / name).write_bytes(data)
        if moment:
            (fresh / "timestamp.txt").write_text(moment)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(fresh, folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return Row(item.path, TAKEN, f"{student}{late}", bool(late))


def remember(course, assignment, origins):
    """Keep what the files were called, so that feedback can go back under names that the system knows."""
    path = origins_path(course, assignment)
    if origins:
        write_text(path, json.dumps(read_origins(course, assignment) | origins, indent=1, sort_keys=True))


def origins_path(course, assignment):
    return course / STATE / "origins" / f"{assignment}.json"


def read_origins(course, assignment):
    try:
        return json.loads(origins_path(course, assignment).read_text())
    except (OSError, ValueError):
        return {}


# --- Moodle's grading worksheet -----------------------------------------------------------


def read_worksheet(path, timezone="UTC"):
    """Participant number -> {column in small letters: text, "when": moment in UTC or ""}; raises CourseError."""
    header, rows = csv_rows(path)
    if "identifier" not in header:
        raise CourseError(f"{path} is no grading worksheet of Moodle: it has no column Identifier.")
    return {"".join(c for c in row["identifier"] if c.isdigit()): row | {"when": _in_utc(row.get("last modified (submission)", ""), timezone)}
            for row in rows}


def _in_utc(text, timezone):
    """Moodle's time of day as nbgrader writes it; "" where there is none or it is in another language."""
    for form in MOODLE_TIMES:
        try:
            moment = datetime.datetime.strptime(text, form).replace(tzinfo=zoneinfo.ZoneInfo(timezone))
            return f"{moment.astimezone(datetime.timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
        except ValueError:
            continue
    return ""


def csv_rows(path):
    """([columns in small letters], [row]) of a CSV; raises CourseError."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CourseError(f"{path} is not UTF-8; save it as CSV in UTF-8.") from None
    first = text.split("\n", 1)[0]
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count)))
    except csv.Error as error:
        raise CourseError(f"{path} is no CSV ({error}).") from None
    if not rows:
        raise CourseError(f"{path} is empty.")
    header = [name.strip().lower() for name in rows[0]]
    return header, [dict(zip(header, (cell.strip() for cell in row + [""] * len(header)))) for row in rows[1:] if any(row)]


# --- nbgrader's exchange ------------------------------------------------------------------


def collect_exchange(course, assignment, update=True):
    """Take what lies in nbgrader's exchange, be it the folder or a service such as ngshare; returns (table, who is missing).

    nbgrader's own command does it; `nbgrader_config.py` says which exchange.
    """
    if assignment not in assignments(course):
        raise CourseError(f"There is no assignment {assignment!r}; the assignments are {', '.join(assignments(course))}.")
    before = {s: _stamp(course, s, assignment) for s in _handed(course, assignment)}
    done = api(course).collect(assignment, update=update)
    if not done["success"]:
        raise CourseError(f"nbgrader's exchange refuses: {_last_line(done.get('log') or done.get('error', ''))}")
    people, rows = read_people(course), []
    for student in _handed(course, assignment):
        folder = course / "submitted" / student / assignment
        files = [p for p in folder.iterdir() if p.suffix == ".ipynb"]
        problem = "" if student in people else "not in the roster"
        for path in files:
            problem = problem or wrong_chapter(course, assignment, path.name, path.read_bytes())
        same = before.get(student) == _stamp(course, student, assignment)
        rows.append(Row(student, SAME if same else TAKEN, problem, bool(problem)))
    return rows, sorted(set(people) - set(_handed(course, assignment)))


def _handed(course, assignment):
    return sorted(p.parent.name for p in (course / "submitted").glob(f"*/{assignment}"))


def _stamp(course, student, assignment):
    path = course / "submitted" / student / assignment / "timestamp.txt"
    return path.read_text() if path.exists() else None


def _last_line(log):
    lines = [line for line in log.strip().splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "it says nothing"
