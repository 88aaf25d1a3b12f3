"""The page of a `report.Report`: what to do next first, then the numbers it rests on."""

import math
import statistics
from collections import Counter

from autograder.checks.verdict import FAILED, NOT_JUDGED, PASSED, UNSOLVED

from .page import count, name, prose, table, text

STATUSES = (PASSED, FAILED, UNSOLVED, NOT_JUDGED)
LEFT_OUT = 0.3  # of the class: an exercise left out by more is asked about
WEAK = 0.1  # discrimination below which an exercise says little about who has understood
TOP, NAMES, ROWS = 8, 10, 40  # misconceptions, student names in a line, rows of a table that are shown
BINS = 20
WIDTH, HEIGHT, MARGIN = 400, 200, 54  # of the histogram, in SVG units

STYLE = """
.next { border: 1px solid var(--line); border-left: 4px solid var(--link); padding: .2rem 1rem; margin: 1rem 0; } .next h2 { margin-top: .6rem; }
.next li { margin: .4rem 0; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg line { stroke: var(--quiet); }
.plot { width: 100%; max-width: 33rem; height: auto; } .plot rect { fill: var(--link); }
.bar { width: 100%; min-width: 5rem; height: .8rem; display: block; margin: .35rem 0 .1rem; }
.key svg { width: .8rem; height: .8rem; margin: 0 .3rem 0 .8rem; }
.passed { fill: var(--passed); } .failed { fill: var(--failed); } .unsolved { fill: var(--unsolved); } .not-judged { fill: var(--not-judged); }
"""


def body(report):
    head = f"<h1>{text(report.assignment)}: the class at a glance</h1>"
    if not report.results:
        empty = "Nobody has handed in anything yet." if not report.missing else "No submission has been graded yet."
        return f"{head}\n<p>{empty}</p>{_state(report)}"
    parts = [head, _numbers(report), _next(report), _distribution(report), _exercises(report), _misconceptions(report), _cost(report), _by_hand(report)]
    return "\n".join(parts)


