"""Where two students' solution cells share unusual code: a place to look, never a finding.

Winnowing (Schleimer, Wilkerson and Aiken, SIGMOD 2003): of all runs of K tokens a choice is kept that holds at
least one fingerprint of every shared stretch of K + WINDOW - 1 tokens. Comments, docstrings, layout and the students' own
names do not count. What the released stub, the reference or an entry of the bank has is left out, and so is what many share.
"""

import ast
import builtins
import io
import itertools
import keyword
import tokenize
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass

import nbformat

from autograder.bank import entries
from autograder.grading.course import CourseError, assignments, open_course, students_of
from autograder.grading.engine import find_notebook, read_bytes
from autograder.grading.page import count, name, table, text, write_page
from autograder.grading.rebuild import parse_submission, rebuild, runnable
from autograder.publish.editions import stub, unmarked
from autograder.publish.source import SourceError, read_chapter

K = 10  # tokens of a fingerprint: about two short lines
WINDOW = 6
FEWEST = 3  # fingerprints that a pair must share
MOST_PAIRS = 30  # that the page shows side by side
KEPT_NAMES = {*keyword.kwlist, *dir(builtins)}
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}


@dataclass(frozen=True)
class Pair:
    """Two students. shared: {exercise: fingerprints}; share: of the smaller one's fingerprints, over those exercises."""

    left: str
    right: str
    shared: dict
    share: float

    @property
    def weight(self):
        return sum(len(prints) for prints in self.shared.values())


