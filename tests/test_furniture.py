"""The site's furniture: the map tells the truth, pages describe themselves, figures can be told apart, paper is readable."""

import itertools
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import yaml

from autograder.notebook.figures import COLOURS, LINES
from autograder.publish import coursemap, furniture
from autograder.publish.source import ROOT, Cell, Chapter, SourceError, read_chapter, stems

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BASE = "https://example.org/course/"


@pytest.fixture(scope="module")
def chapters():
    return [read_chapter(stem) for stem in stems()]


# The map

def chapter(stem, text):
    return Chapter(stem, (Cell("markdown", f"# {stem}"), Cell("markdown", text)))


NEEDS = {
    "**You need** gradients (chapter 0), SGD and Adam (chapter 3).": {0, 3},
    "You need the softmax gradient of chapter 00, and outer products.": {0},
    "**You need** BN (chapter 5), decay (8) and Adam and decay (chapters 3 and 8; derived again in 10.4).": {3, 5, 8},
    "You need matrix products. Chapter 00 has the notebook's ways.": {0},
    "You need matrix products.": set(),
}


@pytest.mark.parametrize("text", NEEDS)
def test_what_a_chapter_builds_on_is_read_from_its_text(text):
    assert coursemap.builds_on(chapter("12_x", f"Chapter 11 ended.\n\n{text}\n\nChapter 7 follows.")) == NEEDS[text]


def test_a_chapter_that_says_nothing_of_its_needs_or_has_no_place_is_named():
    with pytest.raises(SourceError, match="12_x.*You need"):
        coursemap.builds_on(chapter("12_x", "Nothing."))
    with pytest.raises(SourceError, match="77_x.*PLACES"):
        coursemap.course_map([chapter("77_x", "You need nothing.")])


def test_arrows_keep_every_dependency_reachable_and_none_follows_from_others(chapters):
    needs = {coursemap.number(c): coursemap.builds_on(c) for c in chapters}
    drawn = coursemap.arrows(needs)

    def above(n, edges):
        return {a for a, b in edges if b == n}.union(*(above(a, edges) for a, b in edges if b == n))

    for n in needs:
        assert needs[n] <= above(n, drawn) and {a for a, b in drawn if b == n} <= needs[n]
    for edge in drawn:
        assert edge[0] not in above(edge[1], [e for e in drawn if e != edge])


def test_arrows_lead_down_and_touch_no_other_chapter(chapters):
    drawn = coursemap.arrows({coursemap.number(c): coursemap.builds_on(c) for c in chapters})
    for a, b in drawn:
        (row, column), (to, _) = coursemap.PLACES[a], coursemap.PLACES[b]
        assert row < to, f"{a} -> {b}"
        for other, (between, place) in coursemap.PLACES.items():
            if row < between < to:
                assert abs(column - place) / 0.06 > coursemap.WIDTH / 2 + 1, f"{a} -> {b} runs through {other}"
    for (row, column), (other_row, other) in itertools.combinations(coursemap.PLACES.values(), 2):
        assert row != other_row or abs(column - other) / 0.06 > coursemap.WIDTH + 1


def test_the_map_links_every_chapter_and_says_what_is_seen(chapters):
    svg = ET.fromstring(coursemap.course_map(chapters))
    links = {a.get("href"): a.get("aria-label") for a in svg.iter("a")}
    assert links == {f"notebooks/{c.stem}.html": f"{coursemap.number(c)} {coursemap.short_title(c)}" for c in chapters}
    assert svg.find("title").text and "Scale invariance builds on Batch normalisation." in svg.find("desc").text


def test_the_welcome_page_has_the_map_and_a_way_for_every_reader(site):
    page = (site / "index.html").read_text()
    assert page.count('class="course-map"') == 1 and ":::" not in page
    for reader in ("a student", "teaching", "learning alone", "look for one result", "want to contribute"):
        assert f"You are {reader}" in page or f"You {reader}" in page
    for name in ("for_students", "for_lecturers", "for_contributors", "claims", "notation", "errata"):
        assert f'href="{name}.html"' in page


# Figures

