"""A claim of a source beside what was measured here, with a verdict that is computed."""

import json
from html import escape

from .cells import show

MIME = "application/vnd.course.claim+json"
EXACT, REPRODUCED, PARTLY, NOT_REPRODUCED = "exact", "reproduced", "partly", "not reproduced here"


def verdict(tests, exact=False):
    """exact | reproduced where all tests hold, partly where some do, else not reproduced here."""
    held = [bool(t) for t in tests]
    if not held:
        raise ValueError("a claim needs at least one test that can fail")
    if all(held):
        return EXACT if exact else REPRODUCED
    return PARTLY if any(held) else NOT_REPRODUCED


def claim(name, says, source, tests, numbers, exact=False):
    """Show a claim with its verdict, and leave it in the notebook for the Claims page.

    Args:
        name: short unique name, `chapter-words`, e.g. "init-relu-half".
        says: the claim in our words.
        source: who says it, author and year.
        tests: booleans computed from this chapter's measurements, one per part of the claim.
        numbers: the measurements behind the verdict, as text, with intervals where there are seeds.
        exact: True for a theorem checked by a receipt.
    """
    record = {"name": name, "says": says, "source": source, "verdict": verdict(tests, exact),
              "held": [bool(t) for t in tests], "numbers": numbers}
    plain = f"{record['verdict'].upper()}: {says} ({source})\n  Measured: {numbers}"
    box = (f'<div class="claim" style="border-left:4px solid #57606a;padding:4px 10px;margin:4px 0">'
           f'<strong>{escape(record["verdict"])}</strong>: {escape(says)} <em>({escape(source)})</em><br>'
           f'Measured: {escape(numbers)}</div>')
    show_claim(record, box, plain)


def show_claim(record, box, plain):
    from .cells import shell

    if shell() is None:
        show(box, plain)
        return
    from IPython.display import display

    display({"text/html": box, "text/plain": plain, MIME: json.loads(json.dumps(record))}, raw=True)
