"""No attack wins a point, a secret or anything that outlives it; the rest of the submission keeps its points."""

import contextlib
import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import cloudpickle
import nbformat
import pytest
import torch
from attacks import ATTACKS, LOOT, PLAIN, STEALING, STOCK, TARGET, WRONG, inside

from autograder.checks import exercises, find
from autograder.grading import job as grading
from autograder.grading.job import Job, grade
from autograder.grading.sandbox import doctor
from autograder.grading.sandbox.client import Limits, Sandbox
from autograder.grading.sandbox.keeper import RUNGS
from autograder.hidden import hidden_cases
from autograder.publish import editions
from autograder.publish.source import ROOT, read_chapter

STEM, HONEST = "05_batch_norm", "bn_direct_path"
SECRET = "secret-" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(16))  # digits would be masked in findings
LIMITS, SHORT = Limits(5, 5, 40, 64), Limits(2, 2, 40, 64)
SETUP = "import math, torch, numpy as np, sympy as sp\nimport torch.nn.functional as F\n"


@pytest.fixture(scope="module", params=RUNGS)
def rung(request):
    if not doctor.holds(request.param):
        pytest.skip(f"the rung {request.param!r} cannot be had here: {doctor.self_test(request.param)}")
    return request.param


@pytest.fixture(scope="module")
def notebooks():
    """(release, source) with the chapter's set-up, TARGET and HONEST alone; and HONEST's solution."""
    chapter = read_chapter(STEM)
    kept = {name for n in (TARGET, HONEST) for name in (n, editions.check_id(n))}
    solution = next(editions.unmarked(c.text) for c in chapter.exercises if c.exercise == HONEST)
    return *(nbformat.writes(_only(make(chapter), kept)) for make in (editions.student, editions.grader)), solution


