"""Colab: badge and first cell, the round trip of a submission, and every notebook under Colab's versions.

The last part builds an environment of 5 GB in `_build/colab`, once: `make test-colab`.
"""

import copy
import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import nbformat
import pytest
import yaml
from classroom import from_bank, marks, reference
from conftest import BUILD, locked
from nbformat.v4 import new_code_cell, new_notebook, new_output
from test_play import PLAYED, at_work, looks_at_work

from autograder.grading import course as courses
from autograder.grading import demo
from autograder.grading.engine import grade_assignment
from autograder.grading.rebuild import parse_submission, rebuild
from autograder.publish import editions
from autograder.publish.execute import Client
from autograder.publish.source import ROOT, read_chapter, stems
from autograder.publish.write import NOTEBOOKS, write_text

CHAPTERS = stems()
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
URL, BRANCH = REPOSITORY["url"], REPOSITORY["branch"]


def released(stem):
    return nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)


def solved(stem):
    return demo.handed_in(read_chapter(stem), reference(stem))


# --- badge and first cell ---------------------------------------------------------------------


@pytest.mark.parametrize("stem", CHAPTERS)
def test_a_badge_opens_the_notebook_from_the_repository_that_the_configuration_names(stem):
    badge = released(stem).cells[0]
    name = URL.removeprefix("https://github.com/")
    assert badge.cell_type == "markdown" and "Open in Colab" in badge.source
    assert badge.source.endswith(f"(https://colab.research.google.com/github/{name}/blob/{BRANCH}/notebooks/{stem}.ipynb)")


def first_code(notebook):
    return next(c for c in notebook.cells if c.cell_type == "code")


@pytest.mark.parametrize("stem", CHAPTERS)
def test_the_first_code_cell_installs_our_package_alone_and_only_on_colab(stem):
    lines = first_code(released(stem)).source.split("\n")
    place = lines.index('if "google.colab" in sys.modules:')
    assert lines[place + 1] == f"    %pip install --quiet --no-deps git+{URL}@{BRANCH}"
    assert [line for line in lines[:place] if line and not line.startswith("#")] == ["import sys"]
    assert all(line.startswith("    ") for line in lines[place + 1:] if line)
    assert "pip install" not in "".join(c.source for c in released(stem).cells[3:] if c.cell_type == "code")


@pytest.mark.parametrize("stem", CHAPTERS)
def test_a_chapter_with_a_gpu_lab_asks_for_a_gpu_and_names_what_it_got(stem):
    notebook = released(stem)
    asks = notebook.metadata.get("accelerator") == "GPU" and notebook.metadata.get("colab", {}).get("gpuType") == "T4"
    assert asks == ("get_device_name()" in first_code(notebook).source) == (stem in editions.GPU_LABS)
    if "python -m autograder.labs." in nbformat.writes(notebook):
        assert asks


# --- the round trip of a submission -----------------------------------------------------------


def through_colab(notebook, twice=True):
    """What comes back from Colab: its badge, its metadata, outputs, ids in the metadata alone, cells doubled."""
    notebook = demo.duplicated(notebook) if twice else demo.colab(notebook)
    notebook.cells[0].metadata |= {"id": "view-in-github", "colab_type": "text"}
    notebook.metadata["colab"] |= {"include_colab_link": True, "toc_visible": True}
    for number, cell in enumerate(c for c in notebook.cells if c.cell_type == "code"):
        cell.metadata["outputId"], cell.execution_count = f"{number:08x}-0000", number
        cell.outputs = cell.outputs or [new_output("stream", text="as it ran\n")]
    text = nbformat.writes(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 0) and not any("id" in c for c in json.loads(text)["cells"])
    return text


@pytest.mark.parametrize("stem", CHAPTERS)
@pytest.mark.parametrize("twice", (False, True))
def test_the_round_trip_loses_no_solution(stem, twice):
    release, notebook = editions.student(read_chapter(stem)), solved(stem)
    assert taken(release, through_colab(notebook, twice)) == taken(release, nbformat.writes(notebook))


def taken(release, text):
    """The student's sources by exercise, as the grader would run them."""
    return {name: source.strip() for name, source in rebuild(release, parse_submission(text.encode()))[1].items()}


