"""Checks, claims and figures for the course notebooks."""

from autograder.notebook import check, claim, figures, predicted

__version__ = "0.1.0"
__all__ = ["check", "claim", "figures", "predicted"]
