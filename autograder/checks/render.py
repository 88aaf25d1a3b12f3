"""One rendering of a finding, as plain text and as HTML: the fact, the cause, where to read."""

from html import escape

from .verdict import FAILED, NOT_JUDGED, PASSED, UNSOLVED

HEADLINE = {PASSED: "passed", FAILED: "not yet", UNSOLVED: "not solved yet", NOT_JUDGED: "not judged"}
COLOUR = {PASSED: "#1a7f37", FAILED: "#b35900", UNSOLVED: "#57606a", NOT_JUDGED: "#57606a"}


def rows(finding):
    """The labelled lines below the headline, in reading order; empty ones left out."""
    if finding.status in (PASSED, UNSOLVED):
        return []
    lines = [("Tried", finding.tried), ("Why", finding.why),
             ("Read", f"section {finding.read}" if finding.read else ""),
             ("Printed", finding.printed.strip())]
    return [(label, text) for label, text in lines if text]


def text(finding):
    """The finding for terminals, logs and readers without HTML."""
    if finding.status == UNSOLVED:
        return f"{finding.exercise}: not solved yet."
    if finding.status == PASSED:
        return f"{finding.exercise}: passed. {finding.fact}"
    head = f"{finding.exercise}: {finding.fact}"
    return "\n".join([head] + [f"  {label}: {line}" for label, line in rows(finding)])


def html(finding):
    """The finding as a box that reads in light and dark themes; every text is escaped."""
    colour = COLOUR[finding.status]
    fact = "" if finding.status == UNSOLVED else f" <span>{escape(finding.fact)}</span>"
    body = "".join(
        f'<tr><th scope="row" style="text-align:left;vertical-align:top;padding:1px 10px 1px 0">{label}</th>'
        f'<td style="text-align:left;white-space:pre-wrap;overflow-wrap:anywhere">{escape(line)}</td></tr>'
        for label, line in rows(finding))
    table = f'<table style="margin:4px 0 0;border:0;background:none">{body}</table>' if body else ""
    return (f'<div class="finding {finding.status.replace(" ", "-")}" style="border-left:4px solid {colour};'
            f'padding:4px 10px;margin:4px 0;overflow-wrap:anywhere">'
            f'<strong>{escape(finding.exercise)}: {HEADLINE[finding.status]}.</strong>{fact}{table}</div>')
