"""Links, figures, glossary and previews: each rule on a small text, then the built site."""

import re

import pytest

from autograder.publish import editions
from autograder.publish.links import GLOSSARY, LEFT, Linker, anchored, course, spellings
from autograder.publish.previews import shown, with_previews
from autograder.publish.source import Cell, Chapter, SourceError, read_chapter, stems

WORDS = ":::{glossary}\nlearning rate\n  The factor.\n  % also: learning rates, rate of learning\n\nrate\n  A number.\n:::\n"
FIVE = Chapter("05_batch_norm", (Cell("markdown", "# 5 Batch\n\n## 5.1 Where\n\n$$a \\tag{5.1}$$\n\n## 5.2 Then\n\n$$\nb \\tag{5.2}\n$$"),))
SIX = Chapter("06_scale", (Cell("markdown", "# 6 Scale\n\n## 6.1 Where\n\n$$c \\tag{6.1}$$ and code `\\tag{6.9}`"),))
START = Chapter("00_start", (Cell("markdown", "# 0 Start\n\n## 0.1 Where\n\n$$d \\tag{0.1}$$"),))
SMALL = course([START, FIVE, SIX], WORDS)


def linked(text, chapter=FIVE, terms=False):
    return Linker(SMALL, chapter, terms)(text)


def test_a_course_knows_its_tags_sections_and_chapters():
    assert SMALL.equations == {"0.1", "5.1", "5.2", "6.1"}
    assert SMALL.sections == {"0.1", "5.1", "5.2", "6.1"} and SMALL.chapters == {0, 5, 6}


def test_a_tag_that_stands_twice_or_in_the_wrong_chapter_is_refused():
    with pytest.raises(SourceError, match=r"Chapter 5: \\tag\{5.1\}"):
        course([Chapter("05_b", (Cell("markdown", "$$a \\tag{5.1}$$\n\n$$b \\tag{5.1}$$"),))])
    with pytest.raises(SourceError, match=r"Chapter 5: \\tag\{6.1\}"):
        course([Chapter("05_b", (Cell("markdown", "$$a \\tag{6.1}$$"),))])


LINKED = {
    "By (5.1) it holds.": "By [(5.1)](#eq-5-1) it holds.",
    "(5.1) and (5.2)": "[(5.1)](#eq-5-1) and [(5.2)](#eq-5-2)",
    "equations (5.1) to (5.2)": "equations [(5.1)](#eq-5-1) to [(5.2)](#eq-5-2)",
    "| 1 | see (5.1) |": "| 1 | see [(5.1)](#eq-5-1) |",
    "chapter 6's (6.1)": "[chapter 6](#chapter-6)'s [(6.1)](#eq-6-1)",
    "as in (6.1).": "as in [(6.1)](#eq-6-1).",
    "equation (0.1)": "equation [(0.1)](#eq-0-1)",
    "a share (0.1) of them": "a share (0.1) of them",
    "a factor (6.7)": "a factor (6.7)",
    "f(5.1) and x[0](5.1)": "f(5.1) and x[0](5.1)",
    "`(5.1)` $(5.1)$ $$(5.1)$$": "`(5.1)` $(5.1)$ $$(5.1)$$",
    "[see (5.1)](https://x.org/(5.1))": "[see (5.1)](https://x.org/(5.1))",
    "### Of (5.1)": "### Of (5.1)",
    "```\n(5.1)\n```": "```\n(5.1)\n```",
    ":::{dropdown} Hint (5.1)\nUse (5.1).\n:::": ":::{dropdown} Hint (5.1)\nUse [(5.1)](#eq-5-1).\n:::",
    "See section 5.2.": "See [section 5.2](#sec-5-2).",
    "Sections 5.1 to 5.2 say": "[Sections 5.1](#sec-5-1) to [5.2](#sec-5-2) say",
    "the lecture's section 6.1": "the lecture's section 6.1",
    "section 2 of it": "section 2 of it",
    "(chapter 00), chapters 5 and 6.": "([chapter 00](#chapter-0)), chapters 5 and [6](#chapter-6).",
    "- {cite:t}`A`: section 5.9 and chapter 7, beside (5.1).\n- Chapter 6 next.":
        "- {cite:t}`A`: section 5.9 and chapter 7, beside [(5.1)](#eq-5-1).\n- [Chapter 6](#chapter-6) next.",
    "{cite:p}`A`; section 5.1 answers": "{cite:p}`A`; [section 5.1](#sec-5-1) answers",
}


