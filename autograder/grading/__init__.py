"""Submission → score, feedback, grade book, in nbgrader's folders and data base."""
