"""What a download holds and whose it says it is: Canvas's zip, Moodle's zip, or a folder of notebooks.

Canvas: `lastfirst_LATE_123_456_name.ipynb`: sortable name in small letters, mark of lateness, Canvas's numbers of the
user and of the file. Moodle: `First Last_123_assignsubmission_file/name.ipynb`, with the participant's number; older
versions end the folder with "_" or write one flat file. Else the first folder, or the file's own name, is the student.
"""

import re
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from autograder.grading.course import CourseError
from autograder.grading.rebuild import LARGEST_SUBMISSION_BYTES

CANVAS = re.compile(r"^(?P<name>.*?)_(?P<late>LATE_)?(?P<user>\d+)_(?P<file_id>\d+)_(?P<file>.+)$")
CANVAS_ANONYMOUS = re.compile(r"^anon_(?:LATE_)?(?P<user>\w+?)_(?P<file_id>\d+)_(?P<file>.+)$")
CANVAS_NO_FILE = re.compile(r"^(?P<name>.*?)_(?P<late>LATE_)?(?P<user>\d+)_(?P<file>text\.html|link\.html)$")
MOODLE = re.compile(r"^(?P<name>[^_/]*)_(?P<user>\d+)_assignsubmission_(?P<plugin>[a-z]+)_?(?:/|(?<=_))(?P<file>.+)$")
MOST_ENTRIES = 20_000
WORK = (".ipynb", ".zip")


@dataclass(frozen=True)
class Item:
    """One file of a download. system: canvas | moodle | plain; number: the system's own of the user."""

    path: str
    read: Callable
    system: str
    name: str  # of the student, as the system writes it
    number: str
    file: str
    late: bool = False

    @property
    def is_work(self):
        return self.file.lower().endswith(WORK)


def read_download(path):
    """([Item], [paths that say no name]) of a zip or a folder; raises CourseError."""
    files = _zipped(Path(path)) if Path(path).is_file() else _folder(Path(path))
    system = _system([name for name, _ in files])
    items = [(_ITEM[system](name, read), name) for name, read in files]
    return [item for item, _ in items if item], [name for item, name in items if not item]


def _system(names):
    if any("_assignsubmission_" in name for name in names):
        return "moodle"
    last = [name.rsplit("/", 1)[-1] for name in names]
    if any(CANVAS.match(n) or CANVAS_NO_FILE.match(n) for n in last) or names and all(CANVAS_ANONYMOUS.match(n) for n in last):
        return "canvas"
    return "plain"


def _canvas(path, read):
    name = path.rsplit("/", 1)[-1]
    match = CANVAS_NO_FILE.match(name) or CANVAS.match(name)
    if match:
        return Item(path, read, "canvas", match["name"], match["user"], match["file"], bool(match["late"]))
    match = CANVAS_ANONYMOUS.match(name)
    return Item(path, read, "canvas", "", "", match["file"]) if match else None


def _moodle(path, read):
    for start in (0, path.find("/") + 1):  # some archive tools pack the folder that holds the folders
        match = MOODLE.match(path[start:])
        if match:
            return Item(path, read, "moodle", match["name"], match["user"], match["file"])
    return None


def _plain(path, read):
    parts = path.split("/")
    student = parts[0] if len(parts) > 1 else Path(parts[0]).stem
    return Item(path, read, "plain", student, "", parts[-1])


_ITEM = {"canvas": _canvas, "moodle": _moodle, "plain": _plain}


def _is_noise(path):
    parts = path.split("/")
    return "__MACOSX" in parts or any(p.startswith(".") for p in parts) or parts[-1] in ("timestamp.txt", "Thumbs.db")


def _folder(folder):
    if not folder.is_dir():
        raise CourseError(f"{folder} is neither a folder nor a file.")
    found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return [(p.relative_to(folder).as_posix(), _reader(p)) for p in found if not _is_noise(p.relative_to(folder).as_posix())]


def _reader(path):
    def read():
        with open(path, "rb") as file:
            return file.read(LARGEST_SUBMISSION_BYTES + 1)

    return read


def _zipped(path):
    """The files of an archive, in the order of their names; nothing is unpacked to disk."""
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise CourseError(f"{path} is no zip file that can be read ({error}).") from None
    infos = [i for i in archive.infolist() if not i.is_dir() and not stat.S_ISLNK(i.external_attr >> 16) and not _is_noise(i.filename)]
    if len(infos) > MOST_ENTRIES:
        raise CourseError(f"{path} holds {len(infos):,} files; more than {MOST_ENTRIES:,} are no class.")

    def reader(info):
        def read():
            try:
                with archive.open(info) as file:
                    return file.read(LARGEST_SUBMISSION_BYTES + 1)
            except Exception as error:  # a damaged or locked member raises whatever its decoder stumbles over
                raise OSError(f"{type(error).__name__}: {error}") from None

        return read

    return [(i.filename.replace("\\", "/"), reader(i)) for i in sorted(infos, key=lambda i: i.filename)]