def _only(notebook, kept):
    notebook.cells = [c for c in notebook.cells if c.id in kept or c.metadata.get("role") == "setup"]
    return notebook


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """What the grader has and a submission must not get: files, sockets, memory, environment."""
    folder = tmp_path_factory.mktemp("course")
    for parent in (folder, *folder.parents):
        with contextlib.suppress(PermissionError):
            parent.chmod(parent.stat().st_mode | 0o055)
    for name in ("secret", "gradebook.db", "submitted/bob/hw/hw.ipynb"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(SECRET)
    abstract, memory = f"grader-{os.getpid()}", ctypes.create_string_buffer(SECRET.encode())
    os.environ["GRADER_TOKEN"] = SECRET
    with contextlib.ExitStack() as stack, open(folder / "secret") as held:
        os.set_inheritable(held.fileno(), True)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        for address in (b"\0" + abstract.encode(), str(folder / "socket")):
            local = stack.enter_context(socket.socket(socket.AF_UNIX))
            local.bind(address)
            local.listen()
            _answer(local)
        os.chmod(folder / "socket", 0o777)
        _answer(tcp)
        _answer(udp)
        yield {"FOLDER": folder, "ROOT": ROOT, "TOKEN": SECRET.removeprefix("secret-"), "PID": os.getpid(), "ADDRESS": ctypes.addressof(memory),
               "SIZE": len(SECRET), "PORT": tcp.getsockname()[1], "UDP": udp.getsockname()[1], "ABSTRACT": abstract}


def _answer(server):
    """Tell the secret to whoever asks."""
    def serve():
        with contextlib.suppress(OSError):
            while True:
                if server.type == socket.SOCK_DGRAM:
                    server.sendto(SECRET.encode(), server.recvfrom(100)[1])
                else:
                    server.accept()[0].sendall(SECRET.encode())

    threading.Thread(target=serve, daemon=True).start()


def filled(code, places, keeper=0):
    for name, value in (places | {"KEEPER": keeper}).items():
        code = code.replace(f"@{name}@", str(value))
    return code


def hand_in(notebooks, code, rung, limits=LIMITS):
    """Grade a submission whose TARGET cell is `code` and whose HONEST cell is right."""
    release, source, solution = notebooks
    notebook = nbformat.reads(release, as_version=4)
    for cell in notebook.cells:
        cell.source = {TARGET: code, HONEST: solution}.get(cell.id, cell.source)
    return grade(Job(STEM, "mallory", "x.ipynb", nbformat.writes(notebook).encode(), release, source, 11, rung, limits=limits))


def points(result, name):
    return result.scores[editions.check_id(name)][0]


def fact(result, name=TARGET):
    return next(f["fact"] for f in result.findings if f["exercise"] == name)


def family(pid):
    """Every process that a process, and what it started, has started."""
    found = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [child, *family(child)]
    return found


def is_alive(pid):
    with contextlib.suppress(OSError):
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def keeper_of(rung):
    return grading.sandbox(rung, LIMITS).process.pid


def one_sentence(text):
    return text.isprintable() and text.endswith(".") and len(text) < 500 and "Traceback" not in text


TRIALS = [pytest.param(rung, a, id=f"{rung}: {a.name}") for rung in RUNGS for a in ATTACKS if a.isolation or rung == RUNGS[0]]


@pytest.mark.parametrize("rung, attack", TRIALS, indirect=["rung"])
def test_an_attack_wins_nothing(rung, attack, notebooks, places):
    if "earlier submission" in attack.name:
        hand_in(notebooks, "text = 'bob-wrote-this-alone'\nfor p in ('/tmp', '.', '/dev/shm'):\n    try:\n"
                "        open(f'{p}/bob-wrote-this', 'w').write(text)\n    except OSError:\n        pass\n"
                f"def {TARGET}(grad_s):\n    print(text)\n    raise ValueError(text)", rung)
    keeper, before = keeper_of(rung), set(Path("/tmp").glob("autograder-*"))
    began = time.monotonic()
    result = hand_in(notebooks, filled(attack.code, places, keeper), rung, SHORT if attack.hangs else LIMITS)
    assert time.monotonic() - began < (30 if attack.hangs else LIMITS.wall_s + 20)
    assert points(result, TARGET) == 0
    assert points(result, HONEST) == 1, fact(result, HONEST)
    assert one_sentence(fact(result)), fact(result)
    told = json.dumps(result.to_dict() | {"solutions": "", "notebook": ""})
    assert SECRET not in told and "bob-wrote" not in told
    assert keeper_of(rung) == keeper and not family(keeper)
    assert not [p for p in Path("/tmp").glob("autograder-*") if p not in before and p.is_dir() and _is_ours(p)]
    assert not (places["FOLDER"] / "unpickled").exists()


def _is_ours(path):
    time.sleep(0.1)  # other runs side by side make and remove theirs
    return path.exists() and path.stat().st_uid in (0, os.getuid()) and time.time() - path.stat().st_mtime > 60


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.wins], ids=lambda a: a.name)
def test_the_same_attack_wins_without_a_guard(attack, places):
    outcome = unguarded(filled(attack.code, places), attack.wins)
    if attack.wins == LOOT:
        assert SECRET in outcome, outcome
    else:
        assert outcome == "won"


def unguarded(code, check, seconds=30):
    """Cell and check in one process, forked from this one: "won", or why it stopped."""
    out, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(seconds)
        try:
            namespace = {"__name__": "__main__"}
            exec(SETUP + code, namespace)
            exec(check, namespace)
            os.write(told, b"won")
        except BaseException as error:
            os.write(told, f"{type(error).__name__}: {error}".encode(errors="replace")[:4000])
        os._exit(0)
    os.close(told)
    with open(out, "rb") as file:
        answer = file.read().decode()
    os.waitpid(pid, 0)
    return answer


@pytest.mark.parametrize("check", (STOCK, PLAIN))
def test_the_unguarded_control_tells_right_from_wrong(check):
    assert unguarded(f"def {TARGET}(g):\n    return g - g.mean(0)", check) == "won"
    assert unguarded(WRONG, check).startswith("AssertionError")


# --- what is permitted ----------------------------------------------------------------------

