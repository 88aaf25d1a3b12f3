"""The grade book: nbgrader's own data base, written by one writer."""

import contextlib
import csv
import io

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Comment, Grade, MissingEntry, Student, SubmittedAssignment, SubmittedNotebook, new_uuid
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy import insert, select, update

from autograder.publish.write import write_text

from .course import CourseError, api, assignments, handed_in_at

NO_RESPONSE = "No response."  # nbgrader's comment on a solution cell that was left as it was


@contextlib.contextmanager
def open_book(course):
    """The course's Gradebook; its address comes from nbgrader_config.py (`c.CourseDirectory.db_url`)."""
    with api(course).gradebook as gradebook:
        yield gradebook


class Writer:
    """Writes results of one assignment as nbgrader's autograder does, each in one transaction.

    Manual scores and comments are never touched. What all submissions share is read once a
    run. `known` is student -> deadline extension, of those who stand in the grade book.
    """

    def __init__(self, course, gradebook, assignment):
        self.course, self.gradebook, self.assignment = course, gradebook, assignment
        self.db, self.api, self.stubs = gradebook.db, api(course), stubs(course, assignment)
        try:
            row, notebook = gradebook.find_assignment(assignment), gradebook.find_notebook(assignment, assignment)
        except MissingEntry:
            raise CourseError(f"The grade book does not know {assignment}; tell it: nbgrader generate_assignment --force {assignment}") from None
        self.row_id, self.due, self.notebook_id = row.id, row.duedate, notebook.id
        self.cells = {n.id: ([c.id for c in n.grade_cells + n.task_cells], [c.id for c in n.solution_cells + n.task_cells]) for n in row.notebooks}
        self.names = {c.id: c.name for c in notebook.grade_cells + notebook.solution_cells + notebook.task_cells}
        self.known = dict(self.db.execute(select(SubmittedAssignment.student_id, SubmittedAssignment.extension)
                                          .where(SubmittedAssignment.assignment_id == row.id)).all())
        self.db.rollback()

    def timestamp(self, student):
        return handed_in_at(self.course / "submitted" / student / self.assignment)[0]

    def terms(self, student):
        """What besides the work decides on the score: hand-in, due date, extension."""
        return f"{self.timestamp(student)} {self.due} {self.known.get(student)}"

    def apply(self, result):
        notebook = self._found(result.student) or self._added(result.student)
        if timestamp := self.timestamp(result.student):
            self.db.execute(update(SubmittedAssignment).where(SubmittedAssignment.assignment_id == self.row_id,
                            SubmittedAssignment.student_id == result.student).values(timestamp=timestamp))
        untouched = {grade_id for cell_id, (grade_id, stub) in self.stubs.items() if result.solutions.get(cell_id, stub) == stub}
        self._write_scores(notebook, result.scores, untouched)
        self._write_comments(notebook, untouched)
        self.db.execute(update(SubmittedNotebook).where(SubmittedNotebook.id == notebook).values(late_submission_penalty=None))
        self.db.commit()
        if self.due:
            self._late_penalty(result.student)
        self.known.setdefault(result.student, None)

    def _found(self, student):
        """The id of the student's notebook in the grade book, or None."""
        return self.db.execute(select(SubmittedNotebook.id).join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
                               .where(SubmittedAssignment.assignment_id == self.row_id, SubmittedAssignment.student_id == student,
                                      SubmittedNotebook.notebook_id == self.notebook_id)).scalar()

    def _added(self, student):
        """Rows for a new submission, as `Gradebook.add_submission` makes them, and for a new student."""
        if not self.db.execute(select(Student.id).where(Student.id == student)).scalar():
            self.db.execute(insert(Student).values(id=student))
        submission, ids = new_uuid(), {notebook: new_uuid() for notebook in self.cells}
        self.db.execute(insert(SubmittedAssignment).values(id=submission, assignment_id=self.row_id, student_id=student))
        self.db.execute(insert(SubmittedNotebook), [{"id": i, "notebook_id": n, "assignment_id": submission} for n, i in ids.items()])
        for table, cells in ((Grade, 0), (Comment, 1)):
            rows = [{"notebook_id": i, "cell_id": cell} for notebook, i in ids.items() for cell in self.cells[notebook][cells]]
            if rows:
                self.db.execute(insert(table), rows)
        return ids[self.notebook_id]

    def _write_scores(self, notebook, scores, untouched):
        rows = self.db.execute(select(Grade.id, Grade.cell_id, Grade.manual_score).where(Grade.notebook_id == notebook)).all()
        auto = {row.id: scores.get(self.names[row.cell_id], [0.0 if self.names[row.cell_id] in untouched else None])[0] for row in rows}
        self._update(Grade, [{"id": r.id, "auto_score": auto[r.id], "needs_manual_grade": r.manual_score is not None or auto[r.id] is None}
                             for r in rows])

    def _write_comments(self, notebook, untouched):
        rows = self.db.execute(select(Comment.id, Comment.cell_id).where(Comment.notebook_id == notebook)).all()
        self._update(Comment, [{"id": r.id, "auto_comment": NO_RESPONSE if self.names[r.cell_id] in untouched else None} for r in rows])

    def _update(self, table, rows):
        if rows:
            self.db.execute(update(table), rows)

    def _late_penalty(self, student):
        """nbgrader's late policy, through its own plugin."""
        late = self.gradebook.find_submission(self.assignment, student).total_seconds_late > 0
        self.db.rollback()
        if late:
            names = {"notebook": self.assignment, "assignment": self.assignment, "student": student, "db_url": self.api.coursedir.db_url}
            AssignLatePenalties(parent=self.api).preprocess(NotebookNode(cells=[]), {"nbgrader": names})


def stubs(course, assignment):
    """Cell id -> (grade id, released text) of the cells that students fill in."""
    released = nbformat.read(course / "release" / assignment / f"{assignment}.ipynb", as_version=4)
    return {c.id: (c.metadata.nbgrader.grade_id, c.source) for c in released.cells if c.metadata.get("nbgrader", {}).get("solution")}


def write_grades(course, gradebook):
    """`grades.csv`: one row per submission in the grade book."""
    rows = [(s.student_id, a, f"{s.score:g}", f"{s.max_score:g}")
            for a in assignments(course) for s in sorted(gradebook.assignment_submissions(a), key=lambda s: s.student_id)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["student_id", "assignment", "score", "max_score"])
    writer.writerows(rows)
    write_text(course / "grades.csv", text.getvalue())
