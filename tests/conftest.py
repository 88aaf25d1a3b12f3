"""Shared, expensive things: executed chapters and the built site, once per run; a data base server for each test."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

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


@pytest.fixture
def postgresql():
    """The address of a PostgreSQL server of this test's own; it refuses to run as root, so then it runs as nobody."""
    pytest.importorskip("psycopg", reason="no PostgreSQL driver: pip install psycopg[binary]")
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin")) + [Path(p).parent for p in [shutil.which("pg_ctl")] if p]
    if not binaries:
        pytest.skip("no PostgreSQL server is installed (Debian's package postgresql)")
    as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="pg") as folder:  # a socket's path must be short
        os.chmod(folder, 0o777)
        data = f"{folder}/data"
        run = lambda name, *options: subprocess.run([*as_user, binaries[-1] / name, "-D", data, *options], check=True, capture_output=True, cwd=folder)
        run("initdb", "-A", "trust", "-U", "course")
        run("pg_ctl", "-w", "-l", f"{folder}/log", "-o", f"-k {folder} -h ''", "start")
        yield f"postgresql://course@/postgres?host={folder}"
        run("pg_ctl", "-w", "-m", "immediate", "stop")
