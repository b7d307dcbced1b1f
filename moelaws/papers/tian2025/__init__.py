"""What belongs to Tian et al. (2025), arXiv:2507.17702, alone."""
