"""The half of a check that decides. It runs where student code cannot reach.

It redraws the inputs from the seed, asks the oracle, compares, and looks for the
misconception that reproduces what was observed. Nothing from student code is a
reference here; observations are plain data.
"""

import re
from dataclasses import asdict, dataclass
from functools import cached_property

import torch

from .compare import compare, tolerance
from .probe import describe

PASSED, FAILED, UNSOLVED, NOT_JUDGED = "passed", "failed", "unsolved", "not judged"

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


@dataclass(frozen=True)
class Gap:
    """Where and how one part of one case differs from what was expected."""

    case: int
    part: str
    text: str


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
    return Trial(exercise, cases, seed).judge(observations, shown)


def _without_numbers(text):
    """An exception's text with its numbers masked after the student's own line: it could quote hidden inputs."""
    head, tick, message = text.rpartition("`")
    return head + tick + re.sub(r"\d+", "#", message)


def _not_callable(exercise, seen, shown):
    status = {"unsolved": UNSOLVED, "needs": NOT_JUDGED}.get(seen.problem.kind, FAILED)
    return Finding(exercise.name, status, seen.problem.text.removesuffix(".") + ".", read=exercise.read if status == FAILED else "",
                   printed=seen.printed if shown else "")


class Trial:
    """What the oracle and the misconceptions return on one exercise's cases, for observations to be compared with.

    drawn: the inputs of the cases, where they are at hand and no function was given them.
    """

    def __init__(self, exercise, cases, seed, drawn=()):
        self.exercise, self.cases, self.seed = exercise, cases, seed
        self.beliefs, self.drawn = {}, dict(enumerate(drawn))

    def judge(self, observations, shown=True):
        """A `Finding` on one observation per case."""
        self.observations = observations
        for seen in observations:
            if seen.problem and seen.problem.kind != "raised":
                return _not_callable(self.exercise, seen, shown)
        if not self.gaps:
            return Finding(self.exercise.name, PASSED, f"{len(self.cases)} of {len(self.cases)} cases pass.")
        cause, gap = self.cause()
        case, seen = self.cases[gap.case], observations[min(gap.case, len(observations) - 1)]
        tried = "a hidden case" if not shown else describe(self.seen_inputs(gap.case)) + (f"; {case.note}" if case.note else "")
        before = f" The {gap.case} cases before it pass." if gap.case > 1 and gap == self.gaps[0] else ""
        text = (gap.text if shown or gap.part else _without_numbers(gap.text)).removesuffix(".")
        return Finding(
            self.exercise.name, FAILED, f"{text}.{before}", tried, cause.name if cause else "",
            cause.message if cause else NOTES.get(gap.part.split(": ")[-1], ""),
            cause.read if cause else self.exercise.read, seen.printed if shown else "")

    def inputs(self, index):
        """Fresh inputs of a case: nothing that ran before can have changed them."""
        return self.exercise.draw(self.cases[index], self.seed, index)

    def seen_inputs(self, index):
        """Inputs of a case to look at, drawn once: no function that could change them is given these."""
        if index not in self.drawn:
            self.drawn[index] = self.inputs(index)
        return self.drawn[index]

    @cached_property
    def expected(self):
        return [self.exercise.expected(case, self.inputs(i)) for i, case in enumerate(self.cases)]

    @cached_property
    def gaps(self):
        """Every `Gap`, case by case."""
        found = [gap for index, seen in enumerate(self.observations) for gap in self._gaps(index, seen)]
        if len(self.observations) < len(self.cases):
            found.append(Gap(len(self.observations), "", "was not tried"))
        return found

    def _gaps(self, index, seen):
        if seen.problem:
            return [Gap(index, "", seen.problem.text)]
        if seen.mutated:
            return [Gap(index, "", f"changed its input: {', '.join(seen.mutated)}; work on a copy")]
        strict = any(isinstance(v, torch.Tensor) for v in self.seen_inputs(index).values())
        texts = [(part, self._compare(index, part, seen.parts.get(part), strict)) for part in self.expected[index]]
        return [Gap(index, part, text) for part, text in texts if text]

    def _compare(self, index, part, got, strict, want=None):
        """None where `got` is the oracle's part, or `want`, within the part's tolerance."""
        want = self.expected[index][part] if want is None else want
        allowed = self.exercise.tolerances.get(part, tolerance)(want, self.seen_inputs(index))
        return compare(part, got, want, allowed, strict)

    def cause(self):
        """(misconception or None, the gap to show): the first one that reproduces a part wherever it is wrong."""
        for part in dict.fromkeys(gap.part for gap in self.gaps if gap.part):
            wrong_in = [gap for gap in self.gaps if gap.part == part]
            for misconception in self.exercise.misconceptions:
                if self._explains(misconception, wrong_in):
                    return misconception, wrong_in[0]
        return None, self.gaps[0]

    def _explains(self, misconception, gaps):
        """It returns what was observed in all the gaps, and is itself wrong in one of them.

        Without the second condition a result that is off in dtype alone would get the name of
        any misconception that happens to be right on that case.
        """
        return all(self._reproduces(misconception, gap) for gap in gaps) and any(
            self._compare(gap.case, gap.part, self._belief(misconception, gap.case)[gap.part], strict=False) for gap in gaps)

    def _reproduces(self, misconception, gap):
        belief = self._belief(misconception, gap.case)
        got = self.observations[gap.case].parts.get(gap.part)
        if belief is None or belief.get(gap.part) is None or got is None:
            return False
        return self._compare(gap.case, gap.part, got, strict=False, want=belief[gap.part]) is None

    def _belief(self, misconception, index):
        key = misconception.name, index
        if key not in self.beliefs:
            self.beliefs[key] = self.exercise.believed(misconception, self.cases[index], self.inputs(index))
        return self.beliefs[key]
