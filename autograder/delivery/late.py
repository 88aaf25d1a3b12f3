"""A late policy for nbgrader's plugin: a share of the score for each day begun."""

import math

from nbgrader.plugins import LateSubmissionPlugin
from traitlets import Float

DAY = 24 * 3600


class DailyPenalty(LateSubmissionPlugin):
    """Each day begun after the due date costs `per_day` of the score, never more than the score."""

    per_day = Float(0.1, min=0, max=1, help="share of the score").tag(config=True)

    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score * min(1.0, self.per_day * math.ceil(total_seconds_late / DAY))