PERMITTED = {
    "threads": "import threading\nfor _ in range(8):\n    t = threading.Thread(target=print)\n    t.start()\n    t.join()",
    "files of its own": "open('x.txt', 'w').write('hello')\nassert open('x.txt').read() == 'hello'",
    "a pair of sockets": "import socket\na, b = socket.socketpair()\na.send(b'x')\nassert b.recv(1) == b'x'",
    "random numbers": "import os\nassert len(os.urandom(8)) == 8",
    "a hundred megabytes": "x = torch.ones(13_000_000, dtype=torch.float64)\nassert len(x) == 13_000_000",
    "a figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('x.png')",
    "printing": "print('x' * 10**6)",
    "a backward pass": "x = torch.ones(3, requires_grad=True)\nx.square().sum().backward()\nassert x.grad[0] == 2",
}


@pytest.mark.parametrize("neighbour", PERMITTED)
def test_the_permitted_neighbour_of_an_attack_earns_its_point(neighbour, rung, notebooks):
    code = f"{PERMITTED[neighbour]}\ndef {TARGET}(grad_s):\n" + \
        "".join(f"    {line}\n" for line in PERMITTED[neighbour].split("\n")) + "    return grad_s - grad_s.mean(0)\n"
    result = hand_in(notebooks, code, rung)
    assert points(result, TARGET) == 1 and not result.incidents, fact(result)


# --- nothing secret is in the child ---------------------------------------------------------


def secrets_of(name):
    """Byte code of everything that knows the answer to an exercise."""
    exercise = find(name)
    functions = [exercise.right, *(m.wrong for m in exercise.misconceptions)]
    codes = {f.__code__.co_code for f in functions if hasattr(f, "__code__")}
    return {c for c in codes if len(c) > 60}


@pytest.mark.parametrize("name", [n for n, e in exercises().items() if e.chapter in ("02_initialization", STEM)])
def test_no_answer_travels_with_the_probes(name):
    exercise = find(name)
    grading.register_chapters()
    payload = cloudpickle.dumps((exercise.subject(), exercise.prepare(exercise.cases + hidden_cases(name), 5)))
    for other in exercises():
        assert not [c for c in secrets_of(other) if c in payload], f"{other} travels with {name}"
    assert b"misconception" not in payload and b"EXERCISES" not in payload


def test_an_answer_in_a_payload_would_be_found():
    grading.register_chapters()
    payload = cloudpickle.dumps(find("bn_backward").right)
    assert [c for c in secrets_of("bn_backward") if c in payload]


WALK = """
import gc, sys, types
names = set()
for thing in gc.get_objects():
    if isinstance(thing, types.FunctionType) and ("/checks/ch" in thing.__code__.co_filename or "/hidden/" in thing.__code__.co_filename):
        names.add(thing.__name__)
        for cell in thing.__closure__ or ():
            names.add(type(cell.cell_contents).__name__)
    if type(thing).__name__ in ("Exercise", "Derivation", "Misconception", "Case", "Finding", "Trial") and not isinstance(thing, type):
        names.add(type(thing).__name__)
names |= {m for m in sys.modules if m.startswith("autograder.checks.ch") or m.startswith("autograder.hidden")}
raise ValueError(" ".join(sorted(names)))
"""


def test_no_oracle_no_misconception_and_no_hidden_module_is_reachable_in_the_child(rung):
    mine = [e for e in exercises().values() if e.chapter == STEM]
    grading.register_chapters()
    prepared = [(e.subject(), e.prepare(e.cases + hidden_cases(e.name), 3)) for e in mine]
    known = {getattr(f, "__name__", "") for e in mine for f in [e.right, *(m.wrong for m in e.misconceptions)]}
    seen = grading.sandbox(rung, LIMITS).run([("walk", WALK)], prepared)
    found = set(seen.cells["walk"].split("ValueError: ")[1].split())
    assert found & {"call", "through_graph", "moments"}, "the walk finds the probes"
    assert not found & (known | {"Exercise", "Derivation", "Misconception", "Case", "Finding", "Trial"})
    assert not [n for n in found if n.startswith("autograder.")]


