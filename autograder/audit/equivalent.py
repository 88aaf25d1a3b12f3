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
    "weight_norm_backward": {
        "line 21: 0 -> -1": "the axis that is dropped has size 1: its first entry is its last",
    },
    "decay_groups": {
        "line 17: False -> True": "PyTorch's normalisers have no submodules",
    },
    "jacobian_frobenius": {
        "line 17: s > 0 -> s >= 0": "the slope of a ReLU at exactly 0 is free, and no pre-activation is exactly 0",
    },
    "balanced_factors": {
        "line 15: 0 -> -1": "which factor is negative is free",
        "line 15: beta < 0 -> beta <= 0": "0 and -0 are equal",
    },
    "unscale_and_clip": {
        "line 20: norm + 1e-06 -> norm - 1e-06": "PyTorch adds 1e-6 to the norm, so 1e-5 either way is allowed",
        "line 20: norm + 1e-06 -> norm": "PyTorch adds 1e-6 to the norm, so 1e-5 either way is allowed",
        "line 20: 1e-06 -> 2e-06": "PyTorch adds 1e-6 to the norm, so 1e-5 either way is allowed",
    },
    "choose_amp": {
        "line 13: 0 -> -1": "a minor version is never negative",
    },
}
