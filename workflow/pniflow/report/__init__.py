"""The report, and the closing words in the terminal: both written from the tables of a run.

render_report : tables in, page and paper out    sections : a module for each section of the page
run_results : what sections are written from
interpretation, estimate_tables, listed_tables : what they share
blocks : what a section is made of               html, pdf : how it is written
trace, summarize_results : the same in the terminal
"""
