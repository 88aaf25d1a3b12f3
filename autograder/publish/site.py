"""Build the static site: executed pages beside the book's own, with nothing secret in the tree."""

import hashlib
import multiprocessing
import os
import shutil
import sys
import tempfile
from importlib.metadata import distributions

from . import editions, furniture
from .coursemap import with_map
from .execute import execute_all
from .lean import lighten
from .links import Linker, course
from .pages import claims_page, written_pages
from .previews import lay_previews
from .source import ROOT, read_chapter, stems
from .write import NOTEBOOKS, write_notebook, write_text

BUILD = ROOT / "_build"
STAMP = BUILD / ".site"  # digests of what the last site was made from, and of the site
TREE = BUILD / "book"  # everything that Sphinx reads; `_build/html` is the site


class SiteFailed(RuntimeError):
    """The site does not build without warnings."""


def build_site():
    """Execute what changed, assemble the tree, build with warnings as errors; returns the index page. Does nothing where nothing changed."""
    before = source_digest()
    if not (STAMP.exists() and STAMP.read_text() == f"{before} {site_digest()}"):
        STAMP.unlink(missing_ok=True)
        executed = execute_all(stems())
        changed = assemble(executed)
        jupyter_book(every_page=any(path.parts[0] == "site" for path in changed))
        finish()
        write_text(STAMP, f"{before} {site_digest()}")
    return BUILD / "html" / "index.html"


def source_digest():
    """Of all that the site is made from: the repository's files and the versions of all packages."""
    digest = hashlib.sha256(" ".join(sorted(f"{d.name} {d.version}" for d in distributions())).encode())
    folders = [ROOT / name for name in ("autograder", "book", "notebooks", "solutions")]
    files = [p for folder in folders for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc"]
    for path in [ROOT / "_config.yml", ROOT / "_toc.yml", *sorted(files)]:
        digest.update(f"{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def site_digest():
    """Of the built files: a site that lost or changed one is built again."""
    html = BUILD / "html"
    files = sorted(p for p in html.rglob("*") if p.is_file())
    return hashlib.sha256("".join(f"{p.relative_to(html)} {hashlib.sha256(p.read_bytes()).hexdigest()}" for p in files).encode()).hexdigest()


def assemble(executed):
    """Lay the tree: the book's pages, the chapters' page edition, the Claims page. Unchanged files stay; returns the others."""
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
    return _synchronise(fresh, TREE)


def _synchronise(fresh, tree):
    """Make `tree` equal to `fresh`, leaving equal files untouched so that Sphinx rebuilds only what changed; returns what differed."""
    tree.mkdir(parents=True, exist_ok=True)
    wanted = {p.relative_to(fresh) for p in fresh.rglob("*") if p.is_file()}
    for path in [p for p in tree.rglob("*") if p.is_file() and p.relative_to(tree) not in wanted]:
        path.unlink()
    changed = [path for path in wanted if not (tree / path).exists() or (tree / path).read_bytes() != (fresh / path).read_bytes()]
    for path in changed:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh / path, tree / path)
    shutil.rmtree(fresh)
    return changed


def jupyter_book(every_page=False):
    """Jupyter Book's own command, in a child that has its modules in memory already: that spares five seconds.

    Sphinx copies styles and scripts only where it writes a page, so `every_page` is for a change in these.
    """
    with tempfile.TemporaryFile("w+") as said:
        child = multiprocessing.get_context("fork").Process(target=_build, args=(said, ["--all"] if every_page else []))
        child.start()
        child.join()
        said.seek(0)
        if child.exitcode:
            raise SiteFailed(f"The site does not build:\n{said.read()[-4000:]}")


def _build(said, options):
    """Runs in the child; ends it with the command's status."""
    from jupyter_book.cli.main import main

    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(said.fileno(), number)
        setattr(sys, name, said)
    main(["build", str(TREE), "--path-output", str(ROOT), "-W", "--keep-going", "--quiet", *options])


def finish():
    """The student notebooks for the download button, previews for links, the furniture; what no page uses is taken out."""
    lay_previews(BUILD / "html")
    for path in NOTEBOOKS.glob("*.ipynb"):
        target = BUILD / "html" / "_sources" / "notebooks" / path.name
        if target.exists():
            shutil.copy2(path, target)
    furniture.furnish(BUILD / "html")
    lighten(BUILD / "html")


def build_instructor_pages(folder=BUILD / "instructor"):
    """The instructor's pages, as notebooks with folded solutions, outside the site; returns the paths."""
    executed = execute_all(stems())
    for stem, notebook in executed.items():
        write_notebook(folder / f"{stem}.ipynb", editions.instructor(read_chapter(stem), notebook))
    return [folder / f"{stem}.ipynb" for stem in executed]