STEM = "02_initialization"


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The same work handed in untouched and through Colab; result by student."""
    folder = tmp_path_factory.mktemp("colab") / "course"
    courses.init(folder, chapters=[STEM])
    right = reference(STEM)
    mixed = {name: from_bank(name, right=False) if k % 3 == 0 else source for k, (name, source) in enumerate(right.items()) if k % 3 < 2}
    for student, solutions in {"all": right, "mixed": mixed, "none": {}}.items():
        notebook = demo.handed_in(read_chapter(STEM), solutions)
        ways = {"": nbformat.writes(notebook), " colab": through_colab(notebook, twice=False), " colab twice": through_colab(notebook)}
        for way, text in ways.items():
            write_text(folder / "submitted" / f"{student}{way}" / STEM / f"{STEM}.ipynb", text)
    return {r.student: r for r, _ in grade_assignment(STEM, folder, jobs=2)}


@pytest.mark.parametrize("student", ("all", "mixed", "none"))
@pytest.mark.parametrize("way", (" colab", " colab twice"))
def test_the_round_trip_grades_the_same(graded, student, way):
    plain, back = graded[student], graded[student + way]
    assert marks([back])[student + way] == marks([plain])[student]
    assert statuses(back) == statuses(plain)
    assert student != "all" or back.score == back.max_score > 0
    assert student != "mixed" or 0 < back.score < back.max_score


def statuses(result):
    return {f["exercise"]: f["status"] for f in result.findings}


# --- an environment with Colab's versions -----------------------------------------------------

PYTHONS = ("3.13", "3.12", "3.11")  # Colab has the first; where it cannot be had the next one does
VERSIONS = ("ipywidgets==7.7.1", "ipython==7.34.0", "ipykernel==6.17.1", "torch==2.11.0", "numpy==2.1.3", "pandas==2.2.3",
            "matplotlib==3.10.0", "scikit-learn==1.6.1", "sympy==1.13.3", "anywidget==0.11.0")
TEACHERS = ("nbgrader", "jupyter_book", "jupytext", "jupyter_cache", "sphinx", "alembic", "sqlalchemy")
FOLDER = BUILD / "colab"
FAKE = 'import sys, types\nsys.modules["google.colab"] = types.ModuleType("google.colab")'  # how the cell knows Colab


def said(*command, **options):
    """What a command prints, or "" where it fails or does not exist."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, **options).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def interpreter():
    """(path, version) of the Python nearest to Colab's: on the path, pyenv's or uv's."""
    pyenv = Path(said("pyenv", "root") or Path.home() / ".pyenv") / "versions"
    for version in PYTHONS:
        found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python")), said("uv", "python", "find", version)]
        for path in filter(None, map(str, filter(None, found))):
            if said(path, "-c", "import ensurepip, ssl, sys; print('%d.%d' % sys.version_info[:2])") == version:
                return path, version
    pytest.skip(f"none of Python {', '.join(PYTHONS)} is on this machine")


