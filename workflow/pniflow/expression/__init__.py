"""Gene expression in blood: from a lab's quantification to the CTRA score, and how sure the score is."""

from pniflow.expression.ctra import score_ctra
from pniflow.expression.ingest import ingest_expression
from pniflow.expression.normalize import normalize_expression
from pniflow.expression.quality import assess_samples

__all__ = ["assess_samples", "ingest_expression", "normalize_expression", "score_ctra"]