def test_the_scan_of_memory_finds_what_the_same_submission_holds(rung):
    """The control of `what an earlier submission left in memory`."""
    scan = next(a.code for a in STEALING if a.name == "what an earlier submission left in memory")
    cells = [("mine", "text = 'bob-wrote-this-alone'"), ("scan", f"{scan}\n{TARGET}(1)")]
    assert "bob-wrote-this" in grading.sandbox(rung, LIMITS).run(cells, []).cells["scan"]


# --- the machinery around it ----------------------------------------------------------------


@pytest.mark.parametrize("forged", ("nan", "inf", "-inf", "1e999", "-5", "", "9" * 400))
def test_a_forged_number_earns_no_more_than_the_test_is_worth(forged):
    score = grading.test_score(forged or "failed", 2.0)
    assert 0 <= score <= 2


@pytest.mark.parametrize("number, score", (("1", 1), ("0.5", 0.5), (None, 2), ("7", 2), ("failed: x", 0)))
def test_a_hand_written_test_is_scored_by_nbgraders_rule(number, score):
    assert grading.test_score(number, 2.0) == score


def test_a_submission_that_hangs_everywhere_ends_within_its_wall_time(rung, notebooks):
    code = inside("while True:\n    try:\n        time.sleep(600)\n    except BaseException:\n        pass")
    began = time.monotonic()
    result = hand_in(notebooks, code, rung, Limits(1, 1, 4, 64))
    assert time.monotonic() - began < 15 and points(result, TARGET) == 0
    assert result.incidents == [f"{TARGET}: took longer than the time limit"]


@pytest.mark.parametrize("name", ("disk bomb", "a million files"))
def test_a_submission_that_fills_the_disk_is_stopped(name, rung, notebooks):
    attack = next(a for a in ATTACKS if a.name == name)
    result = hand_in(notebooks, attack.code, rung)
    if rung == "namespaces":  # its file system is full
        assert "No space left" in fact(result) or "ran longer" in fact(result)
    else:
        assert result.incidents == [f"{TARGET}: wrote more files than the limit"]


OUTLIVES = """
import ctypes, os, signal, time
for s in range(1, 32):
    try:
        signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
try:
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
        os.setsid()
except OSError:
    pass
while True:
    try:
        time.sleep(600)
    except BaseException:
        pass
"""


def test_nothing_outlives_a_killed_keeper(rung):
    with Sandbox(rung, Limits(60, 60, 60, 64)) as sandbox:
        sandbox.run([("warm", "pass")], [])
        thread = threading.Thread(target=_run_quietly, args=(sandbox,))
        thread.start()
        wait_for(lambda: family(sandbox.process.pid))
        time.sleep(1)
        started = family(sandbox.process.pid)
        assert started and all(map(is_alive, started)), "the control: the job runs"
        sandbox.process.kill()
        thread.join(20)
        wait_for(lambda: not any(map(is_alive, started)))
    assert not any(map(is_alive, started))


def _run_quietly(sandbox):
    with contextlib.suppress(Exception):
        sandbox.run([("daemon", OUTLIVES)], [])


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.1)


PLAIN_USER = """
import os, sys
from autograder.grading.sandbox.doctor import self_test
held = self_test(sys.argv[1])
print(os.getuid(), all(held.values()), held)
"""


def readable_python():
    """A Python of this version that everyone may run, or None: a user's own often lies in a closed folder."""
    here = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    return next((p for p in (os.path.realpath(sys.executable), here)
                 if os.path.exists(p) and all(q.stat().st_mode & 1 for q in (Path(p), *Path(p).parents))), None)


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="only root can become another user, with setpriv")
@pytest.mark.skipif(not readable_python(), reason="no Python here that another user can read")
def test_a_user_without_privileges_gets_the_same_walls(rung):
    packages = os.pathsep.join([str(ROOT), *(p for p in sys.path if p.endswith("site-packages"))])
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": packages}
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", readable_python(), "-c", PLAIN_USER, rung]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/", env=environment)
    assert ran.stdout.startswith("65534 True"), ran.stdout + ran.stderr


@pytest.fixture(scope="module", autouse=True)
def closed():
    yield
    for sandbox in grading._SANDBOX.values():
        sandbox.__exit__()
    grading._SANDBOX.clear()
