"""Which rung of the ladder holds here? Student-like code tries to get out of each; what it reaches decides."""

import os
import socket
import tempfile
from functools import cache
from pathlib import Path

from autograder.publish.source import ROOT

from . import isolation
from .client import KeeperGone, Limits, Sandbox
from .keeper import RUNGS


class NoSandbox(RuntimeError):
    """No rung holds on this machine; the text says what to do."""


# Each must fail inside. The name is what a lecturer reads. {…} is filled in by `attempts`.
ATTEMPTS = {
    "read the course's repository": "open({repository!r}).read()",
    "list a folder of the grader's": "import os; assert os.listdir({folder!r})",
    "read a file of the grader's": "open({witness!r}).read()",
    "write beside the submission": "open({witness!r} + '.new', 'w')",
    "write to Python's own packages": "open({package!r}, 'a')",
    "reach the network": "import socket; socket.create_connection(('127.0.0.1', {port}), timeout=2)",
    "signal the grader": "import os; os.kill({pid}, 0)",
    "trace a process": "import ctypes; l = ctypes.CDLL(None, use_errno=True); assert l.ptrace(0, 0, 0, 0) == 0",
    "become root": "import os; os.setuid(0); assert os.getuid() == 0 and open('/etc/shadow').read()",
    "mount a file system": "import ctypes; assert ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0",
}


def attempts(witness, port):
    places = {"repository": str(ROOT / "pyproject.toml"), "folder": str(witness.parent), "witness": str(witness), "port": port,
              "package": os.__file__, "pid": os.getpid()}
    return {name: code.format(**places) for name, code in ATTEMPTS.items()}


@cache
def self_test(rung):
    """{attempt: True where the sandbox held}; {"start": …} alone where the rung cannot be had at all."""

    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        witness = Path(folder) / "witness"
        witness.write_text("secret")
        os.chmod(folder, 0o755)
        tried = attempts(witness, server.getsockname()[1])
        cells = [(name, code) for name, code in tried.items()]
        control = ("control", "x = 1 + 1")
        try:
            with Sandbox(rung, Limits(wall_s=20)) as sandbox:
                seen = sandbox.run([control, *cells], [])
        except KeeperGone as refused:
            return {f"start ({refused})": False}
        if "control" not in seen.cells or seen.cells["control"]:
            return {f"run harmless code ({seen.cells.get('control') or seen.incidents})": False}
        held = {name: bool(seen.cells.get(name)) for name in tried}
        held["write beside the submission"] &= not witness.with_name("witness.new").exists()
        return held


def holds(rung):
    return all(self_test(rung).values())


def choose_rung(trust=False):
    """The highest rung that holds; "none" where the caller trusts the submissions; else NoSandbox."""
    for rung in RUNGS:
        if holds(rung):
            return rung
    if trust:
        return "none"
    raise NoSandbox("No sandbox holds on this machine, so untrusted code is not run. `autograder doctor` says what is "
                    "missing; --trust-submissions grades all the same, with limits but no isolation.")


def report():
    """(lines for people, rung or None): every rung, what was tried, what held."""
    lines, chosen = [], None
    for rung in RUNGS:
        results = self_test(rung)
        good = all(results.values())
        chosen = chosen or (rung if good else None)
        lines.append(f"{rung}: {'holds' if good else 'does not hold'}")
        lines += [f"  {'refused' if held else 'POSSIBLE'}  {name}" for name, held in results.items()]
    version = isolation.landlock_version()
    lines.append(f"Landlock: {f'version {version}' if version else 'not in this kernel'}")
    lines.append(f"Grading uses: {chosen}." if chosen else "Grading untrusted work is refused here.")
    return lines, chosen
