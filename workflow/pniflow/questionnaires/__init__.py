"""Questionnaires: keys as data, item responses to scale scores, and checks of the scoring."""
