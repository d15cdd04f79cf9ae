"""A study's models: structured terms, the design they make, the fits, and what hangs on choices.

terms : the kinds of term                         specification : models.yaml, read and checked
planning : which of it this study can have
study_data, design : tables to arrays             analysis, results : fits and their rows
fit_models : the prespecified analyses            sensitivity : the same with other choices
check_design : what the design can find           fit_lmm : one mixed model of any table
harmonize : ComBat for repeated scans of any table
"""
