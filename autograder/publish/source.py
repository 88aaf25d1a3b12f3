"""Read a chapter source: MyST text in the compact authoring form of CONTRIBUTING.md."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import jupytext
from jupytext.myst import MystMetadataParsingError

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = ROOT / "solutions"

ROLES = {"", "setup", "receipt", "predict", "experiment", "claims", "bug", "play"}
OPTIONS = {"exercise", "points", "role", "needs", "alt", "caption", "question"}
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


class SourceError(ValueError):
    """The chapter source breaks the authoring form; the text says where and what to do."""


@dataclass(frozen=True)
class Cell:
    """One cell of the source. `exercise` names a graded cell; `needs` the student functions it uses."""

    kind: str  # "markdown" | "code"
    text: str
    role: str = ""
    exercise: str = ""
    points: float = 0
    needs: tuple[str, ...] = ()
    alt: str = ""
    caption: str = ""
    question: str = ""


@dataclass(frozen=True)
class Chapter:
    stem: str
    cells: tuple[Cell, ...] = field(repr=False)

    @property
    def number(self):
        return int(self.stem.split("_")[0])

    @property
    def title(self):
        return self.cells[0].text.splitlines()[0].lstrip("# ")

    @property
    def exercises(self):
        return [c for c in self.cells if c.exercise]


def stems():
    """All chapter stems in order."""
    return sorted(path.stem for path in SOLUTIONS.glob("[0-9][0-9]_*.md"))


def read_chapter(stem):
    """The chapter called `stem`; raises SourceError."""
    path = SOLUTIONS / f"{stem}.md"
    if not path.exists():
        raise SourceError(f"There is no chapter {stem!r}; the chapters are {', '.join(stems())}.")
    return Chapter(stem, _cells(path.name, path.read_text()))


@cache
def _cells(file, text):
    try:
        notebook = jupytext.reads(text, fmt="md:myst")
    except MystMetadataParsingError as error:
        raise SourceError(f"{file}: {error} (put an option that holds a colon into quotes)") from None
    cells = tuple(_cell(file, number, raw) for number, raw in enumerate(notebook.cells, 1))
    if not cells or not cells[0].text.startswith("# "):
        raise SourceError(f"{file}: the first cell must open with the chapter's title, '# …'.")
    names = [c.exercise for c in cells if c.exercise]
    doubled = {n for n in names if names.count(n) > 1}
    if doubled:
        raise SourceError(f"{file}: {', '.join(sorted(doubled))} stands in more than one cell.")
    return cells


def _cell(file, number, raw):
    where = f"{file}, cell {number}"
    if raw.cell_type != "code":
        return Cell("markdown", raw.source)
    options = dict(raw.metadata)
    unknown = set(options) - OPTIONS
    if unknown:
        raise SourceError(f"{where}: unknown option {', '.join(sorted(unknown))}; known are {', '.join(sorted(OPTIONS))}.")
    role, exercise = options.get("role", ""), options.get("exercise", "")
    if role not in ROLES:
        raise SourceError(f"{where}: unknown role {role!r}; known are {', '.join(sorted(ROLES - {''}))}.")
    if exercise and not (raw.source.count(BEGIN) == raw.source.count(END) == 1 and options.get("points")):
        raise SourceError(f"{where}: exercise {exercise} needs :points: and one solution between '{BEGIN}' and '{END}'.")
    if (role == "play") != bool(options.get("question")) or role == "play" and not options.get("needs"):
        raise SourceError(f"{where}: a cell with :role: play, and no other, says in :question: what to find out, and in :needs: with which functions.")
    if role != "play" and "savefig" not in raw.source and "plt.show" in raw.source and not options.get("alt"):
        raise SourceError(f"{where}: it draws a figure; say in :alt: what is seen.")
    if bool(options.get("alt")) != bool(options.get("caption")):
        raise SourceError(f"{where}: a figure has both :alt:, what is seen, and :caption:, what it shows.")
    return Cell("code", raw.source, role, exercise, options.get("points", 0),
                tuple(options.get("needs", "").split()), options.get("alt", ""), options.get("caption", ""), options.get("question", ""))
