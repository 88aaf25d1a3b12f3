"""Gradescope: a bundle (`setup.sh`, `run_autograder`) around the same grading, and what runs inside it.

Gradescope unpacks the bundle to /autograder/source, runs setup.sh once, then for each submission run_autograder,
which reads /autograder/submission and writes /autograder/results/results.json. The sandbox's self-test decides
there, too, what may run; where no sandbox holds, nothing is graded and the result says so.
"""

import json
import os
import re
import sys
import time
from pathlib import Path

from autograder.checks.verdict import PASSED
from autograder.publish.source import ROOT
from autograder.publish.write import write_text

VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")
PACKAGES = ("autograder/*.py", *(f"autograder/{p}/**/*.py" for p in ("checks", "hidden", "publish", "grading", "notebook", "labs", "delivery")))
NEEDS = ("torch", "numpy", "sympy", "matplotlib", "scikit-learn", "nbformat", "nbgrader", "alembic", "sqlalchemy", "jupytext", "pybtex", "ipywidgets",
         "anywidget")
UNPINNED = ("cloudpickle", "pyyaml", "ipython")
CONFIG = "assignment.json"

SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, when it builds the image. Python 3.11 or newer is needed.
set -euo pipefail
root="${{GRADESCOPE_ROOT:-/autograder}}"

find_python() {{
    for name in python3.11 python3.12 python3.13 python3; do
        if command -v "$name" > /dev/null && "$name" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
            command -v "$name"
            return
        fi
    done
}}

python="$(find_python)"
if [ -z "$python" ]; then
    apt-get update
    apt-get install -y python3.11 python3.11-venv || apt-get install -y python3 python3-venv
    python="$(find_python)"
fi
if [ -z "$python" ]; then
    echo "No Python 3.11 or newer can be had here; choose a newer base image." >&2
    exit 1
fi
"$python" -m venv "$root/venv"
"$root/venv/bin/python" -m pip install --quiet -c "$root/source/constraints.txt" {index}{needs}
"""

RUN = """#!/usr/bin/env bash
# Gradescope runs this for each submission, in /autograder.
root="${GRADESCOPE_ROOT:-/autograder}"
cd "$root/source/course" && exec "${GRADESCOPE_PYTHON:-$root/venv/bin/python}" -m autograder.delivery.gradescope "$root"
"""


# --- the bundle ---------------------------------------------------------------------------


def make_bundle(course, assignment, to, visibility=(), trust=False, index=""):
    """Write the bundle of an assignment of a course folder.

    Args:
        visibility: words of VISIBILITIES, each for all exercises or, as NAME=WORD, for one.
        trust: grade in the container also where no sandbox holds.
        index: PyTorch's index of builds for CPU, to spare gigabytes.
    Raises:
        CourseError: an unknown assignment, exercise or word.
    """
    from autograder.grading.course import CourseError, assignments

    from .export import write_zip
    from .plan import carry_out, points_of

    if assignment not in assignments(course):
        raise CourseError(f"There is no assignment {assignment!r}; the assignments are {', '.join(assignments(course))}.")
    if index and not re.fullmatch(r"[\w:/.~+%-]+", index):
        raise CourseError(f"{index!r} is no address.")
    carry_out(course)
    shown = read_visibility(visibility, points_of(course, assignment))
    files = {f"course/{p.relative_to(ROOT).as_posix()}": p.read_bytes() for p in code_files()}
    files |= {f"course/{name}": (ROOT / name).read_bytes() for name in ("pyproject.toml", "_config.yml", "LICENSE", "book/references.bib")}
    for tree in ("release", "source"):
        path = course / tree / assignment / f"{assignment}.ipynb"
        if not path.is_file():
            raise CourseError(f"{path} is missing; nbgrader writes it: nbgrader generate_assignment {assignment}")
        files[f"{tree}.ipynb"] = path.read_bytes()
    config = {"assignment": assignment, "visibility": shown, "trust": trust, "secret": bundle_secret(course)}
    files[CONFIG] = json.dumps(config, indent=1, sort_keys=True).encode()
    pins = constraints()
    files["constraints.txt"] = pins.encode()
    needs = " ".join([*(n for n in NEEDS), *UNPINNED])
    files["setup.sh"] = SETUP.format(index=f"--extra-index-url {index} " if index else "", needs=needs).encode()
    files["run_autograder"] = RUN.encode()
    write_zip(to, files, executable=("setup.sh", "run_autograder"))


def code_files():
    """The modules that grading needs; neither the bank nor the audit nor any solution."""
    from autograder.grading.engine import NO_MARKS

    found = {p for pattern in PACKAGES for p in ROOT.glob(pattern)}
    return sorted(p for p in found if not (p.parent.name == "grading" and p.stem in set(NO_MARKS) - {"progress"}))


def constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return "\n".join(line for line in lines if line.split("==")[0] in NEEDS) + "\n"


def bundle_secret(course):
    """A key of its own, derived from the course's: the course's does not leave it, and the same course gives the same bundle."""
    from autograder.grading.engine import secret
    from autograder.grading.job import digest

    (course / ".autograder").mkdir(mode=0o700, exist_ok=True)
    return digest(secret(course), "gradescope")


def read_visibility(words, exercises):
    """{"": for all, exercise: for it alone}; raises CourseError."""
    from autograder.grading.course import CourseError

    shown = {"": "visible"}
    for word in words:
        name, _, value = word.rpartition("=")
        if value not in VISIBILITIES:
            raise CourseError(f"{word!r} is no visibility; known are {', '.join(VISIBILITIES)}, or NAME=… of an exercise.")
        if name and name not in exercises:
            raise CourseError(f"There is no exercise {name!r}; the exercises are {', '.join(exercises)}.")
        shown[name] = value
    return shown


# --- inside Gradescope --------------------------------------------------------------------


def grade_submission(root):
    """Grade what lies in `root`/submission; returns (results.json as a dict, exit status)."""
    from autograder.grading.engine import find_notebook, read_bytes
    from autograder.grading.job import Job, digest, grade
    from autograder.grading.sandbox.client import Limits
    from autograder.grading.sandbox.doctor import NoSandbox, choose_rung

    began, source = time.perf_counter(), root / "source"
    config = json.loads((source / CONFIG).read_text())
    assignment = config["assignment"]
    try:
        rung = choose_rung(config["trust"])
    except NoSandbox as refused:
        return not_graded(f"{refused} `autograder gradescope --trust-submissions` makes a bundle that grades all the same."), 1
    path, remarks = find_notebook(root / "submission", assignment)
    data, trouble = read_bytes(path)
    seed = int(digest(config["secret"], assignment, data)[:8], 16)
    release, grader = ((source / f"{tree}.ipynb").read_text() for tree in ("release", "source"))
    result = grade(Job(assignment, submitter(root), path.name if path else "", data, release, grader, seed, rung, remarks + trouble, Limits()))
    return as_results(result, config["visibility"], rung, time.perf_counter() - began), 0


def submitter(root):
    """The submission's number, for the record; names and addresses stay out of it."""
    try:
        return f"submission {int(json.loads((root / 'submission_metadata.json').read_text())['id'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return "submission"


