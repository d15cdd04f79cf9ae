"""The report, and the closing words in the terminal: both written from the tables of a run."""

from pniflow.report.render import render_report
from pniflow.report.summary import summarize_results
from pniflow.report.tracing import trace

__all__ = ["render_report", "summarize_results", "trace"]
