"""A day of the course on JupyterHub, in a browser: ada solves, bob errs, prof collects, grades and gives feedback back.

It happens on a machine of its own (hub_machine.sh): users, files, processes and network that are gone when the test
ends. On it deploy/install.sh and the commands of deploy/README.md run as they stand.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from classroom import reference, state
from conftest import BUILD, locked

from autograder.bank import entries
from autograder.publish.editions import check_id
from autograder.publish.source import ROOT

pytestmark = pytest.mark.hub
HUB, STEM = BUILD / "hub", "00_start"
FETCHED = f"~/{STEM}/{STEM}.ipynb"
TYPED, LINE = "vjp_relu", "return grad_out * (x > 0)"  # ada's, on the keyboard
WRONG = next(e for e in entries("vjp_linear") if e.cause == "averaged_over_the_batch")  # bob's
WAIT_S = 600  # the longest that a step of the day may take, on a machine that is busy with other work
INSTALL_S = 3600
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NEEDED = {"unshare": "util-linux", "ip": "iproute2", "useradd": "passwd", "git": "git", "node": "nodejs", "npm": "npm"}


# --- a machine ----------------------------------------------------------------------------


def requirements():
    """Skips, with the reason, where no such machine can be had."""
    if os.geteuid():
        pytest.skip("a machine with users of its own needs root: sudo make test-hub")
    if missing := [f"{command} (Debian's package {package})" for command, package in NEEDED.items() if not shutil.which(command)]:
        pytest.skip(f"missing: {', '.join(missing)}")
    if any(shutil.which(command).startswith(("/root/", "/home/")) for command in ("node", "npm")):
        pytest.skip("Node.js lies in a home directory, which other users cannot read; install it for the machine")
    if not CHROMIUM:
        pytest.skip("no browser (Debian's package chromium)")
    if subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], capture_output=True).returncode:
        pytest.skip("this container may not make namespaces (docker run --privileged)")


class Machine:
    """Where commands run as its users."""

    def __init__(self, pid):
        self.enter = ["nsenter", "--target", pid]
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}

    def start(self, user, command, **options):
        shell = ["sh", "-c"] if user == "root" else ["runuser", "--login", user, "--command"]
        return subprocess.Popen([*self.enter, "--mount", "--pid", "--net", *shell, command], env=self.environment, text=True, **options)

    def tried(self, user, command, typed="", limit_s=WAIT_S):
        """(exit status, what it says)."""
        process = self.start(user, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            said, _ = process.communicate(typed, timeout=limit_s)
        finally:
            process.kill()
        return process.returncode, said

    def run(self, user, command, typed="", limit_s=WAIT_S):
        status, said = self.tried(user, command, typed, limit_s)
        assert status == 0, f"{user}: {command}: {said[-3000:]}"
        return said


@contextmanager
def machine(*options):
    """A Machine; whatever runs on it ends with it."""
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *options,
               "sh", ROOT / "tests" / "hub_machine.sh", ROOT, HUB, sys.base_prefix, "sh", "-c", "echo ready; exec sleep 7200"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield Machine(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().strip())
    finally:
        process.kill()
        process.wait()


def lay_clone():
    """This repository in _build/hub/clone, as `git clone` would lay it; returns a digest of what is installed from it."""
    folder, seen = HUB / "clone", hashlib.sha256(sys.version.encode())
    shutil.rmtree(folder, ignore_errors=True)
    listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in sorted(n for n in listed.stdout.split("\0") if n and (ROOT / n).is_file()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
        if name.startswith(("autograder/", "deploy/", "notebooks/", "pyproject", "constraints")) and not name.endswith(".md"):
            seen.update(name.encode() + (ROOT / name).read_bytes())
    return seen.hexdigest()


@pytest.fixture(scope="module")
def installed():
    """_build/hub as install.sh makes it; made again where it would come out differently."""
    requirements()
    with locked("hub"):
        HUB.mkdir(exist_ok=True)
        wanted, stamp = lay_clone(), HUB / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            with machine() as here:
                command = f"PYTHON={sys.base_prefix}/bin/python3 sh /srv/hub/clone/deploy/install.sh"
                assert here.run("root", command, limit_s=INSTALL_S).endswith("deploy/README.md\n")
            stamp.write_text(wanted)
        yield


def documented(title):
    """The commands that deploy/README.md gives under a heading, for the chapter of this test."""
    text = (ROOT / "deploy" / "README.md").read_text()
    section = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
    commands = " && ".join(line.strip() for line in section.splitlines() if line.startswith("    "))
    return commands.replace("05_batch_norm", STEM).replace("roster.csv", f"roster.csv --chapters {STEM}")


@pytest.fixture(scope="module")
def hub(installed):
    """A Machine with users, a released chapter and a hub that answers."""
    with machine("--net") as here:
        here.run("root", "ip link set lo up && cd /srv/hub && rm -rf course exchange state screens && mkdir screens && sh clone/deploy/system.sh")
        here.run("root", documented("Users"))
        here.run("root", "chpasswd", typed="prof:of-prof\nada:of-ada\nbob:of-bob\n")
        here.run("prof", "cat > roster.csv", typed="id,first_name\nada,Ada\nbob,Bob\n")
        here.run("prof", documented("A course"))
        with open(HUB / "log", "w") as log:
            server = here.start("root", documented("Start"), stdout=log, stderr=subprocess.STDOUT)
        until(lambda: here.tried("root", "/srv/hub/teacher/bin/python -c \"import urllib.request as u; u.urlopen('http://127.0.0.1:8000/hub/health')\"")[0] == 0
              or server.poll() is not None)
        assert server.poll() is None, (HUB / "log").read_text()[-3000:]
        yield here


def until(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, f"nothing came of it in {WAIT_S} s"
        time.sleep(1)


# --- people at a browser ------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(hub, tmp_path_factory):
    """Chromium on the machine's network."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    inside = tmp_path_factory.mktemp("browser") / "chromium"
    inside.write_text(f'#!/bin/sh\nexec {" ".join(hub.enter)} --net {CHROMIUM} "$@"\n')
    inside.chmod(0o755)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=inside, args=["--no-sandbox"])
        yield browser
        browser.close()


