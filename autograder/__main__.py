"""The command line: parse, call, print. Exit status 0 only where all that was asked was done."""

import argparse
import gc
import json
import os
import signal
import sys
import threading

TEACHERS = ("`autograder {}` needs the teachers' tools: in a clone of the course's repository, run "
            "pip install -e '.[teach]' -c constraints.txt")


def check(args):
    from autograder.notebook.inspect import inspect, report

    findings = inspect(args.notebook)
    print(report(findings))
    return 0 if all(f.passed for f in findings) else 1


def notebooks(args):
    from autograder.publish.write import write_students

    for path in write_students():
        print(path)


def site(args):
    from autograder.publish.furniture import left_out
    from autograder.publish.site import build_site

    print(f"Site: {build_site()}")
    if left_out():
        print(left_out())


def instructor(args):
    from autograder.publish.site import build_instructor_pages

    for path in build_instructor_pages():
        print(path)


def init(args):
    from autograder.delivery.plan import make_course, moment

    due = [(name, moment(date)) for name, date in pairs(args.due, "--due")]
    made = make_course(args.folder, args.roster, args.chapters, args.late, due)
    print(f"Course folder {args.folder} with {', '.join(made)}.")
    print(f"Due dates, points, weights: {args.folder}/course.toml")
    print(f"Release: {args.folder}/release   Submissions go to: {args.folder}/submitted/STUDENT/ASSIGNMENT/")


def pairs(texts, option):
    """[(name, value)] of arguments NAME=VALUE."""
    from autograder.grading.course import CourseError

    for text in texts or ():
        if not all(text.partition("=")):
            raise CourseError(f"{option} takes NAME=VALUE, not {text!r}.")
    return [tuple(text.rsplit("=", 1)) for text in texts or ()]


def grade(args):
    from autograder.grading.sandbox import nursery

    nursery.prepare(1 if args.scheduler else 1 + (args.jobs or os.cpu_count() or 1))  # one for the self-test
    from autograder.delivery.plan import before_grading

    before_grading(args.course)
    from autograder.grading.course import students_handed_in
    from autograder.grading.engine import grade_assignment
    from autograder.grading.progress import Progress, table

    results, progress = [], Progress(students_handed_in(args.course, args.assignment, args.student), shown=not args.json)
    for result, outcome in grade_assignment(args.assignment, args.course, args.student, args.jobs, args.scheduler,
                                            args.trust_submissions):
        results.append(result)
        progress.step(result, outcome)
        if args.json:
            record = result.to_dict() | {"outcome": outcome, "score": result.score, "max_score": result.max_score}
            print(json.dumps({k: v for k, v in record.items() if k not in ("notebook", "solutions")}), flush=True)
    progress.close()
    if not args.json:
        print(table(results))
    return 1 if any(r.status != "graded" for r in results) else 0


def report(args):
    from autograder.grading.report import write_report

    path, found = write_report(args.assignment, args.course)
    print(f"Submissions: {len(found.results)}   Report: {path}")
    if found.missing or found.stale:
        print(f"{len(found.missing)} without a result, {len(found.stale)} stale; run: autograder grade {args.assignment}", file=sys.stderr)
    return 1 if found.missing or found.stale else 0


def release(args):
    from autograder.delivery.release import release

    changed = release(args.to, args.site)
    print(f"Students' repository: {args.to}, {changed.files} files, ready to push")
    print(f"Written: {len(changed.written)}   Removed: {len(changed.removed)}   As they were: {changed.files - len(changed.written)}")


def collect(args):
    from autograder.delivery import collect as collecting
    from autograder.grading.course import CourseError, open_course

    course = open_course(args.course)
    if bool(args.download) == args.exchange:
        raise CourseError("Say where the work lies: --from ZIP-OR-FOLDER, or --exchange for nbgrader's.")
    if args.exchange:
        rows, missing = collecting.collect_exchange(course, args.assignment)
    else:
        choices = collecting.Choices(tuple(pairs(args.match, "--match")), tuple(args.take or ()), args.update)
        rows, missing = collecting.collect(course, args.assignment, args.download, args.worksheet, choices)
    return noticed(rows, f"Nothing from: {', '.join(missing)}" if missing else "Every student of the roster has handed in.")


