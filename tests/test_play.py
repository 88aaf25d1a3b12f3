"""Sliders that drive the student's own functions, and the explorables in notebooks."""

import json
import os
import re
import time
from importlib.metadata import PackageNotFoundError

import anywidget
import ipywidgets
import matplotlib
import nbformat
import pytest
from classroom import reference
from nbformat.v4 import new_code_cell, new_notebook
from test_explorables import MODULES, evaluate, needs_node

from autograder import explorable, play
from autograder.grading import demo
from autograder.notebook import explorables, widgets
from autograder.publish import editions, execute
from autograder.publish.explorables import DIRECTIVE
from autograder.publish.source import SourceError, read_chapter, stems
from autograder.publish.write import NOTEBOOKS

CHAPTERS = stems()
STEM = "07_other_normalizers"


def released(stem):
    return nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)


PLAYED = [(stem, cell) for stem in CHAPTERS for cell in read_chapter(stem).cells if cell.role == "play"]
every_play = pytest.mark.parametrize(("stem", "cell"), PLAYED, ids=[stem for stem, _ in PLAYED])


# --- sliders ----------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch):
    """What the figures show, one entry a figure, as they are shown."""
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    seen = []

    def show():
        axes = plt.gcf().axes
        seen.append([(ax.get_title(), [line.get_xydata().tolist() for line in ax.lines], [bar.get_height() for bar in ax.patches if hasattr(bar, "get_height")],
                      [path.vertices.tolist() for mark in ax.collections for path in mark.get_paths()]) for ax in axes])
        plt.close("all")

    monkeypatch.setattr(plt, "show", show)
    return seen


def solved(stem):
    """A namespace in which the set-up and all solutions of a chapter ran, and nothing else of it."""
    namespace = {"__name__": "__main__"}
    for source in [c.text for c in read_chapter(stem).cells if c.role == "setup"] + list(reference(stem).values()):
        exec(source, namespace)
    return namespace


def test_every_chapter_of_the_course_has_sliders():
    assert len({stem for stem, _ in PLAYED}) >= 14


def another(control):
    """A value of the control other than the one that it has."""
    if isinstance(control, ipywidgets.Checkbox):
        return not control.value
    if hasattr(control, "options"):
        return next(value for value in reversed(control.options) if value != control.value)
    return control.max if control.value != control.max else control.min


@every_play
def test_every_control_changes_what_the_students_functions_draw(stem, cell, drawn):
    namespace = solved(stem)
    exec(cell.text, namespace)
    for control in namespace["sketch"].widget.kwargs_widgets:
        before = len(drawn)
        control.value = another(control)
        assert len(drawn) == before + 1, f"moving {control.description} draws nothing"
        assert json.dumps(drawn[-1]) != json.dumps(drawn[-2]), f"moving {control.description} changes nothing"
    used = {name for name in reference(stem) if re.search(rf"\b{name}\(|\b{name},", cell.text)}
    assert used == set(cell.needs)


def at_work(stem):
    """The released notebook, solved, cut down to set-up, exercises and what moves; its sliders are shown twice and the second ones moved."""
    notebook = demo.handed_in(read_chapter(stem), reference(stem))
    kept = {"setup", "play", "explorable"}
    notebook.cells = [c for c in notebook.cells if c.metadata.get("role") in kept or c.id in reference(stem)]
    again = next(c.source for c in notebook.cells if c.metadata.get("role") == "play")
    move = "slider = sketch.widget.kwargs_widgets[0]\nslider.value = slider.max if slider.value < slider.max else slider.min"
    notebook.cells += [new_code_cell(again), new_code_cell(move)]
    return notebook


def below_sliders(notebook):
    """What a run left below the sliders, panel by panel; and the state of the explorables."""
    state = [model for kind in notebook.metadata["widgets"].values() for model in kind["state"].values()]
    return ([m["state"]["outputs"] for m in state if m["model_name"] == "OutputModel"], [m["state"] for m in state if m["model_name"] == "AnyModel"])


def looks_at_work(notebook, stem):
    """Asserts that both panels hold one figure, not the same one, and that the explorable is there whole."""
    (first, second), (state,) = below_sliders(notebook)
    assert [o["output_type"] for o in first + second] == ["display_data"] * 2
    assert first[0]["data"]["image/png"] != second[0]["data"]["image/png"]
    name = next(path.stem for path in MODULES if path.stem[:2] == stem[:2])
    assert state["_esm"] == explorables.whole(name)