class Person:
    """Someone who has logged in and has JupyterLab before them."""

    def __init__(self, browser, name):
        self.name = name
        self.page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        self.page.set_default_timeout(WAIT_S * 1000)
        self.page.goto("http://127.0.0.1:8000/", timeout=WAIT_S * 1000)
        self.page.fill("#username_input", name)
        self.page.fill("#password_input", f"of-{name}")
        self.page.click("#login_submit")
        self.page.wait_for_url(f"**/user/{name}/lab**", timeout=WAIT_S * 1000)
        self.page.wait_for_selector(".jp-Launcher")

    def look(self, what):
        self.page.screenshot(path=HUB / "screens" / f"{self.name}-{what}.png")

    def choose(self, menu, item):
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{menu}$")).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}")).first.click()

    def launch(self, card):
        self.choose("File", "New Launcher")
        self.page.locator(f".jp-LauncherCard:visible[data-category='{card}']", has_text=re.compile("Terminal|Python 3")).last.click()

    def listed(self, kind):
        """The rows of nbgrader's list: released, fetched or submitted."""
        self.choose("Nbgrader", "Assignment List")
        return self.page.locator(f"#{kind}_assignments_list .list_item")

    def fetch(self):
        self.listed("released").get_by_role("button", name="Fetch").click()
        self.listed("fetched").get_by_role("button", name="Submit").wait_for()
        self.look("1-fetched")

    def submit(self):
        self.listed("fetched").get_by_role("button", name="Submit").click()
        self.listed("submitted").get_by_role("button", name="Fetch Feedback").wait_for()
        self.look("4-submitted")

    def feedback(self):
        """The text of the page that came back."""
        self.page.click("#refresh_assignments_list")
        self.listed("submitted").get_by_text("(feedback available to fetch)").wait_for()
        self.listed("submitted").get_by_role("button", name="Fetch Feedback").click()
        self.page.get_by_text("(view feedback)").click()
        self.page.locator(".jp-DirListing-item", has_text=f"{STEM}.html").dblclick()
        body = self.page.frame_locator(".jp-HTMLViewer iframe").locator("body", has_text="Feedback on")
        text = body.inner_text()
        self.look("5-feedback")
        return text

    def in_a_kernel(self, hub, code):
        """What code prints as JSON, in a console of JupyterLab."""
        hub.run(self.name, "cat > ~/probe.py", typed=code)
        self.launch("Console")
        self.page.locator(".jp-CodeConsole-promptCell .cm-content").click()
        self.page.keyboard.type("%run ~/probe.py")
        self.page.keyboard.press("Shift+Enter")
        until(lambda: hub.tried(self.name, "test -s ~/probe.json")[0] == 0)
        return json.loads(hub.run(self.name, "cat ~/probe.json"))

    def in_a_terminal(self, hub, commands):
        """What commands say, typed into a terminal of JupyterLab."""
        self.launch("Other")
        self.page.locator(".jp-Terminal .xterm-screen").click()
        until(lambda: self.page.keyboard.type("touch ~/heard\n") or hub.tried(self.name, "test -e ~/heard")[0] == 0)
        self.page.keyboard.type(f"({commands}) > ~/said 2>&1; echo $? > ~/status; cat ~/said\n")
        until(lambda: hub.tried(self.name, "test -s ~/status")[0] == 0)
        self.look("1-terminal")
        said = hub.run(self.name, "cat ~/said")
        assert hub.run(self.name, "cat ~/status") == "0\n", said
        return said


