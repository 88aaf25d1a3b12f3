"""How good the checks are: the bank, and mutants of the reference, against visible and hidden checks."""

import contextlib
import json
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field

from autograder.bank import entries
from autograder.checks import exercises, find, run_check
from autograder.hidden import hidden_check
from autograder.publish.editions import unmarked
from autograder.publish.source import ROOT, read_chapter, stems
from autograder.publish.write import write_text

from . import equivalent
from .mutants import mutants

SEEDS = 200
MUTANT_LIMIT_S = 10
NAMED_AT_LEAST, KILLED_AT_LEAST = 0.95, 0.95
RIGHTS_AT_LEAST = 3


@dataclass
class Audit:
    """The counts of one exercise, and whatever went wrong, in words."""

    exercise: str
    right: tuple[int, int] = (0, 0)  # accepted, total; the reference is one of them
    wrong: tuple[int, int] = (0, 0)  # rejected, total
    named: tuple[int, int] = (0, 0)  # named as the misconception they hold, total
    killed: tuple[int, int] = (0, 0)  # mutants rejected, total without the equivalent ones
    equivalent: int = 0
    false_alarms: int = 0
    check_ms: float = 0.0  # the visible check of the reference
    faults: list = field(default_factory=list)


class Timeout(BaseException):
    """A mutant ran too long: killed. No Exception, which the probe would take for the mutant's own."""


@contextlib.contextmanager
def limit(seconds):
    def stop(*_):
        raise Timeout

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def references(stem):
    """(namespace with a chapter's set-up and all its reference solutions, exercise -> source)."""
    chapter, namespace = read_chapter(stem), {}
    sources = {c.exercise: unmarked(c.text) for c in chapter.exercises}
    for source in [c.text for c in chapter.cells if c.role == "setup"] + list(sources.values()):
        exec(source, namespace)
    return namespace, sources


def audit(name):
    """Audit one exercise."""
    exercise = exercises()[name]
    namespace, sources = references(exercise.chapter)
    bank = entries(name)
    result = Audit(name)
    began = time.perf_counter()
    run_check(name, namespace[name])
    result.check_ms = round(1000 * (time.perf_counter() - began), 1)
    rights = {"reference": namespace[name]} | {e.name: e.fn for e in bank if e.is_right}
    audit_rights(result, rights)
    audit_wrongs(result, exercise, [e for e in bank if not e.is_right])
    audit_mutants(result, namespace, sources[name])
    return result


def audit_rights(result, rights):
    """Visible and hidden checks on every right implementation, then fresh seeds in turn."""
    accepted = 0
    for name, fn in rights.items():
        findings = [run_check(result.exercise, fn), hidden_check(result.exercise, fn)]
        accepted += all(f.passed for f in findings)
        result.faults += [f"right {name} refused: {f.fact}" for f in findings if not f.passed]
    result.right = accepted, len(rights)
    if len(rights) <= RIGHTS_AT_LEAST:
        result.faults.append(f"only {len(rights) - 1} right alternatives")
    for seed in range(SEEDS):
        for name, fn in rights.items():
            finding = hidden_check(result.exercise, fn, seed)
            if not finding.passed:
                result.false_alarms += 1
                result.faults.append(f"false alarm on {name}, seed {seed}: {finding.fact}")


def audit_wrongs(result, exercise, wrongs):
    rejected, named, to_name = 0, 0, 0
    for entry in wrongs:
        finding = run_check(entry.exercise, entry.fn)
        if finding.passed:
            finding = hidden_check(entry.exercise, entry.fn)
        rejected += not finding.passed
        if finding.passed:
            result.faults.append(f"wrong {entry.name} accepted")
        if entry.cause:
            to_name += 1
            named += finding.cause == entry.cause
            if finding.cause != entry.cause:
                result.faults.append(f"wrong {entry.name} named {finding.cause!r}, should be {entry.cause!r}: {finding.fact}")
    result.wrong, result.named = (rejected, len(wrongs)), (named, to_name)
    missing = {m.name for m in exercise.misconceptions} - {e.cause for e in wrongs}
    result.faults += [f"misconception {name} has no wrong implementation in the bank" for name in sorted(missing)]


def audit_mutants(result, namespace, source):
    killed = total = 0
    aside = equivalent.REASONS.get(result.exercise, {})
    for description, text in mutants(source):
        if description in aside:
            result.equivalent += 1
            continue
        total += 1
        dead = is_killed(result.exercise, namespace, text)
        killed += dead
        if not dead:
            result.faults.append(f"mutant survives: {description}")
    result.killed = killed, total


def is_killed(name, namespace, text):
    scope = dict(namespace)
    try:
        with limit(MUTANT_LIMIT_S):
            exec(text, scope)
            return not (run_check(name, scope[name]).passed and hidden_check(name, scope[name]).passed)
    except (Exception, Timeout):  # a mutant that cannot even be defined is dead
        return True


def failures(result):
    """Why this exercise fails the audit, in words; empty where it passes."""
    reasons = []
    if result.right[0] < result.right[1] or result.right[1] <= RIGHTS_AT_LEAST:
        reasons.append("right alternatives")
    if result.wrong[0] < result.wrong[1]:
        reasons.append("wrong accepted")
    if any("has no wrong implementation" in fault for fault in result.faults):
        reasons.append("bank incomplete")
    if result.named[0] < NAMED_AT_LEAST * result.named[1]:
        reasons.append("not named")
    if result.killed[0] < KILLED_AT_LEAST * result.killed[1]:
        reasons.append("mutants survive")
    if result.false_alarms:
        reasons.append("false alarms")
    return reasons


def table(results):
    rows = [("exercise", "right", "wrong", "named", "mutants", "equivalent", f"alarms/{SEEDS}", "check ms", "")]
    rows += [(r.exercise, *("{}/{}".format(*p) for p in (r.right, r.wrong, r.named, r.killed)), str(r.equivalent),
              str(r.false_alarms), f"{r.check_ms:g}", ", ".join(failures(r))) for r in results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(text.rjust(w) if i else text.ljust(w) for i, (text, w) in enumerate(zip(row, widths)))
                     for row in rows)


def published():
    """Names of the exercises whose chapter has a source, in order."""
    return [c.exercise for stem in stems() for c in read_chapter(stem).exercises]


def _single_threaded():
    import torch

    torch.set_num_threads(1)


def main(only=None):
    """Audit all exercises side by side; print the table, write `_build/audit.json`; 0 where all pass.

    Raises UnknownExercise where there is none called `only`.
    """
    names = [find(only).name] if only else published()
    with ProcessPoolExecutor(2, initializer=_single_threaded) as pool:
        results = list(pool.map(audit, names))
    print(table(results))
    for result in results:
        for fault in result.faults:
            print(f"{result.exercise}: {fault}")
    write_text(ROOT / "_build" / "audit.json", json.dumps([asdict(r) for r in results], indent=1) + "\n")
    return 1 if any(failures(r) for r in results) else 0
