"""Chromium over a built site: each page is opened once, and what the gates ask about is noted in a Visit.

A page is loaded in light on a wide window, from a plain static server without compression and with
an empty cache, then turned dark and narrow. No name but 127.0.0.1 resolves.
"""

import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote_plus

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]

WATCH_MOUNTS = """
addEventListener("DOMContentLoaded", () => {
  const began = performance.now();
  window.mountedMs = {};
  for (const host of document.querySelectorAll(".explorable"))
    new MutationObserver(() => { mountedMs[host.dataset.name] ??= performance.now() - began; }).observe(host, { childList: true });
});"""

SETTLED = """async () => {
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  await new Promise(done => requestAnimationFrame(() => setTimeout(done, 200)));
}"""

WEIGHED = """() => {
  const below = new Set([...document.images].filter(i => i.getBoundingClientRect().top >= innerHeight).map(i => i.currentSrc || i.src));
  const loads = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  return loads.filter(e => !below.has(e.name) && e.name.startsWith("http")).map(e => [e.name, e.transferSize]);
}"""

# Folded code and hints are opened. Pieces of code that look the same as one before are joined to their block:
# a chapter has ten thousand of them, and axe would measure the same two colours for each.
OPENED = """() => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  const seen = new Set(), again = [];
  for (const piece of document.querySelectorAll("pre span:not([tabindex])")) {
    const style = getComputedStyle(piece), block = piece.closest("div.highlight, pre"), around = getComputedStyle(block);
    const look = [block.parentElement.className, around.backgroundColor, style.color, style.backgroundColor, style.fontSize, style.fontWeight].join();
    if (seen.has(look)) again.push(piece);
    if (piece.textContent.trim().length > 1) seen.add(look);  // of single letters axe says nothing
  }
  for (const piece of again) piece.replaceWith(...piece.childNodes);
}"""

AXE = """async tags => {
  const { violations } = await axe.run(document, { runOnly: tags, resultTypes: ["violations"], preload: false });
  return violations.map(v => `${v.id}: ` + v.nodes.map(n => n.target.join(" ") + " " + n.any.concat(n.all, n.none).map(c => c.message).join(" ")).slice(0, 3).join("; ") + ` (${v.nodes.length})`);
}"""


@dataclass
class Visit:
    errors: list = field(default_factory=list)  # of the console, uncaught, and MathJax's
    strangers: list = field(default_factory=list)  # addresses asked of other hosts
    loads: list = field(default_factory=list)  # [address, bytes as sent], without images below the fold
    mounted_ms: dict = field(default_factory=dict)  # explorable -> ms after DOMContentLoaded; None: never
    silent: list = field(default_factory=list)  # controls that no key reaches, or that change nothing
    violations: dict = field(default_factory=dict)  # scheme -> what axe found
    overflow: dict = field(default_factory=dict)  # scheme -> pixels wider than the window

    @property
    def weight(self):
        return sum(size for _, size in self.loads)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """The address of a static server of `folder`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@contextmanager
def chromium():
    """A started browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def visit(browser, address, gates=True):
    """Open the page and note everything; see Visit. Without `gates`: what loading it shows."""
    seen, home = Visit(), "/".join(address.split("/")[:3])
    context = browser.new_context(viewport=WIDE, color_scheme="light")
    page = context.new_page()
    page.add_init_script(WATCH_MOUNTS)
    page.on("console", lambda m: m.type == "error" and seen.errors.append(f"{m.text} {m.location.get('url', '')}"))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", lambda r: r.url.startswith((home, "data:", "blob:")) or seen.strangers.append(r.url))
    page.goto(address, wait_until="load")
    page.evaluate(SETTLED)
    seen.loads = page.evaluate(WEIGHED)
    seen.errors += page.evaluate("[...document.querySelectorAll('mjx-merror')].map(e => 'MathJax: ' + e.dataset.mjxError + ' ' + e.closest('[id]').id)")
    seen.mounted_ms = page.evaluate("Object.fromEntries([...document.querySelectorAll('.explorable')].map(e => [e.dataset.name, mountedMs[e.dataset.name] ?? null]))")
    if gates:
        _look_closely(page, seen)
    context.close()
    return seen


