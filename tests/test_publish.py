"""The editions: reproducible, plain, complete, and a release that runs to its end unsolved."""

import filecmp
import json

import nbformat
import pytest

from autograder.checks import exercises
from autograder.publish import editions, execute
from autograder.publish.plain import lower
from autograder.publish.source import ROOT, SourceError, read_chapter, stems
from autograder.publish.write import NOTEBOOKS, write_students

CHAPTERS = stems()


def released(stem):
    return nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)


def test_the_committed_notebooks_are_what_the_sources_give_byte_for_byte(tmp_path):
    for path in write_students(tmp_path):
        assert filecmp.cmp(path, NOTEBOOKS / path.name, shallow=False), f"{path.name}: run `make notebooks`"
    assert sorted(p.name for p in NOTEBOOKS.glob("*.ipynb")) == sorted(p.name for p in tmp_path.iterdir())


@pytest.mark.parametrize("stem", CHAPTERS)
def test_released_notebooks_have_no_outputs_and_are_nbformat_4_5(stem):
    raw = json.loads((NOTEBOOKS / f"{stem}.ipynb").read_text())
    assert (raw["nbformat"], raw["nbformat_minor"]) == (4, 5)
    assert not any(c["outputs"] or c["execution_count"] for c in raw["cells"] if c["cell_type"] == "code")


@pytest.mark.parametrize("stem", CHAPTERS)
def test_cell_id_is_grade_id_is_exercise_name(stem):
    cells = {c.id: c for c in released(stem).cells}
    assert len(cells) == len(released(stem).cells)
    for cell in read_chapter(stem).exercises:
        name = cell.exercise
        assert cells[name].metadata["nbgrader"]["grade_id"] == cells[name].metadata["id"] == name
        assert f"def {name}(" in cells[name].source
        graded = cells[editions.check_id(name)].metadata["nbgrader"]
        assert graded["grade"] and graded["points"] == cell.points


@pytest.mark.parametrize("stem", CHAPTERS)
def test_a_chapter_has_every_exercise_that_the_checks_know(stem):
    assert {c.exercise for c in read_chapter(stem).exercises} == {e.name for e in exercises().values() if e.chapter == stem}


@pytest.mark.parametrize("stem", CHAPTERS)
def test_sections_that_messages_point_to_exist(stem):
    headings = [line for c in read_chapter(stem).cells if c.kind == "markdown" for line in c.text.splitlines()
                if line.startswith("## ")]
    for exercise in [e for e in exercises().values() if e.chapter == stem]:
        for section in {exercise.read, *(m.read for m in exercise.misconceptions)}:
            assert any(h.startswith(f"## {section} ") for h in headings), f"{exercise.name} points to section {section}"


@pytest.mark.parametrize("stem", CHAPTERS)
def test_an_unsolved_release_runs_to_its_end_and_says_so(stem):
    notebook = released(stem)
    execute.Client(notebook, timeout=120).execute()  # raises at the first error
    text = json.dumps([c.get("outputs", []) for c in notebook.cells])
    for cell in read_chapter(stem).exercises:
        assert f"{cell.exercise}: not solved yet." in text
    assert "passed" not in text.replace("has not passed", "")


def test_a_solved_chapter_needs_at_most_a_minute_of_one_core(executed):
    for stem, notebook in executed.items():
        assert notebook.metadata["cpu_time_s"] <= 60, f"{stem} took {notebook.metadata['cpu_time_s']} s"


def test_every_figure_is_drawn_and_has_an_alternative_text(executed):
    for stem, notebook in executed.items():
        page = editions.page(read_chapter(stem), notebook)
        for cell in page.cells:
            drawn = any("image/png" in o.get("data", {}) for o in cell.get("outputs", []))
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert drawn == (len(alt) > 40), f"{stem}: {cell.source[:80]}"


LOWERED = {
    "(label)=\n# Title": "# Title",
    ":::{note}\nMind *this*.\n:::": "> **Note.**\n>\n> Mind *this*.",
    ":::{dropdown} Hint 1: think\nLook.\n:::": "<details>\n<summary>Hint 1: think</summary>\n\nLook.\n\n</details>",
    "see {ref}`the section <a-label>`.": "see the section.",
    "$$ a = b \\tag{2.1} $$": "$$ a = b \\tag{2.1} $$",
}


@pytest.mark.parametrize("myst", LOWERED)
def test_myst_is_lowered_to_plain_markdown(myst):
    assert lower(myst) == LOWERED[myst]


def test_what_cannot_be_lowered_is_refused_by_name():
    with pytest.raises(SourceError, match="video"):
        lower(":::{video} film.mp4\n:::")
    with pytest.raises(SourceError, match="not closed"):
        lower(":::{note}\nnever ends")
    with pytest.raises(SourceError, match="Nobody1900"):
        lower("{cite:t}`Nobody1900`")


def test_citations_are_lowered_to_author_and_year():
    assert "(2015)" in lower("{cite:t}`He2015`") and "He et al., 2015" in lower("{cite:p}`He2015`")


@pytest.mark.parametrize("stem", CHAPTERS)
def test_no_myst_is_left_in_a_notebook(stem):
    for cell in released(stem).cells:
        if cell.cell_type == "markdown":
            assert ":::" not in cell.source and "{cite" not in cell.source and "```{" not in cell.source


def test_the_source_form_is_refused_with_the_place(tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.publish.source.SOLUTIONS", tmp_path)
    head = "---\nkernelspec: {name: python3, display_name: P, language: python}\n---\n\n# T\n\n"
    for body, words in {":rolle: setup\n\n1": "unknown option rolle", ":role: setups\n\n1": "unknown role 'setups'",
                        ":exercise: f\n:points: 1\n\ndef f(): pass": "exercise f needs",
                        "plt.show()": "say in :alt:"}.items():
        (tmp_path / "99_t.md").write_text(f"{head}```{{code-cell}} ipython3\n{body}\n```\n")
        with pytest.raises(SourceError, match=words):
            read_chapter("99_t")
    with pytest.raises(SourceError, match="There is no chapter"):
        read_chapter("98_none")


def test_instructor_pages_hold_folded_solutions(executed):
    stem = CHAPTERS[0]
    chapter = read_chapter(stem)
    cells = {c.id: c for c in editions.instructor(chapter, executed[stem]).cells}
    name = chapter.exercises[0].exercise
    assert "NotImplementedError" not in cells[name].source and cells[name].metadata["tags"] == ["hide-input"]


def test_the_configuration_names_one_repository():
    url, branch = editions.repository()
    assert url.startswith("https://") and branch
    assert f"git+{url}@{branch}" in (ROOT / "notebooks" / f"{CHAPTERS[0]}.ipynb").read_text()


def test_an_unchanged_chapter_is_not_run_again(executed, monkeypatch):
    monkeypatch.setattr(execute, "run", lambda stem, notebook: pytest.fail(f"{stem} was run again"))
    for stem, notebook in executed.items():
        again = execute.executed(stem)
        assert again.cells[-1].source == notebook.cells[-1].source
        assert again.metadata["cpu_time_s"] == notebook.metadata["cpu_time_s"]
