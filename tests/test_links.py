"""Links, figures, glossary and previews: each rule on a small text, then the built site."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from autograder.publish import editions
from autograder.publish.links import GLOSSARY, Linker, anchored, course, spellings
from autograder.publish.previews import shown, with_mathjax, with_previews
from autograder.publish.source import ROOT, Cell, Chapter, SourceError, read_chapter, stems

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


EQUATION = '<div class="math notranslate nohighlight" id="eq-5-1">\n\\[a\\tag{5.1}\\]</div>'
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


def test_a_page_without_formulas_gets_mathjax_where_a_preview_has_one():
    scripts = '<script>window.MathJax = {}</script>\n<script defer src="_static/mathjax/tex-chtml.js"></script>\n'
    page = f'<head></head><body><template data-href="one.html#eq-5-1">{EQUATION}</template>\n</body>'
    laid = with_mathjax(page, "a/two.html", scripts)
    assert '<script defer src="../_static/mathjax/tex-chtml.js"></script>\n</head>' in laid
    assert with_mathjax(laid, "a/two.html", scripts) == laid
    plain = page.replace(EQUATION, TERM)
    assert with_mathjax(plain, "two.html", scripts) == plain


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


class Prose(HTMLParser):
    """The words of a page's article outside code, outputs, explorables, math, titles and links; captions are prose."""

    APART = {"pre", "code", "script", "template", "a", "summary", "h1", "h2", "h3", "h4"}

    def __init__(self, page):
        super().__init__()
        self.open, self.words = [], ""
        self.feed(re.search(r"<article.*?</article>", page, re.S)[0])

    def handle_starttag(self, tag, attributes):
        if tag not in ("img", "br", "hr", "input", "col", "link", "meta"):
            classes = (dict(attributes).get("class") or "").split()
            apart = tag in self.APART or {"math", "cell_output", "explorable"} & set(classes)
            self.open.append((tag, tag != "figcaption" and bool(apart or self.open and self.open[-1][1])))

    def handle_endtag(self, tag):
        while tag in [name for name, _ in self.open] and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if not self.open[-1][1]:
            self.words += data


def mentions(page):
    return re.findall(r"\(\d+\.\d+\)", Prose(page).words)


def test_prose_is_seen_and_links_are_not():
    page = '<article><p>By (5.1) and <a href="#">(5.2)</a></p><div class="cell_output"><p>(5.3)</p><figcaption>(5.4)<br></figcaption></div>(5.5)</article>'
    assert mentions(page) == ["(5.1)", "(5.4)", "(5.5)"]


@pytest.mark.parametrize("stem", stems())
def test_every_equation_mentioned_on_a_page_is_a_link_to_it(site, stem):
    page = (site / "notebooks" / f"{stem}.html").read_text()
    links = re.findall(r'<a class="reference internal" href="([^"]*#eq-[^"]*)">(?:<[^>]+>)*(\(\d+\.\d+\))<', page)
    assert links and not [m for m in mentions(page) if m.startswith(f"({read_chapter(stem).number}.")]
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


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CARDS = """<!doctype html><meta charset="utf-8"><script>{script}</script>
<article><a class="reference internal" href="g.html#term-a" title="A">a</a> <a class="reference internal" href="g.html#other">b</a></article>
<template data-href="g.html#term-a"><p>The meaning.</p></template>
<script>
document.addEventListener("DOMContentLoaded", async () => {
  const [link, other] = document.querySelectorAll("a"), card = document.getElementById("preview"), seen = [];
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const say = (when) => seen.push(`${when}: ${card.hidden ? "-" : card.textContent} ${link.getAttribute("aria-describedby") ?? "-"}`);
  const pointer = (on, type, pointerType) => on.dispatchEvent(new PointerEvent(type, { pointerType }));
  const escape = () => document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  say("first");
  pointer(link, "pointerenter", "touch"); await wait(500); say("touch");
  pointer(link, "pointerenter", "mouse"); await wait(500); say("hover");
  pointer(link, "pointerleave", "mouse"); pointer(card, "pointerenter", "mouse"); await wait(500); say("on the card");
  escape(); say("escape");
  pointer(link, "pointerenter", "mouse"); await wait(500); pointer(link, "pointerleave", "mouse"); await wait(500); say("left");
  link.focus(); say("focus"); other.focus(); say("blur");
  pointer(other, "pointerenter", "mouse"); await wait(500); say("no preview");
  document.body.dataset.seen = seen.join("; ") + `; ${card.getAttribute("role")}, title ${link.title || "-"}`;
});
</script>"""


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: the previews were not opened in a browser")
def test_a_preview_comes_with_mouse_and_focus_stays_under_the_mouse_and_goes_with_escape(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(CARDS.replace("{script}", (ROOT / "book" / "site" / "previews.js").read_text()))
    done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}",
                           "--virtual-time-budget=20000", "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120)
    assert re.search(r'data-seen="([^"]*)"', done.stdout)[1].split("; ") == [
        "first: - -", "touch: - -", "hover: The meaning. preview", "on the card: The meaning. preview", "escape: - -", "left: - -",
        "focus: The meaning. preview", "blur: - -", "no preview: - -", "tooltip, title -"]
