"""The page of week-by-week plans: which chapters when, with hours, exercises and points as the chapters have them."""

import re

from .source import SourceError

# Chapters of each week, by number. A chapter's own "You need" says what it takes from earlier ones.
FOURTEEN = [(n,) for n in range(14)]
SEVEN = [(n, n + 1) for n in range(0, 14, 2)]
HALF = [(0,), (2,), (3,), (5,), (6,), (8,), (12,)]

HEAD = """# Plans for 7 and 14 weeks

Hours are a student's own work as each chapter's head estimates them: reading, solving, experiments. Exercises and
points are counted from the chapters when this page is built. Each chapter is one assignment.

A week of lectures can follow the same order in class: the question and the derivation on the board, the prediction by a show
of hands, the experiment live. The exercises are home work, due before the next week begins.
"""

PLANS = (
    ("Fourteen weeks, the whole course", "One chapter a week.", FOURTEEN),
    ("Seven weeks, the whole course", "Two chapters a week, for a block course.", SEVEN),
    ("Seven weeks, half of the course", "One chapter a week, from the first gradient to debugging. Batch normalisation then needs twenty "
     "minutes on the outlier eigenvalue of uncentred features, from chapter 4; what else is missing is repeated where it is used. "
     "Make the course with `--chapters {chosen}`.", HALF),
)

HOURS = re.compile(r"(?:Plan about|\*\*Time\*\*:(?: about)?) ([a-z ]+?) hours?\b")
WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}


def page(chapters):
    """The page as MyST, from the chapter sources in order."""
    return HEAD + "".join(_plan(chapters, *plan) for plan in PLANS)


def hours(chapter):
    """The hours that a chapter's head asks for; raises SourceError where it does not say."""
    found = HOURS.search("\n".join(c.text for c in chapter.cells[:6]))
    words = found.group(1).split(" and a half") if found else [""]
    if words[0] not in WORDS:
        raise SourceError(f"{chapter.stem}: its head must say how long it takes, as in '**Time**: about three and a half hours'.")
    return WORDS[words[0]] + 0.5 * (len(words) == 2)


def _plan(chapters, title, text, weeks):
    by_number = {int(c.stem[:2]): c for c in chapters}
    rows = [[f"{week}", ", ".join(_link(by_number[n]) for n in numbers), *_sums([by_number[n] for n in numbers])]
            for week, numbers in enumerate(weeks, 1) if all(n in by_number for n in numbers)]
    taught = [by_number[n] for numbers in weeks for n in numbers if n in by_number]
    rows.append(["", "in all", *_sums(taught)])
    table = "\n".join("| " + " | ".join(row) + " |" for row in [["week", "chapters", "hours", "exercises", "points"], ["---:", "---", *["---:"] * 3], *rows])
    chosen = " ".join(c.stem[:2] for c in taught)
    return f"\n## {title}\n\n{text.format(chosen=chosen)}\n\n{table}\n"


def _link(chapter):
    return f"[{chapter.title}](notebooks/{chapter.stem}.ipynb)"


def _sums(chapters):
    exercises = [e for c in chapters for e in c.exercises]
    return [f"{sum(map(hours, chapters)):g}", f"{len(exercises)}", f"{sum(e.points for e in exercises):g}"]
