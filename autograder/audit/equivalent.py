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
    "diagnose": dict.fromkeys((
        "line 42: end > 1.5 -> end >= 1.5",
        "line 43: start > 1.6 -> start >= 1.6",
        "line 44: end > 0.7 -> end >= 0.7",
        "line 44: curves['grad_norm'][-1] < 1e-05 -> curves['grad_norm'][-1] <= 1e-05",
        "line 44: 1e-05 -> 2e-05",
        "line 45: train.diff().max() > 0.25 -> train.diff().max() >= 0.25",
        "line 46: val.min() > 0.92 -> val.min() >= 0.92",
        "line 47: val[-1] - val.min() > 0.1 -> val[-1] - val.min() >= 0.1",
        "line 48: end > 0.45 -> end >= 0.45",
        "line 48: middle - end > 0.17 * (start - end) -> middle - end >= 0.17 * (start - end)",
        "line 49: end > 0.27 -> end >= 0.27",
    ), "the descriptions leave a gap around every threshold, and no run lies in it"),
    "repair_05": {
        "line 14: True -> False": "the mean of each column is subtracted from every row in either shape",
    },
    "repair_06": {
        "line 24: 0 -> -1": "OneCycleLR gives all groups the same rate",
    },
    "train": dict.fromkeys((
        "line 19: 0.02 -> 0.04",
        "line 20: 0.02 -> 0.04",
        "line 22: 0.2 -> 0.4",
        "line 22: 0.2 * torch.randn_like(images) -> 0.2",
        "line 22: 0.2 * torch.randn_like(images) -> 0.2 / torch.randn_like(images)",
        "line 22: 0.2 * torch.randn_like(images) -> torch.randn_like(images)",
        "line 22: images + 0.2 * torch.randn_like(images) -> images",
        "line 22: images + 0.2 * torch.randn_like(images) -> images - 0.2 * torch.randn_like(images)",
    ), "a recipe is free: another rate or another noise is another recipe, judged by its score"),
}
