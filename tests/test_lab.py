"""JupyterLab in a browser: an explorable is mounted and moves, a slider draws the student's function anew: `make test-lab`."""

import json
import os
import shutil
import subprocess
import sys
import time

import nbformat
import pytest
from classroom import reference

from autograder.grading import demo
from autograder.publish.source import ROOT, read_chapter

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
STEM = "08_weight_decay"
TIMEOUT_MS = 240_000
RUN_ALL = """async () => {  // without a kernel, a run is dropped in silence, and the page says "idle" before it asks for one
    await jupyterapp.shell.currentWidget.sessionContext.ready;
    return jupyterapp.commands.execute("notebook:run-all-cells");
}"""
pytestmark = [pytest.mark.browser, pytest.mark.lab]


def cut_down(stem):
    """The released notebook, solved, cut down to the set-up, the explorable, the sliders and the exercises that they drive."""
    chapter = read_chapter(stem)
    notebook = demo.handed_in(chapter, reference(stem))
    kept = {name for cell in chapter.cells if cell.role == "play" for name in cell.needs}
    notebook.cells = [c for c in notebook.cells if c.id in kept or c.id != "colab" and c.metadata.get("role") in ("setup", "explorable", "play")]
    return notebook


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab that holds the notebook, without any settings of this machine."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed: pip install -e '.[lab]' -c constraints.txt")
    folder = tmp_path_factory.mktemp("lab")
    nbformat.write(cut_down(STEM), folder / "chapter.ipynb")
    home = tmp_path_factory.mktemp("home")
    env = {k: v for k, v in os.environ.items() if k != "MPLBACKEND" and not k.startswith("JUPYTER")}
    env |= {"HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "JUPYTER_PREFER_ENV_PATH": "1"}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}",
               "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True", "--LabApp.expose_app_in_browser=True",
               "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with open(home / "log", "w") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
    try:
        yield address_of(server, home)
    finally:
        server.terminate()
        server.wait(60)


def address_of(server, home):
    began = time.monotonic()
    while time.monotonic() - began < TIMEOUT_MS / 1000 and server.poll() is None:
        for path in home.rglob("jpserver-*.json"):
            return json.loads(path.read_text())["url"]
        time.sleep(0.2)
    pytest.fail((home / "log").read_text()[-2000:])


@pytest.fixture(scope="module")
def page(lab):
    """The notebook in a browser, all cells run."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: JupyterLab was not opened in a browser")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 1400})
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(f"{lab}lab/tree/chapter.ipynb?reset")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        page.wait_for_function(RUN_ALL)
        yield page
        browser.close()


def test_the_explorable_is_mounted_and_its_slider_moves(page):
    shown = page.locator("section.xp")
    said = shown.locator("output").first
    before = said.inner_text()
    shown.locator("input[type=range]").first.press("End")
    changed(lambda: said.inner_text(), before)
    assert shown.locator("svg").count() >= 1


def test_a_slider_draws_the_students_function_anew(page):
    panel = page.locator(".widget-interact")
    figure = panel.locator("img")
    before = figure.get_attribute("src")
    panel.locator(".noUi-handle").first.press("End")
    changed(lambda: figure.get_attribute("src"), before)


def changed(look, before):
    """Waits until `look` gives something other than before."""
    began = time.monotonic()
    while look() == before:
        assert time.monotonic() - began < TIMEOUT_MS / 1000, "nothing has changed"
        time.sleep(0.3)
