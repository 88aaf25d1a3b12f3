"""What moves in a notebook: the explorables of the site, and sliders that drive the student's own functions.

Works with ipywidgets 7.7 (Colab) and 8. Where a package is missing, one sentence says so and the notebook goes on.
"""

import sys
from importlib.metadata import PackageNotFoundError, version

from .explorables import UnknownExplorable, about, defaults, whole

NEEDED = {"ipywidgets": (7, 7), "anywidget": (0, 9)}  # anywidget 0.9 knows `export default { render }`


def missing(package):
    """What to install, as the end of a sentence; "" where the package is there and new enough."""
    try:
        found = version(package)
    except PackageNotFoundError:
        found = "0.0"
    if tuple(map(int, found.split(".")[:2])) >= NEEDED[package]:
        return ""
    least = ".".join(map(str, NEEDED[package]))
    return f"{package} {least} or newer: run `%pip install --upgrade {package}`, then restart the kernel"


def explorable(name):
    """The explorable called `name`; the last line of a cell shows it.

    Needs nothing of yours: its arithmetic is its own. What you move in it can be read in Python:
    after `sphere = explorable("06_sphere")` stands the rate that you set in `sphere.lr`.
    """
    try:
        source = whole(name)
    except UnknownExplorable as unknown:
        print(unknown, file=sys.stderr)
        return None
    problem = missing("ipywidgets") or missing("anywidget")
    if problem:
        print(f"\"{about(source)['title']}\" stands on this chapter's page; to play with it here you need {problem}.")
        return None
    return _widget(name, source)


def _widget(name, source):
    import anywidget
    import traitlets

    traits = {key: traitlets.Any(value).tag(sync=True) for key, value in defaults(source).items()}
    return type(f"Explorable_{name}", (anywidget.AnyWidget,), {"__module__": __name__, "_esm": source} | traits)()


def play(draw, **controls):
    """Show controls that call `draw` whenever they are moved; its figure stands below them.

    Args:
        draw: a function that draws and prints; its defaults are the start.
        controls: what each of its arguments may be: (low, high) or (low, high, step) for a slider, a list
            to choose from, True or False for a box to tick.
    """
    problem = missing("ipywidgets")
    if problem:
        print(f"Drawn once, at the start; for sliders you need {problem}.")
        draw()
        return
    from ipywidgets import interact

    interact(draw, **controls)