def _look_closely(page, seen):
    from axe_playwright_python.base import AXE_SCRIPT

    seen.silent = [said for host in page.query_selector_all(".explorable") for said in operated(page, host)]
    page.evaluate(OPENED)
    page.evaluate(AXE_SCRIPT)
    for scheme, window in (("light", WIDE), ("dark", NARROW)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(window)
        page.evaluate(SETTLED)
        seen.overflow[scheme] = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        seen.violations[scheme] = page.evaluate(AXE, TAGS)


# --- an explorable by keyboard alone -------------------------------------------------------

CONTROLS = """host => [...host.querySelectorAll("input, select, button, summary, [tabindex='0']")].filter(e => e.getClientRects().length && !e.disabled
  && !(e.type === "radio" && !e.checked))"""
CONTROL = f"""([host, index]) => {{
  const e = ({CONTROLS})(host)[index];
  return e && [[e.getAttribute("role"), e.type, e.tagName], (e.ariaLabel || e.closest("label")?.textContent.trim() || e.textContent).slice(0, 60)];
}}"""
FOCUSED = f"host => ({CONTROLS})(host).indexOf(document.activeElement)"
LOOK = """host => [...host.querySelectorAll("output, [aria-live], [aria-pressed]")].map(e => e.textContent + e.ariaPressed).join("|")
  + [...host.querySelectorAll("svg")].map(e => e.innerHTML).join("|") + [...host.querySelectorAll("canvas")].map(e => e.toDataURL()).join("|")"""
CHANGED = f"([host, before]) => ({LOOK})(host) !== before"
KEYS = {"range": ["ArrowRight", "ArrowLeft", "End", "Home"], "SELECT": ["ArrowDown", "ArrowUp"], "number": ["ArrowUp", "ArrowDown"], "text": ["5", "Backspace"], "radio": ["ArrowRight", "ArrowLeft"],
        "slider": ["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"], "checkbox": ["Space"], "BUTTON": ["Enter", "Space"]}


def operated(page, host):
    """What is wrong with the explorable's controls for someone without a mouse: Tab reaches each, a key of each changes what is shown."""
    wrong = []
    page.evaluate("host => { host.insertAdjacentHTML('beforebegin', '<button id=before-it></button>'); document.getElementById('before-it').focus(); }", host)
    index = 0
    while control := page.evaluate(CONTROL, [host, index]):
        kinds, name = control
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED, host) != index:
            wrong.append(f"{name}: Tab does not reach it in its turn")
            page.evaluate(f"host => ({CONTROLS})(host)[{index}].focus()", host)
        if not any(_shows(page, host, key) for key in KEYS[next(k for k in kinds if k in KEYS)]):
            wrong.append(f"{name}: no key changes what is shown")
        elif page.evaluate(FOCUSED, host) != index:
            wrong.append(f"{name}: loses the focus when its key is pressed")
        index += 1
    page.evaluate("document.getElementById('before-it').remove()")
    return wrong


def _shows(page, host, key):
    """The key changes the live text or the drawing; a busy machine gets its time."""
    from playwright.sync_api import TimeoutError

    before = page.evaluate(LOOK, host)
    page.keyboard.press(key)
    try:
        page.wait_for_function(CHANGED, arg=[host, before], timeout=4000)
    except TimeoutError:
        return False
    return True


# --- search ----------------------------------------------------------------------------------

def found(page, site, term):
    """Pages that the site's search names for `term`, as addresses without the site's own."""
    page.goto(f"{site}search.html?q={quote_plus(term)}", wait_until="load")
    page.wait_for_selector("#search-results .search-summary", timeout=20_000)
    page.wait_for_function("!/Searching|Preparing/.test(document.querySelector('#search-results h2')?.textContent ?? 'Searching')", timeout=20_000)
    links = page.eval_on_selector_all("#search-results li a", "links => links.map(a => a.href)")
    return {link.removeprefix(site).split("?")[0].split("#")[0] for link in links}
