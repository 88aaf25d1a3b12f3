"""The half of a check that runs beside student code. It holds no answer.

`observe` calls the student's function on inputs drawn from a seed and returns plain
observations: tensors without graph, numbers, strings, None, lists; or a `Problem`
where the call could not be made.
"""

import contextlib
import inspect
import io
import math
import numbers
import traceback
import warnings
from dataclasses import dataclass, field

import numpy as np
import torch

PRINTED_LIMIT = 2000  # characters of student output kept with an observation


class Misfit(Exception):
    """The call was made, and what came back has the wrong form; the text says how."""


@dataclass
class Problem:
    """Why a case has no values. kind: unsolved | needs | arity | raised | form."""

    kind: str
    text: str


@dataclass
class Observation:
    """One case as seen from outside: values by part, or a problem."""

    parts: dict = field(default_factory=dict)
    problem: Problem | None = None
    mutated: list[str] = field(default_factory=list)
    printed: str = ""


class Caller:
    """A function wrapped so that probes call it by keyword and mutation is seen.

    Required arguments are passed by position (students may rename them), optional
    ones by keyword.
    """

    def __init__(self, exercise, fn):
        self.exercise, self.fn = exercise, fn
        self.mutated: set[str] = set()

    def __call__(self, **inputs):
        required, optional = [], {}
        for name, parameter in self.exercise.signature.parameters.items():
            if parameter.default is parameter.empty:
                required.append(inputs[name])
            elif name in inputs:
                optional[name] = inputs[name]
        before = {name: _state(value) for name, value in inputs.items()}
        try:
            return self.fn(*required, **optional)
        finally:
            self.mutated |= {n for n, v in inputs.items() if not _same(before[n], _state(v))}

    def parts(self, returned):
        """Name what was returned: {"y": …} or {"grad_x": …, "grad_gamma": …}."""
        names = self.exercise.returns
        if len(names) == 1:
            return {names[0]: plain(returned)}
        wanted = f"expected {len(names)} values: ({', '.join(names)})"
        if not isinstance(returned, (tuple, list)):
            raise Misfit(f"returned {kind_of(returned)}, {wanted}")
        if len(returned) != len(names):
            raise Misfit(f"returned {len(returned)} values, {wanted}")
        return {name: plain(value) for name, value in zip(names, returned)}


def _state(value):
    if not isinstance(value, torch.Tensor):
        return None
    grad = None if value.grad is None else value.grad.clone()
    return value.detach().clone(), value.requires_grad, grad


def _same(a, b):
    if a is None or b is None:
        return a is b
    (va, ra, ga), (vb, rb, gb) = a, b
    same_grad = (ga is None) == (gb is None) and (ga is None or torch.equal(ga, gb))
    return ra == rb and same_grad and va.shape == vb.shape and torch.equal(va, vb)


def plain(value):
    """Student values as plain data: exact torch tensors without graph, numbers, strings, lists."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().as_subclass(torch.Tensor)
    if isinstance(value, np.ndarray):
        return torch.as_tensor(np.array(value))
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    raise Misfit(f"returned {kind_of(value)}, expected tensors or numbers")


def kind_of(value):
    if value is None:
        return "None (did the function end without `return`?)"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"


def observe(exercise, fn, cases, seed):
    """Run every case; stop at the first one that could not be called at all."""
    problem = misuse(exercise, fn)
    if problem:
        return [Observation(problem=problem)]
    seen = []
    for index, case in enumerate(cases):
        seen.append(observe_case(exercise, fn, case, exercise.draw(case, seed, index)))
        if seen[-1].problem and seen[-1].problem.kind != "raised":
            break
    return seen


def misuse(exercise, fn):
    """A `Problem` when `fn` cannot be called as the exercise says, else None."""
    name = exercise.name
    if not callable(fn):
        return Problem("arity", f"got {kind_of(fn)}; pass the function itself: "
                                f'check("{name}", {name}), without calling it')
    try:
        theirs = inspect.signature(fn)
    except (TypeError, ValueError):
        return None
    sentinel = object()
    required = [sentinel for p in exercise.signature.parameters.values() if p.default is p.empty]
    optional = {n: sentinel for n, p in exercise.signature.parameters.items() if p.default is not p.empty}
    try:
        theirs.bind(*required, **optional)
    except TypeError:
        return Problem("arity", f"takes {_bare(theirs)}, expected {_bare(exercise.signature)}")
    return None


def _bare(signature):
    """A signature as text without annotations."""
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


def observe_case(exercise, fn, case, inputs):
    caller, printed, seen = Caller(exercise, fn), io.StringIO(), Observation()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), \
                warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen.parts = (case.probe or exercise.probe)(caller, inputs)
    except Misfit as misfit:
        seen.problem = Problem("form", str(misfit))
    except Exception as error:  # whatever student code raises is an observation
        seen.problem = _raised(exercise, fn, error)
    seen.mutated = sorted(caller.mutated)
    seen.printed = printed.getvalue()[:PRINTED_LIMIT]
    return seen


def _raised(exercise, fn, error):
    """Name the exception and the student's own line, never a line of ours."""
    code = getattr(inspect.unwrap(fn), "__code__", None)
    source = code.co_filename if code else None
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_student_file(f.filename, source)]
    if isinstance(error, NotImplementedError) and not str(error) and frames:
        stub = frames[-1].name
        if stub == getattr(fn, "__name__", exercise.name):
            return Problem("unsolved", "not solved yet")
        return Problem("needs", f"needs `{stub}`, which is not solved yet")
    where = f" in line {frames[-1].lineno}: `{frames[-1].line}`" if frames and frames[-1].line else ""
    text = " ".join(str(error).split())[:300]
    return Problem("raised", f"{type(error).__name__}{where}{': ' + text if text else ''}")


def _is_student_file(filename, source):
    """Student code is where the function came from, or another cell of the same notebook."""
    return filename == source or filename.startswith("<ipython-input") or "ipykernel_" in filename


def describe(inputs):
    """`x (6, 5) float64, eps = 0.1`: what was tried, in words."""
    return ", ".join(_describe(name, value) for name, value in inputs.items())


def _describe(name, value):
    if isinstance(value, torch.Tensor):
        return f"{name} {tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, torch.Generator):
        return f"a {name}"
    if callable(value):
        return f"{name} = {getattr(value, '__name__', 'a function')}"
    if isinstance(value, list) and value and isinstance(value[0], torch.Tensor):
        return f"{name}: {len(value)} tensors, the first {tuple(value[0].shape)}"
    if isinstance(value, float) and math.isfinite(value):
        return f"{name} = {value:.6g}"
    return f"{name} = {value}"
