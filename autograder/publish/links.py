"""Links that the site's pages make by themselves, from the numbers and terms that the prose already says.

Equations `(5.3)`, sections "section 5.3", chapters "chapter 5" and the glossary's terms. Text in code, math, headings,
links, roles and directive lines is left as it is. What counts as a mention:

equation  a number of the own chapter, or one announced by "equation" or "chapter 5's", must exist. Any other number in
          parentheses is linked where such an equation exists outside chapter 0, and is a number elsewhere.
section   of the own chapter; it must exist.
chapter   any other chapter.

After `{cite:t}` in the same paragraph or list item, sections and chapters are those of the cited source.
On a page without a chapter of its own, as the glossary, every mention must exist.
"""

import re
from dataclasses import dataclass

from .source import ROOT, SourceError

GLOSSARY = ROOT / "book" / "glossary.md"

LEFT = r"""(?P<left>
    ^(?P<fence>`{3,})[^\n]*\n.*?^(?P=fence)[ \t]*$   # code
  | ^:{3,}[^\n]*$ | ^:[\w-]+:[^\n]*$                 # directives and their options
  | ^\#{1,6}[ ][^\n]*$ | ^\([\w:-]+\)=$ | ^%[^\n]*$  # headings, labels, comments
  | \$\$.*?\$\$ | (?<!\\)\$[^$\n]+(?:\n[^$\n]+)*\$   # math
  | (?P<ticks>`+).+?(?P=ticks) | \{[\w:]+\}`[^`]*`   # code, roles
  | !?\[[^\]]*\]\([^)]*\) | <[a-zA-Z/!][^>\n]*>      # links, HTML
)"""
BREAK = r"(?P<break>\n[ \t]*\n|\n(?=[ \t]*(?:[-*]|\d+\.)[ ]))"
AND = r"(?:,[ ]and[ ]|,\s|\sand\s|\sto\s)"
EQUATIONS = rf"(?P<equations>(?<![\w)\]])\(\d+\.\d+\)(?:{AND}\(\d+\.\d+\))*)"
SECTIONS = rf"(?P<sections>\b[Ss]ections?\s\d+\.\d+(?:{AND}\d+\.\d+)*)"
CHAPTERS = rf"(?P<chapters>\b[Cc]hapters?\s\d+(?:{AND}\d+)*\b(?!\.\d))"
ANNOUNCED = re.compile(r"(?:\bequations?|\bchapter\s\d+(?:['’]s)?)\s$", re.I)

DISPLAY = re.compile(r"^([ \t]*)\$\$.*?\$\$", re.M | re.S)
TAG = re.compile(r"\\tag\{(\d+\.\d+)\}")
SECTION = re.compile(r"^##[ ](\d+\.\d+)[ ]", re.M)


@dataclass(frozen=True)
class Course:
    """What can be linked to. `terms` maps each spelling of a term, in lower case, to the term."""

    equations: frozenset[str]
    sections: frozenset[str]
    chapters: frozenset[int]
    terms: dict[str, str]


def course(chapters, glossary=""):
    """The Course of these chapters and the glossary's text."""
    prose = {chapter.number: _prose(chapter) for chapter in chapters}
    equations = {number: TAG.findall(" ".join(m[0] for m in DISPLAY.finditer(text))) for number, text in prose.items()}
    for number, tags in equations.items():
        for tag in tags:
            if not tag.startswith(f"{number}.") or tags.count(tag) > 1:
                raise SourceError(f"Chapter {number}: \\tag{{{tag}}} stands twice or has another chapter's number.")
    return Course(frozenset(sum(equations.values(), [])), frozenset(s for text in prose.values() for s in SECTION.findall(text)),
                  frozenset(prose), spellings(glossary))


def _prose(chapter):
    return "\n\n".join(cell.text for cell in chapter.cells if cell.kind == "markdown")


