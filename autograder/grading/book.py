"""The grade book: nbgrader's own data base, written by one writer."""

import contextlib
import csv
import io

from nbgrader.api import Gradebook
from nbgrader.preprocessors import AssignLatePenalties
from nbformat import NotebookNode

from autograder.publish.write import write_text

from .course import api, assignments, db_url


@contextlib.contextmanager
def open_book(course):
    """The course's Gradebook; its address comes from nbgrader_config.py (`c.CourseDirectory.db_url`)."""
    with Gradebook(db_url(course)) as gradebook:
        yield gradebook


def apply(course, gradebook, result):
    """Write a result's scores as nbgrader's autograder does; manual scores are never touched."""
    assignment, student = result.assignment, result.student
    timestamp = api(course).coursedir.get_existing_timestamp(str(course / "submitted" / student / assignment))
    gradebook.update_or_create_student(student)
    gradebook.update_or_create_submission(assignment, student, **({"timestamp": timestamp} if timestamp else {}))
    for grade in gradebook.find_submission_notebook(assignment, assignment, student).grades:
        score = result.scores.get(grade.cell.name, [None])[0]
        grade.auto_score = score
        grade.needs_manual_grade = grade.manual_score is not None or score is None
    gradebook.db.commit()
    late_penalty(course, gradebook, assignment, student)


def late_penalty(course, gradebook, assignment, student):
    """nbgrader's late policy, through its own plugin, for a submission with a due date."""
    if gradebook.find_submission(assignment, student).total_seconds_late > 0:
        names = {"notebook": assignment, "assignment": assignment, "student": student, "db_url": db_url(course)}
        AssignLatePenalties(parent=api(course)).preprocess(NotebookNode(cells=[]), {"nbgrader": names})
        gradebook.db.expire_all()


def write_grades(course, gradebook):
    """`grades.csv`: one row per submission in the grade book."""
    rows = [(s.student.id, a, f"{s.score:g}", f"{s.max_score:g}")
            for a in assignments(course) for s in sorted(gradebook.assignment_submissions(a), key=lambda s: s.student.id)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["student_id", "assignment", "score", "max_score"])
    writer.writerows(rows)
    write_text(course / "grades.csv", text.getvalue())
