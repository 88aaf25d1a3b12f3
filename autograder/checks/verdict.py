"""The half of a check that decides. It runs where student code cannot reach.

It redraws the inputs from the seed, asks the oracle, compares, and looks for the
misconception that reproduces what was observed. Nothing from student code is a
reference here; observations are plain data.
"""

import math
from dataclasses import asdict, dataclass

import torch

from .probe import describe

PASSED, FAILED, UNSOLVED, NOT_JUDGED = "passed", "failed", "unsolved", "not judged"

# Relative to the largest expected entry of a part. A sum of n rounded terms is off by at
# most n*eps; n <= 1000 in every check, and the exercises condition mildly (a factor 10).
RELATIVE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 2e-2}

NOTES = {
    "requires_grad": "The result must stay in the autograd graph: no `.detach()`, `.item()`, `.data` or "
                     "`torch.no_grad()` on its way.",
    "detached": "Running statistics are a record, not part of the loss: detach them.",
    "global random state": "With a generator given, every draw must come from it.",
    "same generator, same result": "Every draw must come from the generator that is given.",
}


@dataclass(frozen=True)
class Finding:
    """The outcome of one exercise, as plain data.

    status: passed | failed | unsolved | not judged. `cause` is the name of the
    misconception that reproduces the result, or "".
    """

    exercise: str
    status: str
    fact: str = ""
    tried: str = ""
    cause: str = ""
    why: str = ""
    read: str = ""
    printed: str = ""

    @property
    def passed(self):
        return self.status == PASSED

    def to_dict(self):
        return asdict(self)


def judge(exercise, observations, cases, seed, shown=True):
    """Compare observations with the oracle.

    Args:
        exercise: the `Exercise`.
        observations: one per case, in order, from `probe.observe`.
        cases: the cases that were observed.
        seed: the seed they were drawn from.
        shown: False for hidden checks, whose inputs are not described.
    Returns:
        A `Finding`.
    """
    for observation in observations:
        problem = observation.problem
        if problem and problem.kind != "raised":
            return _problem(exercise, problem, observation)
    gaps, expected = [], []
    for index, (case, seen) in enumerate(zip(cases, observations)):
        inputs = exercise.draw(case, seed, index)
        expected.append(exercise.expected(case, inputs))
        gaps += [Gap(index, *g) for g in _gaps(exercise, seen, expected[-1], inputs)]
    if len(observations) < len(cases):
        gaps.append(Gap(len(observations), "", "was not tried"))
    if not gaps:
        return Finding(exercise.name, PASSED, f"{len(cases)} of {len(cases)} cases pass.")
    cause, gap = _cause(exercise, observations, cases, seed, gaps)
    case, seen = cases[gap.case], observations[gap.case]
    tried = describe(exercise.draw(case, seed, gap.case)) if shown else "a hidden case"
    why = cause.message if cause else NOTES.get(gap.part.split(": ")[-1], "")
    agrees = f" The {gap.case} cases before it pass." if gap.case > 1 else ""
    return Finding(
        exercise.name, FAILED, gap.text + "." + agrees, f"{tried}{'; ' + case.note if case.note and shown else ''}",
        cause.name if cause else "", why, cause.read if cause else exercise.read, seen.printed)


def _problem(exercise, problem, seen):
    status = {"unsolved": UNSOLVED, "needs": NOT_JUDGED}.get(problem.kind, FAILED)
    return Finding(exercise.name, status, problem.text + ".", read=exercise.read if status == FAILED else "",
                   printed=seen.printed)


@dataclass(frozen=True)
class Gap:
    """Where and how one part of one case differs from what was expected."""

    case: int
    part: str
    text: str


def _gaps(exercise, seen, expected, inputs):
    if seen.problem:
        return [("", seen.problem.text)]
    if seen.mutated:
        return [("inputs", f"changed its input {', '.join(seen.mutated)}; work on a copy")]
    strict = any(isinstance(v, torch.Tensor) for v in inputs.values())
    found = []
    for part, want in expected.items():
        allowed = exercise.tolerances.get(part, tolerance)(want, inputs)
        text = compare(part, seen.parts.get(part), want, allowed, strict)
        if text:
            found.append((part, text))
    return found


def _cause(exercise, observations, cases, seed, gaps):
    """The first misconception that reproduces some part wherever that part is wrong."""
    drawn = [exercise.draw(case, seed, i) for i, case in enumerate(cases)]
    believed = {}
    for part in dict.fromkeys(g.part for g in gaps if g.part and g.part != "inputs"):
        wrong_in = [g for g in gaps if g.part == part]
        for m in exercise.misconceptions:
            if all(_reproduces(exercise, m, g, observations, cases, drawn, believed) for g in wrong_in):
                return m, wrong_in[0]
    return None, gaps[0]


