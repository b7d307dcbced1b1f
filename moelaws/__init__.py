"""Scaling and serving laws of mixture-of-experts language models."""
