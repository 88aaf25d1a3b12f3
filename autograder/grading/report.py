"""The class at a glance: what the stored results of an assignment say, in numbers.

Reads the results that `grade` has kept and the grade book's scores; runs nothing.
`report_page` draws it.
"""

import json
import statistics
from collections import Counter
from dataclasses import dataclass, field, replace

from autograder.checks.verdict import FAILED, PASSED

from . import report_page
from .book import open_book
from .course import CourseError, assignments, open_course
from .engine import plan, result_path
from .job import CHECK_SUFFIX, Result
from .page import write_page

FEWEST = 10  # submissions below which a correlation says nothing


@dataclass(frozen=True)
class Belief:
    """A misconception as often as it was met."""

    exercise: str
    cause: str
    why: str
    read: str
    count: int


@dataclass(frozen=True)
class Item:
    """An exercise or hand-written test over the class.

    difficulty: points earned / points possible, in [0, 1].
    discrimination: Pearson correlation of this item's points with the sum of all other
        items' points (corrected item-total correlation; point-biserial for an item that is
        right or wrong), in [-1, 1]; None where either does not vary or the class is small.
    """

    name: str
    maximum: float
    submissions: int
    difficulty: float
    discrimination: float | None
    outcomes: dict  # status -> count
    lost: float  # points lost by failing, not by leaving out
    beliefs: list

    def share(self, status):
        return self.outcomes.get(status, 0) / self.submissions


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    assignment: str
    results: list  # Result, without notebooks and code
    scores: list  # the grade book's, one per result
    maximum: float
    items: list
    missing: list = field(default_factory=list)  # students without a result
    stale: list = field(default_factory=list)  # students whose result is of older work or an older grader
    adjusted: int = 0  # scores that a person has changed
    waiting: int = 0  # submissions that wait for a person

    @property
    def beliefs(self):
        """All misconceptions met, the commonest first; among equals those of the exercise that cost most."""
        ranked = sorted(self.items, key=lambda item: -item.lost)
        return sorted((b for item in ranked for b in item.beliefs), key=lambda b: -b.count)


def write_report(assignment, folder="."):
    """Write `report/<assignment>.html`; returns (path, Report). Raises CourseError."""
    course = open_course(folder)
    if assignment not in assignments(course):
        raise CourseError(f"There is no assignment {assignment!r}; the assignments are {', '.join(assignments(course))}.")
    report = read_report(course, assignment)
    path = course / "report" / f"{assignment}.html"
    write_page(path, f"{assignment}: the class at a glance", report_page.body(report), report_page.STYLE)
    return path, report


def read_report(course, assignment):
    results, missing, stale = [], [], []
    for planned in plan(course, assignment):
        key, result = read_result(result_path(course, assignment, planned.student))
        if result is None:
            missing.append(planned.student)
            continue
        results.append(result)
        if key != planned.key:
            stale.append(planned.student)
    with open_book(course) as gradebook:
        book = {row["student"]: row for row in gradebook.submission_dicts(assignment)}
    return summarise(assignment, results, book, missing, stale)


def read_result(path):
    """(key, Result without its notebook and code) as `engine.save` wrote it; (None, None) where there is none."""
    try:
        record = json.loads(path.read_text())
        return record["key"], replace(Result(**record["result"]), notebook="", solutions={})
    except (OSError, ValueError, KeyError, TypeError):
        return None, None


def summarise(assignment, results, book=None, missing=(), stale=()):
    """The Report on results; `book` is student -> row of the grade book."""
    rows = [(book or {}).get(r.student, {"score": r.score, "max_score": r.max_score, "needs_manual_grade": False}) for r in results]
    return Report(
        assignment, results, [row["score"] for row in rows], max((row["max_score"] for row in rows), default=0.0),
        items_of(results), list(missing), list(stale),
        sum(abs(row["score"] - r.score) > 1e-9 for row, r in zip(rows, results)), sum(bool(row["needs_manual_grade"]) for row in rows))


def items_of(results):
    """An Item per grade cell, in the order of the notebook."""
    return [item_of(grade_id, [r for r in results if grade_id in r.scores])
            for grade_id in dict.fromkeys(i for r in results for i in r.scores)]


def item_of(grade_id, results):
    name = grade_id.removesuffix(CHECK_SUFFIX)
    found = [_finding(r, name, grade_id) for r in results]
    points = [r.scores[grade_id][0] or 0.0 for r in results]
    maximum = max(r.scores[grade_id][1] for r in results)
    rest = [sum(score or 0.0 for i, (score, _) in r.scores.items() if i != grade_id) for r in results]
    return Item(name, maximum, len(results), statistics.fmean(points) / maximum if maximum else 0.0, correlation(points, rest),
                dict(Counter(f["status"] for f in found)), sum(maximum - p for p, f in zip(points, found) if f["status"] == FAILED),
                beliefs_of(found))


def _finding(result, name, grade_id):
    """The finding of an item; a hand-written test has none, so its points decide."""
    for finding in result.findings:
        if finding["exercise"] == name:
            return finding
    score, maximum = result.scores[grade_id]
    return {"exercise": name, "status": PASSED if score == maximum else FAILED, "cause": ""}


def correlation(points, rest):
    """Pearson's r; None where one of them does not vary, or for fewer than FEWEST submissions."""
    if len(points) < FEWEST or len(set(points)) == 1 or len(set(rest)) == 1:
        return None
    return statistics.correlation(points, rest)


def beliefs_of(findings):
    """The misconceptions met in one exercise, the commonest first."""
    met = [f for f in findings if f["cause"]]
    first = {f["cause"]: f for f in reversed(met)}
    counts = Counter(f["cause"] for f in met).most_common()
    return [Belief(first[c]["exercise"], c, first[c]["why"], first[c]["read"], n) for c, n in counts]

