"""Mutants that compute the same as the reference, set aside one by one with the reason."""

REASONS: dict[str, dict[str, str]] = {}