@pytest.mark.parametrize("text", LINKED)
def test_mentions_become_links(text):
    assert linked(text) == LINKED[text]


@pytest.mark.parametrize("text, words", [
    ("By (5.9).", "05_batch_norm.md speaks of equation (5.9)"), ("equation (6.7)", "equation (6.7)"),
    ("chapter 6's (6.7)", "equation (6.7)"), ("section 5.9", "section 5.9"), ("chapter 7", "chapter 7")])
def test_a_mention_of_what_does_not_exist_is_refused_by_name(text, words):
    with pytest.raises(SourceError, match=re.escape(words)):
        linked(text)


def test_outside_the_chapters_every_mention_must_exist():
    assert linked("Section 6.1, (0.1)", chapter=None) == "[Section 6.1](#sec-6-1), [(0.1)](#eq-0-1)"
    for text in ("Section 6.7", "(0.7)"):
        with pytest.raises(SourceError, match="The page speaks of"):
            linked(text, chapter=None)


def test_the_sources_of_a_claim_keep_their_own_sections():
    assert Linker(SMALL, FIVE)("Somebody, section 5.9; (5.1)", cited=True) == "Somebody, section 5.9; [(5.1)](#eq-5-1)"


def test_the_first_mention_of_a_term_leads_to_the_glossary():
    assert spellings(WORDS) == {"learning rate": "learning rate", "learning rates": "learning rate",
                                "rate of learning": "learning rate", "rate": "rate"}
    linker = Linker(SMALL, FIVE, terms=True)
    assert linker("# The learning rate\n\n`rate` $rate$ [rate](x) Learning\nrates, learning rate.") == \
        "# The learning rate\n\n`rate` $rate$ [rate](x) {term}`Learning rates <learning rate>`, learning rate."
    assert linker("The rate-limited, separate rate of learning; *rate* and rate") == \
        "The rate-limited, separate rate of learning; *{term}`rate <rate>`* and rate"


def test_chapters_sections_and_tagged_equations_get_anchors():
    assert anchored("# 5 Batch\n\n## 5.1 Where\n\nso\n$$\na \\tag{5.1}\n\\\\ b \\tag{5.2}\n$$\n\n$$c$$\n\n### 5.2 no") == \
        "(chapter-5)=\n# 5 Batch\n\n(sec-5-1)=\n## 5.1 Where\n\nso\n(eq-5-1)=\n(eq-5-2)=\n$$\na \\tag{5.1}\n\\\\ b \\tag{5.2}\n$$\n\n$$c$$\n\n### 5.2 no"


def drawing(caption):
    return Cell("code", "plt.show()", "experiment", alt="A line.", caption=caption)


DRAWN = Chapter("05_b", (Cell("markdown", "# 5 B"), drawing("First, by (5.1)."), Cell("code", "1"), drawing("Second.")))


def test_figures_are_numbered_in_their_order_and_named_in_notebooks():
    sources = [c.source for c in editions.student(DRAWN).cells if c.cell_type == "markdown"]
    assert "**Figure 5.1.** First, by (5.1)." in sources and "**Figure 5.2.** Second." in sources
    page = editions._notebook(DRAWN, editions.stub, linked, site=True)
    figures = [c.metadata.mystnb.figure for c in page.cells if "mystnb" in c.metadata]
    assert figures == [{"name": "fig-5-1", "caption": "**Figure 5.1.** First, by [(5.1)](#eq-5-1)."},
                       {"name": "fig-5-2", "caption": "**Figure 5.2.** Second."}]


EQUATION = '<div class="math notranslate nohighlight" id="eq-5-1">\n\\[a\\]</div>'
TERM = '<dt id="term-rate">rate<a class="headerlink" href="#term-rate">#</a></dt><dd><p>A <a href="x.html">number</a>.</p>\n</dd>'


