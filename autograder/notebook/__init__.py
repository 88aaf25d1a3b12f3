"""What runs inside a notebook: `check`, `claim`, `predicted`, the figure style, and `%%needs`."""

from . import figures
from .cells import check, predicted, register_magics
from .claims import claim

register_magics()

__all__ = ["check", "claim", "figures", "predicted"]
