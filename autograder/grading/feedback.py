"""One page a student: per exercise what was found, why, where to read, and the student's own code.

Everything is escaped, nothing is loaded and no script may run, so the page is safe in an
instructor's browser. Hidden inputs are never on it.
"""

from html import escape

from autograder.checks import find
from autograder.checks.render import COLOUR, HEADLINE, rows
from autograder.checks.verdict import Finding
from autograder.publish.editions import check_id

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

STYLE = """
:root { color-scheme: light dark; --edge: #8c959f; --soft: #f2f4f6; }
@media (prefers-color-scheme: dark) { :root { --soft: #22272e; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; overflow-wrap: anywhere; }
section { border-left: 4px solid var(--edge); padding: .1rem 1rem; margin: 1.5rem 0; }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; }
.points { float: right; }
"""


def page(result):
    """The HTML of a `job.Result`."""
    findings = [Finding(**f) for f in result.findings]
    body = [f"<h1>{escape(result.assignment)}</h1>",
            f"<p><strong>{escape(result.student)}</strong>: {result.score:g} of {result.max_score:g} points.</p>",
            _notes("What the grader noticed", result.remarks), _notes("Limits that were hit", result.incidents), _overview(result, findings)]
    body += [_exercise(result, finding) for finding in findings]
    body += [_test(name, problem, result) for name, problem in result.tests.items()]
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(result.assignment)}: {escape(result.student)}</title>\n<style>{STYLE}</style></head>\n"
            f"<body>\n{''.join(body)}\n</body></html>\n")


def _notes(title, notes):
    if not notes:
        return ""
    return f"<h2>{title}</h2><ul>{''.join(f'<li>{escape(n)}</li>' for n in notes)}</ul>"


def _overview(result, findings):
    lines = "".join(f'<tr><td><a href="#{escape(f.exercise)}">{escape(f.exercise)}</a></td><td>{HEADLINE[f.status]}</td>'
                    f"<td>{_points(result, f.exercise)}</td></tr>" for f in findings)
    return f'<table><thead><tr><th scope="col">exercise</th><th scope="col">outcome</th><th scope="col">points</th></tr></thead><tbody>{lines}</tbody></table>'


def _points(result, name):
    score, maximum = result.scores[check_id(name)]
    return f"{score:g} of {maximum:g}"


def _exercise(result, finding):
    fact = f"<p>{escape(finding.fact)}</p>" if finding.fact and finding.status != "unsolved" else ""
    table = "".join(f'<tr><th scope="row">{label}</th><td>{escape(line)}</td></tr>' for label, line in rows(finding))
    hint = f"<p>{_by_hand(finding)}</p>" if finding.status == "failed" else ""
    code = result.solutions.get(finding.exercise, "")
    return (f'<section id="{escape(finding.exercise)}" style="border-color:{COLOUR[finding.status]}">'
            f'<h2>{escape(finding.exercise)}: {HEADLINE[finding.status]} <span class="points">{_points(result, finding.exercise)}</span></h2>'
            f"{fact}{f'<table>{table}</table>' if table else ''}{hint}"
            f"<details><summary>Your code</summary><pre><code>{escape(code)}</code></pre></details></section>")


def _by_hand(finding):
    """What to do next: the notebook's own check shows inputs, this page does not."""
    section = finding.read or find(finding.exercise).read
    return (f'Run <code>check("{escape(finding.exercise)}", {escape(finding.exercise)})</code> in the notebook: it shows what was tried. '
            f"The hints stand before the exercise, the derivation in section {escape(section)}.")


def _test(name, problem, result):
    score, maximum = result.scores[name]
    said = escape(problem) if problem else "passed"
    return (f"<section><h2>{escape(name)} <span class=\"points\">{score:g} of {maximum:g}</span></h2><p>{said}</p>"
            "<p>A hand-written test: it ran beside your code and is not isolated.</p></section>")
