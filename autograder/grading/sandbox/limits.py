"""A limit on memory and processes for a job: a control group where one may be made, else a watch on its size."""

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

MEMORY_BYTES = 2 << 30  # beyond what the forked torch shares; the largest honest chapter needs 0.4 GB
PROCESSES = 64
PR_SET_CHILD_SUBREAPER = 36
ROOT = Path("/sys/fs/cgroup")


class Group:
    """The keeper and everything a job starts, as one thing that can be limited and killed.

    kind: "cgroup v2", "cgroup v1" or "watched". The keeper joins its group once, and its forks
    are born there: moving a process costs 10 ms. What it held before is not counted. Orphans of
    a job become children of the keeper (subreaper), so that `reap` finds them whatever they did
    to their session.
    """

    def __init__(self):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.folders = _make_v2() or _make_v1()
        _move(os.getpid(), self.folders)
        self.kind = "watched" if not self.folders else "cgroup v2" if len(self.folders) == 1 else "cgroup v1"
        self.highest = 0

    def begin(self):
        """A job begins."""
        self.highest = 0
        self._write("memory.max_usage_in_bytes", "0")  # v1 keeps the peak until it is written
        self.oom_before = self._oom_kills()

    def out_of_memory(self):
        return bool(self.folders) and self._oom_kills() > self.oom_before

    def exceeded(self, pid):
        """True where the watched job is too large; a control group stops it by itself."""
        if self.folders:
            return False
        size = sum(_resident(p) for p in _family(pid))
        self.highest = max(self.highest, size)
        return size > MEMORY_BYTES

    def peak(self):
        """Peak memory of the job in bytes, 0 where unknown."""
        for name in ("memory.peak", "memory.max_usage_in_bytes"):
            for folder in self.folders:
                with contextlib.suppress(OSError, ValueError):
                    return int((folder / name).read_text())
        return self.highest

    def kill(self, pid):
        for member in self._members() | _family(pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGKILL)

    def reap(self, patience_s=5.0):
        """Wait until no process of the job is left; orphans are killed as they surface."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            left = self._members() | (_family(os.getpid()) - {os.getpid()})
            if not left:
                return
            for member in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(member, signal.SIGKILL)
            time.sleep(0.005)

    def remove(self):
        _move(os.getpid(), [folder.parent for folder in self.folders])
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _members(self):
        found = set()
        for folder in self.folders[:1]:
            with contextlib.suppress(OSError):
                found = {int(p) for p in (folder / "cgroup.procs").read_text().split()}
        return found - {os.getpid()}

    def _oom_kills(self):
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    return next((int(v) for k, v in (line.split() for line in (folder / name).read_text().splitlines())
                                 if k == "oom_kill"), 0)
        return 0

    def _write(self, name, value):
        for folder in self.folders:
            if (folder / name).exists():
                with contextlib.suppress(OSError):
                    (folder / name).write_text(value)


def _move(pid, folders):
    for folder in folders:
        with contextlib.suppress(OSError):
            (folder / "cgroup.procs").write_text(str(pid))


def first_to_go():
    """In a job: where memory ends, the kernel takes this process rather than the keeper."""
    Path("/proc/self/oom_score_adj").write_text("1000")


def _make_v2():
    try:
        own = next(line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        parent = ROOT / own.lstrip("/")
        if "memory" not in (parent / "cgroup.subtree_control").read_text():
            return []
        folder = parent / f"autograder-{os.getpid()}"
        folder.mkdir(exist_ok=True)
        (folder / "memory.max").write_text(str(MEMORY_BYTES))
        with contextlib.suppress(OSError):
            (folder / "memory.swap.max").write_text("0")
        (folder / "pids.max").write_text(str(PROCESSES + 1))
        return [folder]
    except (OSError, StopIteration):
        return []


def _make_v1():
    made = []
    try:
        for controller, name, value in (("memory", "memory.limit_in_bytes", MEMORY_BYTES), ("pids", "pids.max", PROCESSES + 1)):  # and the keeper
            folder = ROOT / controller / f"autograder-{os.getpid()}"
            folder.mkdir(exist_ok=True)
            made.append(folder)
            (folder / name).write_text(str(value))
        return made
    except OSError:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        return []


def _family(pid):
    """A process and all its descendants."""
    found, todo = set(), [pid]
    while todo:
        current = todo.pop()
        if current in found:
            continue
        found.add(current)
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{current}/task").iterdir():
                todo += [int(p) for p in (task / "children").read_text().split()]
    return found


def _resident(pid):
    """Memory in bytes that the process keeps in use, shared memory of its own making included."""
    try:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
        return sum(int(fields[name].split()[0]) for name in ("RssAnon", "RssShmem")) << 10
    except (OSError, ValueError, KeyError):
        return 0
