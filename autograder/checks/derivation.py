"""Derivation exercises: the student returns a sympy expression.

Equivalence is judged by value: the probe evaluates the expression with 30 digits at exact
points of the stated domain, and the verdict compares with an oracle that works out each
value by other means (quadrature, enumeration, autograd). Two different expressions of the
size met here agree at several generic points only by accident of measure zero, so any
equivalent form passes. Points go from special to general: the first one where the
expression differs tells which term is wrong.
"""

import sympy as sp

from .exercise import Exercise
from .probe import Misfit, kind_of

DIGITS = 30


class Derivation(Exercise):
    """An exercise whose arguments are sympy symbols.

    Args:
        symbols: name -> sympy assumptions, e.g. {"sigma": {"positive": True}}, in the order
            of the student's arguments.
        relative: relative tolerance of the oracle's numbers.
    """

    def __init__(self, name, chapter, read, symbols, relative=1e-12):
        super().__init__(name, chapter, ("value",), read, probe=evaluate,
                         tolerances={"value": lambda want, inputs: 0.0 if isinstance(want, str) else relative * max(1.0, abs(want))})
        self.symbols = {n: sp.Symbol(n, **assumptions) for n, assumptions in symbols.items()}

    def point(self, note="", **values):
        """Add a case: the values of all symbols, as exact numbers (int or "p/q")."""
        exact = {n: sp.Rational(values[n]) for n in self.symbols}
        self.case(lambda generator: dict(exact), note=note)

    def oracle(self, fn):
        """Decorator: `fn(**floats) -> float`, the right value by independent means."""
        super().oracle(fn)
        return fn

    def expected(self, case, inputs):
        return {"value": float(self.right(**{n: float(v) for n, v in inputs.items()}))}


def evaluate(fn, inputs):
    """The value of the student's expression at one exact point."""
    symbols = fn.exercise.symbols
    expression = _expression(fn)
    value = expression.subs({symbols[n]: v for n, v in inputs.items()}).evalf(DIGITS)
    if not value.is_number or value.is_real is False or value in (sp.nan, sp.zoo):
        return {"value": str(value)}
    return {"value": float(value)}


_LAST = [None, None]  # the function last asked, and its expression: one call serves all points


def _expression(fn):
    """The student's sympy expression, worked out and free of strange symbols; Misfit where it is not one."""
    if _LAST[0] is not fn.fn:
        _LAST[:] = fn.fn, _sympified(fn(**fn.exercise.symbols), fn.exercise.symbols)
    return _LAST[1]


def _sympified(returned, symbols):
    try:
        expression = sp.sympify(returned)
    except (sp.SympifyError, TypeError):
        raise Misfit(f"returned {kind_of(returned)}, expected a sympy expression") from None
    if not isinstance(expression, sp.Expr):
        raise Misfit(f"returned {kind_of(returned)}, expected one sympy expression")
    expression = expression.doit()
    strangers = sorted(map(str, expression.free_symbols - set(symbols.values())))
    if strangers:
        twins = "new symbols of the same name; use the arguments themselves" if set(strangers) <= set(symbols) else \
            f"but its only symbols are to be {', '.join(symbols)}"
        raise Misfit(f"the expression contains {', '.join(strangers)}, {twins}")
    return expression