def percent(share):
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def quantile(values, share):
    """The smallest value that at least `share` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _names(students):
    more = f" and {len(students) - NAMES:,} more" if len(students) > NAMES else ""
    return ", ".join(map(name, students[:NAMES])) + more


def _numbers(report):
    scores = report.scores
    return (f"<p>{count(len(scores), 'submission')}. Median {statistics.median(scores):g} of {report.maximum:g} points, "
            f"mean {statistics.fmean(scores):.3g}, from {min(scores):g} to {max(scores):g}.</p>{_state(report)}")


def _state(report):
    """What the numbers leave out, a sentence each."""
    again = f"run <code>autograder grade {text(report.assignment)}</code>"
    missing, stale = report.missing, report.stale
    return "".join(f"<p><strong>{title}:</strong> {sentence}</p>" for title, sentence, holds in [
        ("Missing", f"{count(len(missing), 'submission')} without a result ({_names(missing)}); {again}.", missing),
        ("Stale", f"{count(len(stale), 'result')} of an older submission or an older grader, counted as they are ({_names(stale)}); {again}.", stale),
        ("By hand", f"{count(report.waiting, 'submission')} still to be looked at by a person.", report.waiting),
        ("Changed", f"{count(report.adjusted, 'score')} in the grade book not the grader's own, because a person marked something.", report.adjusted),
    ] if holds)


# --- what to do next ----------------------------------------------------------------------


def _next(report):
    return f'<div class="next"><h2>What to do next</h2><ol>{"".join(f"<li>{a}</li>" for a in advice(report))}</ol></div>'


def advice(report):
    """Sentences for the lecturer, the most useful first."""
    said = [_discuss(report), _believed(report), _left_out(report), *_weak(report), _look(report)]
    return [a for a in said if a] or ["Nothing: whoever tried an exercise solved it."]


def _link(exercise):
    return f'<a href="#{text(exercise)}"><code>{name(exercise)}</code></a>'


def _worst(report):
    return max(report.items, key=lambda item: item.lost, default=None)


def _discuss(report):
    worst = _worst(report)
    if not worst or not worst.lost:
        return ""
    tried = worst.outcomes.get(PASSED, 0) + worst.outcomes[FAILED]
    why = f" {_quote(worst.beliefs[0])}" if worst.beliefs else " No known misconception explains it."
    return (f"<strong>Discuss {_link(worst.name)}</strong>: {worst.outcomes[FAILED]:,} of the {tried:,} who tried it failed, "
            f"which cost the class {worst.lost:,g} points, more than any other exercise.{why}")


def _quote(belief):
    times = "One misconception met there" if belief.count == 1 else f"The commonest misconception there ({belief.count:,} times)"
    return f"{times}: “{prose(belief.why)}” Section {text(belief.read)}."


def _believed(report):
    top = report.beliefs[0] if report.beliefs else None
    if not top or top.count < 2 or top.exercise == _worst(report).name:
        return ""
    return (f"<strong>Correct the misconception met most often</strong>, {top.count:,} times in {_link(top.exercise)}: "
            f"“{prose(top.why)}” Section {text(top.read)}.")


def _left_out(report):
    most = max(report.items, key=lambda item: item.share(UNSOLVED))
    if most.share(UNSOLVED) <= LEFT_OUT:
        return ""
    return f"<strong>Ask why {_link(most.name)} was left out</strong> by {percent(most.share(UNSOLVED))} of the class."


def _weak(report):
    weak = [item for item in report.items if item.discrimination is not None and item.discrimination < WEAK]
    return [f"<strong>Look at the exercise {_link(item.name)}</strong>: who does well elsewhere does not do better there "
            f"(discrimination {item.discrimination:.2f}); is its text or its check at fault?" for item in weak[:3]]


def _look(report):
    stopped = [r for r in report.results if r.incidents]
    if not stopped:
        return ""
    return f'<strong><a href="#by-hand">Look at {count(len(stopped), "submission")} by hand</a></strong>: limits were hit or something forbidden was tried.'


# --- the numbers --------------------------------------------------------------------------


def _distribution(report):
    return f"<h2>Scores</h2>{histogram(report.scores, report.maximum)}<p class=\"quiet\">Before penalties for lateness.</p>"


def bins(scores, maximum):
    """(width, counts): at most BINS bins from 0 to the maximum; a score on an edge counts above it, the maximum in the last."""
    top = max([maximum, *scores]) or 1.0
    width = next(w for k in range(-2, 12) for w in (10.0**k, 2 * 10.0**k, 5 * 10.0**k) if top / w <= BINS)
    counts = [0] * math.ceil(top / width)
    for score in scores:
        counts[min(max(int(score / width), 0), len(counts) - 1)] += 1
    return width, counts


def histogram(scores, maximum):
    width, counts = bins(scores, maximum)
    high, step = max(counts), (WIDTH - MARGIN - 10) / len(counts)
    foot = HEIGHT - MARGIN
    tall = [(foot - 14) * n / high for n in counts]
    bars = "".join(f'<rect x="{MARGIN + i * step + 1:.1f}" y="{foot - h:.1f}" width="{step - 2:.1f}" height="{h:.1f}"/>' for i, h in enumerate(tall))
    every = math.ceil(len(counts) / 8)
    ticks = "".join(f'<text x="{MARGIN + i * step:.1f}" y="{foot + 16}" text-anchor="middle">{i * width:g}</text>'
                    for i in range(0, len(counts) + 1, every))
    levels = "".join(f'<text x="{MARGIN - 5}" y="{foot - (foot - 14) * n / high + 4:.1f}" text-anchor="end">{n:,}</text>' for n in {0, high // 2, high})
    said = "; ".join(f"{i * width:g} to {(i + 1) * width:g}: {n}" for i, n in enumerate(counts) if n)
    return (f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Histogram of scores in points. {said}">{bars}{ticks}{levels}'
            f'<line x1="{MARGIN}" y1="{foot}" x2="{WIDTH - 10}" y2="{foot}"/><line x1="{MARGIN}" y1="14" x2="{MARGIN}" y2="{foot}"/>'
            f'<text x="{(WIDTH + MARGIN) / 2}" y="{HEIGHT - 6}" text-anchor="middle">score in points, bins of {width:g}</text>'
            f'<text transform="translate(12 {foot / 2 + 7:g}) rotate(-90)" text-anchor="middle">submissions</text></svg>')


def _exercises(report):
    rows = [(f'<code id="{text(i.name)}">{name(i.name)}</code> <span class="quiet">({i.maximum:g} point{"s" * (i.maximum != 1)})</span>', percent(i.difficulty), _number(i.discrimination), _outcomes(i))
            for i in report.items]
    columns = "Exercise", "Earned", "Discrimi&shy;nation", "Outcomes"
    key = "".join(f'<svg aria-hidden="true"><rect class="{_kind(s)}" width="100%" height="100%"/></svg>{s}' for s in STATUSES)
    return (f"<h2>Exercises</h2><p class=\"quiet key\">Outcomes: {key}</p>"
            + table("Difficulty and discrimination of each exercise", columns, rows, columns[1:3])
            + '<p class="quiet">Earned is the difficulty: points earned by the class divided by points possible, so 100 % is easy. '
              "Discrimination is Pearson’s correlation between the points of this exercise and the points of all others together, "
              "r = cov(x, T − x) / (s<sub>x</sub> s<sub>T−x</sub>) with x the points here and T the score: above 0.3 the exercise tells who has understood, "
              "near 0 it does not, below 0 suspect the exercise. A dash: too few submissions, or no variation.</p>")


def _number(r):
    return "–" if r is None else f"{r:.2f}".replace("-", "−")


def _kind(status):
    return status.replace(" ", "-")


def _outcomes(item):
    present = [(s, item.share(s)) for s in STATUSES if item.outcomes.get(s)]
    start, bars = 0.0, ""
    for status, share in present:
        bars += f'<rect class="{_kind(status)}" x="{100 * start:.2f}%" width="{100 * share:.2f}%" height="100%"/>'
        start += share
    return f'<svg class="bar" aria-hidden="true">{bars}</svg>' + ", ".join(f"{percent(share)} {status}" for status, share in present)


def _misconceptions(report):
    beliefs, failed = report.beliefs, sum(i.outcomes.get(FAILED, 0) for i in report.items)
    unnamed = failed - sum(b.count for b in beliefs)
    said = f"<p>{count(failed, 'answer')} failed; {unnamed:,} of them without a known misconception.</p>"
    if not beliefs:
        return f"<h2>Misconceptions</h2>{said}"
    rest = beliefs[TOP:]
    more = f"<details><summary>{len(rest):,} more</summary>{_beliefs('The rarer ones', rest)}</details>" if rest else ""
    return f"<h2>Misconceptions</h2>{said}{_beliefs('The commonest, and what the student was told', beliefs[:TOP])}{more}"


def _beliefs(caption, beliefs):
    rows = [(f"<code>{name(b.exercise)}</code>", f"{b.count:,}", prose(b.why), text(b.read)) for b in beliefs]
    return table(caption, ("Exercise", "Times", "What it is", "Section"), rows, ("Times",))


def _cost(report):
    seconds = [r.seconds for r in report.results]
    peaks = [r.peak_bytes / 1e6 for r in report.results if r.peak_bytes]
    rows = [("Time per submission", *(f"{v:.2f} s" for v in _spread(seconds)))]
    if peaks:
        rows.append(("Peak memory", *(f"{v:.0f} MB" for v in _spread(peaks))))
    columns = ("", "Median", "95th percentile", "Maximum")
    return ("<h2>Time and memory</h2>" + table("What grading took", columns, rows, columns[1:])
            + '<p class="quiet">The first submission of each process includes its start.</p>')


def _spread(values):
    return statistics.median(values), quantile(values, 0.95), max(values)


def _by_hand(report):
    stopped = [(name(r.student), "; ".join(prose(i) for i in r.incidents[:5])) for r in report.results if r.incidents]
    met = Counter(remark for r in report.results for remark in r.remarks)
    remarks = [(prose(remark), f"{n:,}", _names([r.student for r in report.results if remark in r.remarks])) for remark, n in met.most_common(ROWS)]
    parts = ['<h2 id="by-hand">Worth a look by hand</h2>']
    if stopped:
        parts += [table("Limits hit, or something forbidden tried", ("Student", "What happened"), stopped[:ROWS]), _more(stopped)]
    if met:
        parts += [table("What was noticed on reading the files", ("Remark", "Times", "Students"), remarks, ("Times",)), _more(met)]
    return "".join(parts) if met or stopped else "".join(parts) + "<p>Nothing: no limit was hit, and every file was read without a remark.</p>"


def _more(rows):
    return f"<p>And {len(rows) - ROWS:,} more; they stand on the students’ feedback pages.</p>" if len(rows) > ROWS else ""
