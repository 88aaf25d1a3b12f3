"""The Claims page, computed from what the executed chapters left in their outputs."""

from collections import Counter

from autograder.notebook.claims import EXACT, MIME, NOT_REPRODUCED, PARTLY, REPRODUCED

from .source import read_chapter

ORDER = (EXACT, REPRODUCED, PARTLY, NOT_REPRODUCED)

HEAD = """# Claims

What the sources of this course claim, and what we measured. Each verdict is computed by the
build from the chapter's own experiment; no verdict is typed.

- **exact**: a theorem, with a receipt that checks it by machine.
- **reproduced**: every part of the claim holds in our experiment.
- **partly**: some parts hold.
- **not reproduced here**: none does, at the size of our experiments.

"""


def claims_in(notebook):
    """The claims of an executed notebook, in order."""
    return [output.data[MIME] for cell in notebook.cells if cell.cell_type == "code"
            for output in cell.outputs if output.output_type == "display_data" and MIME in output.data]


def claims_page(executed):
    """The page as MyST, from the executed chapters by stem."""
    found = {stem: claims_in(notebook) for stem, notebook in executed.items()}
    count = Counter(c["verdict"] for claims in found.values() for c in claims)
    total = f"{sum(count.values())} claims: " + ", ".join(f"{count[v]} {v}" for v in ORDER) + ".\n"
    return HEAD + total + "".join(_chapter(stem, claims) for stem, claims in found.items() if claims)


def _chapter(stem, claims):
    link = f"[Chapter {read_chapter(stem).title}](notebooks/{stem}.ipynb)"
    rows = "".join(f"\n- **{c['verdict']}**: {c['says']} *{c['source'].rstrip('.')}.* Measured: {c['numbers']}.\n" for c in claims)
    return f"\n## {read_chapter(stem).title}\n\nThe experiments and receipts stand in {link}.\n{rows}"
