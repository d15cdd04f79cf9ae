"""A simulated study: raw files as a lab would hold them, and the truth that the analysis should find."""
