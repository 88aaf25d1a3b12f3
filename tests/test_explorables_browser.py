"""Explorables in Chromium: mounted, used by keyboard and finger, drawn again in time, and their first drawings.

A page of the harness has what a chapter's page has: the theme's style sheets, the mounting script, the module's source.
"""

import json
import re
import shutil

import pytest
from test_explorables import MODULES

from autograder.publish.explorables import draw, drawing, mounted
from autograder.publish.source import ROOT, stems

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: the explorables were not tried in a browser")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM, reason="needs chromium")]
NAMES = [path.stem for path in MODULES]
every_module = pytest.mark.parametrize("name", NAMES)
BOUND_MS, EVENTS, ROUNDS = 16, 200, 3


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, tmp_path):
    """A page with one module, `visit(name, theme=…, width=…)`; on leaving it must have had no error."""
    contexts, errors = [], []

    def open_page(name, theme="light", width=1000, **more):
        context = browser.new_context(viewport={"width": width, "height": 900}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
        file = tmp_path / f"{name}-{theme}.html"
        file.write_text(harness(name, theme))
        page.goto(file.as_uri())
        if more.get("java_script_enabled", True):
            page.wait_for_selector(".xp output:not(:empty)", timeout=60_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


def harness(name, theme):
    import pydata_sphinx_theme
    import sphinx_book_theme

    folder = lambda package, path: ROOT.joinpath(package.__file__).parent / "theme" / path
    styles = [folder(pydata_sphinx_theme, "pydata_sphinx_theme/static/styles/pydata-sphinx-theme.css"),
              folder(sphinx_book_theme, "sphinx_book_theme/static/styles/sphinx-book-theme.css"), ROOT / "book" / "site" / "course.css"]
    figure = re.search(r"```\{raw\} html\n(.*)\n```", mounted(f":::{{explorable}} {name}\n:::"), re.S)[1]
    return (f'<!DOCTYPE html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
            + "".join(f'<link rel="stylesheet" href="{path.as_uri()}">' for path in styles)
            + f'<script>{(ROOT / "book" / "site" / "explorables.js").read_text()}</script></head><body><main class="bd-main"><article class="bd-article">{figure}</article></main></body></html>')


# --- by hand

@every_module
def test_every_control_is_reached_and_moved_by_keyboard(name, visit):
    """Tab reaches each control in the order of the page; the key of its kind changes it, and what is shown follows."""
    page = visit(name, reduced_motion="reduce")
    page.evaluate("document.querySelector('.xp').insertAdjacentHTML('beforebegin', '<button>before</button>')")
    page.get_by_text("before", exact=True).focus()
    k = 0
    while k < page.evaluate(COUNT):
        page.keyboard.press("Tab")
        kind, before = page.evaluate(FOCUSED, k)
        assert kind, f"control {k} is not reached"
        if kind == "text":
            page.keyboard.type("0.7")
        page.keyboard.press({"range": "ArrowRight" if not before["last"] else "ArrowLeft", "select": "ArrowUp" if before["last"] else "ArrowDown",
                             "checkbox": "Space", "button": "Enter", "text": "Enter", "handle": "ArrowUp"}[kind])
        page.evaluate(DRAWN)
        _, after = page.evaluate(FOCUSED, k)
        if kind != "button":
            assert after["value"] != before["value"], f"control {k}, {kind}: {before}"
        k += 1
    assert k and page.evaluate(BAD) == []


DRAWN = "new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
CONTROLS = "[...document.querySelectorAll('.xp :is(input, select, button, .handle):not(:disabled)')].filter(e => getComputedStyle(e).display !== 'none')"
COUNT = f"{CONTROLS}.length"
FOCUSED = """k => {
  const at = document.activeElement;
  if (at !== CONTROLS[k]) return [null, null];
  const kind = at.matches(".handle") ? "handle" : at.type === "select-one" ? "select" : at.localName === "button" ? "button" : at.type;
  return [kind, { label: at.closest("label")?.textContent ?? at.textContent, last: kind === "select" ? at.selectedIndex === at.options.length - 1 : at.value === at.max,
    value: kind === "checkbox" ? at.checked : kind === "handle" ? at.getAttribute("aria-valuetext") : at.value }];
}""".replace("CONTROLS", CONTROLS)
BAD = """() => {
  const root = document.querySelector(".xp"), bad = [], box = root.getBoundingClientRect();
  if (/NaN|undefined|\\bnull\\b|Infinity/.test(root.querySelector(":scope > output").textContent + root.querySelector(".xp-bar").textContent)) bad.push(root.innerText);
  for (const node of root.querySelectorAll(".xp-svg *")) for (const { name, value } of node.attributes) if (/NaN|undefined|Infinity/.test(value)) bad.push(`${node.localName} ${name}=${value.slice(0, 60)}`);
  for (const node of root.querySelectorAll(".xp-svg text, label, button, td, th, li")) {
    const { left, right } = node.getBoundingClientRect();
    if (node.textContent && getComputedStyle(node).display !== "none" && (left < box.left - 1 || right > box.right + 1)) bad.push(`cut: ${node.textContent.slice(0, 40)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) bad.push("wider than the page");
  return bad;
}"""
ENDS = """async () => {
  const bad = () => (BAD)().map(what => `${place}: ${what}`), found = [], drawn = () => DRAWN;
  let place = "";
  const reset = [...document.querySelectorAll(".xp-bar button")].find(b => b.textContent === "Reset");
  const ranges = [...document.querySelectorAll(".xp input[type=range]")], selects = [...document.querySelectorAll(".xp select")];
  const put = (e, value) => { place += ` ${e.closest("label").textContent.slice(0, 20)}=${value}`; e.value = value; e.dispatchEvent(new Event(e.localName === "select" ? "change" : "input")); };
  const look = async () => { await drawn(); await drawn(); await new Promise(done => setTimeout(done, 170)); found.push(...bad()); place = ""; };
  for (const end of ["min", "max"]) {
    for (const e of ranges) { reset.click(); put(e, e[end]); await look(); }
    for (const options of [[0], [1], [-1]]) { reset.click(); await drawn(); for (const e of selects) put(e, e.options[(e.options.length + options[0]) % e.options.length].value); for (const e of ranges) put(e, e[end]); await look(); }
  }
  return found;
}""".replace("BAD", BAD).replace("DRAWN", DRAWN)


@every_module
def test_numbers_and_labels_are_right_at_both_ends_of_every_range_on_a_telephone(name, visit):
    """Each range at both ends alone, and all together with other choices: no NaN, no text cut or outside."""
    assert visit(name, theme="dark", width=390).evaluate(ENDS) == []


@pytest.mark.parametrize("name, index", [("03_paths", 0), ("05_three_paths", 2), ("08_balls", 1)])
def test_a_handle_follows_mouse_and_finger_and_a_click(name, index, visit):
    page = visit(name, width=390, has_touch=True)
    handle = page.locator(".handle").nth(index)
    text = lambda: (page.evaluate(DRAWN), handle.get_attribute("aria-valuetext"))[1]
    middle = lambda: (lambda box: (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))(handle.locator(".ring").bounding_box())
    handle.scroll_into_view_if_needed()
    first, (x, y) = text(), middle()
    page.mouse.move(x + 3, y + 3)
    page.mouse.down()
    page.mouse.move(x + 23, y + 33, steps=3)
    page.mouse.up()
    second, (u, v) = text(), middle()
    assert second != first and abs(u - x - 20) < 2 and abs(v - y - 30) < 2  # it was held beside its middle, and did not jump
    cdp, top = page.context.new_cdp_session(page), page.evaluate("scrollY")
    for kind, points in (("touchStart", [(u, v)]), ("touchMove", [(u - 10, v - 20)]), ("touchMove", [(u - 30, v - 40)]), ("touchEnd", [])):
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]})
    third, (s, t) = text(), middle()
    assert third != second and abs(s - u + 30) < 2 and abs(t - v + 40) < 2 and page.evaluate("scrollY") == top
    page.mouse.click(s + 24, t + 24)
    page.evaluate(DRAWN)
    assert any(abs(box["x"] + box["width"] / 2 - s - 24) < 2 and abs(box["y"] + box["height"] / 2 - t - 24) < 2
               for box in (ring.bounding_box() for ring in page.locator(".handle .ring").all()) if box)


