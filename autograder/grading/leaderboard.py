"""The leaderboard: the points of an assignment, ranked, with the names of those who asked to be shown.

A student asks by one line in the notebook handed in: `show_me_on_the_leaderboard = True`. The line is read,
never run. The name is the grade book's, so nobody can put another's name or any text of their own on the
page. Whoever has not asked is counted and not listed; ranks are among those listed.
"""

import ast
from dataclasses import dataclass

from .book import open_book
from .course import CourseError, assignments, open_course
from .engine import plan, read_bytes
from .page import count, name, table, text, write_page
from .rebuild import parse_submission

ASSIGNMENT = "13_capstone"
FIELD = "show_me_on_the_leaderboard"


@dataclass(frozen=True)
class Row:
    rank: int
    name: str
    score: float


def write_leaderboard(folder=".", assignment=ASSIGNMENT):
    """Write `report/<assignment>-leaderboard.html`; returns (path, rows shown, students in all). Raises CourseError."""
    course = open_course(folder)
    if assignment not in assignments(course):
        raise CourseError(f"There is no assignment {assignment!r}; the assignments are {', '.join(assignments(course))}.")
    with open_book(course) as gradebook:
        book = {row["student"]: row for row in gradebook.submission_dicts(assignment)}
    asked = {planned.student for planned in plan(course, assignment) if asks(read_bytes(planned.path)[0])}
    rows = ranked([row for student, row in book.items() if student in asked])
    maximum = max((row["max_score"] for row in book.values()), default=0.0)
    path = course / "report" / f"{assignment}-leaderboard.html"
    write_page(path, f"{assignment}: leaderboard", body(assignment, rows, len(book), maximum))
    return path, rows, len(book)


def asks(data):
    """True where the notebook's code sets FIELD to the constant True, and in no cell to anything else."""
    found = [value for cell in parse_submission(data).cells if cell.is_code and FIELD in cell.source for value in settings(cell.source)]
    return bool(found) and all(found)


def settings(source):
    """For each assignment to FIELD at a cell's top level: whether it is `True`. A cell that is no Python asks for nothing."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [False]
    assigned = [s for s in statements if isinstance(s, ast.Assign) and any(isinstance(t, ast.Name) and t.id == FIELD for t in s.targets)]
    return [isinstance(s.value, ast.Constant) and s.value.value is True for s in assigned]


def ranked(rows):
    """Rows of the grade book, best first; equal scores share a rank and stand in the order of their names."""
    rows = sorted(rows, key=lambda row: (-row["score"], full_name(row).casefold(), row["student"]))
    scores = [round(row["score"], 6) for row in rows]
    return [Row(1 + sum(s > score for s in scores), full_name(row), row["score"]) for row, score in zip(rows, scores)]


def full_name(row):
    """First and last name of the grade book, or the student's id where it has none."""
    return " ".join(part for part in (row["first_name"], row["last_name"]) if part) or row["student"]


def body(assignment, rows, students, maximum):
    head = (f"<h1>{text(assignment)}: leaderboard</h1><p>{count(len(rows), 'student')} of {students:,} asked to be shown. "
            f"Ranks are among them; equal points share a rank.</p>")
    if not rows:
        return head
    cells = [(f"{row.rank}", name(row.name), f"{row.score:g}") for row in rows]
    return head + table(f"Points of {maximum:g}", ("Rank", "Name", "Points"), cells, numbers=("Points",))