def lay_solutions(hub, student, solutions):
    notebook = nbformat.reads(hub.run(student, f"cat {FETCHED}"), as_version=4)
    for cell in notebook.cells:
        cell.source = solutions.get(cell.id, cell.source)
    hub.run(student, f"cat > {FETCHED}", typed=nbformat.writes(notebook))


def solve_by_hand(ada):
    """Type the last solution and run its check; returns what the check says."""
    page = ada.page
    page.goto(f"http://127.0.0.1:8000/user/ada/lab/tree/{STEM}/{STEM}.ipynb")
    cell = page.locator(".jp-Notebook .jp-CodeCell", has_text=f"def {TYPED}(").first
    cell.get_by_text("raise NotImplementedError()").click()
    for key in ("End", "Shift+ArrowUp", "Shift+Home"):
        page.keyboard.press(key)
    page.keyboard.type(LINE)
    ada.look("2-typed")
    ada.choose("Run", "Run All Above Selected Cell")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    checked = page.locator(".jp-Notebook .jp-CodeCell", has_text=f'check("{TYPED}", {TYPED})')
    said = checked.locator(".jp-OutputArea-output").first.text_content()
    ada.look("2-checked")
    return said


def validate(ada):
    ada.page.locator(".validate-button").first.click()
    said = ada.page.locator(".jp-Dialog").inner_text()
    ada.look("3-validated")
    ada.page.locator(".jp-Dialog .jp-mod-accept").click()
    return said


CLOSED = ["/srv/hub/course", "/srv/hub/course/gradebook.db", "/srv/hub/course/source", "/srv/hub/course/submitted", "/srv/hub/clone", "/srv/hub/teacher",
          "/srv/hub/state", "/srv/hub/exchange/deep-networks/inbound", "/srv/hub/exchange/deep-networks/feedback", "/home/bob", "/home/prof"]
OPEN = ["/srv/hub/student", "/srv/hub/exchange/deep-networks/outbound"]
PROBE = f"""
import importlib.util, json, os, ipykernel
def readable(path):
    try:
        return bool(os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1))
    except OSError:
        return False
modules = [m for m in ("checks", "hidden", "bank", "grading", "publish", "delivery", "audit") if importlib.util.find_spec("autograder." + m)]
transport = json.load(open(ipykernel.get_connection_file()))["transport"]
found = {{"readable": [p for p in {CLOSED + OPEN} if readable(p)], "modules": modules, "transport": transport}}
with open(os.path.expanduser("~/probe.new"), "w") as file:
    json.dump(found, file)
os.rename(file.name, os.path.expanduser("~/probe.json"))
"""


