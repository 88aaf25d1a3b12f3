"""A released folder is brought up to date: released files follow, everything else stays, an update that was stopped goes on."""

import json
import os
import subprocess

import pytest

from autograder.delivery import release as releasing
from autograder.delivery.release import MANIFEST, Changed, release
from autograder.grading.course import CourseError

FIRST = {"README.md": "one", "notebooks/00.ipynb": "stub", "notebooks/01.ipynb": "stub", "old/only.py": "x", "postBuild": "#!"}
SECOND = {"README.md": "two", "notebooks/00.ipynb": "stub", "notebooks/01.ipynb": "better", "new/module.py": "y", "postBuild": "#!"}


def put(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@pytest.fixture
def version(monkeypatch):
    """Sets what the next release holds."""
    def set_to(files):
        monkeypatch.setattr(releasing, "fill", lambda folder, site: put(folder, files))

    set_to(FIRST)
    return set_to


@pytest.fixture
def folder(version, tmp_path):
    """A first release, with files of its owner beside it."""
    release(tmp_path / "students")
    put(tmp_path / "students", {"work/00.ipynb": "solved", "notes.md": "mine", ".git/HEAD": "ref"})
    version(SECOND)
    return tmp_path / "students"


def held(folder):
    """Everything in a folder but the manifest."""
    return {p: (folder / p).read_text() for p in releasing.files_of(folder) if p != MANIFEST}


OWN = {"work/00.ipynb": "solved", "notes.md": "mine", ".git/HEAD": "ref"}


def test_an_update_replaces_adds_and_removes_released_files_and_keeps_the_others(folder, tmp_path):
    assert release(folder) == Changed(("README.md", "new/module.py", "notebooks/01.ipynb"), ("old/only.py",), 5)
    assert held(folder) == SECOND | OWN and not (folder / "old").exists()
    assert release(folder) == Changed((), (), 5)
    assert [p.name for p in tmp_path.iterdir()] == ["students"]


@pytest.mark.parametrize("path", ["README.md", "notebooks/00.ipynb", "old/only.py", "new/module.py"])
def test_a_file_that_is_not_as_released_is_named_and_nothing_is_written(folder, path):
    put(folder, {path: "by hand"})
    before = held(folder)
    with pytest.raises(CourseError, match=f"Not as the last release left it in .*: {path}. Nothing was written"):
        release(folder)
    assert held(folder) == before
    (folder / path).unlink()
    release(folder)
    assert held(folder) == SECOND | OWN


def test_a_folder_that_was_made_a_link_is_not_followed(folder, tmp_path):
    (folder / "notebooks").rename(tmp_path / "elsewhere")
    (folder / "notebooks").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CourseError, match="notebooks/00.ipynb, notebooks/01.ipynb"):
        release(folder)
    assert (tmp_path / "elsewhere" / "01.ipynb").read_text() == "stub"


@pytest.mark.parametrize("stop_after", range(5))
def test_an_update_that_was_stopped_goes_on_also_with_another_version(folder, version, monkeypatch, stop_after):
    calls, replace = [], os.replace

    def stopped(source, target):
        calls.append(target)
        if len(calls) > stop_after:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        release(folder)
    monkeypatch.setattr(os, "replace", replace)
    assert all(text in (FIRST.get(path), SECOND.get(path), OWN.get(path)) for path, text in held(folder).items())
    version(SECOND | {"README.md": "three"})
    release(folder)
    assert held(folder) == SECOND | {"README.md": "three"} | OWN


def test_a_clone_of_an_empty_repository_is_filled(version, tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path / "clone"], check=True)
    release(tmp_path / "clone")
    assert {p: t for p, t in held(tmp_path / "clone").items() if not p.startswith(".git/")} == FIRST


@pytest.mark.parametrize("text", ["", "[]", '{"files": []}', '{"files": {"../../x": ["a"]}}', '{"files": {"/etc/x": ["a"]}}', '{"files": {"x": 3}}'])
def test_a_manifest_that_cannot_be_read_stops_the_update(folder, text):
    (folder / MANIFEST).write_text(text)
    before = held(folder)
    with pytest.raises(CourseError, match="release.json cannot be read"):
        release(folder)
    assert held(folder) == before


def test_the_manifest_names_what_was_released_and_nothing_else(folder):
    release(folder)
    assert set(json.loads((folder / MANIFEST).read_text())["files"]) == set(SECOND)
