"""What runs inside a notebook: `check`, `claim`, `predicted`, the figure style, `explorable`, `play`, and `%%needs`."""

from . import figures
from .cells import check, predicted, register_magics
from .claims import claim
from .widgets import explorable, play

register_magics()

__all__ = ["check", "claim", "explorable", "figures", "play", "predicted"]