def test_a_kernel_draws_anew_when_a_slider_is_moved(tmp_path):
    notebook, env = at_work(STEM), {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    execute.Client(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute(env=env)
    looks_at_work(notebook, STEM)


def test_no_reply_is_missed_while_sliders_draw():
    """nbclient alone misses one in five here, and waits for its time limit each time."""
    busy = "import ipywidgets\n\ndef tell(k):\n    for _ in range(60):\n        print(k, flush=True)\n\n"
    cells = [new_code_cell(busy + f"ipywidgets.interactive_output(tell, dict(k=ipywidgets.IntSlider({k})))") for k in range(30)]
    began = time.monotonic()
    execute.Client(new_notebook(cells=cells), timeout=30).execute()
    assert time.monotonic() - began < 30


@every_play
def test_a_released_notebook_asks_for_the_functions_that_its_sliders_drive(stem, cell):
    cells = released(stem).cells
    place = [c.source for c in cells].index(f"%%needs {' '.join(cell.needs)}\n{cell.text}")
    assert cells[place - 1].source.endswith(cell.question) and "?" in cell.question
    solved_before = {c.id for c in cells[:place]}
    assert set(cell.needs) <= solved_before, "the sliders stand before an exercise that they need"


def test_no_slider_stands_on_a_page_or_is_run_when_grading(executed):
    for stem, notebook in executed.items():
        chapter = read_chapter(stem)
        for edition in (editions.page(chapter, notebook), editions.instructor(chapter, notebook)):
            text = json.dumps([(c.source, c.get("outputs")) for c in edition.cells])
            assert "widget-view" not in text and "play(sketch" not in text and "Play with your own functions" not in text


def test_a_cell_to_play_with_says_what_to_find_out_and_which_functions_it_drives(tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.publish.source.SOLUTIONS", tmp_path)
    head = "---\nkernelspec: {name: python3, display_name: P, language: python}\n---\n\n# T\n\n"
    for options in (":role: play\n:needs: f", ":role: play\n:question: How?", ":role: receipt\n:question: How?"):
        (tmp_path / "99_t.md").write_text(f"{head}```{{code-cell}} ipython3\n{options}\n\n1\n```\n")
        with pytest.raises(SourceError, match="says in :question: what to find out"):
            read_chapter("99_t")


# --- explorables ------------------------------------------------------------------------------


@needs_node
@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_an_explorable_in_a_notebook_is_the_module_with_its_state(path):
    widget = explorable(path.stem)
    (state,) = evaluate(path.stem, ["defaults"])
    assert widget._esm == explorables.whole(path.stem)
    assert {key: getattr(widget, key) for key in state} == state and set(state) <= set(widget.keys)
    assert not [key for key in state if hasattr(anywidget.AnyWidget, key)]
    key = next(key for key in state if isinstance(state[key], (int, float)))
    widget.set_state({key: 2})  # as the page does when a slider is moved
    assert getattr(widget, key) == 2


@pytest.mark.parametrize("stem", CHAPTERS)
def test_a_released_notebook_shows_the_explorable_where_the_page_does(stem):
    cells = released(stem).cells
    shown = [k for k, c in enumerate(cells) if c.metadata.get("role") == "explorable"]
    named = DIRECTIVE.findall("\n".join(c.text for c in read_chapter(stem).cells if c.kind == "markdown"))
    assert [cells[k].source for k in shown] == [f'explorable("{name}")' for name in named]
    assert all(cells[k].id == f"explorable-{name}" for k, name in zip(shown, named))


def test_an_unknown_explorable_is_answered_in_one_sentence(capsys):
    assert explorable("06_spere") is None
    said = capsys.readouterr().err
    assert said.startswith("there is no explorable '06_spere'; there are 00_gradient_check, ") and said.count("\n") == 1


# --- where a package is missing or too old ----------------------------------------------------


@pytest.fixture(params=["missing", "0.1.0", "7.6.5"])
def versions(request, monkeypatch):
    """No usable ipywidgets, anywidget or both; as what is installed says of itself."""
    def version(package):
        if request.param == "missing":
            raise PackageNotFoundError
        return request.param if package == "ipywidgets" or request.param < "7" else "0.11.0"

    monkeypatch.setattr(widgets, "version", version)


def test_without_widgets_an_explorable_says_one_sentence(versions, capsys):
    assert explorable("06_sphere") is None
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "this chapter's page" in said and "ipywidgets 7.7 or newer: run `%pip install --upgrade ipywidgets`" in said


def test_without_widgets_a_figure_is_drawn_once_at_the_start(versions, capsys):
    seen = []

    def sketch(rate=0.5):
        seen.append(rate)

    assert play(sketch, rate=(0.0, 1.0)) is None
    said = capsys.readouterr().out
    assert seen == [0.5] and said.count("\n") == 1 and "for sliders you need ipywidgets 7.7 or newer" in said


def test_without_anywidget_sliders_move_and_the_explorable_says_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(widgets, "version", {"ipywidgets": "7.7.1", "anywidget": "0.8.1"}.get)
    assert explorable("06_sphere") is None
    assert "you need anywidget 0.9 or newer" in capsys.readouterr().out
    play(lambda rate=0.5: print(rate), rate=(0.0, 1.0))
    assert "FloatSlider" in capsys.readouterr().out
