"""Right alternatives and wrong implementations of chapter 13."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import right, wrong


def network():
    """As in the chapter's set-up cell."""
    wide = [nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU()]
    return nn.Sequential(*wide, nn.Linear(128, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 10))


# --- expected_calibration_error


@right("expected_calibration_error")
def with_masks(probabilities, labels, bins=15):
    confidence = probabilities.max(dim=1).values.to(torch.float64)
    correct = probabilities.argmax(dim=1).eq(labels).to(torch.float64)
    total = 0.0
    for k in range(bins):
        inside = (confidence * bins > k) & (confidence * bins <= k + 1)
        if inside.any():
            total += float(inside.double().mean() * (confidence[inside].mean() - correct[inside].mean()).abs())
    return total


@right("expected_calibration_error")
def with_numpy(probabilities, labels, bins=15):
    p = probabilities.detach().numpy().astype(np.float64)
    top = p.max(axis=1)
    hit = p.argmax(axis=1) == labels.numpy()
    place = np.maximum(np.ceil(top * bins).astype(int), 1) - 1
    gap = np.bincount(place, weights=top - hit, minlength=bins)
    return float(np.abs(gap).sum() / len(top))


@right("expected_calibration_error")
def with_one_hot_product(probabilities, labels, bins=15):
    top, answer = torch.max(probabilities.double(), 1)
    member = F.one_hot((top * bins).ceil().long() - 1, bins).double()
    return (member.T @ (top - (answer == labels).double())).abs().sum().div(len(labels))


@right("expected_calibration_error")
def example_by_example(probabilities, labels, bins=15):
    gaps = {}
    for row, label in zip(probabilities.double().tolist(), labels.tolist()):
        top = max(row)
        key = math.ceil(top * bins)
        gaps[key] = gaps.get(key, 0.0) + top - float(row.index(top) == label)
    return math.fsum(abs(g) for g in gaps.values()) / len(labels)