def noticed(rows, last):
    """Print the table of what was noticed; exit status 1 where a person has to decide."""
    from autograder.delivery.table import lines

    print("\n".join([*lines(rows), last]))
    return 1 if any(row.is_open for row in rows) else 0


def export(args):
    from autograder.delivery import export as exporting
    from autograder.grading.course import CourseError, open_course

    course = open_course(args.course)
    if not args.to and not args.feedback:
        raise CourseError("Say where to: --to CSV for the grades, --feedback ZIP for the pages.")
    rows = exporting.export(course, args.format, args.to, args.assignment, args.template) if args.to else []
    rows += exporting.export_feedback(course, args.feedback, args.format, args.assignment) if args.feedback else []
    return noticed(rows, "\n".join(f"{what}: {path}" for what, path in (("Grades", args.to), ("Feedback", args.feedback)) if path))


def gradescope(args):
    from autograder.delivery.gradescope import make_bundle
    from autograder.grading.course import open_course

    make_bundle(open_course(args.course), args.assignment, args.to, args.visibility or (), args.trust_submissions, args.torch_index)
    print(f"Gradescope's autograder: {args.to}")


def similarity(args):
    from autograder.delivery.similarity import write_similarity

    path, found, students = write_similarity(args.assignment, args.course)
    print(f"Submissions: {students}   Pairs to look at: {len(found)}   Page: {path}")


def leaderboard(args):
    from autograder.grading.leaderboard import write_leaderboard

    path, rows, students = write_leaderboard(args.course)
    print(f"Shown: {len(rows)} of {students}   Leaderboard: {path}")


def doctor(args):
    from autograder.grading.sandbox.doctor import report

    lines, rung = report()
    print("\n".join(lines))
    return 0 if rung else 1


def demo(args):
    from autograder.grading.demo import grade_demo

    grade_demo()


def audit(args):
    from autograder.audit import main

    return main(args.exercise)


def bench(args):
    from autograder.audit.bench import main

    return main()


