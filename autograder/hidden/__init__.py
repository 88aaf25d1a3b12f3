"""Hidden checks: the cases that only the grade sees. Never part of the student package."""

import importlib
import pkgutil
import zlib

from autograder.checks import find, run_check
from autograder.checks.render import text


def hidden_cases(name):
    """The hidden cases of an exercise; each chapter module here defines HIDDEN = {name: [Case, …]}."""
    for module in pkgutil.iter_modules(__path__):
        table = importlib.import_module(f"{__name__}.{module.name}").HIDDEN
        if name in table:
            return table[name]
    raise LookupError(f"{name} has no hidden cases")


def hidden_check(name, fn, seed=None):
    """The `Finding` on hidden cases: visible cases with fresh numbers, then the hidden ones."""
    seed = zlib.crc32(name.encode()) if seed is None else seed
    return run_check(name, fn, find(name).cases + hidden_cases(name), seed, shown=False)


def grade(name, fn):
    """For the grade cell: silent where everything passes, AssertionError with the finding where not."""
    finding = hidden_check(name, fn)
    assert finding.passed, text(finding)