def build():
    """Make the environment afresh; skips where the package registry cannot be reached or lacks a version."""
    path, version = interpreter()
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run([path, "-m", "venv", FOLDER], check=True)
    command = [FOLDER / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *VERSIONS]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(FOLDER)
        pytest.skip(f"Colab's versions cannot be installed for Python {version}: {done.stderr.strip().splitlines()[-1]}")
    kernel = {"argv": [str(FOLDER / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
              "display_name": "Colab", "language": "python"}
    write_text(FOLDER / "share" / "jupyter" / "kernels" / "colab" / "kernel.json", json.dumps(kernel))
    write_text(FOLDER / "ready", json.dumps(VERSIONS))


@pytest.fixture(scope="module")
def colab():
    """The environment's Python, without our package, and with its kernel known to Jupyter."""
    with locked("colab"):
        if not (FOLDER / "ready").exists() or json.loads((FOLDER / "ready").read_text()) != list(VERSIONS):
            build()
    python = FOLDER / "bin" / "python"
    version = said(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    if version != PYTHONS[0]:
        warnings.warn(f"Colab has Python {PYTHONS[0]}; tested with {version}")
    subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "autograder"], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(FOLDER / "share" / "jupyter"))
        yield python


def execute(notebook, folder, **variables):
    """Run a notebook top to bottom in Colab's kernel, away from this repository; raises at the first error."""
    env = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "PYTHONPATH")}
    env |= {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"} | variables
    resources = {"metadata": {"path": str(folder)}}
    Client(notebook, "colab", timeout=1800, resources=resources).execute(env=env)
    return notebook


def printed(notebook, name="stdout"):
    return "".join(o.text for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "stream" and o.name == name)


def packages(python):
    return set(said(python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check").splitlines())


def public_repository(folder):
    """A git repository with the tag that the first cell names."""
    shutil.copytree(ROOT / "autograder", folder / "autograder", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "book" / "explorables", folder / "book" / "explorables")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder / name)
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "-m", "released"], ["tag", BRANCH]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def installed(colab, tmp_path_factory):
    """(packages before, packages after, the notebook as run) of the first cell on Colab; git finds the repository here."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "repository").mkdir()
    address = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_VALUE_0": URL,
               "GIT_CONFIG_KEY_0": f"url.{public_repository(folder / 'repository').as_uri()}.insteadOf"}
    stem = max(CHAPTERS, key=lambda s: (s in editions.GPU_LABS, s))
    cells = [FAKE, first_code(released(stem)).source, "import autograder.notebook\nprint(autograder.__file__)"]
    before = packages(colab)
    notebook = execute(new_notebook(cells=[new_code_cell(c) for c in cells]), folder, **address)
    return before, packages(colab), notebook


@pytest.mark.colab
def test_the_environment_has_colabs_versions_and_no_teachers_tools(colab):
    assert {v.lower() for v in VERSIONS} <= {p.split("+")[0].lower() for p in packages(colab)}
    absent = f"import importlib.util as u; print([m for m in {TEACHERS} if u.find_spec(m)])"
    assert said(colab, "-c", absent) == "[]"


@pytest.mark.colab
def test_the_first_cell_installs_the_package_and_touches_no_other(installed):
    before, after, notebook = installed
    assert [p.split("==")[0] for p in after ^ before] == ["autograder"]
    assert str(FOLDER / "lib") in printed(notebook)
    assert ("GPU" in printed(notebook)) == any(s in editions.GPU_LABS for s in CHAPTERS)


@pytest.mark.colab
def test_all_modules_of_the_student_package_import(installed, colab, tmp_path):
    code = ("import autograder, importlib, pkgutil\n"
            "names = [m.name for m in pkgutil.walk_packages(autograder.__path__, 'autograder.') if not m.name.endswith('__main__')]\n"
            "print(len([importlib.import_module(n) for n in names]))")
    assert int(said(colab, "-c", code, cwd=tmp_path)) > len(CHAPTERS)


@pytest.mark.colab
@pytest.mark.parametrize("stem", CHAPTERS)
def test_a_released_notebook_runs_to_its_end_unsolved(installed, stem, tmp_path):
    notebook = execute(released(stem), tmp_path)
    text = json.dumps([c.get("outputs", []) for c in notebook.cells])
    assert not first_code(notebook).outputs
    assert all(f"{c.exercise}: not solved yet." in text for c in read_chapter(stem).exercises)


@pytest.mark.colab
@pytest.mark.parametrize("stem", CHAPTERS)
def test_a_solved_notebook_passes_its_checks_and_comes_back_whole(installed, stem, tmp_path, colab):
    notebook = execute(solved(stem), tmp_path)
    text = json.dumps([c.get("outputs", []) for c in notebook.cells])
    assert all(f"{c.exercise}: passed." in text for c in read_chapter(stem).exercises)
    assert not printed(notebook, "stderr")
    back = through_colab(notebook)
    release = editions.student(read_chapter(stem))
    assert taken(release, back) == {name: source.strip() for name, source in reference(stem).items()}
    code, said = checked(colab, tmp_path / "Copy of it.ipynb", through_colab(notebook, twice=False))
    assert code == 0, said


def checked(python, path, text):
    """(exit status, output) of `autograder check` in the environment."""
    path.write_text(text)
    done = subprocess.run([python.with_name("autograder"), "check", path], cwd=path.parent, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.colab
@pytest.mark.parametrize("stem", [stem for stem, _ in PLAYED])
def test_sliders_draw_anew_and_the_explorable_is_whole(installed, stem, tmp_path):
    looks_at_work(execute(at_work(stem), tmp_path), stem)


@pytest.mark.colab
def test_autograder_check_names_what_is_missing(installed, colab, tmp_path):
    code, said = checked(colab, tmp_path / "a.ipynb", nbformat.writes(released(STEM)))
    count = len(read_chapter(STEM).exercises)
    assert code == 1 and said.count("not solved yet.") == count and f"0 of {count} exercises pass" in said


@pytest.mark.colab
def test_a_teachers_command_says_what_to_install(installed, colab, tmp_path):
    done = subprocess.run([colab.with_name("autograder"), "notebooks"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "needs the teachers' tools" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.colab
def test_the_gpu_lab_runs(installed, colab, tmp_path):
    if not editions.GPU_LABS & set(CHAPTERS):
        pytest.skip("no chapter with a GPU lab yet")
    command = [colab, "-m", "autograder.labs.gpu_bench", "--tiny", "--cpu", "--out", "measured.json"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert json.loads((tmp_path / "measured.json").read_text())["device"] == "cpu"
