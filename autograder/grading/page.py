"""The frame of the pages that grading writes: one file, no script, nothing loaded, safe to open.

Every text of a submission passes `clean` (control and direction characters become visible,
the length is bounded) and is escaped.
"""

import re
import unicodedata
from html import escape

from autograder.publish.write import write_text

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
LONGEST = 4_000  # characters of a text that a page shows
UNUSUAL = re.compile(r"[^\x20-\x7e\n\t]")

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1f2328; --quiet: #57606a; --soft: #f3f4f6; --line: #d0d7de; --link: #0550ae;
  --passed: #1a7f37; --failed: #b35900; --unsolved: #6e7781; --not-judged: #8250df; --word: #0550ae; }
@media (prefers-color-scheme: dark) { :root { --page: #15191e; --ink: #e6e9ec; --quiet: #a3acb5; --soft: #21272e; --line: #3a424b; --link: #79b8ff;
  --passed: #4ac26b; --failed: #f0883e; --unsolved: #8b949e; --not-judged: #b392f0; --word: #79b8ff; } }
@media print { :root { --page: #fff; --ink: #000; --quiet: #444; --soft: #f3f4f6; --line: #999; --link: #000; --word: #000; color-scheme: light; }
  details::details-content { content-visibility: visible; display: block; } section, tr, svg { break-inside: avoid; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 1rem; background: var(--page); color: var(--ink);
  overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.25; margin: 1.6rem 0 .5rem; } h1 { margin-top: .5rem; } p, ul, ol { margin: .4rem 0; }
a { color: var(--link); } code, pre { font: .9em/1.45 ui-monospace, monospace; } .quiet { color: var(--quiet); font-weight: normal; }
pre { background: var(--soft); padding: .7rem; margin: .5rem 0; white-space: pre-wrap; overflow: hidden; tab-size: 4; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; } caption { text-align: left; color: var(--quiet); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); }
th, td { min-width: 4.8rem; } td.number, th.number { text-align: right; min-width: 0; overflow-wrap: normal; }
@media (max-width: 30rem) { th, td { padding-right: .4rem; } h1 { font-size: 1.6rem; } }
"""


def write_page(path, title, body, style=""):
    write_text(path, document(title, body, style))


def document(title, body, style=""):
    """A whole page; `title` is text, `body` is HTML."""
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            f'<meta name="referrer" content="no-referrer">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{text(title)}</title>\n<style>{STYLE}{style}</style></head>\n<body><main>\n{body}\n</main></body></html>\n")


def clean(raw, longest=LONGEST):
    """`raw` with at most `longest` characters, control and direction characters made visible."""
    raw = str(raw)
    more = f" … ({len(raw) - longest:,} more characters)" if len(raw) > longest else ""
    return UNUSUAL.sub(_visible, raw[:longest]) + more


def _visible(match):
    """Control pictures for C0, a code point in brackets for what has no glyph or turns the text around."""
    char = match.group()
    if char.isprintable():
        return char
    if char < " ":
        return chr(0x2400 + ord(char))
    return " " if unicodedata.category(char) == "Zs" else f"[U+{ord(char):04X}]"


def text(raw, longest=LONGEST):
    """A text as HTML."""
    return escape(clean(raw, longest))


def name(raw):
    """A student's or function's name as HTML that breaks after an underscore, not within a word."""
    return text(raw, 80).replace("_", "_<wbr>")


def prose(raw):
    """A sentence of a check as HTML; what stands between backticks is code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", text(raw))


def listed(items):
    """A list of ready HTML pieces; nothing where there are none."""
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>" if items else ""


def table(caption, columns, rows, numbers=()):
    """A table of ready HTML cells, the first of a row its header; `numbers` are columns set flush right."""
    kind = [' class="number"' if c in numbers else "" for c in columns]
    head = "".join(f'<th scope="col"{k}>{c}</th>' for c, k in zip(columns, kind))
    body = "".join("<tr>" + f'<th scope="row">{row[0]}</th>' + "".join(f"<td{k}>{c}</td>" for c, k in zip(row[1:], kind[1:]))
                   + "</tr>" for row in rows)
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def count(number, thing):
    """`1 submission`, `3 submissions`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
