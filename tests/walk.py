"""Does what a guide says: the files in its boxes are written as their titles say, its commands are run, what they print is compared.

    caption "New file `F`"                          the box is the file
    caption "At the end of `F`"                     the box is added to it
    caption "In `F`, before|after the line `L`"     the box goes there; "in place of the line" replaces it; "…" ends a long line
    language console                                lines with "$ " are run in turn by one shell ("> " goes on); the rest is what they print
    language sh, or any without a caption           shown, not done

In what is printed a number stands for any number, "…" in a line for any text and alone on a line for any lines.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

BOX = re.compile(r"^(?P<fence>`{3,})\{code-block\} (?P<language>\w+)\n(?P<options>(?::[\w-]+:[^\n]*\n)*)(?P<text>.*?)^(?P=fence)$", re.M | re.S)
CAPTION = re.compile(r":caption: (?:(?P<new>New file)|(?P<end>At the end of)|In) `(?P<file>[^`]+)`(?:, (?P<where>before|after|in place of) the line `(?P<line>.+)`)?$", re.M)
PROGRESS = re.compile(r"^\[[#.]+\] .*\n", re.M)
NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
DONE = "walk-command-done"


@dataclass(frozen=True)
class Step:
    """A box of a page. kind: file | run | shown; for run, commands is [(command, what it prints)]."""

    kind: str
    text: str
    caption: dict
    commands: list
    language: str


def steps(page):
    return [_step(match) for match in BOX.finditer(page)]


def _step(match):
    text, caption = match["text"], CAPTION.search(match["options"])
    if match["language"] == "console":
        return Step("run", text, {}, _commands(text), "console")
    if ":caption:" in match["options"]:
        assert caption, f"A title that says not what to do: {match['options']!r}"
        return Step("file", text, caption.groupdict(), [], match["language"])
    return Step("shown", text, {}, [], match["language"])


def _commands(text):
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0] += f"\n{line[2:]}"
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(printed).strip("\n")) for command, printed in found]


def edit(folder, step):
    """Write a box into its file below `folder`."""
    said = step.caption
    path = folder / said["file"]
    if said["new"]:
        assert not path.exists(), f"{path} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text)
        return
    lines = path.read_text().splitlines(keepends=True)
    if said["end"]:
        place, kept = len(lines), 0
    else:
        place = _place(lines, said["line"], path) + (said["where"] == "after")
        kept = said["where"] == "in place of"
    path.write_text("".join([*lines[:place], step.text, *lines[place + kept:]]))


def _place(lines, wanted, path):
    start, long, _ = wanted.strip().partition("…")
    found = [i for i, line in enumerate(lines) if (line.strip().startswith(start.strip()) if long else line.strip() == start)]
    assert len(found) == 1, f"{path} has the line {wanted!r} {len(found)} times"
    return found[0]


def agrees(printed, shown):
    """Whether what was printed, but for a bar of progress, has the shape of what is shown; True where nothing is shown."""
    if not shown:
        return True
    printed = PROGRESS.sub("", printed)
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "…" else rf"\s*{_shape(line)}\s*\n" for line in shown.splitlines())
    return bool(re.fullmatch(rf"{pattern}\s*", printed.rstrip("\n") + "\n"))


def _shape(line):
    parts = re.split(rf"(…|{NUMBER}|\s+)", line.strip())
    same = {"…": ".*"}
    return "".join(same.get(p) or (NUMBER if re.fullmatch(NUMBER, p) else r"\s+" if not p.strip() else re.escape(p)) for p in parts if p)


class Shell:
    """One bash for a whole page, so that `cd` and variables stay."""

    def __init__(self, folder, environment):
        self.bash = subprocess.Popen(["bash"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)

    def run(self, command):
        """(status, what was printed)."""
        self.bash.stdin.write(f"{command}\necho {DONE} $?\n")
        self.bash.stdin.flush()
        lines = []
        for line in self.bash.stdout:
            before, mark, status = line.partition(DONE)
            lines.append(before)
            if mark:
                return int(status), "".join(lines)
        raise AssertionError(f"The shell ended: {command}\n{''.join(lines)}")

    def place(self):
        return Path(self.run("pwd")[1].strip())

    def close(self):
        self.bash.stdin.close()
        self.bash.wait(timeout=60)


def follow(page, folder, environment, put=(), before=(), status=()):
    """Do all that a page says, in the folder where its reader begins; returns [(command, what was printed)].

    put: {text in the page: what this machine has in its place}.
    before: {how a command begins: what happens before it, called with the folder it runs in}.
    status: {how a command begins: the status it ends with}, where that is not 0.
    """
    for text, own in dict(put).items():
        page = page.replace(text, own)
    shell, done = Shell(folder, environment), []
    try:
        for step in steps(page):
            if step.kind == "file":
                edit(shell.place(), step)
            for command, shown in step.commands:
                for prepare in _of(before, command):
                    prepare(shell.place())
                status_now, printed = shell.run(command)
                assert status_now in (_of(status, command) or [0]), f"{command} ends with {status_now}:\n{printed}"
                assert agrees(printed, shown), f"{command} prints\n{printed}\nand the page shows\n{shown}"
                done.append((command, printed))
    finally:
        shell.close()
    return done


def _of(table, command):
    return [value for start, value in dict(table).items() if command.startswith(start)]
