"""Claims of papers and the verdicts on them."""