def _reproduces(exercise, m, gap, observations, cases, drawn, believed):
    key = (m.name, gap.case)
    if key not in believed:
        inputs = exercise.draw(cases[gap.case], 0, 0) if drawn is None else drawn[gap.case]
        believed[key] = exercise.believed(m, cases[gap.case], inputs)
    belief, got = believed[key], observations[gap.case].parts.get(gap.part)
    if belief is None or gap.part not in belief or got is None:
        return False
    allowed = exercise.tolerances.get(gap.part, tolerance)(belief[gap.part], drawn[gap.case])
    return compare(gap.part, got, belief[gap.part], allowed, strict=False) is None


def tolerance(expected, inputs):
    """Absolute tolerance for a part: `RELATIVE` of its coarsest dtype times its largest entry."""
    dtypes = [v.dtype for v in inputs.values() if isinstance(v, torch.Tensor) and v.is_floating_point()]
    relative = max([RELATIVE[d] for d in dtypes], default=RELATIVE[torch.float64])
    values = torch.as_tensor(expected, dtype=torch.float64) if _numeric(expected) else torch.zeros(1)
    finite = values[torch.isfinite(values)]
    scale = float(finite.abs().max()) if finite.numel() else 1.0
    return relative * (scale or 1.0)


def _numeric(value):
    return isinstance(value, (torch.Tensor, float, int)) and not isinstance(value, bool)


def compare(part, got, want, allowed, strict):
    """None where `got` equals `want`, else one sentence: where, got, expected, how many, tolerance."""
    if not _numeric(want):
        return None if got == want and type(got) is type(want) else f"{part} is {got!r}, expected {want!r}"
    if isinstance(got, list):
        try:
            got = torch.tensor([float(g) for g in got], dtype=torch.float64)
        except (TypeError, ValueError):
            return f"{part} is not a sequence of numbers"
    if not _numeric(got):
        return f"{part} is {_kind(got)}, expected {_kind(want)}"
    shape, want_shape = _shape(got), _shape(want)
    if shape != want_shape:
        return f"{part} has shape {shape}, expected {want_shape}"
    if strict and isinstance(got, torch.Tensor) and isinstance(want, torch.Tensor):
        if got.device != want.device:
            return f"{part} is on {got.device}, expected {want.device}"
        if got.dtype != want.dtype:
            return f"{part} has dtype {_dtype(got)}, expected {_dtype(want)}: keep the dtype of the input"
    got, want = (torch.as_tensor(v, dtype=torch.float64) for v in (got, want))  # a bare float would become float32
    return _compare_values(part, got, want, allowed)


def _compare_values(part, got, want, allowed):
    bad_number = torch.isnan(got) & ~torch.isnan(want)
    if bad_number.any():
        return f"{part} holds {int(bad_number.sum())} NaN of {got.numel()}, the first at {_index(bad_number)}"
    same = (got == want) | ((got - want).abs() <= allowed)
    if same.all():
        return None
    gap = torch.where(same, torch.zeros_like(got), (got - want).abs().nan_to_num(math.inf, math.inf))
    flat = int(gap.flatten().argmax())
    where = _index_of(flat, got.shape)
    many = f"{int((~same).sum())} of {got.numel()} differ, " if got.numel() > 1 else ""
    a, b = _digits(float(got.flatten()[flat]), float(want.flatten()[flat]))
    return f"{part}{where} is {a}, expected {b} ({many}tolerance {allowed:.1g})"


def _digits(a, b):
    """Both numbers with as many digits as it takes to tell them apart."""
    for digits in (5, 8, 12, 17):
        if f"{a:.{digits}g}" != f"{b:.{digits}g}":
            break
    return f"{a:.{digits}g}", f"{b:.{digits}g}"


def _index(mask):
    return _index_of(int(mask.flatten().to(torch.int8).argmax()), mask.shape)


def _index_of(flat, shape):
    if not shape:
        return ""
    place = []
    for size in reversed(shape):
        place.append(flat % size)
        flat //= size
    return "[" + ", ".join(map(str, reversed(place))) + "]"


def _shape(value):
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()


def _dtype(value):
    return str(value.dtype).removeprefix("torch.")


def _kind(value):
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return "None" if value is None else f"a {type(value).__name__}"
