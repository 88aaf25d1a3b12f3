"""The editions of a chapter as notebooks: pure functions of the source.

solved    what the build executes: solutions, visible checks, no markers
student   what is released: stubs, visible checks, plain Markdown
grader    nbgrader's source: solutions and hidden tests between nbgrader's markers
page      the site's page: full MyST and the outputs of the solved run, stubs for solutions
instructor  the page with the solutions, folded
"""

import copy
import hashlib
import re
from itertools import count

import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.notebook.claims import MIME as CLAIM

from .explorables import DIRECTIVE, mounted
from .links import anchor, anchored
from .plain import lower
from .source import BEGIN, END, ROOT

STUB = "# YOUR CODE HERE\nraise NotImplementedError()"  # nbgrader's own stub
FOLDED = {"setup", "experiment", "claims"}  # code that the page folds away

HIDDEN = """
### BEGIN HIDDEN TESTS
from autograder.hidden import grade
grade("{name}", {name})
### END HIDDEN TESTS"""

COLAB = "https://colab.research.google.com"
GPU = "T4"  # what the GPU labs ask Colab for
GPU_LABS = {"11_mixed_precision", "13_capstone"}
NAME_GPU = f"""

    import torch
    if torch.cuda.is_available():
        print("GPU:", torch.cuda.get_device_name(), "with compute capability %d.%d" % torch.cuda.get_device_capability())
    else:
        print("No GPU. For the lab choose one under Runtime, Change runtime type: {GPU} GPU.")"""

METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}}


def check_id(name):
    """Cell id and grade id of the check cell of exercise `name`."""
    return f"{name}-check"


def stub(text):
    """A solution cell with the solution replaced by the stub."""
    return re.sub(rf"^([ \t]*){BEGIN}.*?{END}[ \t]*$", _stub_lines, text, flags=re.M | re.S)


def _stub_lines(match):
    return "\n".join(match.group(1) + line for line in STUB.split("\n"))


def unmarked(text):
    """A solution cell without the marker lines."""
    return "\n".join(line for line in text.split("\n") if line.strip() not in (BEGIN, END))


def solved(chapter):
    return _notebook(chapter, solution=unmarked, markdown=str)


def student(chapter):
    return _for_colab(_notebook(chapter, solution=stub, markdown=lower, released=True), chapter.stem)


def grader(chapter):
    return _for_colab(_notebook(chapter, solution=str, markdown=lower, released=True, hidden=True), chapter.stem)


def page(chapter, executed, linked=str):
    """The site's page.

    Args:
        chapter: the source.
        executed: the executed solved edition, whose outputs are kept.
        linked: turns the mentions in a text into links.
    """
    def markdown(text):
        return mounted(anchored(linked(text)))

    notebook = _with_outputs(_notebook(chapter, solution=stub, markdown=markdown, site=True), executed)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.metadata["tags"] = ["exercise"]  # the style sheet marks it
    return notebook


def instructor(chapter, executed):
    notebook = _with_outputs(_notebook(chapter, solution=unmarked, markdown=str, site=True), executed)
    for cell in notebook.cells:
        if cell.id in {c.exercise for c in chapter.exercises}:
            cell.metadata["tags"] = ["hide-input"]
    return notebook


def _notebook(chapter, solution, markdown, released=False, hidden=False, site=False):
    cells, figures = [], count(1)
    for cell in chapter.cells:
        if cell.kind == "markdown":
            cells += _prose(cell.text, markdown, cells, released)
        elif cell.exercise:
            cells += _exercise(cell, solution(cell.text), hidden)
        elif cell.role != "play" or not site:  # a slider without a kernel moves and changes nothing
            figure = f"{chapter.number}.{next(figures)}" if cell.alt else ""
            cells += _code(cell, figure, markdown, cells, released, site)
    for cell in cells:
        cell.metadata["id"] = cell.id  # Colab keeps the id here and only here
    notebook = new_notebook(cells=cells, metadata=dict(METADATA))
    notebook.nbformat_minor = 5
    return notebook


