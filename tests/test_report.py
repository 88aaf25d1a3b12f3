"""The report on a class: its numbers against independent ones, and what it tells a lecturer to do."""

import json
import random
import time
from dataclasses import replace

import numpy as np
import pytest

from autograder.__main__ import main
from autograder.bank import entries
from autograder.grading import book, course, engine, report_page
from autograder.grading.job import Result
from autograder.grading.page import document
from autograder.grading.report import FEWEST, beliefs_of, correlation, item_of, items_of, summarise, write_report
from autograder.publish.editions import check_id

from test_feedback import CHROMIUM, HOSTILE, chatty, is_harmless, numbers_of_hidden_inputs, result_of, width_at

STEM = "02_initialization"
POINTS = {"easy": 1.0, "middling": 2.0, "hard": 4.0}


def finding(name, status, cause="", why=""):
    return {"exercise": name, "status": status, "fact": "", "tried": "", "cause": cause, "why": why, "read": "2.1", "printed": ""}


def result(student, statuses, causes=(), **more):
    """A Result from exercise -> status; a failed one has the cause that `causes` gives it."""
    causes = {n: cause for n, cause in dict(causes).items() if statuses[n] == "failed"}
    found = [finding(n, s, causes.get(n, ""), f"You believe {causes[n]}." if n in causes else "") for n, s in statuses.items()]
    scores = {check_id(n): [POINTS[n] * (s == "passed"), POINTS[n]] for n, s in statuses.items()}
    return Result(STEM, student, scores=scores, findings=found, **({"seconds": 0.3, "peak_bytes": 30_000_000} | more))


def class_of(size, seed=3):
    """Students of random skill, who fail, leave out and miss exercises at random."""
    rng = random.Random(seed)
    levels = {"easy": 0.2, "middling": 0.5, "hard": 0.8}
    return [result(f"student-{k:04d}", {n: _status(rng, skill - level) for n, level in levels.items()},
                   {n: rng.choice(["first", "second"]) for n in levels}, seconds=rng.random())
            for k in range(size) for skill in [rng.random()]]


def _status(rng, margin):
    return "passed" if rng.gauss(margin, 0.3) > 0 else rng.choice(["failed", "unsolved", "not judged"])


def page_of(results, **more):
    report = replace(summarise(STEM, results), **more)
    return document("report", report_page.body(report), report_page.STYLE)


# --- numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [FEWEST, 40, 333])
def test_difficulty_and_discrimination_agree_with_numpy(size):
    results = class_of(size)
    table = np.array([[r.scores[check_id(n)][0] for n in POINTS] for r in results])
    for column, item in enumerate(items_of(results)):
        rest = np.delete(table, column, axis=1).sum(axis=1)
        assert item.difficulty == pytest.approx(table[:, column].mean() / item.maximum)
        assert item.discrimination == pytest.approx(np.corrcoef(table[:, column], rest)[0, 1])


def test_discrimination_is_none_where_nothing_varies_or_the_class_is_small():
    rising = [float(k) for k in range(FEWEST)]
    assert correlation(rising, rising[::-1]) == pytest.approx(-1)
    assert correlation([1.0] * FEWEST, rising) is None
    assert correlation(rising, [0.1 + 0.2] * FEWEST) is None
    assert correlation(rising[:-1], rising[:-1]) is None


def test_outcomes_and_points_lost_are_counted():
    results = [result("a", {"hard": "failed"}), result("b", {"hard": "unsolved"}), result("c", {"hard": "passed"}), result("d", {"hard": "not judged"})]
    item = item_of(check_id("hard"), results)
    assert [item.share(s) for s in report_page.STATUSES] == [0.25] * 4
    assert item.lost == 4.0 and item.difficulty == 0.25


def test_misconceptions_are_counted_by_exercise_and_cause():
    found = [finding("hard", "failed", cause, f"You believe {cause}.") for cause in ("x", "y", "y", "")]
    assert [(b.cause, b.count, b.why) for b in beliefs_of(found)] == [("y", 2, "You believe y."), ("x", 1, "You believe x.")]