CAUSES = {  # Machado, Oliveira and Fernandes (2009), full severity, on linear RGB
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}
APART = 15  # CIELAB 1976 distance; 2.3 is just noticeable side by side
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
HUES = np.array([[-0.574, 1.430, 0.144], [0.426, 0.430, 0.144], [0.426, 1.430, -0.856]])  # hue-rotate(180deg)


def rgb(colour):
    return np.array([int(colour[k:k + 2], 16) for k in (1, 3, 5)]) / 255


def turned(colour):
    """What the dark page shows: invert(1) hue-rotate(180deg)."""
    return np.clip(HUES @ (1 - colour), 0, 1)


def linear(colour):
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def lab(light):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(light, 0, 1)
    x, y, z = (np.cbrt(v) if v > (6 / 29) ** 3 else v / (3 * (6 / 29) ** 2) + 4 / 29 for v in xyz / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def closest(colours, cause):
    seen = [lab(CAUSES[cause] @ linear(c)) for c in colours]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))


def test_red_and_green_of_one_lightness_would_be_found_out():
    assert closest([rgb("#c03030"), rgb("#707000")], "normal") > APART > closest([rgb("#c03030"), rgb("#707000")], "deuteranopia")


@pytest.mark.parametrize("page", [lambda colour: colour, turned], ids=["light", "dark"])
@pytest.mark.parametrize("cause", CAUSES)
def test_colours_of_figures_stay_apart_for_every_eye(cause, page):
    assert closest([page(rgb(c)) for c in COLOURS], cause) >= APART


def contrast(a, b):
    """WCAG's ratio of two colours."""
    dim, bright = sorted(LUMINANCE @ linear(c) + 0.05 for c in (a, b))
    return bright / dim


def test_a_pale_line_would_be_found_out():
    assert contrast(rgb("#56B4E9"), rgb("#ffffff")) < 3


@pytest.mark.parametrize("page, ground", [(lambda colour: colour, "#ffffff"), (turned, "#121212")], ids=["light", "dark"])
def test_every_colour_of_figures_stands_out_from_the_page(page, ground):
    assert all(contrast(page(rgb(c)), rgb(ground)) >= 3 for c in COLOURS)  # WCAG 1.4.11


def test_in_grey_every_line_has_a_style_of_its_own():
    assert len(set(LINES)) == len(LINES) == len(COLOURS)


def test_the_style_sheet_turns_figures_as_the_test_does():
    css = (ROOT / "book" / "site" / "course.css").read_text()
    assert "filter: invert(1) hue-rotate(180deg)" in css and "url(" not in css and "@import" not in css


def test_pictures_in_shades_keep_their_shades_on_dark_pages(site):
    page = (site / "notebooks" / "08_weight_decay.html").read_text()
    shades = re.findall(r'<img [^>]*class="[^"]*shades[^>]*>', page)
    assert len(shades) == 2 and len(re.findall(r'<img [^>]*alt="[^>]*src="[^"]*_images', page)) > 2


# What pages say of themselves

def tag(page, key):
    found = re.findall(rf'<meta (?:name|property)="{key}" content="([^"]*)"', page)
    assert len(found) == 1, f"{key}: {found}"
    return found[0]


def test_every_page_has_a_title_and_a_description_of_its_own(site):
    pages = [p for p in site.rglob("*.html") if "_static" not in p.parts and p.name not in furniture.APART]
    said = [tag(p.read_text(), "description") for p in pages]
    titles = [tag(p.read_text(), "og:title") for p in pages]
    assert len(pages) > 20 and len(set(said)) == len(said) and len(set(titles)) == len(titles)
    assert all(20 < len(text) < 400 for text in said)


@pytest.mark.parametrize("stem", stems())
def test_a_description_opens_with_the_chapters_first_sentence(site, stem):
    text = next(p for c in read_chapter(stem).cells if c.kind == "markdown" for p in c.text.split("\n\n")
                if p and not p.startswith("#"))
    said = tag((site / "notebooks" / f"{stem}.html").read_text(), "description")
    assert said.split()[:5] == re.sub("[*$`]", "", text).split()[:5] and said.endswith((".", "?"))