def test_a_page_carries_what_its_links_point_to_once():
    targets = {"a/one.html": shown(EQUATION), "words.html": shown(TERM)}
    page = ('<body><a class="reference internal" href="../words.html#term-rate">r</a><a class="reference internal" href="one.html#eq-5-1">1</a>'
            '<a class="reference internal" href="one.html#eq-5-1">1</a><a class="reference internal" href="#else">e</a></body>')
    laid = with_previews(page, "a/two.html", targets)
    assert re.findall(r'data-href="([^"]+)"', laid) == ["../words.html#term-rate", "one.html#eq-5-1"]
    assert "<p><strong>rate</strong></p><p>A number.</p></template>" in laid and "\\[a\\]</div></template>" in laid
    assert with_previews(laid, "a/two.html", targets) == laid
    assert "<template" not in with_previews(laid.replace("reference internal", ""), "a/two.html", targets)


def test_every_term_of_the_glossary_is_mentioned_in_a_chapter():
    chapters = [read_chapter(stem) for stem in stems()]
    real, used = course(chapters, GLOSSARY.read_text()), set()
    for chapter in chapters:
        linker = Linker(real, chapter, terms=True)
        for cell in chapter.cells:
            if cell.kind == "markdown":
                linker(cell.text)
        used |= linker.linked
    assert len(set(real.terms.values())) >= 50
    assert set(real.terms.values()) == used


def prose(text):
    """A page's article without code, outputs, math, headings, captions' numbers and links; and the links' texts apart."""
    article = re.search(r"<article.*?</article>", text, re.S)[0]
    left = r'<pre.*?</pre>|<(div|span) class="math[^>]*>.*?</\1>|<h[1-6].*?</h[1-6]>|<code.*?</code>|<script.*?</script>|' \
        r'<div class="output .*?(?=<div class="cell|<section|</section|\Z)'
    links = re.findall(r'<a class="reference internal" href="([^"]*)">(?:<[^>]+>)*(\(\d+\.\d+\))<', article)
    return re.sub("<[^>]+>", "", re.sub(rf"{left}|<a\b.*?</a>", "", article, flags=re.S)), links


@pytest.mark.parametrize("stem", stems())
def test_every_equation_mentioned_on_a_page_is_a_link_to_it(site, stem):
    text, links = prose((site / "notebooks" / f"{stem}.html").read_text())
    number = read_chapter(stem).number
    assert links and not re.search(rf"\({number}\.\d+\)", text)
    for href, said in links:
        assert href.endswith("#eq-" + said.strip("()").replace(".", "-"))


@pytest.mark.parametrize("stem", stems())
def test_every_figure_of_a_page_has_its_number_and_a_caption(site, stem):
    text = (site / "notebooks" / f"{stem}.html").read_text()
    chapter = read_chapter(stem)
    captions = re.findall(r'<figure[^>]*id="fig-(\d+-\d+)">.*?<figcaption>(.*?)</figcaption>', text, re.S)
    assert [anchor for anchor, _ in captions] == [f"{chapter.number}-{k + 1}" for k in range(sum(bool(c.alt) for c in chapter.cells))]
    for anchor, caption in captions:
        words = re.sub("<[^>]+>", "", caption).strip()
        assert re.match(rf"Figure {anchor.replace('-', '.')}\. \w.{{20,}}", words, re.S), words


@pytest.mark.parametrize("stem", stems())
def test_terms_lead_to_the_glossary_and_have_previews(site, stem):
    text, glossary = (site / "notebooks" / f"{stem}.html").read_text(), (site / "glossary.html").read_text()
    terms = re.findall(r'href="(\.\./glossary\.html#(term-[^"]+))"', text)
    laid = set(re.findall(r'<template data-href="([^"]+)">', text))
    assert len(terms) > 5
    for href, anchor in terms:
        assert f'id="{anchor}"' in glossary and href in laid


def test_every_equation_and_citation_that_is_linked_has_a_preview(site):
    for path in site.glob("notebooks/*.html"):
        text = path.read_text()
        links = set(re.findall(r'<a class="reference internal" href="([^"#]*#eq-[^"]*|\.\./bibliography\.html#[^"]+)"', text))
        assert links and not links - set(re.findall(r'<template data-href="([^"]+)">', text)), path.name