def spellings(glossary):
    """Spelling in lower case -> term, from the lines of a `{glossary}` and its comments `% also: …`."""
    found, term = {}, ""
    _, _, body = glossary.partition(":::{glossary}\n")
    for line in body.partition("\n:::")[0].split("\n"):
        if line and not line[0].isspace():
            term = line.strip()
            found[term.lower()] = term
        elif line.strip().startswith("% also:"):
            found |= {also.strip().lower(): term for also in line.split(":", 1)[1].split(",")}
    return found


def anchored(text):
    """Give the chapter, its sections and its tagged equations the anchors that the links point to."""
    text = re.sub(r"^#[ ](\d+)[ ]", r"(chapter-\1)=\n\g<0>", text, flags=re.M)
    text = SECTION.sub(lambda m: f"({anchor('sec', m[1])})=\n{m[0]}", text)
    return DISPLAY.sub(lambda m: "".join(f"{m[1]}({anchor('eq', tag)})=\n" for tag in TAG.findall(m[0])) + m[0], text)


def anchor(kind, number):
    return f"{kind}-{number.replace('.', '-')}"


class Linker:
    """Links the mentions in the texts of one page, given in order; each term once."""

    def __init__(self, course, chapter=None, terms=False):
        self.course, self.page = course, f"{chapter.stem}.md" if chapter else "The page"
        self.own = chapter.number if chapter else None
        self.linked = set()
        words = "|".join(re.escape(word).replace(r"\ ", r"\s") for word in sorted(course.terms, key=len, reverse=True))
        term = [rf"(?P<term>(?<![\w-])(?i:{words})(?![\w-]))"] if terms and words else []
        self.token = re.compile("|".join([LEFT, BREAK, EQUATIONS, SECTIONS, CHAPTERS, *term]), re.M | re.S | re.X)

    def __call__(self, text, cited=False):
        """`cited`: the text speaks of a source, whose sections and chapters are not ours."""
        self.cited = cited
        return self.token.sub(lambda match: getattr(self, f"_{match.lastgroup}")(match), text)

    def _left(self, match):
        self.cited |= match[0].startswith("{cite:t}")
        return match[0]

    def _break(self, match):
        self.cited = False
        return match[0]

    def _equations(self, match):
        announced = bool(ANNOUNCED.search(match.string[:match.start()]))
        return re.sub(r"\((\d+\.\d+)\)", lambda m: self._equation(m[1], announced), match[0])

    def _equation(self, number, announced):
        exists = number in self.course.equations
        if self.own in (None, _chapter_of(number)) or announced:
            self._must(exists, f"equation ({number})", f"\\tag{{{number}}}")
        elif not exists or _chapter_of(number) == 0:
            return f"({number})"
        return f"[({number})](#{anchor('eq', number)})"

    def _sections(self, match):
        return match[0] if self.cited else _numbers(r"\d+\.\d+", match[0], self._section)

    def _section(self, number):
        if self.own not in (None, _chapter_of(number)):
            return ""
        self._must(number in self.course.sections, f"section {number}", f"heading '## {number} …'")
        return f"#{anchor('sec', number)}"

    def _chapters(self, match):
        return match[0] if self.cited else _numbers(r"\d+", match[0], self._chapter)

    def _chapter(self, number):
        if int(number) == self.own:
            return ""
        self._must(int(number) in self.course.chapters, f"chapter {number}", "number")
        return f"#chapter-{int(number)}"

    def _must(self, exists, named, carrier):
        if not exists:
            raise SourceError(f"{self.page} speaks of {named}, but nothing in the course has the {carrier}.")

    def _term(self, match):
        said = " ".join(match[0].split())
        term = self.course.terms[said.lower()]
        if term in self.linked:
            return match[0]
        self.linked.add(term)
        return f"{{term}}`{said} <{term}>`"


def _chapter_of(number):
    return int(number.split(".")[0])


def _numbers(number, text, address):
    """Link each number of a run, the first with its word: "[sections 5.3](…) to [5.5](…)"."""
    def link(match):
        to = address(match[2])
        return f"[{match[0]}]({to})" if to else match[0]

    return re.sub(rf"((?:(?:section|chapter)s?\s)?)({number})", link, text, flags=re.I)
