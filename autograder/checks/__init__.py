"""What is right: probes, oracles, verdicts, misconceptions; one module a chapter, and one for the repairs of chapter 12."""

import difflib
import importlib
import pkgutil

from .exercise import EXERCISES
from .probe import observe
from .verdict import Finding, judge

VISIBLE_SEED = 0


class UnknownExercise(KeyError):
    """No exercise has this name; the text suggests the nearest."""

    def __str__(self):
        return self.args[0]


def exercises():
    """All exercises by name, in chapter order."""
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name.startswith("ch")):
        importlib.import_module(f"{__name__}.{module}")
    return EXERCISES


def find(name):
    """The exercise called `name`; raises UnknownExercise with a suggestion."""
    known = exercises()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the exercises are {', '.join(known)}."
    raise UnknownExercise(f"There is no exercise called {name!r}; {hint}")


def run_check(name, fn, cases=None, seed=VISIBLE_SEED, shown=True):
    """Probe and verdict in one process: the `Finding` for `fn` on the visible cases."""
    exercise = find(name)
    cases = exercise.cases if cases is None else cases
    return judge(exercise, observe(exercise.subject(), fn, exercise.prepare(cases, seed)), cases, seed, shown)


__all__ = ["Finding", "UnknownExercise", "exercises", "find", "run_check"]
