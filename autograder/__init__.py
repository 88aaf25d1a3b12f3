"""Checks, claims, figures and sliders for the course notebooks."""

__version__ = "0.1.0"
__all__ = ["check", "claim", "explorable", "figures", "play", "predicted"]


def __getattr__(name):
    """Load the notebook's side, and torch with it, when it is first asked for: the command line starts at once."""
    if name not in __all__:
        raise AttributeError(f"module 'autograder' has no attribute {name!r}")
    from autograder import notebook

    return getattr(notebook, name)
