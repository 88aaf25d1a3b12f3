"""What was noticed, in one table: nothing is guessed silently."""

from dataclasses import dataclass

from autograder.grading.progress import printable


@dataclass(frozen=True)
class Row:
    """One thing that was looked at. `is_open` where a person has to decide."""

    what: str
    outcome: str
    note: str = ""
    is_open: bool = False


def lines(rows):
    """The rows as text, what is open first, else in the order given."""
    if not rows:
        return []
    rows = sorted(rows, key=lambda row: not row.is_open)
    what, outcome = (max(map(len, column)) for column in zip(*((printable(r.what), r.outcome) for r in rows)))
    return [f"{printable(r.what):<{what}}  {r.outcome:<{outcome}}  {printable(r.note)}".rstrip() for r in rows]
