"""Grades for Canvas, Moodle and Gradescope's columns, a plain CSV with the course's total, and feedback pages in a zip.

With the system's own file (`template`), rows, numbers and names of columns are that file's, and only grades are filled in.
"""

import csv
import io
import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import MissingEntry

from autograder.grading.book import open_book
from autograder.grading.course import CourseError
from autograder.grading.engine import files_for_people
from autograder.publish.write import write_text

from .collect import csv_rows, read_origins
from .plan import pending, read_plan
from .roster import FILE, Index, folded, read_people
from .table import Row

FORMATS = ("canvas", "moodle", "csv", "gradescope")
CANVAS_HEADER = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
CANVAS_NOBODY = ("points possible", "student, test")
READ_ONLY = "(read only)"
ITEM = re.compile(r"^(?P<title>.*) \((?P<number>\d+)\)$")  # Canvas's "Homework 1 (1234)"
EPOCH = (1980, 1, 1, 0, 0, 0)  # of files in a zip, so that the same pages give the same zip


@dataclass(frozen=True)
class Mark:
    """What an assignment gave a student, late penalty taken off. waits: a person has still to grade."""

    score: float
    maximum: float
    handed_in: str = ""
    late: float = 0.0  # seconds
    waits: bool = False


@dataclass(frozen=True)
class Marks:
    """All that is exported. marks: {assignment: {student: Mark}}."""

    people: dict
    plan: object
    maxima: dict
    marks: dict

    def of(self, student, assignment):
        return self.marks[assignment].get(student)

    def total(self, student):
        """The course's total in percent by the weights of `course.toml`; what was not handed in earns nothing."""
        weights = {a: self.plan.chapters[a].weight for a in self.marks if self.maxima[a]}
        earned = sum(w * self.of(student, a).score / self.maxima[a] for a, w in weights.items() if self.of(student, a))
        return 100 * earned / sum(weights.values()) if sum(weights.values()) else 0.0

    def name(self, assignment):
        return self.plan.chapters[assignment].name or assignment


def read_marks(course, chosen=None):
    """The marks of all assignments, or of those chosen; raises CourseError."""
    plan, people = read_plan(course), read_people(course)
    unknown = sorted(set(chosen or ()) - set(plan.chapters))
    if unknown:
        raise CourseError(f"There is no assignment {unknown[0]!r}; the assignments are {', '.join(plan.chapters)}.")
    if changed := [a for a in pending(course, plan) if a in (chosen or plan.chapters)]:
        raise CourseError(f"course.toml has changed since {', '.join(changed)} was graded; run: autograder grade {changed[0]}")
    marks, maxima = {}, {}
    with open_book(course) as gradebook:
        for assignment in [a for a in plan.chapters if a in (chosen or plan.chapters)]:
            try:
                maxima[assignment] = gradebook.find_assignment(assignment).max_score
            except MissingEntry:
                raise CourseError(f"The grade book does not know {assignment}; tell it: autograder grade {assignment}") from None
            marks[assignment] = {s.student_id: _mark(s) for s in gradebook.assignment_submissions(assignment) if s.notebooks and _graded(s)}
    return Marks(people, plan, maxima, marks)


def _graded(submission):
    """A row may stand in the grade book before anything was graded."""
    return any(grade.auto_score is not None or grade.manual_score is not None for n in submission.notebooks for grade in n.grades)


def _mark(submission):
    penalty = sum(n.late_submission_penalty or 0.0 for n in submission.notebooks)
    return Mark(max(0.0, submission.score - penalty), submission.max_score, str(submission.timestamp or ""),
                submission.total_seconds_late, submission.needs_manual_grade)


def number(value):
    """At most two decimals, as Canvas and Moodle show them."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def export(course, kind, to, chosen=None, template=None):
    """Write the grades to the file `to`; returns the table of what was noticed. Raises CourseError."""
    marks = read_marks(course, chosen)
    header, rows, noticed = WRITERS[kind](marks, template)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n" if kind == "moodle" else "\n")
    writer.writerows([header, *([safe(cell) for cell in row] for row in rows)])
    write_text(to, text.getvalue())
    waiting = [Row(s, "waits", f"{a}: a person has still to grade a part", True)
               for a, of in marks.marks.items() for s, mark in of.items() if mark.waits]
    strangers = [Row(s, "no roster", "graded, but not in roster.csv") for s in sorted({s for of in marks.marks.values() for s in of})
                 if (course / FILE).exists() and not marks.people[s].row]
    return noticed + waiting + strangers


def safe(cell):
    """A name that a spreadsheet would run as a formula, as text."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+@" and cell[1:] else cell


# --- the formats: marks, template -> (header, rows, noticed) ------------------------------


