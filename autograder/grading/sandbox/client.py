"""A worker's side of the keeper: start it, hand it jobs, read the frames, start again after a kill."""

import contextlib
import json
import os
import pickle
import socket
import subprocess
import sys
from dataclasses import dataclass, field

import cloudpickle

from autograder.checks.probe import Observation, Problem
from autograder.grading.wire import MAX_BYTES, WireError, decode

from . import inside, keeper

ENDINGS = {
    "time": "took longer than the time limit",
    "memory": "needed more memory than the limit",
    "output": "sent more data than the limit",
    "crash": "ended the Python process",
}
RESTARTS = 4  # a submission may hit a limit in so many exercises before the rest is not run


@dataclass(frozen=True)
class Limits:
    """Seconds and processes that a submission may use."""

    cell_s: float = 10
    exercise_s: float = 10
    wall_s: float = 60
    processes: int = 64


@dataclass
class Seen:
    """What came back of a submission: observations by exercise, verdicts of hand-written tests, limits hit."""

    observations: dict = field(default_factory=dict)
    cells: dict = field(default_factory=dict)
    tests: dict = field(default_factory=dict)
    incidents: list = field(default_factory=list)
    peak_bytes: int = 0


class KeeperGone(RuntimeError):
    """The keeper process ended, or the kernel refused to enclose a job: our fault, never a student's."""


class Sandbox:
    """A keeper process and the channel to it. `rung` is one of keeper.RUNGS, or "none" where trust is given."""

    def __init__(self, rung, limits=None):
        self.rung, self.limits = rung, limits or Limits()
        self.process = None

    def __enter__(self):
        ours, theirs = socket.socketpair()
        env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")}
        self.process = subprocess.Popen([sys.executable, "-m", keeper.__name__, str(theirs.fileno())], env=env,
                                        pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self.channel = ours
        return self

    def __exit__(self, *_):
        self.channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def once(self, cells, exercises, tests):
        """One forked child: (frames as bytes, how it ended, peak memory)."""
        payload = cloudpickle.dumps({"cells": cells, "exercises": exercises, "tests": tests})
        job = {"payload": payload, "rung": self.rung} | vars(self.limits)
        try:
            keeper.send(self.channel, pickle.dumps(job))
            answer = keeper.receive(self.channel)
        except OSError:
            answer = None
        if answer is None:
            raise KeeperGone("the sandbox's keeper process ended")
        frames, ended, peak = pickle.loads(answer)  # from our own keeper
        if ended.startswith("refused"):
            raise KeeperGone(f"the kernel {ended}")
        return frames, ended, peak

    def run(self, cells, exercises, tests=()):
        """Run a submission; where a limit stops it, run the rest again without the part that did.

        Args:
            cells: [(name, source)] in order: set-up, then solutions.
            exercises: [(Subject, [(probe, inputs)])].
            tests: [(grade id, source)] hand-written tests, run last and not isolated.
        Returns:
            `Seen`.
        """
        seen, cells, exercises, tests = Seen(), list(cells), list(exercises), list(tests)
        for attempt in range(RESTARTS + 1):
            frames, ended, peak = self.once(cells, [e for e in exercises if e[0].name not in seen.observations], tests)
            seen.peak_bytes = max(seen.peak_bytes, peak)
            culprit = read_frames(frames, seen)
            if ended == "done":
                return seen
            kind, name = culprit or ("cell", "set-up")
            seen.incidents.append(f"{name}: {ENDINGS[ended]}")
            problem = Observation(problem=Problem("limit", f"{ENDINGS[ended]} of the sandbox"))
            if kind == "cell":
                cells = [c for c in cells if c[0] != name]
            if kind == "test":
                tests = [t for t in tests if t[0] != name]
                seen.tests[name] = ENDINGS[ended]
            else:
                seen.observations[name] = [problem]
        for subject, _ in exercises:
            seen.observations.setdefault(subject.name, [Observation(problem=Problem(
                "limit", "was not run: other cells of this submission hit the limits too often"))])
        return seen


def read_frames(data, seen):
    """Fill `seen` from a child's bytes; returns (kind, name) of what was running when they ended."""
    running, place = None, 0
    while place + 4 <= len(data):
        size = int.from_bytes(data[place:place + 4], "big")
        frame = data[place + 4:place + 4 + size]
        place += 4 + size
        if len(frame) < size or not 5 <= size <= MAX_BYTES:
            break
        running = _read_frame(frame, seen) or running
    return running


def _read_frame(frame, seen):
    """Take one frame; (kind, name) where it announces what runs next. What cannot be read is left out."""

    kind, head_size = frame[:1], int.from_bytes(frame[1:5], "big")
    try:
        head = json.loads(frame[5:5 + head_size].decode("ascii"))
        if not isinstance(head, dict) or not all(isinstance(v, (str, int, type(None))) for v in head.values()):
            return None
        body = frame[5 + head_size:]
        if kind == inside.BEGIN and len(head) == 1:
            return next((str(k), str(v)) for k, v in head.items())
        if kind == inside.CELL:
            seen.cells[str(head["cell"])] = head["problem"]
        if kind == inside.TEST:
            seen.tests[str(head["test"])] = head["problem"]
        if kind == inside.SEEN:
            seen.observations.setdefault(str(head["exercise"]), []).append(_decoded(body))
    except (ValueError, KeyError, RecursionError):
        return None
    return None


def _decoded(body):
    try:
        return decode(body)
    except WireError:
        return Observation(problem=Problem("form", "returned something that is no plain value"))
