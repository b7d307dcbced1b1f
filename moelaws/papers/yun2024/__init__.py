"""Yun et al. (2024), Toward Inference-optimal Mixture-of-Experts Large Language Models."""