def plain(marks, template=None):
    header = ["student_id", "first_name", "last_name", "email"]
    for a in marks.marks:
        header += [a, f"{a} maximum"]
    rows = []
    for p in sorted(marks.people.values(), key=lambda p: p.id):
        cells = [[number(marks.of(p.id, a).score) if marks.of(p.id, a) else "", number(marks.maxima[a])] for a in marks.marks]
        rows.append([p.id, p.first, p.last, p.email, *sum(cells, []), number(marks.total(p.id))])
    return header + ["total percent"], rows, []


def gradescope(marks, template=None):
    """The columns of Gradescope's own grade download."""
    header = ["First Name", "Last Name", "SID", "Email", "Sections"]
    for a in marks.marks:
        name = marks.name(a)
        header += [name, f"{name} - Max Points", f"{name} - Submission Time", f"{name} - Lateness (H:M:S)"]
    rows = []
    for p in sorted(marks.people.values(), key=lambda p: p.id):
        row = [p.first, p.last, p.id, p.email, p.column("section")]
        for a in marks.marks:
            m = marks.of(p.id, a)
            row += [number(m.score), number(m.maximum), m.handed_in, _clock(m.late)] if m else ["", number(marks.maxima[a]), "", ""]
        rows.append(row)
    return header, rows, []


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def canvas(marks, template=None):
    if template:
        return _filled_canvas(marks, *_template(template))
    header = [*CANVAS_HEADER, *(marks.name(a) for a in marks.marks)]
    rows, noticed = [["    Points Possible", "", "", "", "", *(number(m) for m in marks.maxima.values())]], []
    for p in sorted(marks.people.values(), key=lambda p: p.canvas_name):
        is_canvas = bool(p.canvas_id)
        if not is_canvas:
            noticed.append(Row(p.id, "no number", "the roster is not Canvas's; Canvas finds the student by SIS User ID or name"))
        rows.append([p.canvas_name, p.canvas_id, p.column("sis user id") if is_canvas else p.id, p.column("sis login id"), p.column("section"),
                     *(number(marks.of(p.id, a).score) if marks.of(p.id, a) else "" for a in marks.marks)])
    return header, rows, noticed


def _template(path):
    """(header, rows) of a system's own file, cells as they stand; raises CourseError."""
    csv_rows(path)  # says what is wrong with a file that cannot be read
    text = Path(path).read_text(encoding="utf-8-sig")
    first = text.split("\n", 1)[0]
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count)))
    width = len(rows[0])
    return rows[0], [(row + [""] * width)[:width] for row in rows[1:] if any(row)]


def _filled_canvas(marks, header, rows):
    names = [h.strip() for h in header]
    if names[:1] != ["Student"] or "ID" not in names[:3] or "Section" not in names:
        raise CourseError("The file is no grade export of Canvas: it does not begin with Student, ID, … Section.")
    first, index, noticed = names.index("Section") + 1, Index(marks.people), []
    places = {a: _column(names[first:], marks.name(a)) for a in marks.marks}
    for a, found in places.items():
        if len(found) != 1:
            noticed.append(Row(a, "NO COLUMN", f"{len(found)} columns of the file are called {marks.name(a)!r}; "
                               f"write the name that Canvas uses as chapters.{a}.name into course.toml", True))
    placed = {a: first + found[0] for a, found in places.items() if len(found) == 1}
    keep = [*range(first), *sorted(placed.values())]
    possible = next((row for row in rows if "Points Possible" in row[0]), [""] * len(header))
    seen, out = set(), []
    for row in rows:
        student = ""
        if row[0].strip().lower() not in CANVAS_NOBODY and any(cell.strip() for cell in row[:first]):
            cells = dict(zip(names, row))
            student, problem = _in_canvas(index, cells)
            seen.add(student)
            if not student:
                noticed.append(Row(row[0], "NOT FILLED", problem, True))
            for a, place in placed.items():
                mark = marks.of(student, a) if student else None
                row[place] = number(scaled(mark, possible[place])) if mark else row[place]
        out.append([row[i] for i in keep])
    noticed += _scalings(marks, {a: possible[place] for a, place in placed.items()})
    return [header[i] for i in keep], out, noticed + _unfilled(marks, seen)


def _in_canvas(index, cells):
    for kind, value in (("canvas id", cells.get("ID", "")), ("id", cells.get("SIS User ID", "")), ("id", cells.get("SIS Login ID", ""))):
        student, _ = index.find((), (kind, value.strip()))
        if student:
            return student, ""
    return "", "not in the roster"


def _column(names, wanted):
    """Places of the columns of this title, with or without Canvas's number behind it."""
    return [i for i, n in enumerate(names) if folded(wanted) in (folded(n), folded(ITEM.sub(r"\g<title>", n)))]


def moodle(marks, template=None):
    if template:
        return _filled_moodle(marks, *_template(template))
    header = ["ID number", "First name", "Last name", "Email address", *(marks.name(a) for a in marks.marks)]
    rows = [[p.column("id number") or p.id, p.first, p.last, p.email,
             *(number(marks.of(p.id, a).score) if marks.of(p.id, a) else "" for a in marks.marks)]
            for p in sorted(marks.people.values(), key=lambda p: p.id)]
    return header, rows, []


