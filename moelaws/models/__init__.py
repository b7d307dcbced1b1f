"""Transformers with experts: what they hold, compute and keep."""
