"""Runs in the enclosed process: the student's cells, then the probes. Sends what was seen, decides nothing.

Frames on the pipe: 4 bytes of length, 1 byte of kind, the body. Student code may write to
the pipe too; all it could send is values, and values are judged outside.
"""

import ast
import contextlib
import io
import json
import linecache
import math
import os
import signal
import sys
import types

import cloudpickle
import torch

from autograder.checks.probe import Observation, Problem, observe
from autograder.grading.wire import MAX_BYTES, encode

BEGIN, CELL, SEEN, TEST, DONE = b"b", b"c", b"s", b"t", b"d"
HEAD_BYTES = 10_000  # of a frame's head: a name and a sentence


class OutOfTime(BaseException):
    """The alarm of a cell or an exercise; not an Exception, so that `except Exception` lets it through."""


class Quiet:
    """Stands for what a notebook imports from the course's package: callable, and does nothing."""

    def __call__(self, *args, **kwargs):
        return None

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self


def tensor(dtype, shape, requires_grad, data):
    """A tensor from its bytes."""
    made = torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape) if data else torch.empty(shape, dtype=dtype)
    return made.requires_grad_(requires_grad)


def typed_storage(dtype, data):
    """A tensor's memory, from its bytes."""
    memory = torch.frombuffer(bytearray(data), dtype=torch.uint8).untyped_storage() if data else torch.UntypedStorage(0)
    return torch.storage.TypedStorage(wrap_storage=memory, dtype=dtype, _internal=True)


def content_of(file):
    """The job that `client.payload_of` wrote."""
    content = cloudpickle.load(file)
    content["exercises"] = [(subject, list(zip(cloudpickle.loads(probes), inputs))) for subject, probes, inputs in content["exercises"]]
    return content


def run(job, pipe):
    """Run a job (`content_of` and the limits of a cell and an exercise) and write frames to the file descriptor `pipe`."""
    forget_the_course()
    namespace = {"__name__": "__main__"}
    problems = {}
    for name, source in job["cells"]:
        send(pipe, BEGIN, {"cell": name})
        problem = run_cell(name, source, namespace, job["cell_s"])
        if problem:
            problems[name] = problem
        send(pipe, CELL, {"cell": name, "problem": problem})
    for subject, prepared in job["exercises"]:
        send(pipe, BEGIN, {"exercise": subject.name})
        for index, seen in enumerate(try_exercise(subject, prepared, namespace, problems, job["exercise_s"])):
            send(pipe, SEEN, {"exercise": subject.name, "index": index}, encoded(seen))
    for name, source in job["tests"]:
        send(pipe, BEGIN, {"test": name})
        send(pipe, TEST, {"test": name, "problem": run_test(name, source, namespace, job["cell_s"])})
    send(pipe, DONE, {})


def start_alarm(seconds):
    """Anew at each step: the step before may have replaced the handler."""
    signal.signal(signal.SIGALRM, _alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def end_step():
    """No alarm, and no hook of the student's on the code that follows."""
    sys.settrace(None)
    sys.setprofile(None)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _alarm(*_):
    raise OutOfTime


def forget_the_course():
    """Leave nothing of the course's package importable; a notebook's own import finds silent stand-ins."""
    for name in [n for n in sys.modules if n.split(".")[0] == "autograder"]:
        del sys.modules[name]
    stand_in = types.ModuleType("autograder")
    for name in ("check", "claim", "figures", "predicted"):
        setattr(stand_in, name, Quiet())
    sys.modules["autograder"] = stand_in


def send(pipe, kind, head, body=b""):
    frame = frame_of(kind, head, body)
    if len(frame) > MAX_BYTES:
        frame = frame_of(kind, head, encode(Observation(problem=Problem("limit", "returned more data than any exercise asks for"))))
    while frame:
        frame = frame[os.write(pipe, frame):]


def encoded(observation):
    """An observation as bytes, also where an object of the student's poses as a value."""
    try:
        return encode(observation)
    except Exception:
        return encode(Observation(problem=Problem("form", "returned something that is no plain value")))


def frame_of(kind, head, body=b""):
    text = json.dumps(head).encode("ascii")
    frame = kind + len(text).to_bytes(4, "big") + text + body
    return len(frame).to_bytes(4, "big") + frame


def run_cell(name, source, namespace, seconds):
    """Execute one cell; None, or why it stopped, in words."""
    file = f"<cell {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            start_alarm(seconds)
            exec(compile(source, file, "exec"), namespace)
    except OutOfTime:
        return f"its cell ran longer than {seconds} s"
    except SyntaxError as error:
        return f"its cell is not valid Python: {error.msg} (line {error.lineno})"
    except BaseException as error:  # student code: whatever it raises is its result
        return f"its cell stops with {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    finally:
        end_step()
    return None


def run_test(name, source, namespace, seconds):
    """A hand-written test: why it failed, a number for partial credit, or None. Student code could forge this."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        body = []
    if body and isinstance(body[-1], ast.Expr):
        source = "\n".join([ast.unparse(ast.Module(body[:-1], [])), f"__points__ = ({ast.unparse(body[-1].value)})"])
    namespace["__points__"] = None
    problem = run_cell(name, source, namespace, seconds)
    points = namespace.get("__points__")
    if problem is None and type(points) in (int, float) and math.isfinite(points):
        return str(points)
    return problem and f"failed: {problem}"


def try_exercise(subject, prepared, namespace, problems, seconds):
    """Observations of one exercise, also where there is no function to call."""
    fn = namespace.get(subject.name)
    if subject.name in problems:
        return [Observation(problem=Problem("form", problems[subject.name]))]
    if fn is None:
        return [Observation(problem=Problem("form", f"its cell defines no function called {subject.name}"))]
    try:
        start_alarm(seconds)
        return observe(subject, fn, prepared)
    except OutOfTime:
        return [Observation(problem=Problem("limit", f"ran longer than {seconds} s"))]
    except BaseException as error:
        return [Observation(problem=Problem("form", f"stops with {type(error).__name__}"))]
    finally:
        end_step()
