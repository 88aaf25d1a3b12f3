"""The built site: no other host, buttons, search, living links."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag

import pytest

from autograder.publish import editions
from autograder.publish.source import stems

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "embed": "src"}
LOADED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch"}
TERMS = {"02_initialization": "kaiming", "05_batch_norm": "covari"}


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


@pytest.mark.parametrize("stem", TERMS)
def test_search_knows_each_chapters_key_terms(site, stem):
    index = (site / "searchindex.js").read_text()
    names = json.loads(re.search(r'"?docnames"?:\s*(\[.*?\])', index).group(1))
    entry = re.search(rf'"{TERMS[stem]}\w*":\s*(\[[^\]]*\]|\d+)', index).group(1)
    assert names.index(f"notebooks/{stem}") in json.loads(f"[{entry.strip('[]')}]")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: the pages were not opened in a browser")
@pytest.mark.parametrize("name", ["index", *(f"notebooks/{stem}" for stem in stems()), "claims"])
def test_a_browser_asks_no_other_host(site, name, tmp_path):
    log = tmp_path / "net.json"
    subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}",
                    "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000", "--screenshot=" + str(tmp_path / "page.png"),
                    (site / f"{name}.html").as_uri()], check=True, capture_output=True, timeout=120)
    text = log.read_text(errors="replace")
    asked = set(re.findall(r'"url":"(https?://[^"/]+)', text))
    ours = {u for u in asked if not re.search(r"google\.com|googleapis\.com|gstatic\.com", u)}
    initiated = set(re.findall(r'"initiator":"file://[^"]*"[^}]*"url":"(https?://[^"]+)', text))
    assert (tmp_path / "page.png").stat().st_size > 10_000
    assert not ours and not initiated
