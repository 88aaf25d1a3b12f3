"""nbgrader's configuration of a course folder made by `autograder init`."""

c = get_config()  # noqa: F821  (nbgrader provides it)

c.CourseDirectory.course_id = "deep-networks"  # in the exchange; PostgreSQL refuses a course without a name
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}
c.Execute.timeout = 120  # seconds a cell; stock nbgrader runs the experiments again