def test_a_base_url_gives_addresses_and_its_absence_a_sentence(monkeypatch):
    said = furniture.tags("5 Norms &amp; gains", "A course", 'Of "sums".', BASE, "notebooks/05")
    assert tag(said, "og:url") == f"{BASE}notebooks/05.html" and tag(said, "og:image") == f"{BASE}_static/card.png"
    assert tag(said, "og:title") == "5 Norms &amp; gains" and tag(said, "description") == "Of &quot;sums&quot;."
    assert "http" not in furniture.tags("5", "A course", "Of sums.", "", "notebooks/05")
    monkeypatch.setattr(furniture, "config", lambda: {"html": {"baseurl": "https://example.org/course"}})
    assert furniture.base_url() == BASE and furniture.left_out() == ""
    monkeypatch.setattr(furniture, "config", lambda: {"html": {"baseurl": ""}})
    assert "sitemap.xml" in furniture.left_out()


def test_a_site_with_a_base_url_gets_a_map_a_card_and_a_page_for_the_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(furniture, "config", lambda: {"title": "What makes it so", "html": {"baseurl": BASE}})
    for name in ("index.html", "notebooks/05.html", "search.html", "_static/x.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    furniture.furnish(tmp_path)
    places = [e.text for e in ET.parse(tmp_path / "sitemap.xml").iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert places == [f"{BASE}index.html", f"{BASE}notebooks/05.html"]
    head = (tmp_path / furniture.CARD).read_bytes()[:24]
    assert head[1:4] == b"PNG" and tuple(int.from_bytes(head[k:k + 4], "big") for k in (16, 20)) == furniture.CARD_PIXELS
    assert f'href="{BASE}index.html"' in (tmp_path / "404.html").read_text()


def test_the_page_for_the_lost_works_at_any_depth(site):
    page = (site / "404.html").read_text()
    assert "<style>" in page and not re.findall(r'(?:src|href)="(?!/|https://|data:)', page)


def test_the_citation_file_agrees_with_the_project():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    config = furniture.config()
    assert (cited["version"], cited["title"], cited["repository-code"]) == (project, config["title"], config["repository"]["url"])
    assert cited["cff-version"] == "1.2.0" and cited["message"] and [a["name"] for a in cited["authors"]] == [config["author"]]


# On paper

@pytest.fixture(scope="module")
def paper(site, tmp_path_factory):
    """The browser's print of chapter 05, as (pages, text)."""
    for tool in ("pdfinfo", "pdftotext"):
        if CHROMIUM is None or shutil.which(tool) is None:
            pytest.skip("chromium or poppler-utils is not installed: no chapter was printed")
    folder = tmp_path_factory.mktemp("paper")
    subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder / 'profile'}",
                    "--virtual-time-budget=15000", "--no-pdf-header-footer", f"--print-to-pdf={folder / 'page.pdf'}",
                    (site / "notebooks" / "05_batch_norm.html").as_uri()], check=True, capture_output=True, timeout=180)
    about = subprocess.run(["pdfinfo", folder / "page.pdf"], capture_output=True, text=True, check=True).stdout
    text = subprocess.run(["pdftotext", "-layout", folder / "page.pdf", "-"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"Pages:\s+(\d+)", about)[1]), text


@pytest.mark.browser
def test_a_printed_chapter_is_whole(paper):
    pages, text = paper
    assert 12 <= pages <= 45
    first = " ".join(text.split("\f")[0].split())
    assert first.startswith("5 Batch normalisation, and the gradient through its statistics 5.1 Where we are")
    for words in ("5.3 Three paths", "(5.3)", "Training loss after 150 steps against learning rate", "5.12 Further reading"):
        assert words in text
    assert "Three paths through batch normalisation" in text  # the explorable's question


@pytest.mark.browser
def test_a_printed_chapter_leaves_out_what_is_for_the_screen(paper):
    _, text = paper
    for words in ("Skip to main content", "Show the code", "Gradients on a line", "Reset", "Hint 1", "https://"):
        assert words not in text, words
