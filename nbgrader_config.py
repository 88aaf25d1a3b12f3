"""nbgrader's configuration of a course folder made by `autograder init`."""

import tomllib
from pathlib import Path

c = get_config()  # noqa: F821  (nbgrader provides it)

c.CourseDirectory.course_id = "deep-networks"  # in the exchange; PostgreSQL refuses a course without a name
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}
c.Execute.timeout = 120  # seconds a cell; stock nbgrader runs the experiments again

# The late policy stands in course.toml, beside the due dates.
plan = Path(__file__).with_name("course.toml")
late = tomllib.loads(plan.read_text(encoding="utf-8-sig")).get("late", {}) if plan.exists() else {}
c.LateSubmissionPlugin.penalty_method = "zero" if late.get("policy") == "zero" else "none"
if late.get("policy") == "daily":
    c.AssignLatePenalties.plugin_class = "autograder.delivery.late.DailyPenalty"
    c.DailyPenalty.per_day = float(late.get("per_day", 0.1))
