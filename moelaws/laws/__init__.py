"""Published laws: one module per paper, each a set of pure, vectorised functions."""
