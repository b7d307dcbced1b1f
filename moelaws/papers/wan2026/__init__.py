"""Wan et al. (2026), Holistic Scaling Laws for Optimal Mixture-of-Experts Architecture."""