@wrong("expected_calibration_error", "bins_weigh_the_same")
def mean_over_filled_bins(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, k = (a == labels).double(), torch.ceil(c * bins)
    return float(np.mean([abs(float((c - r)[k == j].mean())) for j in k.unique()]))


@wrong("expected_calibration_error", "divided_by_all_bins")
def sum_of_means_over_bins(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, k = (a == labels).double(), torch.ceil(c * bins)
    return sum(abs(float((c - r)[k == j].mean())) for j in k.unique()) / bins


@wrong("expected_calibration_error", "signs_kept")
def no_absolute_value(probabilities, labels, bins=15):
    return float(probabilities.double().amax(1).mean() - (probabilities.argmax(1) == labels).double().mean())


@wrong("expected_calibration_error", "absolute_value_at_the_end")
def overall_gap(probabilities, labels, bins=15):
    return abs(float(probabilities.double().amax(1).mean() - (probabilities.argmax(1) == labels).double().mean()))


@wrong("expected_calibration_error", "one_example_a_bin")
def mean_absolute_residual(probabilities, labels, bins=15):
    return float(F.l1_loss(probabilities.double().amax(1), (probabilities.argmax(1) == labels).double()))


@wrong("expected_calibration_error", "largest_gap")
def maximum_error(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, k = (a == labels).double(), torch.ceil(c * bins)
    return max(abs(float((c - r)[k == j].mean())) for j in k.unique())


@wrong("expected_calibration_error", "gaps_squared")
def squared(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, k = (a == labels).double(), torch.ceil(c * bins)
    return sum(float((k == j).double().mean()) * float((c - r)[k == j].mean()) ** 2 for j in k.unique())


@wrong("expected_calibration_error", "root_mean_square")
def squared_then_root(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, k = (a == labels).double(), torch.ceil(c * bins)
    return math.sqrt(sum(float((k == j).double().mean()) * float((c - r)[k == j].mean()) ** 2 for j in k.unique()))


@wrong("expected_calibration_error", "middle_of_the_bin")
def centres(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, k = (a == labels).double(), torch.ceil(c * bins)
    return sum(abs(float(((k - 0.5) / bins - r)[k == j].sum())) for j in k.unique()) / len(labels)


@wrong("expected_calibration_error", "lower_edge_held")
def half_open_the_other_way(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, total = (a == labels).double(), 0.0
    for j in range(bins):
        inside = (c * bins >= j) & ((c * bins < j + 1) | (j == bins - 1))
        total += abs(float((c - r)[inside].sum()))
    return total / len(labels)


@wrong("expected_calibration_error", "certainty_left_out")
def strictly_below_one(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, total = (a == labels).double(), 0.0
    for j in range(bins):
        inside = (c * bins > j) & (c * bins <= j + 1) & (c < 1)
        total += abs(float((c - r)[inside].sum()))
    return total / len(labels)


@wrong("expected_calibration_error", "bins_of_equal_size")
def quantile_bins(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r = (a == labels).double().numpy()
    parts = np.array_split(np.argsort(c.numpy()), bins)
    return sum(abs((c.numpy() - r)[part].sum()) for part in parts) / len(labels)


@wrong("expected_calibration_error", "bins_between_extremes")
def bins_of_the_range_met(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r = (a == labels).double()
    k = torch.ceil((c - c.min()) / (c.max() - c.min()) * bins).clamp(min=1)
    return sum(abs(float((c - r)[k == j].sum())) for j in range(1, bins + 1)) / len(labels)


@wrong("expected_calibration_error", "always_fifteen")
def fifteen(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, k = (a == labels).double(), torch.ceil(c * 15)
    return sum(abs(float((c - r)[k == j].sum())) for j in k.unique()) / len(labels)


@wrong("expected_calibration_error", "always_ten")
def ten(probabilities, labels, bins=10):
    c, a = probabilities.double().max(1)
    r, k = (a == labels).double(), torch.ceil(c * 10)
    return sum(abs(float((c - r)[k == j].sum())) for j in k.unique()) / len(labels)


@wrong("expected_calibration_error", "in_per_cent")
def times_hundred(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, k = (a == labels).double(), torch.ceil(c * bins)
    return 100 * sum(abs(float((c - r)[k == j].sum())) for j in k.unique()) / len(labels)


@wrong("expected_calibration_error", "not_divided")
def plain_sum(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, k = (a == labels).double(), torch.ceil(c * bins)
    return sum(abs(float((c - r)[k == j].sum())) for j in k.unique())


@wrong("expected_calibration_error", "probability_of_the_label")
def of_the_true_class(probabilities, labels, bins=15):
    c = probabilities.double()[torch.arange(len(labels)), labels]
    r, k = (probabilities.argmax(1) == labels).double(), torch.ceil(c * bins).clamp(min=1)
    return sum(abs(float((c - r)[k == j].sum())) for j in k.unique()) / len(labels)


@wrong("expected_calibration_error", "all_classes")
def class_by_class(probabilities, labels, bins=15):
    total, count = 0.0, probabilities.shape[1]
    for which in range(count):
        c = probabilities[:, which].double()
        r, k = (labels == which).double(), torch.ceil(c * bins).clamp(min=1)
        total += sum(abs(float((c - r)[k == j].sum())) for j in k.unique()) / len(labels)
    return total / count


@wrong("expected_calibration_error", "softmax_again")
def taken_for_logits(probabilities, labels, bins=15):
    c, a = F.softmax(probabilities.double(), dim=-1).max(1)
    r, k = (a == labels).double(), torch.ceil(c * bins)
    return sum(abs(float((c - r)[k == j].sum())) for j in k.unique()) / len(labels)


@wrong("expected_calibration_error", "wrong_for_right")
def error_rate_for_accuracy(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, k = (a != labels).double(), torch.ceil(c * bins)
    return sum(abs(float((c - r)[k == j].sum())) for j in k.unique()) / len(labels)


@wrong("expected_calibration_error", "")
def empty_bins_are_nan(probabilities, labels, bins=15):
    c, a = probabilities.double().max(1)
    r, k = (a == labels).double(), torch.ceil(c * bins)
    return float(sum((k == j).double().mean() * (c - r)[k == j].mean().abs() for j in range(1, bins + 1)))


# --- train and its higher bars


@right("train_calibrated")
@right("train_accurate")
@right("train")
def cosine_by_hand(images, labels, budget):
    net = network()
    adam = torch.optim.Adam(net.parameters(), lr=0.02)
    for k in range(budget):
        share = k / max(budget - 1, 1)
        for group in adam.param_groups:
            group["lr"] = 0.02 * (share / 0.3 if share < 0.3 else 0.5 * (1 + math.cos(math.pi * (share - 0.3) / 0.7))) + 1e-5
        adam.zero_grad()
        F.cross_entropy(net(images + 0.15 * torch.randn(images.shape)), labels).backward()
        adam.step()
    return net.state_dict()


@right("train_calibrated")
@right("train_accurate")
@right("train")
def adam_written_out(images, labels, budget):
    net = network()
    weights = list(net.parameters())
    m, s = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    for k in range(1, budget + 1):
        rate = 0.02 * math.sin(math.pi * (k - 0.5) / budget)
        loss = F.nll_loss(F.log_softmax(net(images + 0.2 * torch.randn_like(images)), 1), labels)
        for w, g, a, b in zip(weights, torch.autograd.grad(loss, weights), m, s):
            a.mul_(0.9).add_(g, alpha=0.1)
            b.mul_(0.999).addcmul_(g, g, value=0.001)
            with torch.no_grad():
                w -= rate * a / (1 - 0.9**k) / ((b / (1 - 0.999**k)).sqrt() + 1e-8)
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


@right("train_calibrated")
@right("train_accurate")
@right("train")
def functional_nadam(images, labels, budget):
    """In functional form, by another optimizer; double precision handed back."""
    net = network()
    state = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    rest = dict(net.named_buffers())
    opt = torch.optim.NAdam(state.values(), lr=0.015)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, 0.02, total_steps=budget + 1, pct_start=0.2, cycle_momentum=False)
    for _ in range(budget):
        logits = torch.func.functional_call(net, {**state, **rest}, (images + 0.2 * torch.randn_like(images),))
        opt.zero_grad()
        F.cross_entropy(logits, labels).backward()
        opt.step()
        plan.step()
    return {name: value.detach().double() for name, value in {**net.state_dict(), **state}.items()}


@wrong("train_calibrated", "one_step_too_many")
@wrong("train_accurate", "one_step_too_many")
@wrong("train", "one_step_too_many")
def both_ends(images, labels, budget):
    net = network()
    opt = torch.optim.AdamW(net.parameters(), lr=0.01)
    for k in range(budget + 1):
        opt.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        opt.step()
    return net.state_dict()


@wrong("train_calibrated", "epochs_for_steps")
@wrong("train_accurate", "epochs_for_steps")
@wrong("train", "epochs_for_steps")
def thirty_epochs(images, labels, budget):
    net = network()
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(budget):
        for x, y in zip(images.split(100), labels.split(100)):
            opt.zero_grad()
            F.cross_entropy(net(x), y).backward()
            opt.step()
    return net.state_dict()


@wrong("train", "epochs_for_steps")
def gradients_written_out(images, labels, budget):
    """No autograd: 360 full-batch steps on the last layer, counted by their products."""
    net = network()
    hot = F.one_hot(labels, 10).float()
    with torch.no_grad():
        for _ in range(12 * budget):
            h = net[5](net[4](net[3](net[2](net[1](net[0](images))))))
            error = (net[6](h).softmax(1) - hot) / len(images)
            net[6].weight -= 0.5 * error.T @ h
            net[6].bias -= 0.5 * error.sum(0)
    return net.state_dict()


@wrong("train", "epochs_for_steps")
def counted_in_secret(images, labels, budget):
    """torch.func's gradients and updates by hand."""
    net = network().eval()
    rest = dict(net.named_buffers())
    state = {n: p.detach() for n, p in net.named_parameters()}

    def loss(state):
        return F.cross_entropy(torch.func.functional_call(net, {**state, **rest}, (images[:64],)), labels[:64])

    for _ in range(5 * budget):
        state = {n: state[n] - 0.1 * g for n, g in torch.func.grad(loss)(state).items()}
    return {**net.state_dict(), **state}


@wrong("train_calibrated", "no_better_than_guessing")
@wrong("train_accurate", "no_better_than_guessing")
@wrong("train", "no_better_than_guessing")
def shuffled_apart(images, labels, budget):
    net = network()
    opt = torch.optim.AdamW(net.parameters(), lr=0.01)
    for _ in range(budget):
        opt.zero_grad()
        F.cross_entropy(net(images[torch.randperm(len(images))]), labels[torch.randperm(len(labels))]).backward()
        opt.step()
    return net.state_dict()


@wrong("train_calibrated", "less_sure_than_right")
@wrong("train", "less_sure_than_right")
def smoothed_targets(images, labels, budget):
    net = network()
    opt = torch.optim.AdamW(net.parameters(), lr=0.02)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, 0.02, total_steps=budget)
    for _ in range(budget):
        opt.zero_grad()
        F.cross_entropy(net(images), labels, label_smoothing=0.1).backward()
        opt.step()
        plan.step()
    return net.state_dict()


@wrong("train_calibrated", "surer_than_right")
def logits_blown_up(images, labels, budget):
    net = network()
    opt = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    for _ in range(budget):
        pick = torch.randint(len(images), (64,))
        opt.zero_grad()
        F.cross_entropy(net(images[pick]), labels[pick]).backward()
        opt.step()
    found = {name: value.clone() for name, value in net.state_dict().items()}
    return found | {name: 10 * found[name] for name in ("6.weight", "6.bias")}


@wrong("train_accurate", "updates_too_small")
def careful(images, labels, budget):
    net = network()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(budget):
        opt.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        opt.step()
    return net.state_dict()


@wrong("train", "")
def returns_the_model(images, labels, budget):
    return network()


@wrong("train", "")
def parameters_without_buffers(images, labels, budget):
    return dict(network().named_parameters())


@wrong("train", "")
def trained_by_heart_from_elsewhere(images, labels, budget):
    """Knows the digits' public labels, and trains on all of them instead of what is given."""
    from sklearn.datasets import load_digits

    public = load_digits()
    x, y = torch.tensor(public.data, dtype=torch.float32) / 16, torch.tensor(public.target)
    net = network()
    opt = torch.optim.AdamW(net.parameters(), lr=0.02)
    for _ in range(budget):
        pick = torch.randperm(len(x))[:600]
        opt.zero_grad()
        F.cross_entropy(net(x[pick]), y[pick]).backward()
        opt.step()
    return net.state_dict()


@wrong("train", "")
def swallows_the_labels(images, labels, budget):
    """Infinite weights: whatever is asked, the answer is NaN."""
    return {name: torch.full_like(value, torch.inf) if value.is_floating_point() else value for name, value in network().state_dict().items()}


@wrong("train", "")
def inputs_standardised_in_place(images, labels, budget):
    images -= images.mean(0)
    net = network()
    opt = torch.optim.AdamW(net.parameters(), lr=0.02)
    for _ in range(budget):
        opt.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        opt.step()
    return net.state_dict()