def _filled_moodle(marks, header, rows):
    """Moodle's grading worksheet of one assignment with its grades."""
    names = [h.strip().lower() for h in header]
    missing = [n for n in ("Identifier", "Grade", "Last modified (grade)") if n.lower() not in names]
    if missing:
        raise CourseError(f"The file is no grading worksheet of Moodle: it has no column {', '.join(missing)}.")
    if len(marks.marks) != 1:
        raise CourseError("A grading worksheet is of one assignment; say which: --assignment NAME")
    assignment, index, seen, noticed, maxima = next(iter(marks.marks)), Index(marks.people), set(), [], set()
    for row in rows:
        cells = dict(zip(names, row))
        student, problem = index.find((), ("number", cells.get("id number", "")), ("email", folded(cells.get("email address", ""))),
                                      *(() if "email address" in names else (("moodle name", folded(cells.get("full name", ""))),)))
        if not student:
            noticed.append(Row(f"{cells['identifier']} {cells.get('full name', '')}".strip(), "NOT FILLED", problem, True))
            continue
        if student in seen:
            noticed.append(Row(f"{cells['identifier']}", "NOT FILLED", f"{student} stands in the worksheet twice", True))
            continue
        seen.add(student)
        mark = marks.of(student, assignment)
        if mark and folded(cells.get("grade can be changed", "yes")) == "no":
            noticed.append(Row(student, "NOT FILLED", "Moodle says that the grade cannot be changed", True))
        elif mark:
            maxima.add(cells.get("maximum grade", ""))
            row[names.index("grade")] = number(scaled(mark, cells.get("maximum grade", "")))
    noticed += [n for m in sorted(maxima) for n in _scalings(marks, {assignment: m})]
    return header, rows, noticed + _unfilled(marks, seen)


def scaled(mark, maximum):
    """The score out of the system's maximum where that is another number."""
    theirs = _float(maximum)
    return mark.score if not theirs or not mark.maximum or theirs == mark.maximum else mark.score / mark.maximum * theirs


def _float(text):
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return 0.0


def _scalings(marks, maxima):
    return [Row(a, "scaled", f"{number(marks.maxima[a])} points here are {theirs} there") for a, theirs in maxima.items()
            if _float(theirs) and _float(theirs) != marks.maxima[a]]


def _unfilled(marks, seen):
    """Students with a mark whom the file does not hold."""
    graded = sorted({s for of in marks.marks.values() for s in of} - seen)
    return [Row(s, "NOT IN FILE", "graded here, but not in the file", True) for s in graded]


WRITERS = {"canvas": canvas, "moodle": moodle, "csv": plain, "gradescope": gradescope}


# --- feedback -----------------------------------------------------------------------------


def export_feedback(course, to, kind="csv", chosen=None):
    """The students' feedback pages in one zip, a folder for each; with Canvas and Moodle under the names that
    their download gave the work, so that they take the zip back. Returns the table."""
    marks = read_marks(course, chosen)
    if kind in ("canvas", "moodle") and len(marks.marks) != 1:
        raise CourseError(f"{kind.capitalize()} takes back the feedback of one assignment; say which: --assignment NAME")
    noticed, files = [], {}
    for a, of in marks.marks.items():
        origins = read_origins(course, a)
        for student in sorted(of):
            page = files_for_people(course, a, student)[1]
            name = feedback_name(kind, student, a, origins.get(student, {}))
            if not page.is_file():
                noticed.append(Row(student, "NO PAGE", f"{a}: no feedback; run: autograder grade {a}", True))
            elif not name:
                noticed.append(Row(student, "NO NAME", f"{a}: the work came last from elsewhere; collect {kind.capitalize()}'s download too, "
                                   "or write the pages with --format csv, a folder a student", True))
            else:
                files[name] = page.read_bytes()
    write_zip(to, files)
    return noticed


def feedback_name(kind, student, assignment, origin):
    if kind not in ("canvas", "moodle"):
        return f"{student}/{assignment}.html"
    if origin.get("system") != kind:
        return ""
    if kind == "canvas":
        return f"{Path(origin['path']).stem}.html"
    return f"{origin['name']}_{origin['number']}_assignsubmission_file/{assignment}.html"


def write_zip(path, files, executable=()):
    """{name: bytes} as a zip that is the same for the same files; all of it or nothing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(files):
                info = zipfile.ZipInfo(name, EPOCH)
                info.external_attr = (0o100755 if name in executable else 0o100644) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, files[name])
        os.replace(fresh, path)
    except BaseException as error:
        fresh.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise CourseError(f"{path} cannot be written: {error.strerror}.") from None
        raise
