"""nbgrader's configuration of a course folder made by `autograder init`."""

c = get_config()  # noqa: F821  (nbgrader provides it)

c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}
c.Execute.timeout = 120  # seconds a cell; stock nbgrader runs the experiments again
