"""Who is in the course, and whose a name in a download is: exactly one student, or nobody."""

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass

from autograder.grading.book import open_book
from autograder.grading.course import read_roster, roster_rows

FILE = "roster.csv"
CANVAS_COLUMNS = {"student", "id"}  # of Canvas's own export; its "ID" is Canvas's number
UNSAFE = re.compile(r"""[\x00-\x1f\x7f&<>"`|':\\/]""")  # characters that Moodle leaves out of file names


@dataclass(frozen=True)
class Person:
    """A student of the course. `row` is the roster's line, {column in small letters: text}."""

    id: str
    first: str = ""
    last: str = ""
    email: str = ""
    row: tuple = ()

    def column(self, name):
        return dict(self.row).get(name, "")

    @property
    def canvas_id(self):
        columns = dict(self.row)
        return columns.get("id", "") if CANVAS_COLUMNS <= set(columns) else ""

    @property
    def canvas_name(self):
        """The name as Canvas sorts it: "Last, First"."""
        return self.column("student") or (f"{self.last}, {self.first}" if self.first else self.last)

    @property
    def full_name(self):
        return " ".join(filter(None, (self.first, self.last)))


def read_people(course):
    """Student id -> Person: the roster that `init` was given, and whoever else stands in the grade book."""
    people = {}
    with open_book(course) as gradebook:
        for s in gradebook.students:
            people[s.id] = Person(s.id, s.first_name or "", s.last_name or "", s.email or "")
    path = course / FILE
    if path.exists():
        for student, (_, row) in zip(read_roster(path), roster_rows(path)[0]):
            known = people.get(student["id"], Person(student["id"]))
            people[student["id"]] = Person(student["id"], student.get("first_name") or known.first, student.get("last_name") or known.last,
                                           student.get("email") or known.email, tuple(row.items()))
    return people


def folded(text):
    """A text without differences of case, of white space and of how accents are stored."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def canvas_key(name):
    """A sortable name as it stands in Canvas's file names: small letters, word characters alone."""
    return re.sub(r"[^\w]", "", unicodedata.normalize("NFC", name).lower())


def moodle_key(name):
    """A full name as it stands in Moodle's folder names."""
    return folded(UNSAFE.sub("", name.replace("_", " ")))


class Index:
    """Finds people by what a download says of them; several that fit are as good as none."""

    def __init__(self, people, named=()):
        """named: {name, number or path in a download: student id}, decided by a person."""
        self.people, self.named, self.by = people, dict(named), defaultdict(lambda: defaultdict(set))
        for person in people.values():
            row = dict(person.row)
            keys = {"id": [person.id], "canvas id": [person.canvas_id], "canvas name": [canvas_key(person.canvas_name)],
                    "moodle name": [moodle_key(person.full_name)], "email": [folded(person.email)],
                    "number": [row.get("id number", ""), row.get("sis user id", ""), person.id]}
            for kind, values in keys.items():
                for value in filter(None, values):
                    self.by[kind][value].add(person.id)

    def has(self, kind):
        return bool(self.by[kind])

    def find(self, names, *keys):
        """(student id or "", why not) by what a person has decided of these names, else by the first (kind, value) that anybody has."""
        for name in filter(self.named.get, names):
            return self.named[name], ""
        for kind, value in keys:
            found = sorted(self.by[kind].get(value, ()) if value else ())
            if len(found) == 1:
                return found[0], ""
            if found:
                return "", f"{len(found)} students of the roster fit: {', '.join(found)}"
        return "", "not in the roster"


def doubles(people):
    """[(name, ids)] of names that several students bear."""
    names = defaultdict(list)
    for person in people.values():
        if person.full_name:
            names[folded(person.full_name)].append(person)
    return [(same[0].full_name, sorted(p.id for p in same)) for same in names.values() if len(same) > 1]
