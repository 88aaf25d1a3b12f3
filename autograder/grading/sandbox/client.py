"""A worker's side of the keeper: start it, hand it jobs, read the frames, start again after a kill.

A job and its frames travel in files in memory whose descriptors the keeper passes on unread:
a child inherits the keeper's memory, and finds nothing of earlier submissions there.
"""

import contextlib
import functools
import io
import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field

import cloudpickle
import torch

from autograder.checks.probe import Observation, Problem
from autograder.grading.wire import MAX_BYTES, WireError, clean, decode

from . import inside, keeper, nursery

ENDINGS = {
    "time": "took longer than the time limit",
    "memory": "needed more memory than the limit",
    "output": "sent more data than the limit",
    "files": "wrote more files than the limit",
    "crash": "ended the Python process",
}
RESTARTS = 4  # a submission may hit a limit in so many exercises before the rest is not run
MOST_CASES = 200  # observations of one exercise that are kept; the largest honest one has 20


@dataclass(frozen=True)
class Limits:
    """Seconds and processes that a submission may use. wall_s is for all its runs together."""

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
        self.process, self.gone = None, False

    def __enter__(self):
        if nursery.READY:
            self.channel = nursery.READY.pop()
        else:
            self.process, [self.channel] = nursery.start(1)
        return self

    @property
    def alive(self):
        return not self.gone and (self.process is None or self.process.poll() is None)

    def __exit__(self, *_):
        self.channel.close()
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def once(self, cells, exercises, tests, wall_s, meanwhile):
        """One forked child: (frames as bytes, how it ended, peak memory)."""
        payload = payload_of(cells, exercises, tests)
        job = vars(self.limits) | {"rung": self.rung, "wall_s": wall_s}
        with memory_file(payload) as inward, memory_file() as outward:
            try:
                socket.send_fds(self.channel, [json.dumps(job).encode()], [inward.fileno(), outward.fileno()])
                with contextlib.suppress(Exception):  # the answer must be taken from the channel, whatever happens here
                    meanwhile()
                answer = self.channel.recv(keeper.MESSAGE_BYTES)
            except OSError:
                answer = b""
            outward.seek(0)
            frames = outward.read()
        if not answer:
            self.gone = True
            raise KeeperGone("the sandbox's keeper process ended")
        if frames.startswith(keeper.REFUSED):
            raise KeeperGone(f"the kernel refused: {clean(frames[len(keeper.REFUSED):300].decode(errors='replace'))}")
        answer = json.loads(answer)
        return frames, answer["ended"], answer["peak"]

    def run(self, cells, exercises, tests=(), meanwhile=lambda: None):
        """Run a submission; where a limit stops it, run the rest again without the part that did.

        Args:
            cells: [(name, source)] in order: set-up, then solutions.
            exercises: [(Subject, [(probe, inputs)])].
            tests: [(grade id, source)] hand-written tests, run last and not isolated.
            meanwhile: called while the submission runs.
        Returns:
            `Seen`.
        """
        seen, cells, tests = Seen(), list(cells), list(tests)
        names = {s.name for s, _ in exercises}
        until = time.monotonic() + self.limits.wall_s
        for _ in range(RESTARTS + 1):
            left = [e for e in exercises if e[0].name not in seen.observations]
            known = {("cell", c) for c, _ in cells} | {("exercise", s.name) for s, _ in left} | {("test", t) for t, _ in tests}
            frames, ended, peak = self.once(cells, left, tests, max(until - time.monotonic(), 1.0), meanwhile)
            seen.peak_bytes = max(seen.peak_bytes, peak)
            kind, name = read_frames(frames, seen, known) or ("cell", "set-up")
            if ended == "end":
                ended = "done" if frames.endswith(DONE_FRAME) and names <= set(seen.observations) else "crash"
            if ended == "done":
                return seen
            seen.incidents.append(f"{name}: {ENDINGS[ended]}")
            if kind == "cell":
                cells = [c for c in cells if c[0] != name]
            if kind == "test":
                tests = [t for t in tests if t[0] != name]
                seen.tests[name] = ENDINGS[ended]
            else:
                seen.observations[name] = [Observation(problem=Problem("limit", f"{ENDINGS[ended]} of the sandbox"))]
            if time.monotonic() > until:
                break
        for subject, _ in exercises:
            seen.observations.setdefault(subject.name, [Observation(problem=Problem(
                "limit", "was not run: other cells of this submission hit the limits too often"))])
        return seen


