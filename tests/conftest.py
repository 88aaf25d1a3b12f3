"""Shared, expensive things: the built site, a graded course. Each is made once per run."""

import fcntl
from contextlib import contextmanager

import pytest
import torch

from autograder.publish.source import ROOT

BUILD = ROOT / "_build"
torch.set_num_threads(1)  # tests run side by side


@contextmanager
def locked(name):
    """One test process at a time; the others find the result."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def executed():
    """The executed solved edition of every chapter, by stem."""
    from autograder.publish.execute import execute_all
    from autograder.publish.source import stems

    with locked("execute"):
        return execute_all(stems())


@pytest.fixture(scope="session")
def site(executed):
    """The folder of the built site."""
    from autograder.publish.site import build_site

    with locked("site"):
        return build_site().parent
