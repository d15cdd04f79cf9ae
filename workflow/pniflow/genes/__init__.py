"""Models over the genes of a score, the field's several ways side by side.

fit_over_genes : the command     by_gene : gene after gene     legacy_gls : the habitual regression
gene_data : signed expression and the design of the complete samples
"""
