"""Grade through stock nbgrader: rebuild each submission, then `nbgrader autograde` on the rebuilt one."""

import csv
import hashlib
import io
import shutil
from dataclasses import asdict, dataclass, field

from autograder.publish.write import write_notebook, write_text

from .course import CourseError, api, assignments, open_course, submission_record
from .rebuild import Submission, read_release, read_submission, rebuild

REBUILT = ".rebuilt"


@dataclass
class Graded:
    """One submission's outcome. status: graded | unchanged | not gradable."""

    student: str
    assignment: str
    status: str
    score: float
    max_score: float
    remarks: list = field(default_factory=list)
    grades: dict = field(default_factory=dict)

    def to_dict(self):
        return asdict(self)


def students_of(course, assignment):
    """Students who handed something in for the assignment."""
    return sorted(p.parent.name for p in (course / "submitted").glob(f"*/{assignment}") if p.is_dir())


def grade(assignment, folder=".", student=None):
    """Grade all submissions of an assignment, or one student's; yields a Graded for each.

    A submission that cannot be graded is a result with 0 points and a remark. Unchanged
    work is not graded again. Raises CourseError for an unknown assignment or student.
    """
    course = open_course(folder)
    if assignment not in assignments(course):
        raise CourseError(f"There is no assignment {assignment!r}; the assignments are {', '.join(assignments(course))}.")
    everyone = students_of(course, assignment)
    if student is not None and student not in everyone:
        raise CourseError(f"{student!r} has handed in nothing for {assignment} (looked in {course / 'submitted'}).")
    release = read_release(course, assignment)
    for name in [student] if student else everyone:
        yield grade_one(course, assignment, name, release)
    write_grades(course)


def grade_one(course, assignment, student, release):
    submission, digest = collect(course / "submitted" / student / assignment, assignment)
    notebook, remarks = rebuild(release, submission)
    place = course / REBUILT / student / assignment
    stamp = place / "graded.sha256"
    digest = hashlib.sha256(f"{digest} {notebook} {_source_hash(course, assignment)}".encode()).hexdigest()
    status = "unchanged"
    if not stamp.exists() or stamp.read_text() != digest:
        status = "graded"
        shutil.rmtree(place, ignore_errors=True)
        write_notebook(place / f"{assignment}.ipynb", notebook)
        failure = _autograde(course, assignment, student)
        if failure:
            status, remarks = "not gradable", remarks + [failure]
        else:
            write_text(stamp, digest)
    record = submission_record(course, assignment, student) or {"score": 0.0, "max_score": 0.0, "grades": {}}
    return Graded(student, assignment, status, record["score"], record["max_score"], remarks, record["grades"])


def collect(folder, assignment):
    """The submission in a folder, and a digest of its bytes. The notebook may carry another name."""
    found = sorted(folder.glob("*.ipynb"))
    exact = [p for p in found if p.stem == assignment] or found
    if not exact:
        return Submission(remarks=["The folder holds no notebook (.ipynb)."]), "none"
    path = exact[-1]
    submission = read_submission(path)
    if path.stem != assignment:
        submission.remarks.append(f"The notebook is called {path.name}; it was taken as {assignment}.ipynb.")
    if len(exact) > 1:
        submission.remarks.append(f"The folder holds {len(exact)} notebooks; {path.name} was graded.")
    return submission, hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "unreadable"


def _source_hash(course, assignment):
    return hashlib.sha256((course / "source" / assignment / f"{assignment}.ipynb").read_bytes()).hexdigest()


def _autograde(course, assignment, student):
    """Run nbgrader; "" or one sentence on why it failed."""
    interface = api(course, submitted=REBUILT)
    done = interface.autograde(assignment, student)
    if done["success"]:
        done = interface.generate_feedback(assignment, student)
    if done["success"]:
        return ""
    last = (done.get("error") or done.get("log") or "no message").strip().splitlines()[-1]
    return f"nbgrader could not grade it: {last[:300]}"


def write_grades(course):
    """`grades.csv`: one row per student and assignment, from the grade book."""
    rows = [(student, assignment, record["score"], record["max_score"])
            for assignment in assignments(course) for student in students_of(course, assignment)
            if (record := submission_record(course, assignment, student))]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["student_id", "assignment", "score", "max_score"])
    writer.writerows(rows)
    write_text(course / "grades.csv", text.getvalue())


def table(results):
    """The results as text: who, how much, and what was noticed."""
    width = max([len(r.student) for r in results], default=7)
    lines = [f"{'student':<{width}}  {'score':>6}  {'of':>4}  status"]
    for r in results:
        note = f": {r.remarks[0]}" if r.remarks else ""
        lines.append(f"{r.student:<{width}}  {r.score:>6g}  {r.max_score:>4g}  {r.status}{note}")
    return "\n".join(lines)