def test_a_click_on_an_activation_outlines_it(visit):
    page = visit("07_normalisers", width=390)
    cell, left, gap = (page.evaluate("document.querySelector('.xp-svg .grid').getAttribute('d').match(/h([\\d.]+)/)[1] * 1"), 52, 8)
    box = page.locator(".xp-svg").first.bounding_box()
    page.mouse.click(box["x"] + left + 2 * (4 * cell + gap) + 1.5 * cell, box["y"] + 44 + 3.5 * cell)
    page.evaluate(DRAWN)
    assert page.get_by_label("Outlined").get_attribute("aria-valuetext") == "ex. 2, unit 3, pos. 1"


def test_play_jumps_to_its_end_where_motion_is_not_wanted(visit):
    page = visit("06_sphere", reduced_motion="reduce")
    page.get_by_role("button", name="Play").click()
    page.evaluate(DRAWN)
    assert "10000" in page.get_by_label("Step k").get_attribute("aria-valuetext")


# --- in time

ACTS = """each => {
  const acts = [], fire = (e, kind, type = Event, more = {}) => e.dispatchEvent(new type(kind, { bubbles: true, ...more }));
  const all = (selector, act) => { for (const e of document.querySelectorAll(`.xp ${selector}`)) for (let k = 0; k < each; k++) acts.push(() => act(e, k)); };
  all("input[type=range]", (e, k) => { e.value = +e.min + ((e.max - e.min) * k) / (each - 1); fire(e, "input"); });
  all("select", (e, k) => { e.selectedIndex = k % e.options.length; fire(e, "change"); });
  all("input[type=checkbox]", e => e.click());
  all("input[type=text]", (e, k) => { e.value = 1.3 ** k; fire(e, "change"); });
  all(".handle", (e, k) => fire(e, "keydown", KeyboardEvent, { key: ["ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"][k % 4] }));
  all(".xp-buttons button", e => { if (e.textContent !== "Play") e.click(); });
  window.act = async k => { acts[k](); await DRAWN; };
  return acts.length;
}""".replace("DRAWN", DRAWN)


