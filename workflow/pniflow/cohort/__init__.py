"""Cohort assembly: all stages joined by participant and session, what is left out listed with its reason."""

from pniflow.cohort.assembly import assemble_cohort

__all__ = ["assemble_cohort"]
