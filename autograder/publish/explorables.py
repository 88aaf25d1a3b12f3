"""Explorables on the site's pages.

A chapter says where: `:::{explorable} NN_name` and `:::` on lines of their own. On a page the module's
whole source stands inside the page, so that a page opened from the disk can mount it too. Until then, and for
readers without scripts, the module's first drawing stands there, from `book/explorables/static/`;
`python -m autograder.publish.explorables` draws these again, with chromium. In a notebook the same source is
a widget (`autograder/notebook/widgets.py`).
"""

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from autograder.notebook.explorables import FOLDER, UnknownExplorable, about, names, whole

from .source import SourceError

STATIC = FOLDER / "static"
DIRECTIVE = re.compile(r"^:::\{explorable\} (\w+)\n:::$", re.M)
STYLE = re.compile(r"^const CSS = `(.*?)`;", re.M | re.S)


def mounted(text):
    """Markdown of the site's page: each directive becomes the module, and its question, first drawing and a sentence to stand there before."""
    return DIRECTIVE.sub(lambda match: _figure(match[1]), text)


def _figure(name):
    try:
        source = whole(name)
    except UnknownExplorable as unknown:
        raise SourceError(str(unknown)) from None
    title, question, alt = (html.escape(about(source)[key]) for key in ("title", "question", "alt"))
    title += "" if title.endswith("?") else "."
    return "\n".join([
        "```{raw} html", f'<div class="explorable" data-name="{name}"><section class="xp"><style>{STYLE.search(source)[1]}</style><p><strong>{title}</strong> {question}</p>',
        f'{drawing(name).read_text().strip()}<p>{alt}</p></section></div>', f'<script type="text/plain" data-explorable="{name}">{source}</script>', "```"])


def drawing(name):
    """The file of a module's first drawing: its SVGs and their key, as they stand in a page."""
    return STATIC / f"{name}.html"


DRAWING = """<!DOCTYPE html><meta charset="utf-8"><body>
<script type="application/json">SOURCES</script><script type="module">
const plain = (part) => {
  const copy = part.cloneNode(true);
  for (const node of copy.querySelectorAll("[style*=none], [fill=transparent], text:empty")) node.remove();
  for (const node of copy.querySelectorAll(".handle")) while (node.attributes.length > 1) node.removeAttribute([...node.attributes].find(({ name }) => name !== "transform").name);
  for (const svg of copy.querySelectorAll(".xp-svg")) {
    svg.removeAttribute("height");
    svg.setAttribute("role", "img");
    svg.classList.add("xp-chart");
    svg.parentNode.replaceWith(svg);
  }
  copy.querySelectorAll(".xp-charts > :not(svg)").forEach((node) => node.remove());
  return new XMLSerializer().serializeToString(copy).replaceAll(/ xmlns="[^"]*"/g, "");
};
const drawn = {};
for (const [name, source] of Object.entries(JSON.parse(document.querySelector("script").textContent))) {
  const host = document.body.appendChild(document.createElement("div")), model = { get() {}, set() {}, save_changes() {} };
  host.style.width = "400px";
  (await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })))).default.render({ model, el: host });
  const [charts, key] = host.querySelectorAll(".xp-charts, .xp-key"), part = document.createElement("div");
  part.append(charts, key);
  drawn[name] = plain(part).slice(5, -6);
  host.remove();
}
document.body.appendChild(document.createElement("pre")).textContent = JSON.stringify(drawn);
</script>"""


def draw(modules):
    """What modules draw first, {name: text}: in the width of a telephone, without controls."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        raise SystemExit("The explorables' first drawings need chromium, which is not installed (Debian: apt install chromium).")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(DRAWING.replace("SOURCES", json.dumps({name: whole(name) for name in modules}).replace("<", "\\u003c")))
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", "--window-size=1000,800", "--virtual-time-budget=10000", "--dump-dom"]
        done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=300)
    found = re.search(r"<pre>(.*)</pre>", done.stdout, re.S)
    if not found:
        raise SystemExit(f"The explorables were not drawn; chromium says:\n{done.stderr[-1000:]}")
    return {name: _rounded(text) for name, text in json.loads(html.unescape(found[1])).items()}


def _rounded(text):
    """A sum of tenths has no more digits than they."""
    return re.sub(r"-?\d+\.\d{4,}", lambda match: f"{float(match[0]):.1f}", text)


def main():
    """Write the first drawing of every module."""
    STATIC.mkdir(exist_ok=True)
    for name, text in draw(names()).items():
        drawing(name).write_text(text + "\n")


if __name__ == "__main__":
    main()