def as_results(result, visibility, rung, seconds):
    """Gradescope's results.json of a graded submission."""
    from autograder.grading.job import CHECK_SUFFIX
    from autograder.grading.page import clean

    findings, tests = {f["exercise"]: f for f in result.findings}, []
    for number, (grade_id, (score, maximum)) in enumerate(result.scores.items(), 1):
        name = grade_id.removesuffix(CHECK_SUFFIX)
        said = said_of(findings[name]) if name in findings else result.tests.get(grade_id, "")
        tests.append({"name": name, "number": str(number), "score": float(score or 0.0), "max_score": float(maximum),
                      "status": "passed" if (score or 0.0) >= maximum else "failed", "output": clean(said), "output_format": "text",
                      "visibility": visibility.get(name, visibility[""]), "tags": [findings[name]["status"]] if name in findings else []})
    output = "\n".join([*result.remarks, *result.incidents]) or "Every exercise cell was found."
    return {"tests": tests, "execution_time": max(1, round(seconds)), "output": clean(output), "output_format": "text",
            "test_output_format": "text", "stdout_visibility": "hidden", "extra_data": {"sandbox": rung, "seed": result.seed}}


def said_of(finding):
    """What the student reads of an exercise: nothing of the hidden inputs."""
    from autograder.grading.feedback import without_values

    if finding["status"] == PASSED:
        return "Passed."
    lines = [without_values(finding["fact"]), finding["why"], f"Read: section {finding['read']}" if finding["read"] else ""]
    return "\n".join(filter(None, lines)) or finding["status"].capitalize() + "."


def not_graded(why):
    """A results.json that gives no exercise a mark and says that it is not the student's fault."""
    return {"score": 0.0, "output": "This submission was not graded, through no fault of yours; your teacher has to look at it.",
            "output_format": "text", "stdout_visibility": "hidden", "extra_data": {"not graded": why}, "tests": []}


def main(root):
    root = Path(root)
    try:
        from autograder.grading.sandbox import nursery

        nursery.prepare(2)  # one for the self-test
        results, status = grade_submission(root)
    except Exception as error:  # Gradescope shows a missing results.json as the student's failure
        results, status = not_graded(f"{type(error).__name__}: {error}"[:500]), 1
    write_text(root / "results" / "results.json", json.dumps(results, indent=1))
    if status:
        print(results["extra_data"]["not graded"], file=sys.stderr)
    return status


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(*sys.argv[1:2]))
