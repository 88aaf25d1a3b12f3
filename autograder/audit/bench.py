"""Measure what users wait for: chapters, checks, grading beside stock nbgrader, the site. Table and JSON."""

import json
import os
import shutil
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
from autograder.publish.execute import CACHE, execute_all, run
from autograder.publish.source import ROOT, read_chapter, stems
from autograder.publish.write import write_text

from . import references
from .grading_speed import grading

REPEATS = 5


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


def site():
    """Seconds of the site's builds with all chapters in the cache: from nothing, of nothing new, of one new sentence."""
    execute_all(stems())
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder) / "course"
        shutil.copytree(ROOT, course, ignore=shutil.ignore_patterns(".git", ".venv", "_build"))
        shutil.copytree(CACHE, course / CACHE.relative_to(ROOT))
        found = {"pages_s": _site_built(course), "unchanged_s": _site_built(course)}
        with open(course / "solutions" / f"{stems()[0]}.md", "a") as source:
            source.write("\nOne more sentence.\n")
        return found | {"prose_s": _site_built(course)}


def _site_built(course):
    command = [sys.executable, "-m", "autograder", "site"]
    environ = os.environ | {"PYTHONPATH": str(course)}
    return round(_timed(lambda: subprocess.run(command, check=True, capture_output=True, cwd=course, env=environ)), 1)


def grading_rows(found):
    for name, f in ((n, f) for n, f in found.items() if n != "many"):
        yield f"{name}, a submission, all cores", f"{f['ours_s']:.3f} s"
        yield f"{name}, stock nbgrader", f"{f['stock_s']:.2f} s, {f['times_stock']:.0f} times as long"
        yield f"{name}, one worker", f"{f['worker_s']:.3f} s, of it {f['overhead_s']:.3f} s above the floor"
        yield f"{name}, first result of a cold start", f"{f['first_result_s']:.1f} s"
        yield f"{name}, private memory of a job", f"{f['private_bytes'] / 1e6:.0f} MB"
        yield f"{name}, unchanged", f"{f['unchanged_s'] * 1000:.1f} ms"
    many = found["many"]
    yield f"{many['submissions']} submissions in one run, each", f"{many['ours_s']:.3f} s"
    yield "memory of all its processes, early and at the end", f"{many['memory_bytes_early'] / 1e6:.0f} MB, {many['memory_bytes_end'] / 1e6:.0f} MB"


def main():
    results = {"date": date.today().isoformat(), "torch": version("torch"), "cores": os.cpu_count(), "chapters_s": chapters(),
               "checks_ms": checks(), "grading": grading(), "site": site()}
    rows = [(f"solved run of {stem}", f"{s:.0f} s") for stem, s in results["chapters_s"].items()]
    slowest = max(results["checks_ms"], key=results["checks_ms"].get)
    rows += [("a check, median", f"{statistics.median(results['checks_ms'].values()):.0f} ms"),
             (f"the slowest check ({slowest})", f"{results['checks_ms'][slowest]:.0f} ms"), *grading_rows(results["grading"]),
             ("site, all chapters in the cache", f"{results['site']['pages_s']:.0f} s"),
             ("site, unchanged", f"{results['site']['unchanged_s']:.0f} s"),
             ("site, one sentence new", f"{results['site']['prose_s']:.0f} s")]
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:<{width}}  {value}" for name, value in rows))
    write_text(ROOT / "_build" / "bench" / "bench.json", json.dumps(results, indent=1) + "\n")
    return 0
