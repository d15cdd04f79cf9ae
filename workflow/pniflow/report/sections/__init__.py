"""The sections of the report, a module each: a function of its name, results in, blocks out."""