def common(students):
    """How many students of a class may have the same code before it counts as common knowledge."""
    return min(10, max(3, students // 10))


# --- fingerprints -------------------------------------------------------------------------


def tokens(source):
    """[(normalised token, line)]; up to the place where the text is no Python."""
    found, dotted = [], False
    lines = docstring_lines(source)
    try:
        for token in tokenize.generate_tokens(io.StringIO(runnable(source)).readline):
            if token.type in LAYOUT or token.type == tokenize.STRING and token.start[0] in lines:
                continue
            found.append((normalised(token, dotted), token.start[0]))
            dotted = token.string == "."
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def normalised(token, dotted):
    """The token without what renaming changes; names after a dot are an interface's, not the student's."""
    if token.type == tokenize.NAME:
        return token.string if dotted or token.string in KEPT_NAMES else "name"
    if token.type == tokenize.STRING or tokenize.tok_name[token.type].startswith("FSTRING"):
        return "text"
    return token.string


def docstring_lines(source):
    """First lines of the docstrings of functions and classes."""
    try:
        tree = ast.parse(runnable(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    bodies = [n.body for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.Module))]
    return {b[0].lineno for b in bodies if b and isinstance(b[0], ast.Expr) and isinstance(b[0].value, ast.Constant)
            and isinstance(b[0].value.value, str)}


def fingerprints(source):
    """{fingerprint: lines of its first place}, chosen by winnowing: of each window the least, the rightmost of equals."""
    found = tokens(source)
    hashes = [zlib.crc32("\x1f".join(t for t, _ in found[i:i + K]).encode()) for i in range(len(found) - K + 1)]
    chosen = {}
    for start in range(max(1, len(hashes) - WINDOW + 1)) if hashes else ():
        window = hashes[start:start + WINDOW]
        least = min(range(len(window)), key=lambda j: (window[j], -j))
        place = start + least
        chosen.setdefault(hashes[place], range(found[place][1], found[place + K - 1][1] + 1))
    return chosen


# --- the class ----------------------------------------------------------------------------


def read_solutions(course, assignment):
    """{student: {exercise: source}} of all submissions that hold something."""
    release = nbformat.read(course / "release" / assignment / f"{assignment}.ipynb", as_version=4)
    stubs = {c.id: c.source for c in release.cells}
    found = {}
    for student in students_of(course, assignment):
        path, _ = find_notebook(course / "submitted" / student / assignment, assignment)
        _, solutions, _ = rebuild(release, parse_submission(read_bytes(path)[0]))
        found[student] = {e: s for e, s in solutions.items() if s.strip() != stubs[e].strip()}
    return found


def known(assignment, exercises):
    """{exercise: fingerprints that nobody has to invent}: the stub's, the reference's and the bank's."""
    found = defaultdict(set)
    try:
        cells = {c.exercise: c.text for c in read_chapter(assignment).exercises}
    except SourceError:  # an assignment of the lecturer's own
        cells = {}
    for exercise in exercises:
        texts = [f(cells[exercise]) for f in (stub, unmarked) if exercise in cells] + [e.source() for e in entries(exercise)]
        for source in texts:
            found[exercise] |= all_prints(source)
    return found


def all_prints(source):
    """The fingerprints of every run of K tokens, chosen or not."""
    found = tokens(source)
    return {zlib.crc32("\x1f".join(t for t, _ in found[i:i + K]).encode()) for i in range(len(found) - K + 1)}


def compare(solutions, excluded):
    """[Pair], the largest share first. excluded: {exercise: fingerprints}."""
    prints = {s: {e: set(fingerprints(text)) - excluded.get(e, set()) for e, text in found.items()} for s, found in solutions.items()}
    most = common(len(prints))
    held = Counter((e, p) for of in prints.values() for e, found in of.items() for p in found)
    rare = {s: {e: {p for p in found if held[e, p] <= most} for e, found in of.items()} for s, of in prints.items()}
    holders = defaultdict(list)
    for student, of in rare.items():
        for exercise, found in of.items():
            for p in found:
                holders[exercise, p].append(student)
    shared = defaultdict(lambda: defaultdict(set))
    for (exercise, p), students in holders.items():
        for pair in itertools.combinations(sorted(students), 2):
            shared[pair][exercise].add(p)
    pairs = [_pair(pair, dict(by), rare) for pair, by in shared.items()]
    return sorted((p for p in pairs if p.weight >= FEWEST), key=lambda p: (-p.share * p.weight, p.left, p.right))


def _pair(pair, by, rare):
    smaller = sum(min(len(rare[s][e]) for s in pair) for e in by)
    return Pair(*pair, by, sum(map(len, by.values())) / smaller if smaller else 0.0)


# --- the page -----------------------------------------------------------------------------

STYLE = """
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .8rem; } .pair pre { margin: .2rem 0; } pre mark { background: var(--line); color: inherit; }
@media (max-width: 40rem) { .pair { grid-template-columns: 1fr; } } .label { border: 2px solid var(--failed); padding: .4rem .8rem; }
"""

LABEL = """<div class="label"><p><strong>A place to look, not a finding.</strong> Shared code has many honest reasons: two who learnt
together as they were allowed to, the same textbook, the same hint, one obvious way to write a formula. Nothing on this page says
who wrote what, or that a rule was broken. Read the code, ask the students, and decide by your own rules. It changes no mark.</p></div>"""


def write_similarity(assignment, folder="."):
    """Write `report/<assignment>-similarity.html`; returns (path, pairs, submissions). Raises CourseError."""
    course = open_course(folder)
    if assignment not in assignments(course):
        raise CourseError(f"There is no assignment {assignment!r}; the assignments are {', '.join(assignments(course))}.")
    solutions = read_solutions(course, assignment)
    excluded = known(assignment, {e for found in solutions.values() for e in found})
    pairs = compare(solutions, excluded)
    path = course / "report" / f"{assignment}-similarity.html"
    write_page(path, f"{assignment}: where solutions are alike", body(assignment, solutions, pairs), STYLE)
    return path, pairs, len(solutions)


def body(assignment, solutions, pairs):
    parts = [f"<h1>{text(assignment)}: where solutions are alike</h1>", LABEL,
             f"<p>{count(len(solutions), 'submission')}, {count(len(pairs), 'pair')} with something in common. {METHOD.format(common(len(solutions)))}</p>"]
    if not pairs:
        return "\n".join([*parts, "<p>No two submissions share unusual code.</p>"])
    rows = [(f'<a href="#p{i}">{name(p.left)} and {name(p.right)}</a>', f"{100 * p.share:.0f} %", str(p.weight),
             ", ".join(name(e) for e in sorted(p.shared))) for i, p in enumerate(pairs[:MOST_PAIRS], 1)]
    parts.append(table("Pairs, the most alike first", ("Students", "Share", "Passages", "Exercises"), rows, numbers=("Share", "Passages")))
    if len(pairs) > MOST_PAIRS:
        parts.append(f"<p>{len(pairs) - MOST_PAIRS:,} more pairs share less and are not shown.</p>")
    return "\n".join([*parts, *(_shown(i, p, solutions) for i, p in enumerate(pairs[:MOST_PAIRS], 1))])


METHOD = (f"Compared are runs of {K} tokens, chosen by winnowing (Schleimer, Wilkerson and Aiken, 2003), without comments, layout and "
          f"the students' own names. Left out is what the released cell, the reference or a known implementation has, and what more than "
          "{} students share, so a larger group with one text is missing here. "
          "Share: of the smaller solution's remaining passages, over the exercises named.")


def _shown(number, pair, solutions):
    blocks = []
    for exercise in sorted(pair.shared, key=lambda e: -len(pair.shared[e])):
        sides = "".join(f"<div><p>{name(s)}</p>{marked(solutions[s][exercise], pair.shared[exercise])}</div>" for s in (pair.left, pair.right))
        blocks.append(f"<h3>{name(exercise)}</h3><div class=\"pair\">{sides}</div>")
    return f'<h2 id="p{number}">{name(pair.left)} and {name(pair.right)}</h2>' + "".join(blocks)


def marked(source, prints):
    """The code with the lines of shared passages marked."""
    lines = {n for p, place in fingerprints(source).items() if p in prints for n in place}
    shown = [f"<mark>{text(line)}</mark>" if n in lines else text(line) for n, line in enumerate(source.split("\n"), 1)]
    return f"<pre><code>{chr(10).join(shown)}</code></pre>"
