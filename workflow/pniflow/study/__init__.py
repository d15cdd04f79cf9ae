"""A study's raw tables: REDCap exports, plain tables, BIDS;
read as text, checked, and reduced to what the study names.
"""

from pniflow.study.ingest import ingest_study

__all__ = ["ingest_study"]
