"""Measure what users wait for: chapters, checks, grading beside stock nbgrader, the site. Table and JSON."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

from autograder.checks import run_check
from autograder.publish import editions
from autograder.publish.execute import run
from autograder.publish.source import ROOT, read_chapter, stems
from autograder.publish.write import write_text

from . import references

REPEATS = 5
COPIES = 40  # submissions of the grading benchmark
STOCK = 3  # of them graded by stock nbgrader too, which takes seconds each


def chapters():
    """Chapter -> wall seconds of its solved run, cold."""
    seconds = {}
    for stem in stems():
        notebook = editions.solved(read_chapter(stem))
        run(stem, notebook)
        seconds[stem] = notebook.metadata["run_time_s"]
    return seconds


def checks():
    """Exercise -> median milliseconds of a visible check on the reference."""
    found = {}
    for stem in stems():
        namespace, sources = references(stem)
        for name in sources:
            run_check(name, namespace[name])
            found[name] = round(statistics.median(_timed(lambda: run_check(name, namespace[name])) for _ in range(REPEATS)) * 1000, 1)
    return found


def _timed(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def grading():
    """Seconds per submission of ours and of stock nbgrader, on the same honest submissions of chapter 02."""
    from autograder.grading.course import api, init
    from autograder.grading.demo import handed_in
    from autograder.grading.engine import grade_assignment

    chapter = read_chapter("02_initialization")
    perfect = json.dumps(handed_in(chapter, {c.exercise: editions.unmarked(c.text) for c in chapter.exercises}))
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder) / "course"
        init(course)
        for k in range(COPIES):
            write_text(course / "submitted" / f"student{k:04d}" / chapter.stem / f"{chapter.stem}.ipynb", perfect)
        ours = _timed(lambda: list(grade_assignment(chapter.stem, course)))
        again = _timed(lambda: list(grade_assignment(chapter.stem, course)))
        stock = statistics.median(_timed(lambda: api(course).autograde(chapter.stem, f"student{k:04d}")) for k in range(STOCK))
    return {"ours_s_per_submission": round(ours / COPIES, 3), "unchanged_s_per_submission": round(again / COPIES, 4),
            "stock_s_per_submission": round(stock, 2), "submissions": COPIES, "stock_submissions": STOCK}


def site():
    """Seconds of an unchanged site build, after one that is up to date."""
    command = [sys.executable, "-m", "autograder", "site"]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return {"unchanged_s": round(_timed(lambda: subprocess.run(command, check=True, capture_output=True, cwd=ROOT)), 1)}


def main():
    results = {"date": date.today().isoformat(), "torch": version("torch"), "chapters_s": chapters(), "checks_ms": checks(),
               "grading": grading(), "site": site()}
    rows = [(f"solved run of {stem}", f"{s:.0f} s") for stem, s in results["chapters_s"].items()]
    slowest = max(results["checks_ms"], key=results["checks_ms"].get)
    rows += [("a check, median", f"{statistics.median(results['checks_ms'].values()):.0f} ms"),
             (f"the slowest check ({slowest})", f"{results['checks_ms'][slowest]:.0f} ms"),
             ("grading a submission, sandboxed", f"{results['grading']['ours_s_per_submission']:.2f} s"),
             ("the same in stock nbgrader", f"{results['grading']['stock_s_per_submission']:.1f} s"),
             ("looking at unchanged work", f"{results['grading']['unchanged_s_per_submission'] * 1000:.0f} ms"),
             ("site, unchanged", f"{results['site']['unchanged_s']:.0f} s")]
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:<{width}}  {value}" for name, value in rows))
    write_text(ROOT / "_build" / "bench" / "bench.json", json.dumps(results, indent=1) + "\n")
    return 0
