"""Hidden cases of chapter 13: other sizes and ties, and digits in another frame whose labels never leave the verdict."""

import torch

from autograder.checks.ch13_capstone import chances, classes, hand_over, in_another_frame, on_the_edges, split
from autograder.checks.exercise import Case


def renumbered(g):
    return in_another_frame(split(g), g)


def many_examples(g):
    return dict(probabilities=chances(g, 500, 10, torch.float32, 3.0), labels=classes(g, 500, 10))


def strided(g):
    """Every second row of a larger tensor, transposed in memory."""
    return dict(probabilities=chances(g, 60, 7).T.contiguous().T[::2], labels=classes(g, 60, 7)[::2], bins=9)


def all_sure(g):
    labels = classes(g, 12, 3)
    return dict(probabilities=torch.eye(3, dtype=torch.float64)[(labels + (torch.arange(12) < 5)) % 3], labels=labels)


def ties(g):
    """Equal chances: the first class counts as the answer."""
    return dict(probabilities=torch.full((9, 4), 0.25, dtype=torch.float64), labels=torch.arange(9) % 4, bins=3)


HIDDEN = {
    "expected_calibration_error": [
        Case(many_examples), Case(strided), Case(all_sure), Case(ties),
        Case(lambda g: dict(probabilities=chances(g, 25, 4), labels=classes(g, 25, 4), bins=1)),
        Case(lambda g: dict(probabilities=chances(g, 1, 5), labels=classes(g, 1, 5), bins=20)),
        Case(lambda g: on_the_edges(g, 4, 0.5625, 0.75, 1.0, 0.8125, 0.75)),
        Case(lambda g: on_the_edges(g, 2, 0.75, 0.5625, 1.0)),
    ],
    "train": [Case(renumbered, hand_over)],
    "train_accurate": [Case(renumbered, hand_over)],
    "train_calibrated": [Case(renumbered, hand_over)],
}
