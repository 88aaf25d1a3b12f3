"""The warm parent: imports torch once, then forks an enclosed child for every job.

Runs as its own process beside a worker: `python -m autograder.grading.sandbox.keeper FD`.
It runs no torch operation and starts no thread, so its forks are safe. It never reads what
a job says or a child sends: bytes go from the pipe to the worker's file inside the kernel,
with a limit and a deadline, and the next child finds none of them in its memory.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MPLBACKEND="Agg", CUDA_VISIBLE_DEVICES="")

import torch  # noqa: E402

from . import inside, isolation  # noqa: E402
from .limits import Group, first_to_go  # noqa: E402

# What chapters import, and what torch imports at its first operation and first backward.
WARM = ("autograder.checks.derivation", "numpy", "sympy", "matplotlib.pyplot", "sklearn.datasets", "torch.nn.functional", "torch.distributions",
        "torch.optim", "torch._dynamo", "torch.testing", "mpmath", "scipy.special", "torch.utils._sympy.functions",
        "matplotlib.backends.backend_agg", "sympy.stats", "sympy.printing.pretty.pretty")
OUTPUT_BYTES = 256 << 20  # of all frames of a job
MESSAGE_BYTES = 4096  # of what worker and keeper tell each other
REFUSED = b"REFUSED "
RUNGS = ("namespaces", "landlock")
GRACE_S = 2.0  # after which an alarm that was set in the child counts as ignored
WATCH_S = 0.2
FIRST_USER = 2_000_000_000  # plus the keeper's process id: nobody else's number, so that jobs side by side share no limit


def warm_up():
    for name in WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    torch.set_num_threads(1)
    gc.freeze()  # a collection in a child would write to, and so copy, the memory of every object


def run_job(job, payload, frames, group):
    """Fork, enclose, run; (how it ended, peak memory in bytes). `payload` and `frames` are file descriptors.

    ended: end (of the child's own accord) | time | output | files | memory
    """
    out, child_out = os.pipe()
    scratch = Path(tempfile.mkdtemp(prefix="autograder-"))
    group.begin()
    pid = os.fork()
    if pid == 0:
        os.close(out)
        _child(job, payload, child_out, scratch)
    os.close(child_out)
    try:
        ended = _watch(job, out, frames, pid, group, scratch)
    finally:
        os.close(out)
        _end(pid, group)
        remove(scratch)
    if ended == "end" and group.out_of_memory():
        ended = "memory"
    return ended, group.peak()


def _watch(job, out, frames, pid, group, scratch):
    """Move what the child sends into `frames` until it closes the pipe or a limit is hit; how that ended.

    A child that is silent for longer than a step may take ignores its alarm.
    """
    size, began = 0, time.monotonic()
    deadline, step_s, heard = began + job["wall_s"], max(job["cell_s"], job["exercise_s"]) + GRACE_S, began
    while True:
        now = time.monotonic()
        if now > min(deadline, heard + step_s):
            return "time"
        if select.select([out], [], [], min(WATCH_S, max(deadline - now, 0.0)))[0]:
            moved = os.splice(out, frames, 1 << 20)
            if not moved:
                return "end"
            size, heard = size + moved, time.monotonic()
        if size > OUTPUT_BYTES:
            return "output"
        if group.exceeded(pid):
            return "memory"
        if too_many_files(scratch):
            return "files"


def too_many_files(scratch):
    """True where the job has filled its folder; under namespaces that is a file system of its own, and looks empty."""
    with contextlib.suppress(OSError), os.scandir(scratch) as found:
        size = 0
        for count, entry in enumerate(found, 1):
            size += entry.stat(follow_symlinks=False).st_blocks * 512
            if count > isolation.SCRATCH_FILES or size > isolation.SCRATCH_BYTES:
                return True
    return False


def remove(scratch):
    """Remove a job's folder, whatever its depth."""
    with contextlib.suppress(OSError):
        return scratch.rmdir()
    subprocess.run(["rm", "-rf", "--", scratch], stderr=subprocess.DEVNULL, check=False)


def _end(pid, group):
    """Kill whatever the job has started, and wait until it is gone."""
    group.kill(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
    group.reap()


def _child(job, payload, pipe, scratch):
    """In the forked child: never returns."""
    try:
        _silence({payload, pipe})
        isolation.die_with_parent()
        first_to_go()
        rung, cpu_s = job["rung"], int(job["wall_s"]) + 1
        if rung == "namespaces":
            isolation.new_namespaces()
            inner = os.fork()  # pid 1 of the new namespace: all its processes die with it
            if inner:
                os.close(pipe)
                os.waitpid(inner, 0)
                os._exit(0)
            isolation.die_with_parent()
            isolation.own_root(scratch)
        elif rung == "landlock":
            os.chmod(scratch, 0o777)
            isolation.landlock(scratch)
        else:  # "none": the lecturer trusts the submissions; limits only
            os.chdir(scratch)
            isolation.limit_resources(cpu_s, 0)
            _run(job, payload, pipe)
        os.environ.clear()
        os.environ.update(HOME="/tmp", PATH="/usr/bin:/bin", MPLBACKEND="Agg", MPLCONFIGDIR=os.getcwd(), OMP_NUM_THREADS="1")
        isolation.limit_resources(cpu_s, job["processes"])
        isolation.drop_privileges(job["user"])
        isolation.die_with_parent()  # changing the user clears it
        isolation.seccomp(isolation.DENIED[rung])
    except OSError as refused:
        os.write(pipe, REFUSED + str(refused).encode()[:200])
        os._exit(1)
    _run(job, payload, pipe)


def _run(job, payload, pipe):
    try:
        with open(payload, "rb") as file:
            content = inside.content_of(file)
        inside.run(content | {k: job[k] for k in ("cell_s", "exercise_s")}, pipe)
    finally:
        os._exit(0)


def _silence(kept):
    """Standard streams to /dev/null, every other descriptor but `kept` closed."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    for fd in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2} - kept:
        with contextlib.suppress(OSError):
            os.close(fd)


def receive(channel):
    """(message, [payload, frames]); nothing where the worker is gone."""
    try:
        return socket.recv_fds(channel, MESSAGE_BYTES, 2)[:2]
    except ConnectionResetError:
        return b"", []


def serve(fd):
    """Take jobs from the channel until its worker is gone."""
    channel, group = socket.socket(fileno=fd), Group()
    try:
        while True:
            message, files = receive(channel)
            if not message:
                break
            ended, peak = run_job(json.loads(message) | {"user": FIRST_USER + os.getpid()}, *files, group)
            for file in files:
                os.close(file)
            with contextlib.suppress(BrokenPipeError):
                channel.send(json.dumps({"ended": ended, "peak": peak}).encode())
    finally:
        group.remove()


def serve_each(fds):
    """A keeper for each channel: forks of this process, which waits for them."""
    for fd in fds:
        if os.fork() == 0:
            for other in set(fds) - {fd}:
                os.close(other)
            serve(fd)
            os._exit(0)
    for fd in fds:
        os.close(fd)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def main(fds):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up()
    serve(fds[0]) if len(fds) == 1 else serve_each(fds)


if __name__ == "__main__":
    main([int(fd) for fd in sys.argv[1:]])
