"""What people see of a run: a bar with rate, time left and failures, and the table at its end."""

import sys
import time

BAR = 24
REMARK = 90  # characters of a remark that the table shows


class Progress:
    """A bar on stderr where that is a terminal, else a line now and then."""

    def __init__(self, total, shown=True, stream=sys.stderr):
        self.total, self.shown, self.stream = total, shown, stream
        self.done = self.graded = self.failed = 0
        self.began = self.last = time.monotonic()

    def step(self, result, outcome):
        self.done += 1
        self.graded += outcome == "graded"
        self.failed += result.status != "graded"
        if self.shown and (self.stream.isatty() or time.monotonic() - self.last > 10):
            self.last = time.monotonic()
            end = "" if self.stream.isatty() else "\n"
            print(f"\r{self.line()}\033[K" if not end else self.line(), end=end, file=self.stream, flush=True)

    def line(self):
        elapsed = time.monotonic() - self.began
        rate = self.graded / elapsed if elapsed else 0.0
        left = f"{(self.total - self.done) / rate:.0f} s left" if rate else "…"
        filled = BAR * self.done // max(self.total, 1)
        return (f"[{'#' * filled}{'.' * (BAR - filled)}] {self.done} of {self.total}, {rate:.1f} a second, {left}, "
                f"{self.failed} not graded")

    def close(self):
        if self.shown and self.stream.isatty():
            print(f"\r{self.line()}\033[K", file=self.stream)


def table(results):
    """The results as text, by student: who, how much, and what was noticed."""
    results = sorted(results, key=lambda r: r.student)
    width = max([7, *(len(printable(r.student)) for r in results)])
    lines = [f"{'student':<{width}}  {'score':>6}  {'of':>4}  noticed"]
    for r in results:
        notes = [*([] if r.status == "graded" else [r.status.upper()]), *r.incidents, *r.remarks]
        note = printable("; ".join(notes))
        lines.append(f"{printable(r.student):<{width}}  {r.score:>6g}  {r.max_score:>4g}  {note[:REMARK]}{'…' * (len(note) > REMARK)}")
    return "\n".join(lines)


def printable(text):
    """What students named may hold escape sequences or be no text at all; a terminal gets "?" instead."""
    return "".join(c if c.isprintable() else "?" for c in text)
