"""A process of test_engine: kill a grading run before and after each of its writes, run again, compare.

    python kill_points.py COURSE RESULTS SCRATCH

COURSE is not yet graded; RESULTS is a pickle of the Results that its submissions get.
Prints a JSON object: how many points there are, and at which the second run ends otherwise
than an undisturbed one.
"""

import json
import os
import pickle
import shutil
import signal
import sys
from pathlib import Path

from classroom import STEM, Pretend, state
from sqlalchemy import event
from sqlalchemy.orm import Session

from autograder.grading import engine


class Counter:
    """Counts writes of this process, and kills its whole group at the n-th."""

    def __init__(self, n=None):
        self.n, self.seen = n, 0
        replace = os.replace
        os.replace = lambda *names: (self.tick(), replace(*names), self.tick())
        for name in ("before_commit", "after_commit"):
            event.listen(Session, name, self.tick)

    def tick(self, *_):
        self.seen += 1
        if self.seen - 1 == self.n:
            os.killpg(0, signal.SIGKILL)


def run(course, results):
    engine.choose_rung, engine.local = lambda trust: "pretended", Pretend(results)
    return len(list(engine.grade_assignment(STEM, course)))


def in_child(course, results, n=None):
    """Run in a process group of its own; (True where it came to its end, the number of writes)."""
    out, child_out = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        counter = Counter(n)
        run(course, results)
        os.write(child_out, str(counter.seen).encode())
        os._exit(0)
    os.close(child_out)
    ended = os.waitpid(pid, 0)[1] == 0
    with os.fdopen(out) as said:
        return ended, int(said.read() or 0)


def main(course, results, scratch):
    results = pickle.loads(Path(results).read_bytes())
    shutil.copytree(course, scratch / "undisturbed")
    _, points = in_child(scratch / "undisturbed", results)
    wanted, differ, survived = state(scratch / "undisturbed"), [], []
    for n in range(points):
        target = scratch / str(n)
        shutil.copytree(course, target)
        if in_child(target, results, n)[0]:
            survived.append(n)
        if not in_child(target, results)[0] or state(target) != wanted:
            differ.append(n)
        shutil.rmtree(target)
    print(json.dumps({"points": points, "differ": differ, "survived": survived}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
