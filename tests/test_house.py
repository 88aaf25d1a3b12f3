"""The house: arrows one way, one tested set of versions, a project that speaks only of itself."""

import ast
import re
import subprocess

import pytest
import yaml

from autograder.publish.source import ROOT

MAY_IMPORT = {
    "checks": set(), "notebook": {"checks"}, "hidden": {"checks"}, "bank": set(), "publish": {"checks", "notebook"},
    "grading": {"checks", "hidden", "publish", "bank"}, "delivery": {"checks", "publish", "grading", "bank"}, "audit": {"checks", "hidden", "bank", "publish", "grading"},
    "labs": set(),
}


def imported(path):
    """Folders of the package that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
        found |= {n.split(".")[1] for n in names if n.startswith("autograder.") and n.split(".")[1] in MAY_IMPORT}
    return found


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_arrows_between_folders_point_one_way(folder):
    for path in (ROOT / "autograder" / folder).glob("*.py"):
        strangers = imported(path) - MAY_IMPORT[folder] - {folder}
        assert not strangers, f"{path.name} imports {strangers}"


GENERATED = {"claims", "errata", "bug_museum", "open_questions", "plans"}  # by publish/pages.py


def pins(text):
    return sorted(re.findall(r"^\s*-?\s*([\w-]+==[\w.]+)\s*$", text, re.M))


def test_environment_and_constraints_name_the_same_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    listed = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert sorted(listed) == pins((ROOT / "constraints.txt").read_text())


def test_what_is_installed_is_the_tested_set():
    from importlib.metadata import PackageNotFoundError, version

    for pin in pins((ROOT / "constraints.txt").read_text()):
        name, wanted = pin.split("==")
        try:
            assert version(name).split("+")[0] == wanted
        except PackageNotFoundError:
            continue  # an extra that is not installed here


def test_the_toc_lists_every_chapter_and_only_files_that_exist():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    chapters = sorted(p.stem for p in (ROOT / "solutions").glob("*.md"))
    assert [f.split("/")[1] for f in files if f.startswith("notebooks/")] == chapters
    for file in files:
        assert file.startswith("notebooks/") or file in GENERATED or (ROOT / "book" / f"{file}.md").exists()


def test_no_generated_or_large_file_is_committed():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        assert not path.exists() or path.stat().st_size < 2_000_000, name
        assert not name.endswith((".db", ".pyc"))
