"""The prespecified estimates under other choices.

variants : all variants of one model           refits : other rows, terms or scores
resampling : permutation and robust tests
robustness : single participants, other variance models and distributions
"""
