"""A study's raw tables, read as text, checked, and reduced to what the study names."""

from pniflow.study.ingest import ingest_study

__all__ = ["ingest_study"]
