"""Power laws of training compute that Tian et al. (2025) print: best settings, and best size and tokens.

Compute is training compute in FLOP without the output layer, C = M D for M training FLOP of one token and D tokens.

References
----------
C. Tian et al., arXiv:2507.17702 (2025), Eq. 3, Table 1, Figure 2.
"""

from moelaws.laws.power import PowerLaw

LEARNING_RATE = {"moe": PowerLaw(1.1576, -0.1529), "dense": PowerLaw(2.2177, -0.1649)}
"""Best peak learning rate as a function of training compute: Eq. 3 and Figure 2a."""

BATCH = {"moe": PowerLaw(0.0694, 0.3644), "dense": PowerLaw(0.1039, 0.3493)}
"""Best batch in tokens as a function of training compute: Eq. 3 and Figure 2b."""

FLOPS_PER_TOKEN = {"moe": PowerLaw(0.1915, 0.5095), "dense": PowerLaw(0.0655, 0.5422)}
"""Training FLOP of one token of the best model for a training compute, Table 1."""

N_TOKENS = {"moe": PowerLaw(5.2232, 0.4905), "dense": PowerLaw(15.2582, 0.4578)}
"""Training tokens of the best model for a training compute, Table 1."""
