"""The warm parent: imports torch once, then forks an enclosed child for every job.

Runs as its own process beside a worker: `python -m autograder.grading.sandbox.keeper FD`.
It runs no torch operation and starts no thread, so its forks are safe. It never reads
anything from a child but bytes with a limit and a deadline.
"""

import contextlib
import importlib
import os
import pickle
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MPLBACKEND="Agg", CUDA_VISIBLE_DEVICES="")

import cloudpickle  # noqa: E402
import torch  # noqa: E402

from . import inside, isolation  # noqa: E402
from .limits import Group  # noqa: E402

# What chapters import, and what torch imports at its first operation and first backward.
WARM = ("autograder.checks.derivation", "numpy", "sympy", "matplotlib.pyplot", "sklearn.datasets", "torch.nn.functional", "torch.distributions",
        "torch.optim", "torch._dynamo", "torch.testing", "mpmath", "scipy.special", "torch.utils._sympy.functions",
        "matplotlib.backends.backend_agg", "sympy.stats", "sympy.printing.pretty.pretty")
OUTPUT_BYTES = 256 << 20  # of all frames of a job
RUNGS = ("namespaces", "landlock")


def warm_up():
    for name in WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    torch.set_num_threads(1)


def send(channel, data):
    channel.sendall(len(data).to_bytes(8, "big") + data)


def receive(channel):
    """One message, or None where the other side is gone."""
    head = _exactly(channel, 8)
    return _exactly(channel, int.from_bytes(head, "big")) if head else None


def _exactly(channel, size):
    parts = []
    while size:
        part = channel.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def run_job(job, rung, group):
    """Fork, enclose, run; (frames as bytes, how it ended, peak memory in bytes).

    ended: done | time | output | memory | crash | refused: STEP
    """
    out, child_out = os.pipe()
    go, child_go = os.pipe()
    scratch = tempfile.mkdtemp(prefix="autograder-")
    pid = os.fork()
    if pid == 0:
        os.close(out)
        os.close(child_go)
        _child(job, rung, child_out, go, Path(scratch))
    os.close(child_out)
    os.close(go)
    try:
        group.enter(pid)
        os.write(child_go, b"1")
        frames, ended = _read(out, time.monotonic() + job["wall_s"], pid, group)
    finally:
        os.close(child_go)
        os.close(out)
        _end(pid, group)
        shutil.rmtree(scratch, ignore_errors=True)
    if ended == "crash" and group.out_of_memory():
        ended = "memory"
    return frames, ended, group.peak()


def _read(out, deadline, pid, group):
    """All bytes the child sends, until it closes the pipe, or a limit is hit."""
    parts, size = [], 0
    while True:
        ready, _, _ = select.select([out], [], [], max(0.0, min(0.2, deadline - time.monotonic())))
        if ready:
            part = os.read(out, 1 << 20)
            if not part:
                break
            parts.append(part)
            size += len(part)
            if size > OUTPUT_BYTES:
                return b"".join(parts), "output"
        if group.exceeded(pid):
            return b"".join(parts), "memory"
        if time.monotonic() > deadline:
            return b"".join(parts), "time"
    data = b"".join(parts)
    if data.startswith(b"REFUSED "):
        return b"", "refused: " + data[8:300].decode(errors="replace")
    return data, "done" if data.endswith(_DONE) else "crash"


_DONE = (lambda frame: len(frame).to_bytes(4, "big") + frame)(inside.DONE + (2).to_bytes(4, "big") + b"{}")


def _end(pid, group):
    """Kill whatever the job has started, and wait until it is gone."""
    group.kill(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
    group.reap()


def _child(job, rung, pipe, go, scratch):
    """In the forked child: never returns."""
    try:
        os.read(go, 1)  # until the keeper has put us into our group
        _silence(pipe)
        isolation.die_with_parent()
        if rung == "namespaces":
            isolation.new_namespaces()
            inner = os.fork()  # pid 1 of the new namespace: all its processes die with it
            if inner:
                os.close(pipe)
                os.waitpid(inner, 0)
                os._exit(0)
            isolation.die_with_parent()
            isolation.own_root(scratch)
            denied = isolation.ALWAYS_DENIED
        elif rung == "landlock":
            os.chmod(scratch, 0o777)
            isolation.landlock(scratch)
            denied = isolation.ALWAYS_DENIED + isolation.DENIED_UNDER_LANDLOCK
        else:  # "none": the lecturer trusts the submissions; limits only
            os.chdir(scratch)
            isolation.limit_resources(int(job["wall_s"]) + 1, 0)
            _run(job, pipe)
        os.environ.clear()
        os.environ.update(HOME="/tmp", PATH="/usr/bin:/bin", MPLBACKEND="Agg", MPLCONFIGDIR=os.getcwd(), OMP_NUM_THREADS="1")
        isolation.limit_resources(int(job["wall_s"]) + 1, job["processes"])
        isolation.drop_privileges()
        isolation.die_with_parent()  # changing the user clears it
        isolation.seccomp(denied)
    except OSError as refused:
        os.write(pipe, b"REFUSED " + str(refused).encode()[:200])
        os._exit(1)
    _run(job, pipe)


def _run(job, pipe):
    try:
        inside.run(cloudpickle.loads(job["payload"]) | {k: job[k] for k in ("cell_s", "exercise_s")}, pipe)
    finally:
        os._exit(0)


def _silence(pipe):
    """Standard streams to /dev/null, every other descriptor but the pipe closed."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.closerange(3, pipe)
    os.closerange(pipe + 1, 4096)


def main(fd):
    channel = socket.socket(fileno=fd)
    warm_up()
    group = Group()
    try:
        while (message := receive(channel)) is not None:
            job = pickle.loads(message)  # from our own worker, never from a child
            send(channel, pickle.dumps(run_job(job, job["rung"], group)))
    finally:
        group.remove()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main(int(sys.argv[1]))