def test_a_hand_written_test_is_an_item_judged_by_its_points():
    results = [Result(STEM, "a", scores={"by-hand": [2.0, 2.0]}, tests={"by-hand": ""}), Result(STEM, "b", scores={"by-hand": [0.0, 2.0]})]
    assert items_of(results)[0].outcomes == {"passed": 1, "failed": 1}


def test_bins_agree_with_numpy_and_hold_everyone():
    rng = random.Random(1)
    for maximum in (1.0, 12.0, 19.0, 100.0, 37.5):
        scores = [rng.randrange(int(2 * maximum) + 1) / 2 for _ in range(200)] + [0.0, maximum]
        width, counts = report_page.bins(scores, maximum)
        edges = [width * k for k in range(len(counts) + 1)]
        assert counts == np.histogram(scores, edges)[0].tolist() and sum(counts) == len(scores) and len(counts) <= report_page.BINS


def test_the_percentile_is_the_nearest_rank():
    rng = random.Random(1)
    for size in (1, 2, 19, 20, 21, 1500):
        values = [rng.random() for _ in range(size)]
        assert report_page.quantile(values, 0.95) == np.quantile(values, 0.95, method="inverted_cdf")


# --- what to do next ----------------------------------------------------------------------


def test_the_first_advice_is_the_exercise_whose_failures_cost_most():
    results = [result(f"s{k}", {"easy": "failed", "hard": "failed" if k < 3 else "passed"}, {"easy": "e", "hard": "h"}) for k in range(10)]
    first, second, *_ = report_page.advice(summarise(STEM, results))
    assert "Discuss" in first and "#hard" in first and "3 of the 10" in first and "You believe h." in first
    assert "met most often" in second and "10 times" in second and "You believe e." in second


def test_an_exercise_left_out_by_many_is_asked_about_and_by_few_is_not():
    def told(left_out):
        results = [result(f"s{k}", {"easy": "unsolved" if k < left_out else "passed"}) for k in range(10)]
        return any("left out" in a for a in report_page.advice(summarise(STEM, results)))

    assert told(4) and not told(3)


def test_an_exercise_that_the_good_ones_fail_is_suspected():
    results = [result(f"s{k}", {"easy": "failed" if k % 2 else "passed", "hard": "passed" if k % 2 else "failed"}) for k in range(20)]
    assert any("Look at the exercise" in a and "#easy" in a for a in report_page.advice(summarise(STEM, results)))
    alike = [result(f"s{k}", {"easy": s, "hard": s}) for k in range(20) for s in [("failed", "passed")[k % 2]]]
    assert not any("Look at the exercise" in a for a in report_page.advice(summarise(STEM, alike)))


def test_submissions_that_hit_limits_are_named_and_others_are_not():
    results = class_of(30)
    results[7].incidents = ["hard: needed more memory than the limit"]
    page = page_of(results)
    assert "Look at 1 submission by hand" in page and "student-0007" in page and "needed more memory" in page
    assert "student-0008" not in page and "Look at" not in page_of(class_of(30)).split("Scores</h2>")[0].replace("Look at the exercise", "")


def test_a_class_without_a_failure_has_nothing_to_discuss():
    page = page_of([result(f"s{k}", {"easy": "passed", "hard": "passed"}) for k in range(12)])
    assert "Nothing: whoever tried an exercise solved it." in page


# --- the page -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 1500])
def test_a_class_of_any_size_has_a_page_below_a_megabyte_in_seconds(size):
    results, began = class_of(size), time.process_time()
    for r in results:
        r.remarks, r.incidents = [f"The notebook is called {r.student}.ipynb."], ["hard: took longer than the time limit"]
    page = page_of(results, missing=[r.student for r in results], stale=[r.student for r in results])
    assert is_harmless(page) and len(page) < 1_000_000 and time.process_time() - began < 5
    assert f"{size:,} submission" in page or not size and "Nobody has handed in anything yet." in page


