"""Yang et al. (2025), Faster MoE LLM Inference for Extremely Large Models."""
