"""Write editions to files: the committed student notebooks, and the wheel's neighbours."""

import os
import tempfile
from pathlib import Path

import nbformat

from . import editions
from .source import ROOT, read_chapter, stems

NOTEBOOKS = ROOT / "notebooks"


def write_text(path, text):
    """Write to a temporary name, then rename: no reader sees half a file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(name, 0o644)
    os.replace(name, path)


def write_notebook(path, notebook):
    nbformat.validate(notebook)
    write_text(path, nbformat.writes(notebook) + "\n")


def write_students(folder=NOTEBOOKS):
    """The student notebook of every chapter; returns the paths."""
    paths = [Path(folder) / f"{stem}.ipynb" for stem in stems()]
    for path in paths:
        write_notebook(path, editions.student(read_chapter(path.stem)))
    return paths


def write_sources(folder, chapters=None):
    """nbgrader's source tree, `folder/STEM/STEM.ipynb`, of all chapters or those given; returns the paths."""
    paths = [Path(folder) / stem / f"{stem}.ipynb" for stem in chapters or stems()]
    for path in paths:
        write_notebook(path, editions.grader(read_chapter(path.stem)))
    return paths
