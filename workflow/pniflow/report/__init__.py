"""The report, and the closing words in the terminal: both written from the tables of a run."""
