"""Gene expression in blood: from a lab's quantification to the CTRA score, and how sure the score is."""
