"""One page a student: per exercise what was found, why, where to read, and the student's own code.

Hidden inputs are never on it: no printed output of theirs, and no numbers in the message of
an exception, which often are the inputs.
"""

import keyword
import re

from autograder.checks import UnknownExercise, find
from autograder.checks.render import HEADLINE
from autograder.checks.verdict import FAILED, NOT_JUDGED, PASSED, UNSOLVED, Finding
from autograder.publish.editions import check_id

from .page import count, document, listed, name, prose, table, text

LONGEST_CODE = 20_000  # characters of a cell; the longest honest one is below 5,000
MARK = {PASSED: "✓", FAILED: "✗", UNSOLVED: "○", NOT_JUDGED: "–"}
ORDER = (PASSED, FAILED, UNSOLVED, NOT_JUDGED)

ADVICE = ("<p>In the notebook, the check below each exercise shows the inputs that it tried. Where it passes there, "
          "a hidden case of the same kind failed. Hints stand before each exercise.</p>")

STYLE = """
section { border-left: 4px solid var(--edge); padding: .1rem 0 .1rem 1rem; margin: 1.2rem 0; overflow: hidden; }
section h3 { margin-top: .2rem; } .passed { --edge: var(--passed); } .failed { --edge: var(--failed); }
.unsolved { --edge: var(--unsolved); } .not-judged { --edge: var(--not-judged); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .4rem 0; } dt { color: var(--quiet); } dd { margin: 0; }
summary { cursor: pointer; padding: .2rem 0; } pre i { color: var(--quiet); font-style: normal; } pre b { color: var(--word); font-weight: 600; }
"""

TOKENS = re.compile(  # of Python that is already escaped: &quot; is ", &#x27; is '
    r"(?P<i>(?:&quot;){3}.*?(?:(?:&quot;){3}|\Z)|(?:&#x27;){3}.*?(?:(?:&#x27;){3}|\Z)"
    r"|&quot;[^\n]*?&quot;|&#x27;[^\n]*?&#x27;|(?<!&)\#[^\n]*)"
    rf"|(?P<b>\b(?:{'|'.join(keyword.kwlist)})\b)", re.S)
RAISED = re.compile(r"(\w+ in line \d+: `.*?`: )(.*?)((?: The \d+ cases before it pass\.)?)", re.S)


def page(result):
    """The HTML of a `job.Result`."""
    findings = [Finding(**f) for f in result.findings]
    body = [f"<h1>Feedback on {text(result.assignment)}</h1>", _summary(result, findings),
            _notes("What the grader noticed", result.remarks), _notes("Limits that were hit", result.incidents),
            "<h2>Exercises</h2>", ADVICE, _overview(result, findings)]
    body += [_exercise(result, finding) for finding in findings]
    body += [_test(grade_id, problem, result) for grade_id, problem in result.tests.items()]
    return document(f"{result.assignment}: {result.student}", "\n".join(filter(None, body)), STYLE)


def _summary(result, findings):
    tally = {status: sum(f.status == status for f in findings) for status in ORDER}
    parts = ", ".join(f"{n} {HEADLINE[status]}" for status, n in tally.items() if n)
    first = next((f.exercise for f in findings if f.status == FAILED), "")
    start = f' Start with <a href="#{text(first)}">{name(first)}</a>.' if first else ""
    return (f"<p><strong>{text(result.student)}</strong>: {result.score:g} of {result.max_score:g} points.</p>"
            + (f"<p>{count(len(findings), 'exercise')}: {parts}.{start}</p>" if findings else ""))


def _notes(title, notes):
    return f"<h2>{title}</h2>{listed([prose(n) for n in notes])}" if notes else ""


def _overview(result, findings):
    rows = [(f'<a href="#{text(f.exercise)}">{name(f.exercise)}</a>', _headline(f), _points(result, check_id(f.exercise))) for f in findings]
    rows += [(name(i), "passed" if not problem else "see below", _points(result, i)) for i, problem in result.tests.items()]
    return table("Outcome and points of each exercise", ("Exercise", "Outcome", "Points"), rows, numbers=("Points",))


def _headline(finding):
    return f'<span aria-hidden="true">{MARK[finding.status]}</span> {HEADLINE[finding.status]}'


def _points(result, grade_id):
    score, maximum = result.scores[grade_id]
    return f"{score or 0:g} of {maximum:g}"


def _exercise(result, finding):
    key, kind = text(finding.exercise), finding.status.replace(" ", "-")
    rows = "".join(f"<dt>{label}</dt><dd>{line}</dd>" for label, line in _lines(finding) if line)
    return (f'<section id="{key}" class="{kind}" aria-labelledby="{key}-title">'
            f'<h3 id="{key}-title">{name(finding.exercise)}: {_headline(finding)}, {_points(result, check_id(finding.exercise))}</h3>'
            f"{f'<dl>{rows}</dl>' if rows else ''}{_code(result.solutions.get(finding.exercise, ''), finding.status == FAILED)}</section>")


def _lines(finding):
    """(label, HTML) in reading order. What was printed is left out: it may hold hidden inputs."""
    if finding.status == UNSOLVED:
        return []
    section = _section(finding) if finding.status == FAILED else ""
    return [("Found", prose(without_values(finding.fact))), ("Why", prose(finding.why)), ("Read", section and f"section {text(section)}")]


def without_values(fact):
    """The fact without the numbers in the message of an exception; type and line stay."""
    match = RAISED.fullmatch(fact)
    if not match:
        return fact
    head, message, tail = match.groups()
    return head + re.sub(r"[-+]?\d[\d_.]*(?:e[-+]?\d+)?", "#", message) + tail


def _section(finding):
    try:
        return finding.read or find(finding.exercise).read
    except UnknownExercise:  # a result of an older course
        return ""


def _code(source, is_open):
    if not source.strip():
        return ""
    marked = TOKENS.sub(lambda m: f"<{m.lastgroup}>{m.group()}</{m.lastgroup}>", text(source, LONGEST_CODE))
    return f"<details{' open' * is_open}><summary>Your code</summary><pre><code>{marked}</code></pre></details>"


def _test(grade_id, problem, result):
    said = "passed" if not problem else prose(problem)
    return (f'<section class="{"passed" if not problem else "failed"}"><h3>{name(grade_id)}: {_points(result, grade_id)}</h3><p>{said}</p>'
            '<p class="quiet">A hand-written test: it ran beside your code and is not isolated.</p></section>')
