"""Run the solved edition once and keep it: jupyter-cache, keyed by the code and what it runs on."""

import hashlib
import os
import re
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version

import nbformat
import zmq
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbclient.output_widget import OutputWidget
from nbformat.v4 import new_code_cell

from . import editions
from .source import ROOT, read_chapter

CACHE = ROOT / "_build" / ".cache"
CELL_TIMEOUT_S = 300
QUIET = ["--IPKernelApp.log_level=40"]  # the kernel's advice on encryption is not the reader's business
KEPT = ("kernelspec", "language_info", "run_time_s", "cpu_time_s")  # of the notebook's metadata
PACKAGES = ("torch", "numpy", "matplotlib", "scikit-learn", "sympy")


class ChapterFailed(RuntimeError):
    """A solved chapter does not run, or fails its own checks; the text says where."""


class _Output(OutputWidget):
    """nbclient's mimic of an output widget; it sends past the event loop, which then misses a reply that came meanwhile."""

    def send(self, *args, **kwargs):
        super().send(*args, **kwargs)
        self.kernel_client.shell_channel.socket.get(zmq.EVENTS)  # lets the loop look again


class Client(NotebookClient):
    """Executes a notebook, those with sliders included."""

    def __init__(self, notebook, kernel_name="python3", **options):
        super().__init__(notebook, kernel_name=kernel_name, extra_arguments=QUIET, **options)
        self.widget_registry = {"@jupyter-widgets/output": {"OutputModel": _Output}}


def environment(stem, code):
    """What a chapter's run depends on beside its code: versions, its checks, and the labs' results where it draws them."""
    read = [*checks_of(stem), *_files("autograder/notebook/*.py")]
    if "autograder.labs" in code:
        read += [*_files("autograder/labs/*.py"), *_files("book/results/*.json")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in read))
    return ", ".join(f"{p} {version(p)}" for p in PACKAGES) + f", checks {digest.hexdigest()[:12]}"


def checks_of(stem):
    """Files of the checks that a chapter runs: those of its number, what all checks share, and what these import."""
    modules = {path.stem: path for path in _files("autograder/checks/*.py")}
    found, due = set(), {name for name in modules if not name.startswith("ch") or name.startswith(f"ch{stem[:2]}_")}
    while due:
        found |= due
        imported = re.findall(r"^ *from \.(\w+) import", "".join(modules[name].read_text() for name in due), flags=re.M)
        due = set(imported) - found
    return sorted(modules[name] for name in found)


def _files(pattern):
    return sorted(ROOT.glob(pattern))


def executed(stem):
    """The executed solved edition of a chapter, from the cache where nothing changed."""
    notebook = to_execute(stem)
    kept = cached(notebook)
    if kept is None:
        run(stem, notebook)
        get_cache(str(CACHE)).cache_notebook_bundle(CacheBundleIn(notebook, f"{stem}.ipynb"), check_validity=False, overwrite=True)
    return kept or notebook


def to_execute(stem):
    """The solved edition, headed by what its run depends on: the cache is keyed by the code."""
    notebook = editions.solved(read_chapter(stem))
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    notebook.cells.insert(0, new_code_cell(f"# {environment(stem, code)}", id="environment"))
    return notebook


def cached(notebook):
    """The notebook with the outputs of an earlier run; None where there was none."""
    try:
        return get_cache(str(CACHE)).merge_match_into_notebook(notebook, nb_meta=KEPT)[1]
    except KeyError:
        return None


def run(stem, notebook):
    """Execute in place; raises ChapterFailed at the first error or failed check."""
    env = os.environ | {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    env.pop("MPLBACKEND", None)  # the kernel's own backend draws into the notebook
    began, used = time.perf_counter(), _children_cpu_s()
    try:
        Client(notebook, timeout=CELL_TIMEOUT_S, record_timing=False).execute(env=env)  # times would be part of the cache's key
    except CellExecutionError as error:
        raise ChapterFailed(f"{stem} stops with an error:\n{error}") from None
    for cell, outputs in [(cell.id, cell.get("outputs", [])) for cell in notebook.cells] + [("of sliders", _in_widgets(notebook))]:
        complaints = [o.get("text") or "\n".join(o["traceback"]) for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
        if complaints:
            raise ChapterFailed(f"{stem}, cell {cell}, writes to stderr:\n{''.join(complaints)[:2000]}")
    notebook.metadata["run_time_s"] = round(time.perf_counter() - began, 1)
    notebook.metadata["cpu_time_s"] = round(_children_cpu_s() - used, 1)


def _in_widgets(notebook):
    """What stands below the sliders; their state leaves the notebook, since no page shows it."""
    widgets = notebook.metadata.pop("widgets", {}).values()
    return [output for kind in widgets for model in kind["state"].values() for output in model["state"].get("outputs", [])]


def _children_cpu_s():
    """CPU seconds of the kernels that have ended: what a chapter costs on a free core, however busy this one is."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def execute_all(stems, jobs=2):
    """Executed notebooks of all chapters by stem; those that changed are run side by side."""
    get_cache(str(CACHE)).db  # made here: two processes that make it at once collide
    done = {stem: cached(to_execute(stem)) for stem in stems}
    due = [stem for stem, notebook in done.items() if notebook is None]
    if due:
        with ProcessPoolExecutor(max_workers=min(jobs, len(due))) as pool:
            done |= zip(due, (nbformat.reads(text, as_version=4) for text in pool.map(_executed_json, due)))
    return done


def _executed_json(stem):
    return nbformat.writes(executed(stem))