class Pickler(cloudpickle.Pickler):
    """Writes a tensor's memory as it is; torch's own way packs each into a file format, and takes ten times as long."""

    def reducer_override(self, obj):
        if type(obj) is torch.Tensor and is_plain(obj):
            return inside.tensor, (obj.dtype, tuple(obj.shape), obj.requires_grad, bytes_of(obj.untyped_storage()))
        if isinstance(obj, torch.storage.TypedStorage):
            return inside.typed_storage, (obj.dtype, bytes_of(obj._untyped_storage))
        return super().reducer_override(obj)


def is_plain(tensor):
    """True for a leaf on the CPU that fills its memory in order."""
    return (tensor.device.type == "cpu" and tensor.layout is torch.strided and tensor.is_contiguous() and tensor.is_leaf and tensor.grad is None
            and not tensor.is_conj() and not tensor.is_neg() and tensor.untyped_storage().nbytes() == tensor.numel() * tensor.itemsize)


def bytes_of(storage):
    return torch.empty(0, dtype=torch.uint8).set_(storage).numpy().tobytes()


def dumps(content):
    file = io.BytesIO()
    Pickler(file).dump(content)
    return file.getbuffer()


def payload_of(cells, exercises, tests):
    """What `inside.content_of` reads. The probes are the same for every submission, and slow to write."""
    packed = [(subject, pickled(tuple(probe for probe, _ in prepared)), [inputs for _, inputs in prepared]) for subject, prepared in exercises]
    return dumps({"cells": cells, "exercises": packed, "tests": tests})


@functools.lru_cache
def pickled(probes):
    return bytes(dumps(probes))


@contextlib.contextmanager
def memory_file(data=b""):
    """A nameless file in memory that holds `data`."""
    with open(os.memfd_create("autograder", os.MFD_CLOEXEC), "w+b", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view):]
        file.seek(0)
        yield file


DONE_FRAME = inside.frame_of(inside.DONE, {})


def read_frames(data, seen, known):
    """Fill `seen` from a child's bytes; returns the one of `known` (kind, name) that was running when they ended.

    Student code may have written any of them: what names nothing of this submission is left out.
    """
    running, place, data = None, 0, memoryview(data)
    while place + 4 <= len(data):
        size = int.from_bytes(data[place:place + 4], "big")
        frame = data[place + 4:place + 4 + size]
        place += 4 + size
        if len(frame) < size or not 5 <= size <= MAX_BYTES:
            break
        running = _read_frame(frame, seen, known) or running
    return running


def _read_frame(frame, seen, known):
    """Take one frame; (kind, name) where it announces what runs next."""
    kind, head_size = bytes(frame[:1]), int.from_bytes(frame[1:5], "big")
    if head_size > inside.HEAD_BYTES:
        return None
    try:
        head = json.loads(bytes(frame[5:5 + head_size]).decode("ascii"))
        if kind == inside.BEGIN:
            return next((entry for entry in head.items() if entry in known), None)
        if kind == inside.CELL and ("cell", head["cell"]) in known:
            seen.cells[head["cell"]] = _words(head["problem"])
        if kind == inside.TEST and ("test", head["test"]) in known:
            seen.tests[head["test"]] = _words(head["problem"])
        if kind == inside.SEEN and ("exercise", head["exercise"]) in known:
            cases = seen.observations.setdefault(head["exercise"], [])
            if len(cases) < MOST_CASES:
                cases.append(_decoded(frame[5 + head_size:]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return None


def _words(problem):
    return None if problem is None else clean(str(problem))[:1000]


def _decoded(body):
    try:
        return decode(body)
    except WireError:
        return Observation(problem=Problem("form", "returned something that is no plain value"))
