"""The built site as files: no other host, buttons, living links. What a browser makes of it: test_browser.py."""

import json
import re
import shutil
import zlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from autograder.publish import editions, lean
from autograder.publish import site as publish_site
from autograder.publish.pages import _escaped, _listed
from autograder.publish.source import stems

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "embed": "src"}
LOADED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch"}


class Page(HTMLParser):
    """What a page loads, where it links, and which anchors it has."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.anchors, self.images = [], [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if "id" in a:
            self.anchors.add(a["id"])
        if tag in LOADED and a.get(LOADED[tag]):
            self.loads.append(a[LOADED[tag]])
        if tag == "link" and LOADED_LINKS & set((a.get("rel") or "").split()):
            self.loads.append(a["href"])
        if tag == "a" and a.get("href"):
            self.links.append(a["href"])
        if tag == "img":
            self.images.append(a)


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path.read_text()) for path in site.rglob("*.html") if "_static" not in path.parts}


def test_the_parser_sees_a_planted_outside_script():
    assert Page('<script src="https://cdn.example/x.js"></script>').loads == ["https://cdn.example/x.js"]


def test_no_page_loads_anything_from_another_host(pages):
    assert len(pages) > 5
    for path, page in pages.items():
        outside = [u for u in page.loads if re.match(r"(https?:)?//", u)]
        assert not outside, f"{path.name}: {outside}"


def test_every_link_and_anchor_inside_the_site_is_alive(pages):
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link):
                continue
            address, anchor = urldefrag(unquote(link))
            target = (path.parent / address).resolve() if address else path
            assert target.exists(), f"{path.name} links to {link}"
            if anchor and target in pages:
                assert anchor in pages[target].anchors or not anchor, f"{path.name} links to {link}"


def test_every_image_says_what_is_seen(pages):
    for path, page in pages.items():
        for image in page.images:
            assert image.get("alt"), f"{path.name}: {image.get('src')}"


@pytest.mark.parametrize("stem", stems())
def test_a_chapter_has_colab_download_and_full_screen_buttons(site, stem):
    text = (site / "notebooks" / f"{stem}.html").read_text()
    assert editions.colab_address(stem) in text
    assert f"_sources/notebooks/{stem}.ipynb" in text and "btn-fullscreen-button" in text


@pytest.mark.parametrize("stem", stems())
def test_the_download_is_the_student_notebook(site, stem):
    notebook = json.loads((site / "_sources" / "notebooks" / f"{stem}.ipynb").read_text())
    assert not any(c.get("outputs") for c in notebook["cells"])


def test_an_unchanged_site_is_not_built_again_and_a_damaged_one_is(site, tmp_path, monkeypatch):
    class Asked(Exception):
        pass

    def asked(stems):
        raise Asked

    monkeypatch.setattr(publish_site, "execute_all", asked)
    assert publish_site.build_site().parent == site
    monkeypatch.setattr(publish_site, "site_digest", lambda: "another")
    monkeypatch.setattr(publish_site, "STAMP", Path(shutil.copy(publish_site.STAMP, tmp_path)))
    with pytest.raises(Asked):
        publish_site.build_site()


def test_a_formula_stays_on_one_line_with_what_touches_it():
    x = '<span class="math notranslate">\\(x\\)</span>'
    assert lean.page(f"<p>by {x}. But ({x}, {x}</p>") == f'<p>by <span class="kept">{x}.</span> But <span class="kept">({x},</span> {x}</p>'
    assert lean.page(lean.page(f"<p>{x}-th</p>")) == f'<p><span class="kept">{x}-th</span></p>'


def test_addresses_of_styles_and_scripts_carry_the_digest_of_what_lies_there(site):
    for path in site.rglob("*.html"):
        for name, digest in re.findall(r'_static/([^"?]+)\?v=(\w+)"', path.read_text()):
            assert digest == f"{zlib.crc32((site / '_static' / name).read_bytes()):08x}", f"{path.name}: {name}"


def test_measured_numbers_are_no_markup():
    assert _escaped("-2*sigma**2/s**4, fan_in [1, 2]") == r"-2\*sigma\*\*2/s\*\*4, fan\_in \[1, 2\]"


def test_an_entry_of_the_museum_says_once_what_it_is_and_keeps_its_symbols():
    assert _listed("λ chosen on the training error", "**See it**: the error falls.\nAlways. Never.") == "- **λ chosen on the training error.** The error falls. Always."
