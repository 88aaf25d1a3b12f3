"""Mutants that compute the same as the reference, set aside one by one with the reason."""

REASONS: dict[str, dict[str, str]] = {
    "activation_gain": {
        "line 1: 64 -> 65": "one node more changes the default's result by 1e-9, and 1e-6 is promised",
        "line 1: 64 -> 63": "one node fewer changes the default's result by 1e-9, and 1e-6 is promised",
    },
    "distort": {
        "line 21: torch.exp(log_gain_scale * z) * acts + mean_scale * z_shift -> "
        "torch.exp(log_gain_scale * z) * acts - mean_scale * z_shift": "the shift is symmetric about 0",
    },
}