@pytest.fixture(scope="module")
def day(hub, browser):
    """The day from the first login to the feedback; what everybody saw."""
    whole, seen = reference(STEM), {}
    ada, bob = Person(browser, "ada"), Person(browser, "bob")
    ada.fetch()
    bob.fetch()
    lay_solutions(hub, "ada", {name: text for name, text in whole.items() if name != TYPED})
    lay_solutions(hub, "bob", whole | {WRONG.exercise: WRONG.source()})
    seen["check"], seen["validation"] = solve_by_hand(ada), validate(ada)
    ada.submit()
    bob.submit()
    prof = Person(browser, "prof")
    seen["terminal"] = prof.in_a_terminal(hub, "autograder doctor && " + documented("Hand out, take in, give back"))
    prof.choose("Nbgrader", "Formgrader")
    seen["formgrader"] = prof.page.frame_locator("iframe").locator("tr", has_text=STEM).first.inner_text()
    prof.look("2-formgrader")
    seen["feedback"] = {person.name: person.feedback() for person in (ada, bob)}
    seen["ada's kernel"], seen["prof's kernel"] = (person.in_a_kernel(hub, PROBE) for person in (ada, prof))
    return seen


def test_a_check_answers_in_the_students_notebook(day):
    assert f"{TYPED}: passed." in day["check"]


def test_nbgrader_validates_the_whole_notebook(day):
    assert "Success! Your notebook passes all the tests." in day["validation"]


def test_the_teacher_collects_grades_in_a_sandbox_and_releases_without_root(day):
    said = day["terminal"]
    assert re.search(r"Grading uses: (namespaces|landlock)\.", said, re.I)
    assert re.search(r"^ada +taken$", said, re.M) and re.search(r"^bob +taken$", said, re.M)
    assert said.count("Releasing feedback for student") == 2


def test_the_grade_book_holds_both(day):
    earned = {student: {name: score for name, (score, *_) in row["scores"].items()} for student, row in state(HUB / "course", STEM).items() if student != "grades.csv"}
    lost = {student: [name for name, score in scores.items() if not score] for student, scores in earned.items()}
    assert lost == {"ada": [], "bob": [check_id(WRONG.exercise)]}
    assert f"ada,{STEM},6,6\nbob,{STEM},5,6\n" in (HUB / "course" / "grades.csv").read_text()


def test_formgrader_shows_what_was_handed_in(day):
    assert STEM in day["formgrader"] and "2" in day["formgrader"].split()


def test_feedback_comes_back_and_names_the_misconception(day):
    ada, bob = day["feedback"]["ada"], day["feedback"]["bob"]
    assert "ada: 6 of 6 points." in ada and "not yet" not in ada
    assert "bob: 5 of 6 points." in bob and f"{WRONG.exercise}: ✗ not yet, 0 of 1" in bob and "The batch is averaged." in bob


def test_a_students_kernel_has_the_checks_and_nothing_of_the_teachers(day):
    assert day["ada's kernel"]["modules"] == ["checks"]
    assert len(day["prof's kernel"]["modules"]) == 7


def test_a_student_reads_nothing_of_the_teachers_and_of_other_students(day):
    assert day["ada's kernel"]["readable"] == OPEN
    assert set(CLOSED[:6]) | {"/home/prof"} < set(day["prof's kernel"]["readable"])


def test_kernels_do_not_speak_where_others_listen(day):
    assert day["ada's kernel"]["transport"] == day["prof's kernel"]["transport"] == "ipc"


START = "/srv/hub/teacher/bin/jupyterhub -f /srv/hub/jupyterhub_config.py"


@pytest.mark.parametrize("user, command, sentence", [
    ("root", START, "Port 8000 of this machine is not free"),
    ("prof", START, "The hub starts servers as other users, so it must run as root."),
    ("root", f"PATH=/srv/hub/teacher/bin {START}", "node is missing; the proxy needs Node.js"),
    ("prof", "sh /srv/hub/clone/deploy/install.sh", "The hub starts servers as other users, so this must run as root."),
])
def test_what_cannot_start_says_why_in_a_sentence(hub, user, command, sentence):
    status, said = hub.tried(user, command)
    assert status and said.startswith(sentence) and said.count("\n") == 1, said
