"""The bank: right alternatives and wrong implementations of every exercise.

Data for the audit and for demonstration classes, never shipped to students. A bank
function stands alone: it uses only the names of the chapter's set-up cell (math, np, sp,
torch, F) and what it defines itself, so that its source can be laid into a notebook.
"""

import ast
import importlib
import inspect
import pkgutil
import textwrap
from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Entry:
    """One implementation. `cause` is the misconception it must be named as; None for a right one,
    "" for a wrong one that no message names."""

    exercise: str
    name: str
    fn: Callable
    cause: str | None

    @property
    def is_right(self):
        return self.cause is None

    def source(self):
        """The function's source under the exercise's name, without decorator."""
        tree = ast.parse(textwrap.dedent(inspect.getsource(self.fn)))
        tree.body[0].decorator_list = []
        tree.body[0].name = self.exercise
        return ast.unparse(tree)


ENTRIES: list[Entry] = []


def right(exercise):
    """Decorator: a right alternative in a style of its own; must pass visible and hidden checks."""
    return lambda fn: _add(exercise, fn, None)


def wrong(exercise, cause):
    """Decorator: a wrong implementation; must fail, and be named as the misconception `cause`."""
    return lambda fn: _add(exercise, fn, cause)


def _add(exercise, fn, cause):
    ENTRIES.append(Entry(exercise, fn.__name__, fn, cause))
    return fn


def entries(exercise=None):
    """All entries, or those of one exercise."""
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}")
    return [e for e in ENTRIES if exercise in (None, e.exercise)]
