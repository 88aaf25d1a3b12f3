"""Pages that the chapters write: Claims from their outputs; Errata, Bug museum, Open questions and the plans from their text."""

import re
from collections import Counter

from autograder.notebook.claims import EXACT, MIME, NOT_REPRODUCED, PARTLY, REPRODUCED

from . import plans
from .links import Linker

ORDER = (EXACT, REPRODUCED, PARTLY, NOT_REPRODUCED)

CLAIMS = """# Claims

What the sources of this course claim, and what we measured. Each verdict is computed by the
build from the chapter's own experiment; no verdict is typed.

- **exact**: a theorem, with a receipt that checks it by machine.
- **reproduced**: every part of the claim holds in our experiment.
- **partly**: some parts hold.
- **not reproduced here**: none does, at the size of our experiments.

"""


ERRATA = """# Errata of the sources

The course builds on two lectures, a list of takeaways and the papers they cite. Where one of
them is wrong, or can be read in two ways, the chapter that found it says so. Each entry was
checked there by a receipt, by an experiment, or by working the result out twice.
"""

MUSEUM = """# Bug museum

Code that runs and is wrong. Each exhibit lives in its chapter, where it can be run, with the
symptom in a number or a figure and the reason behind it.
"""

QUESTIONS = """# Open questions

Questions that the sources leave open. Each has an experiment that could have come out either
way, with several seeds and intervals.
"""


def written_pages(chapters, course):
    """Page name -> MyST of the pages collected from the chapters' text, with links into the course."""
    return {
        "errata": ERRATA + _collected(chapters, course, "Errata", lambda title, text: text),
        "bug_museum": MUSEUM + _collected(chapters, course, "Exhibit: ", _listed),
        "open_questions": QUESTIONS + _collected(chapters, course, "Open question: ", _listed),
        "plans": plans.page(chapters),
    }


def _collected(chapters, course, prefix, show):
    parts = []
    for chapter in chapters:
        entries = [show(title.removeprefix(prefix), text) for title, text in sections(chapter) if title.startswith(prefix)]
        if entries:
            body = Linker(course, chapter)("\n".join(entries))
            parts.append(f"\n## {chapter.title}\n\nFrom [chapter {chapter.title}](notebooks/{chapter.stem}.ipynb).\n\n{body}\n")
    return "".join(parts)


def _listed(title, text):
    """One line an entry: its title and the first sentences of what the chapter says about it."""
    sentences = re.split(r"(?<=[.?]) ", " ".join(text.split("\n\n")[0].split()).removeprefix("**See it**: "))
    stop = "" if title.endswith("?") else "."
    return f"- **{_capital(title)}{stop}** {_capital(' '.join(sentences[:2]))}"


def _capital(text):
    """With a capital first letter; a symbol such as λ stays what it is."""
    return text[:1].upper() + text[1:] if text[:1].isascii() else text


def sections(chapter):
    """[(title, text)] of the chapter's `###` sections, code left out."""
    prose = "\n\n".join(c.text for c in chapter.cells if c.kind == "markdown")
    found = re.split(r"^(#{1,3}) +(.+)$", prose, flags=re.M)[1:]
    return [(title.strip(), text.strip()) for level, title, text in zip(*[iter(found)] * 3) if level == "###"]


def claims_in(notebook):
    """The claims of an executed notebook, in order."""
    return [output.data[MIME] for cell in notebook.cells if cell.cell_type == "code"
            for output in cell.outputs if output.output_type == "display_data" and MIME in output.data]


def claims_page(chapters, executed, course):
    """The page as MyST, from the executed chapters by stem."""
    found = [(chapter, claims_in(executed[chapter.stem])) for chapter in chapters]
    count = Counter(c["verdict"] for _, claims in found for c in claims)
    total = f"{sum(count.values())} claims: " + ", ".join(f"{count[v]} {v}" for v in ORDER) + ".\n"
    return CLAIMS + total + "".join(_claims(chapter, claims, Linker(course, chapter)) for chapter, claims in found if claims)


def _claims(chapter, claims, linked):
    link = f"[Chapter {chapter.title}](notebooks/{chapter.stem}.ipynb)"
    rows = "".join(f"\n- **{c['verdict']}**: {linked(_escaped(c['says']))} *{linked(_escaped(c['source'].rstrip('.')), cited=True)}.* "
                   f"Measured: {_escaped(c['numbers'])}.\n" for c in claims)
    return f"\n## {chapter.title}\n\nThe experiments and receipts stand in {link}.\n{rows}"


def _escaped(text):
    """Plain text as MyST: powers and names with underscores are not taken for emphasis."""
    return re.sub(r"([\\*_`$\[\]<])", r"\\\1", text)