def test_hostile_names_and_remarks_are_escaped():
    results = class_of(12)
    for r in results:
        r.student, r.remarks, r.incidents = HOSTILE + r.student, [HOSTILE + r.student], [HOSTILE]
    page = page_of(results, missing=[HOSTILE], stale=[HOSTILE])
    assert is_harmless(page) and "[U+202E]" in page and not is_harmless(page + HOSTILE.split("</style>")[1])


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_a_phone_shows_the_whole_width_of_the_report(tmp_path):
    results = class_of(40)
    results[0].student, results[0].incidents = "x" * 200, ["y" * 300]
    assert width_at(page_of(results, missing=["z" * 200]), 390, tmp_path) <= 390


# --- a course -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course of one chapter with three submissions whose results are kept as `grade` keeps them."""
    folder = tmp_path_factory.mktemp("class") / "course"
    course.init(folder, chapters=[STEM])
    wrong = next(e for e in entries("fans") if e.cause)
    right = next(e for e in entries("fans") if e.is_right)
    for student, entry in (("ada", right), ("grace", wrong), ("kurt", wrong)):
        handed_in = folder / "submitted" / student / STEM / f"{STEM}.ipynb"
        handed_in.parent.mkdir(parents=True)
        handed_in.write_text((folder / "release" / STEM / f"{STEM}.ipynb").read_text())
        kept = result_of({"fans": entry.fn, "second_moments": chatty}, {"fans": entry.source()}, student=student, notebook="{}")
        engine.save(folder, STEM, next(engine.plan(folder, STEM, student)), kept)
    outcomes = [outcome for _, outcome in engine.grade_assignment(STEM, folder, trust=True)]  # nothing runs: it only applies them
    assert outcomes == ["unchanged"] * 3
    return folder


def test_the_report_of_a_graded_course_is_written_and_says_who_is_where(graded, capsys):
    assert main(["report", STEM, "--course", str(graded)]) == 0
    page = (graded / "report" / f"{STEM}.html").read_text()
    assert "3 submissions. Median 0 of 12 points" in page and "Missing" not in page and "Stale" not in page
    assert "Discuss" in page and str(graded / "report") in capsys.readouterr().out


def test_no_hidden_input_and_no_solution_is_on_any_page(graded):
    write_report(STEM, graded)
    secrets = numbers_of_hidden_inputs("second_moments")
    kept = engine.result_path(graded, STEM, "ada").read_text()
    assert not any(s in kept for s in secrets)
    pages = [*graded.glob("report/*.html"), *graded.glob("feedback/*/*/*.html")]
    assert len(pages) == 4
    for page in pages:
        assert not [s for s in secrets if s in page.read_text()]


def test_a_changed_score_in_the_grade_book_counts_and_is_said(graded):
    with book.open_book(graded) as gradebook:
        grade = gradebook.find_grade(check_id("fans"), STEM, STEM, "grace")
        grade.manual_score = 1.0
        gradebook.db.commit()
        _, report = write_report(STEM, graded)
        assert sorted(report.scores) == [0.0, 1.0, 1.0] and report.adjusted == 1
        grade.manual_score = None
        gradebook.db.commit()
    assert write_report(STEM, graded)[1].adjusted == 0


def test_missing_and_stale_results_are_named_in_one_sentence(graded, capsys):
    handed_in = graded / "submitted" / "kurt" / STEM / f"{STEM}.ipynb"
    before, kept = handed_in.read_text(), engine.result_path(graded, STEM, "grace")
    record = kept.read_text()
    handed_in.write_text(before + "\n")
    kept.write_text(json.dumps({"key": "torn"})[:9])
    try:
        assert main(["report", STEM, "--course", str(graded)]) == 1
    finally:
        handed_in.write_text(before)
        kept.write_text(record)
    page = (graded / "report" / f"{STEM}.html").read_text()
    assert "1 submission without a result (grace)" in page and "1 result of an older submission or an older grader, counted as they are (kurt)" in page


def test_an_unknown_assignment_is_refused_by_name(graded, capsys):
    assert main(["report", "99_nothing", "--course", str(graded)]) == 2
    assert "There is no assignment '99_nothing'" in capsys.readouterr().err
