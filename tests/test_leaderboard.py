"""The leaderboard: who is on it, in which order, under which name, and that nothing else of a student's reaches it."""

import json

import pytest
from nbformat.v4 import new_code_cell, new_notebook, writes

from autograder.__main__ import main
from autograder.grading import leaderboard
from autograder.grading.book import open_book
from autograder.grading.course import CourseError
from autograder.grading.leaderboard import FIELD, asks, ranked, settings, write_leaderboard

from classroom import STEM, hand_in, make_course

HOSTILE = '<script>alert(1)</script> & "Ann"'
YES, NO = f"{FIELD} = True", f"{FIELD} = False"


def notebook(*sources):
    return writes(new_notebook(cells=[new_code_cell(s) for s in sources])).encode()


def row(student, score, first=None, last=None):
    return {"student": student, "score": score, "max_score": 9.0, "first_name": first, "last_name": last}


# --- asking -------------------------------------------------------------------------------


@pytest.mark.parametrize("sources", [(YES,), ("x = 1", f"# shown\n{YES}  # yes"), (YES, YES)], ids=("alone", "with a comment", "twice"))
def test_a_student_asks_by_writing_true(sources):
    assert asks(notebook(*sources))


@pytest.mark.parametrize("source", [
    NO, "", f"{FIELD} = 1", f"{FIELD} = 'Ann'", f"{FIELD} = not False", f"# {YES}", f"if 1:\n    {YES}", f"text = '{YES}'", f"{FIELD} == True",
    f"{YES}\n{NO}", f"{FIELD} = True = ", f"{FIELD} = bool(open('/tmp/ran', 'w'))", f"{FIELD} = {HOSTILE!r}"])
def test_anything_else_is_no_wish(source):
    assert not asks(notebook(source))


def test_two_cells_that_disagree_are_no_wish():
    assert not asks(notebook(YES, NO)) and not asks(notebook(NO, YES))


@pytest.mark.parametrize("data", [b"", b"\x00", b"no notebook", b"[]", b'{"cells": 3}', b'{"cells": [{"cell_type": "code", "source": 7}]}',
                                  b"[" * 100_000, json.dumps({"cells": [{"cell_type": "markdown", "source": YES}]}).encode(),
                                  notebook(FIELD + " = " + "(" * 5000 + "True" + ")" * 5000)])
def test_a_file_that_is_no_notebook_asks_for_nothing(data):
    assert asks(data) is False


def test_the_line_is_read_and_never_run():
    assert settings(f"{FIELD} = True\nraise SystemExit") == [True]


# --- ranks and names ----------------------------------------------------------------------


def test_equal_points_share_a_rank_and_the_next_one_is_skipped():
    found = ranked([row("a", 5.0), row("b", 9.0), row("c", 7.0), row("d", 7.0), row("e", 0.1 + 0.2), row("f", 0.3)])
    assert [(r.rank, r.name) for r in found] == [(1, "b"), (2, "c"), (2, "d"), (4, "a"), (5, "e"), (5, "f")]


def test_the_name_is_the_grade_books_and_the_id_where_it_has_none():
    found = ranked([row("id-1", 3.0, "Ann", "Lee"), row("id-2", 2.0, None, "Roe"), row("id-3", 1.0)])
    assert [r.name for r in found] == ["Ann Lee", "Roe", "id-3"]


# --- the page -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Three students who ask, one of them under a hostile name, one who does not, one who is in the grade book alone."""
    course = make_course(tmp_path_factory.mktemp("board") / "course")
    scores = {"ann": 1.0, "bob": 2.0, "eve": 1.0, "shy": 2.0, "gone": 2.0}
    with open_book(course) as gradebook:
        for student, points in scores.items():
            gradebook.update_or_create_student(student, first_name=HOSTILE if student == "eve" else student.title(), last_name="X")
            gradebook.add_submission(STEM, student)
            grade = gradebook.find_submission(STEM, student).notebooks[0].grades[0]
            grade.manual_score = points
            gradebook.db.commit()
    for student in ("ann", "bob", "eve", "shy"):
        path = hand_in(course, student, {}, STEM)
        tree = json.loads(path.read_text())
        tree["cells"].append(json.loads(notebook(NO if student == "shy" else YES))["cells"][0])
        path.write_text(json.dumps(tree))
    return course


def test_only_those_who_asked_are_on_the_page(course):
    path, rows, students = write_leaderboard(course, STEM)
    page = path.read_text()
    assert [(r.rank, r.name) for r in rows][0] == (1, "Bob X") and {r.rank for r in rows[1:]} == {2}
    assert students == 5 and "3 students of 5" in page
    assert "Shy" not in page and "shy" not in page and "Gone" not in page and "Ann X" in page


def test_a_name_of_html_is_shown_as_text(course):
    page = write_leaderboard(course, STEM)[0].read_text()
    assert "<script" not in page and "&lt;script&gt;" in page and "default-src 'none'" in page


def test_a_wish_taken_back_takes_the_name_off(course):
    path = course / "submitted" / "ann" / STEM / f"{STEM}.ipynb"
    before = path.read_text()
    path.write_text(before.replace(YES, NO))
    try:
        assert "Ann X" not in write_leaderboard(course, STEM)[0].read_text()
    finally:
        path.write_text(before)


def test_nobody_asked(tmp_path):
    course = make_course(tmp_path / "course")
    path, rows, students = write_leaderboard(course, STEM)
    assert rows == [] and students == 0 and "<table" not in path.read_text()


def test_the_command_says_where_and_how_many(course, monkeypatch, capsys):
    monkeypatch.setattr(leaderboard.write_leaderboard, "__defaults__", (".", STEM))
    assert main(["leaderboard", "--course", str(course)]) == 0
    assert "Shown: 3 of 5" in capsys.readouterr().out


def test_an_unknown_assignment_is_refused_in_one_sentence(course, capsys):
    with pytest.raises(CourseError, match="There is no assignment"):
        write_leaderboard(course, "nothing")
    assert main(["leaderboard", "--course", str(course)]) == 2 and "13_capstone" in capsys.readouterr().err
