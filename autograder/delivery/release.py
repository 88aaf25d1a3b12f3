"""The students' repository: all that students need, nothing else, the same bytes for the same sources.

Solutions, hidden cases, the bank, grading and the audit stay behind: only files named here go in.
"""

import os
import shutil
import tempfile
import tomllib
from pathlib import Path

import yaml

from autograder.grading.course import CourseError
from autograder.publish.editions import colab_address, repository
from autograder.publish.source import ROOT, read_chapter, stems
from autograder.publish.write import write_students, write_text

KEPT = ("LICENSE", "book/results/*.json")
STUDENTS_EXTRA = ("ipykernel", "jupyterlab")  # beside the package's own dependencies

PYPROJECT = """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "{version}"
description = "{description}"
readme = "README.md"
requires-python = "{requires-python}"
license = "{license}"
license-files = ["LICENSE"]
dependencies = [
{needs}
]

[project.scripts]
autograder = "autograder.__main__:main"

[tool.setuptools]
packages = [{packages}]
"""

ENVIRONMENT = """# For conda, mamba and Binder: the versions that the course is tested with.
name: trainable
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
{pins}
"""

POST_BUILD = """#!/usr/bin/env bash
# Binder runs this after it has made the environment.
set -e
python -m pip install --no-deps .
"""

IGNORED = """__pycache__/
.ipynb_checkpoints/
*.egg-info/
build/
.venv/
"""

README = """# {title}

Notebooks to solve. Each chapter derives a technique, has you write it, checks your work on the spot
and measures what the literature claims. Read along: {site}

| chapter | in Colab |
|---|---|
{chapters}

## Begin

In **Colab**: open a chapter above and run its first cell. In **Binder**: give mybinder.org the address of
this repository, {url}. **On your own machine**, with Python 3.11 or newer:

    python -m venv .venv
    .venv/bin/python -m pip install . jupyterlab    # on Windows: .venv\\Scripts\\python
    .venv/bin/jupyter lab

With conda: `conda env create -f environment.yml`, `conda activate trainable`, `pip install --no-deps .`.

## Work

Write your solution where a cell says `YOUR CODE HERE`, and run the check below it. The check says what was
found, why, and where to read. Helpers belong into the cell of the exercise that uses them. Keep the cells where
they are: a copied, moved or renamed notebook is graded all the same, a deleted exercise is not.

Before you hand in, look at the whole notebook:

    autograder check notebooks/{example}.ipynb

A few more cases are tried when your work is graded. What passes here for the right reason passes there.

Code: BSD 3-Clause. Text and figures: CC BY 4.0. See [LICENSE](LICENSE).
"""


def release(to, site=None):
    """Write the students' repository to the new or empty folder `to`, all of it or nothing; returns its files.

    Args:
        site: the address of the published site; from `_config.yml` where None.
    Raises:
        CourseError: the folder is in use or cannot be written.
    """
    to = Path(to).resolve()
    if to.is_file() or to.exists() and any(to.iterdir()):
        raise CourseError(f"{to} is not empty; choose a new folder, so that nothing is overwritten.")
    fresh = None
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=to.parent))
        fill(fresh, site)
        fresh.chmod(0o755)
        os.replace(fresh, to)
    except OSError as error:
        raise CourseError(f"{error.filename or to} cannot be written: {error.strerror}.") from None
    finally:
        if fresh:
            shutil.rmtree(fresh, ignore_errors=True)
    return sorted(p.relative_to(to).as_posix() for p in to.rglob("*") if p.is_file())


def fill(folder, site):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["setuptools"]["packages"]
    write_students(folder / "notebooks")
    for package in packages:
        for path in sorted((ROOT / package.replace(".", "/")).glob("*.py")):
            copy(path, folder)
    for pattern in KEPT:
        for path in sorted(ROOT.glob(pattern)):
            copy(path, folder)
    write_text(folder / "pyproject.toml", pyproject(project["project"], packages))
    write_text(folder / "environment.yml", environment(project["project"]["dependencies"]))
    write_text(folder / "postBuild", POST_BUILD)
    (folder / "postBuild").chmod(0o755)
    write_text(folder / ".gitignore", IGNORED)
    write_text(folder / "README.md", readme(site))


def copy(path, folder):
    target = folder / path.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    target.chmod(0o644)


def pyproject(project, packages):
    """The package without anything of the teachers'."""
    return PYPROJECT.format(**{k: project[k] for k in ("name", "version", "description", "requires-python", "license")},
                            needs="\n".join(f'    "{d}",' for d in project["dependencies"]), packages=", ".join(f'"{p}"' for p in packages))


def environment(dependencies):
    """The tested versions of what students need."""
    wanted = {d.partition(">")[0] for d in dependencies} | set(STUDENTS_EXTRA)
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.partition("==")[0] in wanted]
    return ENVIRONMENT.format(pins="\n".join(f"      - {pin}" for pin in pins))


def readme(site=None):
    chapters = [read_chapter(stem) for stem in stems()]
    rows = [f"| [{c.title}](notebooks/{c.stem}.ipynb) | [open]({colab_address(c.stem)}) |" for c in chapters]
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    return README.format(title=config["title"], site=site or site_address(config), url=repository()[0], chapters="\n".join(rows),
                         example=chapters[len(chapters) // 2].stem)


def site_address(config):
    """`html.baseurl`, or where GitHub serves the pages of the repository that `_config.yml` names."""
    base, url = config.get("html", {}).get("baseurl"), config["repository"]["url"]
    owner, _, name = url.removeprefix("https://github.com/").partition("/")
    return base or (f"https://{owner}.github.io/{name}/" if url.startswith("https://github.com/") else url)
