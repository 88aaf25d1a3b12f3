"""Keepers that warm up before they are asked for: one process imports torch, then forks a keeper for each channel.

Nothing heavy is imported here: the command line starts the keepers first, and loads the rest
of the grader while they warm up.
"""

import atexit
import contextlib
import os
import socket
import subprocess
import sys

KEEPER = "autograder.grading.sandbox.keeper"
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # half of the 300 MB: a fork takes 4 ms instead of 10

PATIENCE_S = 5.0

READY: list[socket.socket] = []  # channels to keepers that nobody uses yet
_PROCESSES: list[subprocess.Popen] = []


def environment():
    return {k: v for k, v in os.environ.items() if k in KEPT_VARIABLES} | HUGE_PAGES


def start(count):
    """(process, channels) of `count` keepers; where it is one, the process is the keeper itself."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(count)]
    theirs = [end.fileno() for _, end in pairs]
    process = subprocess.Popen([sys.executable, "-m", KEEPER, *map(str, theirs)], env=environment(), pass_fds=theirs, stdin=subprocess.DEVNULL)
    for _, end in pairs:
        end.close()
    return process, [ours for ours, _ in pairs]


def prepare(count):
    """See that `count` keepers are ready or warming up."""
    if count > len(READY):
        process, channels = start(count - len(READY))
        _PROCESSES.append(process)
        READY.extend(channels)


def keep(number):
    """In a forked worker: leave only its own of the channels that it has inherited."""
    for place, channel in enumerate(READY):
        if place != number:
            channel.close()
    READY[:] = READY[number:number + 1]


def give_away():
    """The channels now belong to the workers that were forked: without ours, a keeper sees when its worker ends."""
    for channel in READY:
        channel.close()
    READY.clear()


@atexit.register
def end():
    """End what is left, also while it warms up; keepers that were used end with their workers, and tidy up."""
    unused = bool(READY)
    give_away()
    while _PROCESSES:
        process = _PROCESSES.pop()
        if not unused:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_S)
        process.terminate()
        process.wait()