def _prose(text, markdown, before, released):
    """The text; in a released notebook each explorable is a cell of its own."""
    if not released:
        return [new_markdown_cell(markdown(text), id=_id(text, before))]
    cells = []
    for number, part in enumerate(DIRECTIVE.split(text)):  # text, name, text, name, text
        if number % 2:
            cells.append(new_code_cell(f'explorable("{part}")', id=f"explorable-{part}", metadata={"role": "explorable"}))
        elif part.strip():
            cells.append(new_markdown_cell(markdown(part.strip()), id=_id(part.strip(), before + cells)))
    return cells


def _code(cell, figure, markdown, before, released, site):
    """The cell; in a released notebook with its needs, and below its figure's caption or the question that it answers."""
    caption = figure and markdown(f"**Figure {figure}.** {cell.caption}")
    question = cell.question and f"**Play with your own functions.** {cell.question}"
    text = f"%%needs {' '.join(cell.needs)}\n{cell.text}" if released and cell.needs else cell.text
    code = new_code_cell(text, id=_id(cell.text, before), metadata=_metadata(cell, site, figure, caption))
    if not released or not (figure or question):
        return [code]
    return [new_markdown_cell(caption or question, id=anchor("fig", figure) if figure else _id(question, before)), code]


def _exercise(cell, text, hidden):
    name, points = cell.exercise, float(cell.points)
    check = f'check("{name}", {name})' + (HIDDEN.format(name=name) if hidden else "")
    common = {"schema_version": 3, "task": False}
    return [
        new_code_cell(text, id=name, metadata={"nbgrader": common | {
            "grade": False, "grade_id": name, "locked": False, "solution": True}}),
        new_code_cell(check, id=check_id(name), metadata={"nbgrader": common | {
            "grade": True, "grade_id": check_id(name), "locked": True, "points": points, "solution": False}}),
    ]


def _metadata(cell, site, figure, caption):
    metadata = {"role": cell.role} if cell.role else {}
    if not site:
        return metadata
    if cell.role in FOLDED:
        metadata["tags"] = ["hide-input"]
    if figure:
        shades = {"classes": "shades"} if "imshow" in cell.text else {}
        metadata["mystnb"] = {"image": {"alt": cell.alt} | shades, "figure": {"name": anchor("fig", figure), "caption": caption}}
    return metadata


def _id(text, before):
    """A stable cell id from the cell's own text; a repeated text gets a number."""
    base = "c" + hashlib.sha256(text.encode()).hexdigest()[:10]
    same = sum(cell.id.split("-")[0] == base for cell in before)
    return f"{base}-{same}" if same else base


def _with_outputs(notebook, executed):
    outputs = {cell.id: copy.deepcopy(cell.outputs) for cell in executed.cells if cell.cell_type == "code"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = outputs[cell.id]
            for output in cell.outputs:
                output.get("data", {}).pop(CLAIM, None)  # the Claims page has read it
    return notebook


def repository():
    """(address, branch or tag) of the public student repository, from `_config.yml`."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    return config["url"], config["branch"]


def colab_address(stem):
    """Where Colab opens a chapter's released notebook."""
    url, branch = repository()
    return f"{COLAB}/github/{url.removeprefix('https://github.com/')}/blob/{branch}/notebooks/{stem}.ipynb"


def _for_colab(notebook, stem):
    """Add the badge, the cell that installs the checks, and the wish for a GPU where the chapter has a GPU lab."""
    badge = f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({colab_address(stem)})"
    notebook.cells.insert(0, new_markdown_cell(badge, id="badge", metadata={"id": "badge"}))
    notebook.cells.insert(2, new_code_cell(_install(stem), id="colab", metadata={"id": "colab", "role": "setup"}))
    if stem in GPU_LABS:
        notebook.metadata |= {"accelerator": "GPU", "colab": {"gpuType": GPU}}
    return notebook


def _install(stem):
    url, branch = repository()
    text = ("# On Colab this installs the course's checks; elsewhere it does nothing.\n"
            'import sys\n\nif "google.colab" in sys.modules:\n'
            f"    %pip install --quiet --no-deps git+{url}@{branch}")
    return text + NAME_GPU if stem in GPU_LABS else text
