"""The command line: parse, call, print. Exit status 0 only where all that was asked was done."""

import argparse
import json
import os
import sys

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
    from autograder.publish.site import build_site

    print(f"Site: {build_site()}")


def instructor(args):
    from autograder.publish.site import build_instructor_pages

    for path in build_instructor_pages():
        print(path)


def init(args):
    from autograder.grading.course import init

    made = init(args.folder, args.roster)
    print(f"Course folder {args.folder} with {', '.join(made)}.")
    print(f"Release: {args.folder}/release   Submissions go to: {args.folder}/submitted/STUDENT/ASSIGNMENT/")


def grade(args):
    from autograder.grading.sandbox import nursery

    nursery.prepare(1 if args.scheduler else 1 + (args.jobs or os.cpu_count() or 1))  # one for the self-test
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
    sub = command(init, "make an nbgrader course folder of all chapters")
    sub.add_argument("folder")
    sub.add_argument("--roster", help="CSV with at least an id column")
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
    command(doctor, "which sandbox this machine can give, and what it refuses")
    command(demo, "grade a demonstration class in _build/demo")
    command(audit, "how good the checks are").add_argument("exercise", nargs="?", help="only this exercise")
    command(bench, "measure: chapters, checks, grading, site")
    return top


def expected_errors():
    """Errors whose text is meant for the user."""
    from autograder.notebook.inspect import NotANotebook

    errors = [NotANotebook]
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


if __name__ == "__main__":
    sys.exit(main())
