"""`check` and `predicted`, and the magic that lets a notebook run on past unsolved exercises."""

import sys
import traceback

from autograder.checks import UnknownExercise, run_check
from autograder.checks.render import html, text
from autograder.checks.verdict import FAILED, PASSED

STATUS: dict[str, str] = {}  # exercise -> status of its last check in this session


def shell():
    """The running IPython shell, or None in plain Python."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()


def show(html_text, plain_text):
    """Display a box in a notebook; print the text elsewhere."""
    if shell() is None:
        print(plain_text)
        return
    from IPython.display import display

    display({"text/html": html_text, "text/plain": plain_text}, raw=True)


def check(name, fn):
    """Run the visible checks of exercise `name` on your function and show what was found.

    The line on stderr where it did not pass is what nbgrader's Validate button reads.

    >>> check("fans", lambda shape: (shape[1], shape[0]))  # doctest: +SKIP
    """
    try:
        finding = run_check(name, fn)
    except UnknownExercise as unknown:
        print(unknown, file=sys.stderr)
        return
    STATUS[name] = finding.status
    show(html(finding), text(finding))
    if finding.status != PASSED:
        print(f"{name}: no points yet", file=sys.stderr)


def predicted(what, guess, measured, unit=""):
    """Set a prediction beside the measurement.

    Args:
        what: the quantity, in words.
        guess: your number, or None where you made none.
        measured: the measured number.
        unit: printed after both numbers.
    """
    line = f"{what}: measured {measured:.4g}{unit}"
    if guess is not None:
        line += f", you predicted {guess:.4g}{unit}"
    print(line + ".")


def needs(line, cell):
    """`%%needs a b`: run the cell with your own a and b; say which is missing instead of failing."""
    namespace = shell().user_ns
    names = line.split()
    absent = [name for name in names if not callable(namespace.get(name))]
    if absent:
        print(f"This cell uses your {_quoted(absent)}: run the cell that defines it first.")
        return
    stubs = [name for name in names if _is_stub(namespace[name])]
    if stubs:
        _say_unsolved(stubs)
        return
    failed = [name for name in names if STATUS.get(name) == FAILED]
    if failed:
        print(f"The check of {_quoted(failed)} has not passed: what you see below may be wrong.")
    try:
        exec(_compiled(cell), namespace)
    except NotImplementedError as error:
        last = list(traceback.walk_tb(error.__traceback__))[-1][0].f_code
        if last.co_names != STUB_NAMES:
            raise
        _say_unsolved([last.co_name])


STUB_NAMES = ("NotImplementedError",)  # all that an untouched stub refers to


def _is_stub(fn):
    code = getattr(fn, "__code__", None)
    return code is not None and code.co_names == STUB_NAMES


def _say_unsolved(names):
    print(f"This cell uses your {_quoted(names)}, not solved yet: solve it, then run this cell again.")


def _compiled(cell):
    """Compile like IPython does, so that a traceback shows the student's own lines."""
    ipython = shell()
    source = ipython.transform_cell(cell)
    return compile(source, ipython.compile.cache(source), "exec")


def _quoted(names):
    return ", ".join(f"`{name}`" for name in names)


def register_magics():
    """Make `%%needs` known where a shell runs."""
    ipython = shell()
    if ipython is not None:
        ipython.register_magic_function(needs, magic_kind="cell", magic_name="needs")
