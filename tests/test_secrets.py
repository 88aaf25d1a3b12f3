"""No solution line, no hidden check and no bank entry in what students can read."""

import html
import re
import subprocess
import sys
import zipfile

import pytest

from autograder.bank import entries
from autograder.publish.source import BEGIN, END, ROOT, read_chapter, stems

SHORTEST = 16  # a shorter line, such as `return y`, says nothing
LOOP = re.compile(r"^for \w+(, \w+)* in [\w.]+(\(\w*\))?:$")  # `for w in weights:`
IDIOM = re.compile(r"^(with torch\.no_grad\(\):|optimizer\.(step|zero_grad)\(\)|loss\.backward\(\)|model\.(train|eval)\(\)|if not training:)$")  # in any training loop


def solution_lines():
    """Every line of a solution, but short ones, bare loop headers and what stands in any training loop."""
    lines = set()
    for stem in stems():
        for cell in read_chapter(stem).exercises:
            inside = cell.text.split(BEGIN)[1].split(END)[0]
            lines |= {line.split("#")[0].strip() for line in inside.splitlines()}
    return {line for line in lines if len(line) >= SHORTEST and not LOOP.match(line) and not IDIOM.match(line)}


def hidden_lines():
    text = "\n".join(p.read_text() for p in (ROOT / "autograder" / "hidden").glob("*.py"))
    return {line.strip() for line in text.splitlines() if len(line.strip()) >= 30 and "import" not in line}


SECRETS = solution_lines()
MARKERS = ("BEGIN SOLUTION", "BEGIN HIDDEN", "autograder.hidden", "autograder.bank", "hidden_check")


def leaks(text):
    """Secrets in `text`; JSON and HTML escapes are undone as far as they matter here."""
    plain = html.unescape(text).replace('\\"', '"').replace("\\n", "\n")
    lines = {line.strip().rstrip(",").strip('"').split("#")[0].strip() for line in plain.splitlines()}
    return sorted(SECRETS & lines) + [m for m in MARKERS if m in plain]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT], check=True)
    return next(folder.glob("*.whl"))


def test_the_detector_sees_a_planted_solution():
    assert len(SECRETS) > 40
    line = max(SECRETS, key=len)
    assert leaks(f"    {line}\n") and leaks(f'"    {line}\\n",'.replace('"', '\\"'))


def test_notebooks_hold_no_solution_and_no_hidden_check():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert not leaks(path.read_text()), path.name


def test_the_site_holds_no_solution_and_no_hidden_check(site):
    looked = 0
    for path in site.rglob("*"):
        if path.suffix in (".html", ".js", ".ipynb", ".md", ".txt", ".json") and "mathjax" not in path.parts:
            looked += 1
            found = leaks(_visible(path))
            if path.stem == "for_contributors":  # it shows how an exercise is written, markers included
                found = [leak for leak in found if leak not in MARKERS]
            assert not found, path.relative_to(site)
    assert looked > 10 and (site / "_sources").is_dir() and (site / "searchindex.js").is_file()


def _visible(path):
    """A page's text without the tags of its highlighter."""
    text = path.read_text(errors="replace")
    return re.sub(r"<[^>]+>", "", text) if path.suffix == ".html" else text


def test_the_student_wheel_holds_no_solution_no_hidden_check_and_no_bank(wheel):
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
        assert any(n.endswith("checks/ch05_batch_norm.py") for n in names) and "autograder/explorables/06_sphere.js" in names
        assert not [n for n in names if any(part in n for part in ("hidden", "bank", "audit", "grading", "publish", "solutions"))]
        text = "\n".join(files.read(n).decode() for n in names if n.endswith(".py"))
    assert not [line for line in leaks(text) if line not in MARKERS]
    assert not hidden_lines() & {line.strip() for line in text.splitlines()}
    for entry in entries():
        assert entry.source() not in text
