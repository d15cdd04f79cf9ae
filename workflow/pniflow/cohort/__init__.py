"""Cohort assembly: all stages joined by participant and session, what is left out listed with its reason."""
