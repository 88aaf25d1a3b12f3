"""Build the static site: executed pages beside the book's own, with nothing secret in the tree."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import editions, furniture
from .coursemap import with_map
from .execute import execute_all
from .links import Linker, course
from .pages import claims_page, written_pages
from .previews import lay_previews
from .source import ROOT, read_chapter, stems
from .write import NOTEBOOKS, write_notebook, write_text

BUILD = ROOT / "_build"
TREE = BUILD / "book"  # everything that Sphinx reads; `_build/html` is the site
MATHJAX_KEPT = ("tex-chtml.js", "output/chtml/fonts", "input/tex", "ui")


class SiteFailed(RuntimeError):
    """The site does not build without warnings."""


def build_site():
    """Execute what changed, assemble the tree, build with warnings as errors; returns the index page."""
    executed = execute_all(stems())
    assemble(executed)
    jupyter_book()
    finish()
    return BUILD / "html" / "index.html"


def assemble(executed):
    """Lay the tree: the book's pages, the chapters' page edition, the Claims page. Unchanged files stay."""
    fresh = TREE.with_name("book.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(ROOT / "book", fresh)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(ROOT / name, fresh / name)
    chapters = [read_chapter(stem) for stem in executed]
    glossary = (fresh / "glossary.md").read_text()
    linkable = course(chapters, glossary)
    for chapter in chapters:
        page = editions.page(chapter, executed[chapter.stem], Linker(linkable, chapter, terms=True))
        write_notebook(fresh / "notebooks" / f"{chapter.stem}.ipynb", page)
    write_text(fresh / "glossary.md", Linker(linkable)(glossary))
    write_text(fresh / "claims.md", claims_page(chapters, executed, linkable))
    for name, text in written_pages(chapters, linkable).items():
        write_text(fresh / f"{name}.md", text)
    write_text(fresh / "index.md", with_map((fresh / "index.md").read_text(), chapters))
    _synchronise(fresh, TREE)


def _synchronise(fresh, tree):
    """Make `tree` equal to `fresh`, leaving equal files untouched so that Sphinx rebuilds only what changed."""
    tree.mkdir(parents=True, exist_ok=True)
    wanted = {p.relative_to(fresh) for p in fresh.rglob("*") if p.is_file()}
    for path in [p for p in tree.rglob("*") if p.is_file() and p.relative_to(tree) not in wanted]:
        path.unlink()
    for relative in wanted:
        target = tree / relative
        if not target.exists() or target.read_bytes() != (fresh / relative).read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(fresh / relative, target)
    shutil.rmtree(fresh)


def jupyter_book():
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(TREE), "--path-output", str(ROOT), "-W",
               "--keep-going", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SiteFailed(f"The site does not build:\n{(done.stdout + done.stderr)[-4000:]}")


def finish():
    """The student notebooks for the download button, previews for links, the furniture; what MathJax never loads is dropped."""
    lay_previews(BUILD / "html")
    for path in NOTEBOOKS.glob("*.ipynb"):
        target = BUILD / "html" / "_sources" / "notebooks" / path.name
        if target.exists():
            shutil.copy2(path, target)
    mathjax = BUILD / "html" / "_static" / "mathjax"
    for path in mathjax.rglob("*"):
        if path.is_file() and not str(path.relative_to(mathjax)).startswith(MATHJAX_KEPT):
            path.unlink()
    furniture.furnish(BUILD / "html")


def build_instructor_pages(folder=BUILD / "instructor"):
    """The instructor's pages, as notebooks with folded solutions, outside the site; returns the paths."""
    executed = execute_all(stems())
    for stem, notebook in executed.items():
        write_notebook(folder / f"{stem}.ipynb", editions.instructor(read_chapter(stem), notebook))
    return [folder / f"{stem}.ipynb" for stem in executed]
