"""The students' repository: all that students need, nothing else, the same bytes for the same sources.

Solutions, hidden cases, the bank, grading and the audit stay behind: only files named here go in. A manifest in the
folder says which files a release wrote and what they held, so that a later release can bring the folder up to date
and leave everything else in it alone. Files are staged beside the folder and renamed into it one by one; before the
first of them the manifest knows the old and the new contents, so that an update that was stopped can be run again.
"""

import json
import os
import shutil
import tempfile
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

import yaml

from autograder.grading.course import CourseError
from autograder.publish.editions import colab_address, repository
from autograder.publish.source import ROOT, read_chapter, stems
from autograder.publish.write import write_students, write_text

KEPT = ("LICENSE", "book/results/*.json", "book/explorables/*.js")
MANIFEST = ".release.json"  # {path: hashes of what releases wrote there}
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
autograder = "autograder.__main__:run"

[tool.setuptools]
packages = [{packages}]
package-dir = {{"autograder.explorables" = "book/explorables"}}
package-data = {{"autograder.explorables" = ["*.js"]}}
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
work/
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
    .venv/bin/python -m pip install -e . jupyterlab    # on Windows: .venv\\Scripts\\python
    .venv/bin/jupyter lab

With conda: `conda env create -f environment.yml`, `conda activate trainable`, `pip install --no-deps -e .`.

## Work

In a clone, work on a copy in the folder `work`; git leaves that folder alone, so updates never meet your solutions:

    mkdir -p work
    cp -n notebooks/{example}.ipynb work/

Write your solution where a cell says `YOUR CODE HERE`, and run the check below it. The check says what was
found, why, and where to read. Helpers belong into the cell of the exercise that uses them. Keep the cells where
they are: a copied, moved or renamed notebook is graded all the same, a deleted exercise is not.

Before you hand in, look at the whole notebook:

    autograder check work/{example}.ipynb

`git pull` brings a new version of the course. Your copy stays as it is, and you may hand it in: grading takes your
solutions out of it and lays them into the newest notebook. Have you worked in `notebooks` instead? Then move the
notebook first, so that nothing is lost:

    mv -n notebooks/{example}.ipynb work/
    git checkout notebooks/{example}.ipynb
    git pull

A few more cases are tried when your work is graded. What passes here for the right reason passes there.

Code: BSD 3-Clause. Text and figures: CC BY 4.0. See [LICENSE](LICENSE).
"""


@dataclass(frozen=True)
class Changed:
    """What a release did to the folder: paths written, paths removed, and how many files are released in all."""

    written: tuple
    removed: tuple
    files: int


def release(to, site=None):
    """Write the students' repository to a new or empty folder, or bring an earlier release in it up to date.

    A folder that holds only `.git` counts as empty. Files that no release wrote are left alone.

    Args:
        site: the address of the published site; from `_config.yml` where None.
    Returns:
        Changed.
    Raises:
        CourseError: the folder holds something else, or a released file that was changed by hand, or cannot be
            written. Then no file of it has changed, but for what a full run would write, too, each of them whole.
    """
    to = Path(to).resolve()
    fresh = None
    try:
        known = read_manifest(to)
        to.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=to.parent))
        fill(fresh, site)
        new = {path: [digest(fresh / path)] for path in files_of(fresh)}
        write_manifest(fresh, new)
        if not to.exists() or not any(to.iterdir()):
            fresh.chmod(0o755)
            os.replace(fresh, to)
            return Changed(tuple(new), (), len(new))
        return update(to, fresh, known, new)
    except OSError as error:
        raise CourseError(f"{error.filename or to} cannot be written: {error.strerror}.") from None
    finally:
        if fresh:
            shutil.rmtree(fresh, ignore_errors=True)


def update(to, fresh, known, new):
    """Bring the folder from the known release to the one in `fresh`."""
    both = {path: known.get(path, []) + new.get(path, []) for path in sorted({*known, *new})}
    found = {path: digest(to / path) for path in both}
    refuse_strangers(to, [path for path, hash in found.items() if hash and hash not in both[path] or not inside(to, path)])
    lay_manifest(fresh, to, both)
    written = tuple(path for path in new if found[path] not in new[path] or os.access(to / path, os.X_OK) != os.access(fresh / path, os.X_OK))
    removed = tuple(path for path in both if path not in new and found[path])
    for path in written:
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh / path, to / path)
    for path in removed:
        remove(to, path)
    lay_manifest(fresh, to, new)
    return Changed(written, removed, len(new))


def refuse_strangers(to, paths):
    if paths:
        raise CourseError(f"Not as the last release left it in {to}: {', '.join(paths)}. Nothing was written; keep your version "
                          "under another name, delete it there, and release again.")


def remove(to, path):
    """Remove a file, and the folders that it leaves empty."""
    (to / path).unlink()
    for folder in (to / path).parents:
        if folder == to or any(folder.iterdir()):
            return
        folder.rmdir()


def files_of(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def digest(path):
    """A hash of a file's content; "" where nothing is there."""
    if not os.path.lexists(path):
        return ""
    return sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else "no plain file"


def write_manifest(folder, hashes):
    write_text(folder / MANIFEST, json.dumps({"written by": "autograder release", "files": hashes}, indent=1) + "\n")


def lay_manifest(fresh, to, hashes):
    write_manifest(fresh, hashes)
    os.replace(fresh / MANIFEST, to / MANIFEST)


def read_manifest(to):
    """{path: hashes} of what earlier releases wrote; empty for a new or empty folder. Raises CourseError for any other."""
    if to.is_file():
        raise CourseError(f"{to} is a file; choose a folder.")
    found = {p.name for p in to.iterdir()} - {".git"} if to.exists() else set()
    if not found:
        return {}
    if MANIFEST not in found:
        raise CourseError(f"{to} is not empty and holds no earlier release (no {MANIFEST}); choose a new folder, so that nothing is overwritten.")
    try:
        files = json.loads((to / MANIFEST).read_text(encoding="utf-8"))["files"]
        if all(isinstance(hashes, list) and not {"..", "/"} & {*PurePosixPath(path).parts} for path, hashes in files.items()):
            return files
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise CourseError(f"{to / MANIFEST} cannot be read; put it back (git checkout {MANIFEST}) or choose a new folder.")


def inside(to, path):
    """Whether a released path lies in the folder: not so where somebody made a link of a folder in it."""
    return (to / path).parent.resolve().is_relative_to(to)


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
