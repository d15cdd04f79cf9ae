"""Questionnaires: keys as data, item responses to scale scores, and checks of the scoring."""

from pniflow.questionnaires.scoring import score_questionnaires

__all__ = ["score_questionnaires"]
