"""pniflow: from a study's raw files to mixed-model results that can be audited down to each number."""

__version__ = "0.1.0"