def parser():
    top = argparse.ArgumentParser(prog="autograder", description=__doc__.split("\n")[0])
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(run, help):
        sub = commands.add_parser(run.__name__, help=help, description=help)
        sub.set_defaults(run=run)
        return sub

    command(check, "look at one notebook: graded cells present and whole, visible checks").add_argument("notebook")
    command(notebooks, "write the student notebooks")
    command(site, "build the static site")
    command(instructor, "write the instructor's pages, with folded solutions")
    sub = command(release, "write the students' repository, with nothing secret in it")
    sub.add_argument("--to", required=True, metavar="DIR", help="a new or empty folder, or an earlier release to bring up to date")
    sub.add_argument("--site", metavar="URL", help="where the site is published (default: by _config.yml)")
    sub = command(init, "make an nbgrader course folder")
    sub.add_argument("folder")
    sub.add_argument("--roster", metavar="CSV", help="as Canvas and Moodle export it, or with at least an id column")
    sub.add_argument("--chapters", nargs="+", metavar="NAME", help="only these, such as batch_norm or 05 (default: all)")
    sub.add_argument("--due", nargs="+", metavar="NAME=DATE", help="due dates in UTC, such as batch_norm=2030-01-31T23:59")
    sub.add_argument("--late", choices=("none", "zero", "daily"), default="none", help="what late work loses (default: nothing)")
    sub = command(collect, "take the work out of a download of Canvas or Moodle, a folder, or nbgrader's exchange")
    sub.add_argument("assignment")
    sub.add_argument("--from", dest="download", metavar="PATH", help="the zip as downloaded, or a folder with one folder a student")
    sub.add_argument("--exchange", action="store_true", help="from the exchange that nbgrader_config.py names, ngshare too")
    sub.add_argument("--worksheet", metavar="CSV", help="Moodle's grading worksheet: numbers and times of the submissions")
    sub.add_argument("--match", action="append", metavar="NAME=ID", help="whose work a name in the download is")
    sub.add_argument("--take", action="append", metavar="FILE", help="take this file, whatever else speaks against it")
    sub.add_argument("--update", action="store_true", help="let other work replace what was handed in before")
    sub.add_argument("--course", default=".", help="the course folder (default: here)")
    sub = command(grade, "grade an assignment; unchanged work is not graded again")
    sub.add_argument("assignment")
    sub.add_argument("--course", default=".", help="the course folder (default: here)")
    sub.add_argument("--student", help="only this student")
    sub.add_argument("--jobs", type=int, help="processes side by side (default: one per core)")
    sub.add_argument("--scheduler", metavar="ADDR", help="a Dask scheduler, to grade on many machines")
    sub.add_argument("--trust-submissions", action="store_true", help="grade without a sandbox where none holds")
    sub.add_argument("--json", action="store_true", help="one JSON object a line, for machines")
    sub = command(report, "the class at a glance: scores, exercises, misconceptions, on one page")
    sub.add_argument("assignment")
    sub.add_argument("--course", default=".", help="the course folder (default: here)")
    sub = command(export, "grades as Canvas, Moodle, Gradescope or a spreadsheet read them, and feedback pages")
    sub.add_argument("--format", choices=("canvas", "moodle", "csv", "gradescope"), required=True)
    sub.add_argument("--to", metavar="CSV", help="the grades")
    sub.add_argument("--feedback", metavar="ZIP", help="the feedback pages, by student")
    sub.add_argument("--assignment", action="append", metavar="NAME", help="only this one; may be given again (default: all)")
    sub.add_argument("--template", metavar="CSV", help="Canvas's export or Moodle's grading worksheet, to fill in")
    sub.add_argument("--course", default=".", help="the course folder (default: here)")
    sub = command(gradescope, "write an autograder bundle for Gradescope")
    sub.add_argument("assignment")
    sub.add_argument("--to", required=True, metavar="ZIP")
    sub.add_argument("--course", default=".", help="the course folder (default: here)")
    sub.add_argument("--visibility", action="append", metavar="[NAME=]WORD", help="visible, hidden, after_due_date or after_published; "
                     "for all exercises or for one")
    sub.add_argument("--trust-submissions", action="store_true", help="grade without a sandbox where none holds")
    sub.add_argument("--torch-index", default="", metavar="URL", help="PyTorch's index of builds for CPU, to spare gigabytes")
    sub = command(similarity, "where solutions are alike: a place to look, on one page")
    sub.add_argument("assignment")
    sub.add_argument("--course", default=".", help="the course folder (default: here)")
    sub = command(leaderboard, "rank the capstone's points on one page, with the names of those who asked")
    sub.add_argument("--course", default=".", help="the course folder (default: here)")
    command(doctor, "which sandbox this machine can give, and what it refuses")
    command(demo, "grade a demonstration class in _build/demo")
    command(audit, "how good the checks are").add_argument("exercise", nargs="?", help="only this exercise")
    command(bench, "measure: chapters, checks, grading, site")
    return top


def expected_errors():
    """Errors whose text is meant for the user."""
    from autograder.checks import UnknownExercise
    from autograder.notebook.inspect import NotANotebook

    errors = [NotANotebook, UnknownExercise]
    try:
        from autograder.grading.course import CourseError
        from autograder.grading.sandbox.doctor import NoSandbox
        from autograder.publish.execute import ChapterFailed
        from autograder.publish.site import SiteFailed
        from autograder.publish.source import SourceError

        errors += [CourseError, NoSandbox, ChapterFailed, SiteFailed, SourceError]
    except ImportError:
        pass
    return tuple(errors)


def main(argv=None):
    args = parser().parse_args(argv)
    try:
        return args.run(args) or 0
    except ModuleNotFoundError as missing:
        print(TEACHERS.format(args.command) + f" (missing: {missing.name})", file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped; what was finished is kept.", file=sys.stderr)
    except Exception as error:
        if not isinstance(error, expected_errors()):
            raise
        print(error, file=sys.stderr)
    return 2


def run():
    """The command `autograder`."""
    sys.unraisablehook = _again
    status = main()
    gc.freeze()  # or the interpreter looks through all of torch once more before it ends: a second
    sys.exit(status)


def _again(unraisable):
    """An interrupt that falls into a finaliser is lost there, so it is sent once more."""
    if unraisable.exc_type is KeyboardInterrupt:
        threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    run()
