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

    def __init__(self, exercise, fn, watch=True):
        self.exercise, self.fn, self.watch = exercise, fn, watch
        self.mutated: set[str] = set()

    def __call__(self, **inputs):
        required, optional = [], {}
        for name, parameter in self.exercise.signature.parameters.items():
            if parameter.default is parameter.empty:
                required.append(inputs[name])
            elif name in inputs:
                optional[name] = inputs[name]
        watched = dict(_tensors(inputs)) if self.watch else {}
        before = {name: _state(value) for name, value in watched.items()}
        try:
            return self.fn(*required, **optional)
        finally:
            self.mutated |= {change for n, v in watched.items() for change in _changes(n, before[n], _state(v))}

    def parts(self, returned):
        """Name what was returned: {"y": …} or {"grad_x": …, "grad_gamma": …}."""
        names = self.exercise.returns
        if len(names) == 1:
            if isinstance(returned, tuple):
                raise Misfit(f"returned {len(returned)} values, expected one: {names[0]}")
            return {names[0]: plain(returned)}
        wanted = f"expected {len(names)} values: ({', '.join(names)})"
        if not isinstance(returned, (tuple, list)):
            raise Misfit(f"returned {kind_of(returned)}, {wanted}")
        if len(returned) != len(names):
            raise Misfit(f"returned {len(returned)} values, {wanted}")
        return {name: plain(value) for name, value in zip(names, returned)}


def _tensors(inputs):
    """The (name, tensor) pairs among the inputs, also inside lists: `weights[2]`."""
    for name, value in inputs.items():
        if isinstance(value, torch.Tensor):
            yield name, value
        elif isinstance(value, (list, tuple)):
            yield from _tensors({f"{name}[{i}]": item for i, item in enumerate(value)})


def _state(tensor):
    grad = None if tensor.grad is None else tensor.grad.clone()
    return tensor.detach().clone(), tensor.requires_grad, grad


def _changes(name, before, after):
    """What the call did to one of its inputs, in words; nothing for a pure function."""
    (value, required, grad), (value_now, required_now, grad_now) = before, after
    same_grad = (grad is None) == (grad_now is None) and (grad is None or _same(grad, grad_now))
    return [name] * (not _same(value, value_now)) + [f"{name}.requires_grad"] * (required != required_now) + \
        [f"{name}.grad"] * (not same_grad)


def _same(a, b):
    """Equal in shape and entries; NaN equals NaN."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return torch.equal(a, b) or bool(((a == b) | (a != a) & (b != b)).all())


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


@dataclass(frozen=True)
class Subject:
    """What a probe may know of an exercise: its form, and nothing of the answer."""

    name: str
    returns: tuple[str, ...]
    signature: inspect.Signature
    symbols: dict = field(default_factory=dict)


def observe(subject, fn, prepared):
    """Try `fn` on every (probe, inputs) of `prepared`; stop at the first that could not be called at all."""
    problem = misuse(subject, fn)
    if problem:
        return [Observation(problem=problem)]
    seen = []
    for probe, inputs in prepared:
        seen.append(observe_case(subject, fn, probe, inputs))
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


def observe_case(exercise, fn, probe, inputs):
    caller, printed, seen = Caller(exercise, fn), io.StringIO(), Observation()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), \
                warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen.parts = probe(caller, inputs)
    except Misfit as misfit:
        seen.problem = Problem("form", str(misfit))
    except (Exception, SystemExit) as error:  # whatever student code raises is an observation
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
    """`float64, x (6, 5), eps = 0.1`: what was tried, in words; a dtype shared by all is said once."""
    dtypes = {_dtype(v) for v in inputs.values() if isinstance(v, torch.Tensor)}
    shared = dtypes.pop() if len(dtypes) == 1 else ""
    return ", ".join([shared] * bool(shared) + [_describe(n, v, not shared) for n, v in inputs.items()])


def _dtype(tensor):
    return str(tensor.dtype).removeprefix("torch.")


def _describe(name, value, with_dtype):
    if isinstance(value, torch.Tensor):
        return f"{name} {tuple(value.shape)}" + (f" {_dtype(value)}" if with_dtype else "")
    if isinstance(value, torch.Generator):
        return f"a {name}"
    if callable(value):
        return f"{name} = {getattr(value, '__name__', 'a function')}"
    if isinstance(value, list) and value and isinstance(value[0], torch.Tensor):
        return f"{name}: {len(value)} tensors, the first {tuple(value[0].shape)}"
    if isinstance(value, float) and math.isfinite(value):
        return f"{name} = {value:.6g}"
    return f"{name} = {value}"