def redraws(page):
    """CPU time in ms of the page's main thread for each input event: handler, drawing, style, layout and paint."""
    controls = page.evaluate(ACTS, 1)
    events = page.evaluate(ACTS, -(-EVENTS // controls) + 1)
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
    clock = lambda: next(m["value"] for m in cdp.send("Performance.getMetrics")["metrics"] if m["name"] == "TaskDuration")
    spent, last = [], clock()
    for k in range(events):
        page.evaluate("k => act(k)", k)
        now = clock()
        spent.append(1000 * (now - last))
        last = now
    return sorted(spent)


@pytest.mark.slow
def test_a_redraw_takes_less_than_16_ms_of_cpu_for_95_of_100_events(visit):
    """At least 200 events over all controls' ranges. CPU time, so that other work on the machine does not count;
    where a module is over the bound, the best of three rounds, since caches and a busy core can cost too."""
    table = []
    for name in NAMES:
        page = visit(name)
        for _ in range(ROUNDS):
            spent = redraws(page)
            row = {"module": name, "events": len(spent), "median_ms": round(spent[len(spent) // 2], 1), "p95_ms": round(spent[int(0.95 * len(spent))], 1)}
            if row["p95_ms"] <= BOUND_MS:
                break
        table.append(row)
        page.close()
    (ROOT / "_build").mkdir(exist_ok=True)
    (ROOT / "_build" / "explorables.json").write_text(json.dumps(table, indent=1) + "\n")
    assert all(row["events"] >= EVENTS for row in table)
    assert [row for row in table if row["p95_ms"] > BOUND_MS] == []


# --- on the pages

@pytest.mark.parametrize("stem", stems())
def test_a_chapters_explorable_is_mounted_on_its_page_from_the_disk_within_a_second(site, stem, browser):
    """The page mounts it; how long that takes is the best of three more, since the machine may be busy."""
    page = browser.new_page()
    page.goto((site / "notebooks" / f"{stem}.html").as_uri(), wait_until="domcontentloaded")
    page.wait_for_selector(".explorable .xp-bar", timeout=60_000)
    assert min(page.evaluate(MOUNT) for _ in range(3)) < 1000
    page.close()


MOUNT = """async () => {
  const source = document.querySelector("script[data-explorable]").textContent, host = document.querySelector(".explorable"), began = performance.now();
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  module.default.render({ model: { get() {}, set() {}, save_changes() {} }, el: host });
  host.getBoundingClientRect();
  return performance.now() - began;
}"""


# --- without scripts

@pytest.fixture(scope="module")
def drawn():
    return draw(NAMES)


@every_module
def test_the_first_drawing_is_what_the_module_draws_today(name, drawn):
    """Text and attributes alike, numbers to a fifth of a pixel: browsers may differ in the last place of a sine."""
    number = re.compile(r"-?\d*\.?\d+")
    old, new = drawing(name).read_text().strip(), drawn[name]
    assert number.sub("#", old) == number.sub("#", new), f"python -m autograder.publish.explorables draws {name} again"
    assert all(abs(float(a) - float(b)) <= 0.2 for a, b in zip(number.findall(old), number.findall(new)))


@every_module
def test_the_first_drawing_is_small_and_has_no_id_and_no_control(name):
    text = drawing(name).read_text()
    assert len(text.encode()) <= 20_000
    assert not re.search(r"\bid=|tabindex|<button|<input|NaN|undefined|<script|href", text)
    assert text.count('class="xp-svg') == len(re.findall(r'<svg [^>]*role="img" aria-label="[^"]{20}', text)) > 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_without_scripts_the_first_drawing_stands_there_in_the_colours_of_the_theme(theme, browser, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(harness("03_paths", theme))
    context = browser.new_context(viewport={"width": 390, "height": 900}, java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator(".explorable .xp-svg").count() == 2 and page.locator(".explorable .xp-bar").count() == 0
    assert all(box["width"] > 250 and box["height"] > 200 for box in (svg.bounding_box() for svg in page.locator(".xp-svg.xp-chart").all()))
    assert page.locator(".explorable").get_by_text("Paths of SGD, RMSprop and Adam from one start").is_visible()
    context.close()
