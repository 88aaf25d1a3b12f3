"""Labs that students run on their own machine or on Colab, and the results that they leave behind.

Needs torch alone; results are JSON files in `book/results/`.
"""

import json
from pathlib import Path

PLACE = Path("book") / "results"


def results_folder():
    """The folder of stored results, or None.

    Looked for from the working directory upwards (a clone, a release, Colab after a run), then beside
    this package (a checkout that is on the path).
    """
    here = Path.cwd().resolve()
    beside = Path(__file__).resolve().parents[2]
    for root in (here, *here.parents, beside):
        if (root / PLACE).is_dir():
            return root / PLACE
    return None


def stored_results(folder=None):
    """All readable results of the lab, sorted by file name; an empty list where there are none."""
    folder = results_folder() if folder is None else Path(folder)
    if folder is None:
        return []
    loaded = [_read(path) for path in sorted(folder.glob("*.json"))]
    return [r for r in loaded if r is not None]


def _read(path):
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) and result.get("lab") == "gpu_bench" else None
