"""What an exercise is: cases to try, an oracle that is right, misconceptions that are wrong.

A chapter module declares its exercises here. The *probe* runs beside student code and
holds no answer; the *verdict* (`verdict.py`) runs the oracle and the misconceptions
through the same probe and compares. Nothing in this folder knows of notebooks,
nbgrader or processes.
"""

import inspect
import warnings
from dataclasses import dataclass
from typing import Any, Callable

import torch

from .probe import Caller, Subject

EXERCISES: dict[str, "Exercise"] = {}


@dataclass(frozen=True)
class Case:
    """One thing to try. `inputs(generator)` draws the named arguments afresh for each call.

    `probe` replaces the exercise's probe for this case. `note` is added to what the
    student reads as tried.
    """

    inputs: Callable[[torch.Generator], dict[str, Any]]
    probe: Callable | None = None
    note: str = ""


@dataclass(frozen=True)
class Misconception:
    """A wrong implementation with a name, a message that names the belief, and a section to read."""

    name: str
    message: str
    read: str
    wrong: Callable


def call(fn, inputs):
    """The plain probe: call once, observe each returned part under its name."""
    return fn.parts(fn(**inputs))


class Exercise:
    """One graded exercise.

    Args:
        name: the name of CURRICULUM and of the student's function.
        chapter: stem of the chapter, `NN_stem`.
        returns: names of the returned parts, in order.
        read: section that derives the result, such as "5.2".
        probe: `probe(fn, inputs) -> dict of plain values`; `fn` is a `probe.Caller`.
        tolerances: part -> `f(expected, inputs) -> absolute tolerance`, where the default
            of `verdict.tolerance` does not fit (statistical bands).
    """

    def __init__(self, name, chapter, returns, read, probe=call, tolerances=None):
        self.name, self.chapter, self.returns, self.read = name, chapter, returns, read
        self.probe = probe
        self.tolerances = tolerances or {}
        self.cases: list[Case] = []
        self.misconceptions: list[Misconception] = []
        EXERCISES[name] = self

    def oracle(self, fn):
        """Decorator: an independent right implementation; its signature is the exercise's."""
        self.right = fn
        self.signature = inspect.signature(fn)
        return fn

    def misconception(self, message, read=None):
        """Decorator: a wrong implementation. Declare the likelier belief first."""

        def add(fn):
            self.misconceptions.append(Misconception(fn.__name__, message, read or self.read, fn))
            return fn

        return add

    def case(self, inputs=None, *, probe=None, note=""):
        """Add a visible case; usable as a decorator."""
        if inputs is None:
            return lambda fn: self.case(fn, probe=probe, note=note)
        self.cases.append(Case(inputs, probe, note))
        return inputs

    def draw(self, case, seed, index):
        """The inputs of one case: the same for the same (seed, index), fresh objects each time."""
        return case.inputs(torch.Generator().manual_seed(seed * 1009 + index))

    def subject(self):
        """The exercise as a probe sees it."""
        return Subject(self.name, tuple(self.returns), self.signature, getattr(self, "symbols", {}))

    def prepare(self, cases, seed):
        """[(probe, inputs)] for `probe.observe`."""
        return [(case.probe or self.probe, self.draw(case, seed, i)) for i, case in enumerate(cases)]

    def expected(self, case, inputs):
        """What a right implementation returns on `inputs`."""
        return self.observe_function(self.right, case, inputs)

    def believed(self, misconception, case, inputs):
        """What the misconception returns on `inputs`; None where it cannot be run there."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self.observe_function(misconception.wrong, case, inputs)
        except Exception:  # a wrong implementation may fail on some shapes: then it is no match
            return None

    def observe_function(self, fn, case, inputs):
        return (case.probe or self.probe)(Caller(self.subject(), fn, watch=False), inputs)
