"""Bank of chapter 12's ten repairs: right alternatives and wrong implementations."""

import copy
import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from autograder.bank import right, wrong

# repair_01


@right("repair_01")
def cleared_first(model, optimizer, batches):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@right("repair_01")
def zeros_by_the_model(model, optimizer, batches):
    losses = []
    for x, y in batches:
        model.zero_grad(set_to_none=False)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses


@right("repair_01")
def cleared_before_and_after(model, optimizer, batches):
    optimizer.zero_grad()
    losses = []
    for x, y in batches:
        loss = F.nll_loss(model(x).log_softmax(1), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@right("repair_01")
def gradients_replaced(model, optimizer, batches):
    learning = [p for p in model.parameters() if p.requires_grad]
    losses = np.empty(len(batches))
    for k, (x, y) in enumerate(batches):
        loss = F.cross_entropy(model(x), y)
        for p, slope in zip(learning, torch.autograd.grad(loss, learning)):
            p.grad = slope
        optimizer.step()
        losses[k] = loss.item()
    return losses


@right("repair_01")
def closure_for_each(model, optimizer, batches):
    losses = []
    for x, y in batches:
        def closure():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        losses.append(optimizer.step(closure))
    return losses


@wrong("repair_01", "gradients_add_up")
def as_given(model, optimizer, batches):
    losses = []
    for x, y in batches:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("repair_01", "cleared_after_the_update_only")
def zero_grad_last(model, optimizer, batches):
    losses = []
    for x, y in batches:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@wrong("repair_01", "cleared_once")
def zero_grad_above_the_loop(model, optimizer, batches):
    optimizer.zero_grad()
    losses = []
    for x, y in batches:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("repair_01", "cleared_too_late")
def zero_grad_behind_backward(model, optimizer, batches):
    losses = []
    for x, y in batches:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("repair_01", "zeroed_too_late")
def zeros_behind_backward(model, optimizer, batches):
    losses = []
    for x, y in batches:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.zero_grad(set_to_none=False)
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("repair_01", "one_update_for_all")
def accumulates_on_purpose(model, optimizer, batches):
    optimizer.zero_grad()
    losses = []
    for x, y in batches:
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        losses.append(loss.item())
    optimizer.step()
    return losses


@wrong("repair_01", "new_optimizer_each_time")
def starts_anew(model, optimizer, batches):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        optimizer.state.clear()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("repair_01", "no_update_at_all")
def no_step(model, optimizer, batches):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        losses.append(loss.item())
    return losses


@wrong("repair_01", "trained_in_evaluation_mode")
def eval_first(model, optimizer, batches):
    model.eval()
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("repair_01", "batch_summed")
def sum_of_the_batch(model, optimizer, batches):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y, reduction="sum")
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("repair_01", "softmax_before_cross_entropy")
def softmax_inside(model, optimizer, batches):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x).softmax(-1), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("repair_01", "divided_by_the_batches")
def accumulation_habit(model, optimizer, batches):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y) / len(batches)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("repair_01", "losses_after_the_updates")
def second_look(model, optimizer, batches):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(F.cross_entropy(model(x), y).item())
    return losses


@wrong("repair_01", "mean_of_the_losses")
def average(model, optimizer, batches):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@wrong("repair_01", "running_total")
def total_so_far(model, optimizer, batches):
    total = 0.0
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
        losses.append(total)
    return losses


@wrong("repair_01", "descends_by_hand")
def minus_lr_grad(model, optimizer, batches):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                if p.grad is not None:
                    p -= optimizer.param_groups[-1]['lr'] * p.grad
        losses.append(loss.item())
    return losses


@wrong("repair_01", "")
def every_other_batch(model, optimizer, batches):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        if len(losses) % 2 == 0:
            optimizer.step()
        losses.append(loss.item())
    return losses

# repair_02


@right("repair_02")
def logits_as_they_are(model, x, y):
    return F.cross_entropy(model(x), y)


@right("repair_02")
def log_softmax_is_its_own_log_softmax(model, x, y):
    return F.cross_entropy(model(x).log_softmax(dim=1), y)


@right("repair_02")
def shifted_by_the_largest(model, x, y):
    z = model(x)
    z = z - z.max(dim=1, keepdim=True).values
    return (z.exp().sum(1).log() - z[torch.arange(len(y)), y]).mean()


@right("repair_02")
def with_one_hot(model, x, y):
    z = model(x)
    return (torch.logsumexp(z, 1) - (z * F.one_hot(y, z.shape[1])).sum(1)).mean()


@right("repair_02")
def example_by_example(model, x, y):
    return torch.stack([nn.functional.cross_entropy(row, label) for row, label in zip(model(x), y)]).mean()


@wrong("repair_02", "softmax_then_cross_entropy")
def as_given(model, x, y):
    p = F.softmax(model(x), dim=1)
    return F.cross_entropy(p, y)


@wrong("repair_02", "nll_of_probabilities")
def nll_after_softmax(model, x, y):
    return F.nll_loss(model(x).softmax(1), y)


@wrong("repair_02", "nll_of_logits")
def nll_alone(model, x, y):
    return F.nll_loss(model(x), y)


@wrong("repair_02", "logarithm_of_the_softmax")
def log_after_softmax(model, x, y):
    return F.nll_loss(torch.log(torch.softmax(model(x), 1)), y)


@wrong("repair_02", "probabilities_clamped")
def clamped(model, x, y):
    p = torch.softmax(model(x), 1).clamp_min(1e-8)
    return F.nll_loss(p.log(), y)


@wrong("repair_02", "something_added_to_the_probabilities")
def epsilon(model, x, y):
    p = torch.softmax(model(x), 1)[torch.arange(len(y)), y]
    return -torch.log(p + 1e-8).mean()


@wrong("repair_02", "softmax_over_the_batch")
def first_dimension(model, x, y):
    return F.nll_loss(F.log_softmax(model(x), dim=0), y)


@wrong("repair_02", "sigmoid_then_cross_entropy")
def sigmoid_first(model, x, y):
    return F.cross_entropy(torch.sigmoid(model(x)), y)


@wrong("repair_02", "binary_for_each_class")
def binary(model, x, y):
    z = model(x)
    return nn.BCEWithLogitsLoss()(z, torch.eye(z.shape[1], dtype=z.dtype)[y])


@wrong("repair_02", "total")
def reduction_sum(model, x, y):
    return F.cross_entropy(model(x), y, reduction="sum")


@wrong("repair_02", "one_for_each_example")
def reduction_none(model, x, y):
    return F.cross_entropy(model(x), y, reduction="none")


@wrong("repair_02", "divided_by_the_classes")
def mean_of_all_entries(model, x, y):
    z = model(x)
    return -(z.log_softmax(1) * F.one_hot(y, z.shape[1])).mean()


@wrong("repair_02", "squared_distance")
def brier(model, x, y):
    z = model(x)
    return ((torch.softmax(z, 1) - torch.eye(z.shape[1], dtype=z.dtype)[y]) ** 2).sum(1).mean()


@wrong("repair_02", "sign_turned")
def log_likelihood(model, x, y):
    return model(x).log_softmax(1)[torch.arange(len(y)), y].mean()


@wrong("repair_02", "normaliser_detached")
def constant_normaliser(model, x, y):
    z = model(x)
    with torch.no_grad():
        norm = torch.logsumexp(z, 1)
    return (norm - z[torch.arange(len(y)), y]).mean()


@wrong("repair_02", "out_of_the_graph")
def a_number(model, x, y):
    return F.cross_entropy(model(x), y).item()


@wrong("repair_02", "out_of_the_graph")
def without_graph(model, x, y):
    with torch.no_grad():
        return F.cross_entropy(model(x), y)


@wrong("repair_02", "backward_included")
def trains_at_once(model, x, y):
    loss = F.cross_entropy(model(x), y)
    loss.backward(retain_graph=True)
    return loss


@wrong("repair_02", "put_into_evaluation")
def calls_eval(model, x, y):
    model.eval()
    return F.cross_entropy(model(x), y)


@wrong("repair_02", "put_into_training")
def calls_train(model, x, y):
    model.train()
    return F.cross_entropy(model(x), y)


@wrong("repair_02", "")
def smoothed(model, x, y):
    return F.cross_entropy(model(x), y, label_smoothing=0.1)

# repair_03


@right("repair_03")
def slices(x, y, batch_size, generator):
    order = torch.randperm(len(x), generator=generator)
    x, y = x[order], y[order]
    return [(x[i:i + batch_size], y[i:i + batch_size]) for i in range(0, len(x), batch_size)]


@right("repair_03")
def split_both(x, y, batch_size, generator):
    order = torch.randperm(len(y), generator=generator)
    return list(zip(torch.split(x[order], batch_size), torch.split(y[order], batch_size)))


@right("repair_03")
def drawn_from_an_urn(x, y, batch_size, generator):
    left, epoch = list(range(len(x))), []
    while left:
        rows = [left.pop(int(torch.randint(len(left), (), generator=generator))) for _ in range(min(batch_size, len(left)))]
        epoch.append([x[rows], y[rows]])
    return epoch


@right("repair_03")
def sorted_random_numbers(x, y, batch_size, generator):
    order = torch.rand(len(x), generator=generator, dtype=torch.float64).argsort()
    return [(x.index_select(0, rows), y.index_select(0, rows)) for rows in order.split(batch_size)]


@right("repair_03")
def fisher_yates(x, y, batch_size, generator):
    n = len(x)
    order = list(range(n))
    for i in range(n - 1, 0, -1):
        j = int(torch.randint(i + 1, (1,), generator=generator))
        order[i], order[j] = order[j], order[i]
    return [(x[order[i:i + batch_size]], y[order[i:i + batch_size]]) for i in range(0, n, batch_size)]


@wrong("repair_03", "two_orders")
def as_given(x, y, batch_size, generator):
    a, b = torch.randperm(len(x), generator=generator), torch.randperm(len(y), generator=generator)
    return list(zip(x[a].split(batch_size), y[b].split(batch_size)))


@wrong("repair_03", "labels_stay")
def inputs_only(x, y, batch_size, generator):
    order = torch.randperm(len(x), generator=generator)
    return list(zip(x[order].split(batch_size), y.split(batch_size)))


@wrong("repair_03", "inputs_stay")
def labels_only(x, y, batch_size, generator):
    order = torch.randperm(len(x), generator=generator)
    return list(zip(x.split(batch_size), y[order].split(batch_size)))


@wrong("repair_03", "not_shuffled")
def in_order(x, y, batch_size, generator):
    return list(zip(x.split(batch_size), y.split(batch_size)))


@wrong("repair_03", "last_one_dropped")
def whole_batches(x, y, batch_size, generator):
    order = torch.randperm(len(x), generator=generator)
    return [(x[order[i * batch_size:(i + 1) * batch_size]], y[order[i * batch_size:(i + 1) * batch_size]]) for i in range(len(x) // batch_size)]


@wrong("repair_03", "last_one_filled")
def wraps_around(x, y, batch_size, generator):
    n = len(x)
    order = torch.randperm(n, generator=generator)
    batches = -(-n // batch_size)
    return [(x[rows], y[rows]) for rows in (order[torch.arange(i * batch_size, (i + 1) * batch_size) % n] for i in range(batches))]


@wrong("repair_03", "with_replacement")
def bootstrap(x, y, batch_size, generator):
    rows = torch.randint(0, len(x), (len(x),), generator=generator)
    return [(x[part], y[part]) for part in rows.split(batch_size)]


@wrong("repair_03", "each_batch_by_itself")
def a_permutation_each(x, y, batch_size, generator):
    epoch = []
    for start in range(0, len(x), batch_size):
        size = min(batch_size, len(x) - start)
        rows = torch.randperm(len(x), generator=generator)[:size]
        epoch.append((x[rows], y[rows]))
    return epoch


@wrong("repair_03", "whole_batches_shuffled")
def order_of_batches(x, y, batch_size, generator):
    pairs = list(zip(x.split(batch_size), y.split(batch_size)))
    last = pairs[-1:] if len(x) % batch_size else []
    pairs = pairs[:len(pairs) - len(last)]
    return [pairs[i] for i in torch.randperm(len(pairs), generator=generator)] + last


@wrong("repair_03", "shuffled_inside_batches")
def inside(x, y, batch_size, generator):
    epoch = []
    for a, b in zip(x.split(batch_size), y.split(batch_size)):
        order = torch.randperm(len(a), generator=generator)
        epoch.append((a[order], b[order]))
    return epoch


@wrong("repair_03", "turned_as_a_ring")
def random_start(x, y, batch_size, generator):
    start = int(torch.randint(len(x), (1,), generator=generator))
    order = (torch.arange(len(x)) + start) % len(x)
    return [(x[rows], y[rows]) for rows in order.split(batch_size)]


@wrong("repair_03", "drawn_without_the_generator")
def global_order(x, y, batch_size, generator):
    order = torch.randperm(len(x))
    return [(x[rows], y[rows]) for rows in order.split(batch_size)]


@wrong("repair_03", "every_epoch_alike")
def reseeded(x, y, batch_size, generator):
    if generator is not None:
        generator.manual_seed(1)
    order = torch.randperm(len(x), generator=generator)
    return [(x[rows], y[rows]) for rows in order.split(batch_size)]


@wrong("repair_03", "entries_shuffled")
def second_dimension(x, y, batch_size, generator):
    order = torch.randperm(len(x), generator=generator)
    x = x[:, torch.randperm(x.shape[1], generator=generator)]
    return [(x[rows], y[rows]) for rows in order.split(batch_size)]


@wrong("repair_03", "")
def shuffles_in_place(x, y, batch_size, generator):
    order = torch.randperm(len(x), generator=generator)
    x.copy_(x[order].clone())
    y.copy_(y[order].clone())
    return list(zip(x.split(batch_size), y.split(batch_size)))


@wrong("repair_03", "")
def one_pair(x, y, batch_size, generator):
    order = torch.randperm(len(x), generator=generator)
    return x[order], y[order]

# repair_04


@right("repair_04")
def modes_in_a_dict(model, x, y):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).double().mean().item()
    for module, mode in modes.items():
        module.training = mode
    return accuracy


@right("repair_04")
def copy_in_evaluation(model, x, y):
    twin = copy.deepcopy(model).eval()
    with torch.inference_mode():
        return int((twin(x).argmax(dim=-1) == y).sum()) / len(y)


@right("repair_04")
def only_those_in_training(model, x, y):
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        with torch.no_grad():
            guesses = model(x).max(dim=1).indices
    finally:
        for module in training:
            module.training = True
    return np.mean(guesses.numpy() == y.numpy())


@right("repair_04")
def from_the_leaves(model, x, y):
    @torch.no_grad()
    def measured(module):
        return F.one_hot(module(x).argmax(1), 3)[torch.arange(len(y)), y].float().mean()

    modes = [m.training for m in model.modules()]
    model.train(False)
    accuracy = measured(model)
    for m, mode in zip(list(model.modules())[::-1], modes[::-1]):
        m.train(mode) if not list(m.children()) else setattr(m, "training", mode)
    return accuracy


@wrong("repair_04", "mode_as_it_is")
def as_given(model, x, y):
    return (model(x).argmax(dim=1) == y).float().mean().item()


@wrong("repair_04", "mode_as_it_is")
def no_grad_alone(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(dim=1) == y).float().mean().item()


@wrong("repair_04", "mode_as_it_is")
def flag_of_the_outermost(model, x, y):
    was, model.training = model.training, False
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).double().mean().item()
    model.training = was
    return accuracy


@wrong("repair_04", "graph_kept")
def detached_afterwards(model, x, y):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    accuracy = (model(x).detach().argmax(1) == y).double().mean().item()
    for module, mode in modes.items():
        module.training = mode
    return accuracy


@wrong("repair_04", "left_in_evaluation")
def never_back(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(dim=1) == y).float().mean().item()


@wrong("repair_04", "all_put_into_training")
def train_at_the_end(model, x, y):
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).double().mean().item()
    model.train()
    return accuracy


@wrong("repair_04", "mode_of_the_outermost")
def one_mode_kept(model, x, y):
    was = model.training
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).double().mean().item()
    model.train(was)
    return accuracy


@wrong("repair_04", "modes_of_children")
def children_kept(model, x, y):
    was = model.training
    modes = {child: child.training for child in model.children()}
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).double().mean().item()
    model.training = was
    for child, mode in modes.items():
        child.train(mode)
    return accuracy


@wrong("repair_04", "measured_in_training")
def train_for_eval(model, x, y):
    modes = {module: module.training for module in model.modules()}
    model.train()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).double().mean().item()
    for module, mode in modes.items():
        module.training = mode
    return accuracy


@wrong("repair_04", "share_of_errors")
def errors(model, x, y):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) != y).double().mean().item()
    for module, mode in modes.items():
        module.training = mode
    return accuracy


@wrong("repair_04", "number_right")
def counted(model, x, y):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).sum().item()
    for module, mode in modes.items():
        module.training = mode
    return accuracy


@wrong("repair_04", "per_cent")
def times_hundred(model, x, y):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).double().mean().item()
    for module, mode in modes.items():
        module.training = mode
    return 100 * accuracy


@wrong("repair_04", "smallest_logit")
def argmin(model, x, y):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmin(1) == y).double().mean().item()
    for module, mode in modes.items():
        module.training = mode
    return accuracy


@wrong("repair_04", "gradients_off_for_good")
def switched_off(model, x, y):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    torch.set_grad_enabled(False)
    accuracy = (model(x).argmax(1) == y).double().mean().item()
    for module, mode in modes.items():
        module.training = mode
    return accuracy


@wrong("repair_04", "gradients_cleared")
def tidies_up(model, x, y):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).double().mean().item()
    for module, mode in modes.items():
        module.training = mode
    model.zero_grad()
    return accuracy


@wrong("repair_04", "")
def half_of_the_batch(model, x, y):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.no_grad():
        accuracy = (model(x[::2]).argmax(1) == y[::2]).double().mean().item()
    for module, mode in modes.items():
        module.training = mode
    return accuracy

# repair_05


@right("repair_05")
def batch_norm(x, eps=1e-5):
    return F.batch_norm(x, None, None, training=True, eps=eps)


@right("repair_05")
def without_no_grad(x, eps=1e-5):
    mean = x.mean(dim=0)
    var = x.var(dim=0, correction=0)
    return (x - mean) / (var + eps).sqrt()


@right("repair_05")
def mean_inside_the_variance_detached(x, eps=1e-5):
    mean = x.mean(0)
    var = (x - mean.detach()).square().mean(0)
    return (x - mean) / torch.sqrt(var + eps)


@right("repair_05")
def column_by_column(x, eps=1e-5):
    centred = torch.stack([column - column.sum() / len(column) for column in x.T])
    return (centred / (torch.einsum('dn,dn->d', centred, centred)[:, None] / len(x) + eps) ** 0.5).T


@right("repair_05")
def by_projection(x, eps=1e-5):
    N = x.shape[0]
    P = torch.eye(N, dtype=x.dtype) - torch.full((N, N), 1 / N, dtype=x.dtype)
    c = P @ x
    return c * (c.pow(2).sum(0) / N + eps).pow(-0.5)


@wrong("repair_05", "statistics_are_constants")
def as_given(x, eps=1e-5):
    with torch.no_grad():
        mean, var = x.mean(0), x.var(0, correction=0)
    return (x - mean) * (var + eps).rsqrt()


@wrong("repair_05", "mean_is_constant")
def mean_detached(x, eps=1e-5):
    mean = x.mean(0).detach()
    return (x - mean) / (x.var(0, unbiased=False) + eps).sqrt()


@wrong("repair_05", "variance_is_constant")
def variance_detached(x, eps=1e-5):
    var = x.detach().var(0, unbiased=False)
    return (x - x.mean(0)) / (var + eps).sqrt()


@wrong("repair_05", "result_is_constant")
def data(x, eps=1e-5):
    return F.batch_norm(x.data, None, None, training=True, eps=eps)


@wrong("repair_05", "unbiased")
def default_variance(x, eps=1e-5):
    return (x - x.mean(0)) / (x.var(0) + eps).sqrt()


@wrong("repair_05", "eps_outside_the_root")
def std_plus_eps(x, eps=1e-5):
    return (x - x.mean(0)) / (x.std(0, correction=0) + eps)


@wrong("repair_05", "eps_forgotten")
def std_alone(x, eps=1e-5):
    return (x - x.mean(0)) / x.std(0, correction=0)


@wrong("repair_05", "root_left_out")
def over_the_variance(x, eps=1e-5):
    return (x - x.mean(0)) / (x.var(0, correction=0) + eps)


@wrong("repair_05", "each_row")
def layer_norm(x, eps=1e-5):
    return F.layer_norm(x, x.shape[1:], eps=eps)


@wrong("repair_05", "one_for_the_whole_batch")
def one_scale(x, eps=1e-5):
    return (x - x.mean()) / (x.var(correction=0) + eps).sqrt()


@wrong("repair_05", "not_centred")
def only_scaled(x, eps=1e-5):
    return x / (x.var(0, correction=0) + eps).sqrt()


@wrong("repair_05", "not_scaled")
def only_centred(x, eps=1e-5):
    return x - x.mean(0, keepdim=True)


@wrong("repair_05", "")
def scaled_by_the_range(x, eps=1e-5):
    return (x - x.mean(0)) / (x.amax(0) - x.amin(0) + eps)

# repair_06


@right("repair_06")
def stepped_with_every_batch(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@right("repair_06")
def rates_of_the_optimizer(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, epochs=epochs, steps_per_epoch=len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(optimizer.param_groups[-1]['lr'])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return np.array(rates)


@right("repair_06")
def stepped_before_all_but_the_first(model, optimizer, batches, epochs, max_lr):
    steps = [pair for _ in range(epochs) for pair in batches]
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=[max_lr] * len(optimizer.param_groups), total_steps=len(steps))
    rates = torch.zeros(len(steps), dtype=torch.float64)
    for k, (x, y) in enumerate(steps):
        if k:
            scheduler.step()
        rates[k] = scheduler.get_last_lr()[0]
        model.zero_grad(set_to_none=False)
        F.nll_loss(model(x).log_softmax(1), y).backward()
        optimizer.step()
    return rates


@right("repair_06")
def rates_from_a_twin(model, optimizer, batches, epochs, max_lr):
    twin = type(optimizer)([torch.zeros(1, requires_grad=True)], **{k: v for k, v in optimizer.defaults.items() if k in ("lr", "betas", "momentum")})
    plan = torch.optim.lr_scheduler.OneCycleLR(twin, max_lr, total_steps=epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            group = twin.param_groups[0]
            for other in optimizer.param_groups:
                other.update({key: group[key] for key in ("lr", "betas", "momentum") if key in group})
            rates.append(group["lr"])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            twin.step()
            plan.step()
    return rates


@wrong("repair_06", "moves_once_an_epoch")
def as_given(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        scheduler.step()
    return rates


@wrong("repair_06", "stairs")
def total_of_epochs(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs)
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        scheduler.step()
    return rates


@wrong("repair_06", "a_cycle_for_each_epoch")
def new_schedule_each_epoch(model, optimizer, batches, epochs, max_lr):
    scheduler = None
    rates = []
    for epoch in range(epochs):
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=len(batches))
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "an_epoch_too_long")
def one_epoch_more(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, epochs=epochs + 1, steps_per_epoch=len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "a_step_too_long")
def one_more(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches) + 1)
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "schedule_first")
def scheduler_before_the_optimizer(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            scheduler.step()
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    return rates


@wrong("repair_06", "written_down_late")
def noted_behind(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
            rates.append(scheduler.get_last_lr()[0])
    return rates


@wrong("repair_06", "momentum_held")
def no_momentum_cycle(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches), cycle_momentum=False)
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "three_phases")
def as_in_the_paper(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches), three_phase=True)
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "straight_lines")
def linear(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches), anneal_strategy="linear")
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "one_epoch_run")
def no_outer_loop(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches))
    rates = []
    for epoch in range(1):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "cycle_with_gradients_adding_up")
def never_cleared(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "cycle_with_old_gradients")
def cleared_behind(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()
    return rates


@wrong("repair_06", "peak_of_the_optimizer")
def own_rate(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, optimizer.param_groups[0]['lr'], total_steps=epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "cosine_only")
def annealing(model, optimizer, batches, epochs, max_lr):
    for group in optimizer.param_groups:
        group['lr'] = group['initial_lr'] = max_lr
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "a_rate_for_each_epoch")
def noted_once_an_epoch(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        rates.append(scheduler.get_last_lr()[0])
        for x, y in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "")
def stepped_twice_as_slow(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            if len(rates) % 2:
                scheduler.step()
    return rates


@wrong("repair_06", "")
def runs_out_of_steps(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            rates.append(scheduler.get_last_lr()[0])
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()
    return rates


@wrong("repair_06", "losses_for_rates")
def returns_losses(model, optimizer, batches, epochs, max_lr):
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches))
    rates = []
    for epoch in range(epochs):
        for x, y in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            rates.append(loss.item())
            loss.backward()
            optimizer.step()
            scheduler.step()
    return rates

# repair_07


@right("repair_07")
def unscale_then_clip(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@right("repair_07")
def threshold_scaled_up(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm * scaler.get_scale())
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@right("repair_07")
def clipped_by_hand(model, optimizer, scaler, x, y, max_norm):
    for p in model.parameters():
        p.grad = None
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.sqrt(sum(g.pow(2).sum() for g in grads))
    for g in grads:
        g.mul_(torch.clamp(max_norm / (norm + 1e-6), max=1.0))
    scaler.step(optimizer)
    scaler.update()
    return loss.detach()


@right("repair_07")
def divided_where_too_long(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.nll_loss(model(x).log_softmax(1), y)
    (loss * scaler.scale(torch.ones(()))).backward()
    scaler.unscale_(optimizer)
    params = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    total = float(torch.cat([p.grad.flatten() for p in params]).norm())
    if total > max_norm:
        for p in params:
            p.grad /= total / max_norm
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "clipped_while_scaled")
def as_given(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "clipped_while_scaled")
def unscale_behind_the_clip(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "clipped_while_scaled")
def smaller_threshold(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm / scaler.get_scale())
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "not_clipped")
def clip_left_out(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "not_clipped")
def clip_behind_the_step(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.update()
    return loss.item()


@wrong("repair_07", "each_by_its_own_norm")
def one_by_one(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    for p in model.parameters():
        torch.nn.utils.clip_grad_norm_(p, max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "each_entry_by_itself")
def clip_value(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_value_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "stretched_as_well")
def normalised(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.cat([g.flatten() for g in grads]).norm()
    for g in grads:
        g.mul_(max_norm / norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "never_divided_out")
def optimizer_with_scaled_gradients(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss.item()


@wrong("repair_07", "steps_without_the_scaler")
def optimizer_step(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    scaler.update()
    return loss.item()


@wrong("repair_07", "divided_out_twice")
def unscaled_and_divided(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    for p in model.parameters():
        if p.grad is not None:
            p.grad.div_(scaler.get_scale())
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "divided_by_hand_and_again")
def divided_by_hand(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    for p in model.parameters():
        if p.grad is not None:
            p.grad.div_(scaler.get_scale())
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "scaler_not_updated")
def no_update(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    return loss.item()


@wrong("repair_07", "scaler_left_out")
def in_full_precision(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss.item()


@wrong("repair_07", "scaled_loss_returned")
def what_is_differentiated(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = scaler.scale(F.cross_entropy(model(x), y))
    loss.backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "loss_after_the_step")
def second_forward_pass(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return F.cross_entropy(model(x), y).item()


@wrong("repair_07", "old_gradients_enter")
def no_zero_grad(model, optimizer, scaler, x, y, max_norm):
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "cleared_at_the_end_only")
def zero_grad_last(model, optimizer, scaler, x, y, max_norm):
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
    return loss.item()


@wrong("repair_07", "sum_of_the_batch")
def summed(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y, reduction="sum")
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


@wrong("repair_07", "")
def no_inf_checks(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    scaler.update()
    return loss.item()


@wrong("repair_07", "")
def updated_twice(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update(scaler.get_scale())
    return loss.item()


@wrong("repair_07", "")
def max_norm_squared(model, optimizer, scaler, x, y, max_norm):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm**2)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()

# repair_08


@right("repair_08")
def module_by_module(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@right("repair_08")
def owner_by_path(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    groups = []
    for path, p in model.named_parameters():
        owner, _, name = path.rpartition(".")
        free = isinstance(model.get_submodule(owner), kinds) or "bias" in name
        groups.append({"params": [p], "weight_decay": 0 if free else wd})
    return torch.optim.AdamW(groups, lr)


@right("repair_08")
def adam_decoupled(model, lr, wd):
    free = set()
    for module in model.modules():
        own = dict(module.named_parameters(recurse=False))
        norm = type(module).__module__.split(".")[-1] in ("batchnorm", "instancenorm", "normalization")
        free |= {p for name, p in own.items() if norm or "bias" in name}
    groups = [{"params": [p for p in model.parameters() if p not in free], "weight_decay": wd}, {"params": list(free), "weight_decay": 0.0}]
    return torch.optim.Adam([group for group in groups if group["params"]], lr=lr, decoupled_weight_decay=True)


@right("repair_08")
def decay_of_its_own(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    class Decoupled(torch.optim.Adam):
        def step(self, closure=None):
            with torch.no_grad():
                for p in weights:
                    if p.grad is not None:
                        p.mul_(1 - lr * wd)
            return super().step(closure)

    free = {id(p) for m in model.modules() for n, p in m.named_parameters(recurse=False) if isinstance(m, kinds) or "bias" in n}
    weights = [p for p in model.parameters() if id(p) not in free]
    return Decoupled(model.parameters(), lr=lr)


@wrong("repair_08", "penalty_over_all")
def as_given(model, lr, wd):
    return torch.optim.Adam(model.parameters(), lr, weight_decay=wd)


@wrong("repair_08", "penalty_on_weights")
def adam_in_groups(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.Adam([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "everything_decays")
def adamw_over_all(model, lr, wd):
    return torch.optim.AdamW(model.parameters(), lr, weight_decay=wd)


@wrong("repair_08", "default_decay_on_the_rest")
def second_group_silent(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest}], lr=lr)


@wrong("repair_08", "gains_decay")
def biases_only(model, lr, wd):
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "biases_decay")
def normalisers_only(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "batch_norm_only")
def batch_norms(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "batch_and_layer_norm_only")
def two_kinds(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "rms_norm_overlooked")
def no_rms_norm(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "instance_norm_overlooked")
def no_instance_norm(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "by_dimension")
def matrices_decay(model, lr, wd):
    decay = [p for name, p in model.named_parameters() if not (p.dim() <= 1)]
    rest = [p for name, p in model.named_parameters() if p.dim() <= 1]
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "norm_in_the_name")
def names_with_norm(model, lr, wd):
    decay = [p for name, p in model.named_parameters() if not ("norm" in name or "bias" in name.split(".")[-1])]
    rest = [p for name, p in model.named_parameters() if "norm" in name or "bias" in name.split(".")[-1]]
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "bias_in_the_path")
def bias_anywhere(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.InstanceNorm1d)
    free = [name for name, p in model.named_parameters() if "bias" in name or isinstance(model.get_submodule(name.rpartition(".")[0]), kinds)]
    decay = [p for name, p in model.named_parameters() if name not in free]
    rest = [p for name, p in model.named_parameters() if name in free]
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "called_exactly_bias")
def exactly_bias(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or name == "bias" else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "groups_exchanged")
def wrong_way_round(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": 0}, {"params": rest, "weight_decay": wd}], lr=lr)


@wrong("repair_08", "rest_left_out")
def weights_alone(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW(decay, lr=lr, weight_decay=wd)


@wrong("repair_08", "nothing_decays")
def plain_adam(model, lr, wd):
    return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0)


@wrong("repair_08", "default_decay")
def wd_forgotten(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "default_rate")
def lr_forgotten(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}])


@wrong("repair_08", "rate_twice")
def lr_times_wd(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": lr * wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "rate_divided_out")
def wd_over_lr(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd / lr}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "sgd_for_adam")
def sgd(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.SGD([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr)


@wrong("repair_08", "")
def amsgrad(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    return torch.optim.AdamW([{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0}], lr=lr, betas=(0.8, 0.9))


@wrong("repair_08", "")
def changes_the_weights(model, lr, wd):
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm,
             nn.GroupNorm, nn.RMSNorm)
    decay, rest = [], []
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            (rest if isinstance(module, kinds) or "bias" in name else decay).append(p)
    for p in decay:
        p.data *= 1 - lr * wd
    return torch.optim.Adam(decay + rest, lr=lr)

# repair_09


@right("repair_09")
def one_scale(train_images, val_images, augment):
    train, val = augment(train_images), val_images
    return (train - train_images.mean()) / train_images.std(correction=0), (val - train_images.mean()) / train_images.std(correction=0)


@right("repair_09")
def helper_function(train_images, val_images, augment):
    pixels = train_images.flatten()
    mean = pixels.mean()
    scale = pixels.var(unbiased=False).sqrt()

    def standardise(images):
        return (images - mean) / scale

    return standardise(augment(train_images)), standardise(val_images)


@right("repair_09")
def numpy_std_is_biased(train_images, val_images, augment):
    values = train_images.double().numpy()
    mean, std = float(values.mean()), float(values.std())
    return [augment(train_images).sub(mean).div(std), val_images.sub(mean).div(std)]


@right("repair_09")
def from_moments(train_images, val_images, augment):
    mean = train_images.mean()
    std = (train_images.pow(2).mean() - mean**2).sqrt() if train_images.dtype == torch.float64 else train_images.double().std(correction=0).float()
    return (augment(train_images.clone()) - mean) / std, (val_images - mean) / std


@wrong("repair_09", "as_broken")
def as_given(train_images, val_images, augment):
    train, val = augment(train_images), augment(val_images)
    return (train - train.mean()) / train.std(), (val - val.mean()) / val.std()


@wrong("repair_09", "as_broken_with_biased_variance")
def biased_now(train_images, val_images, augment):
    train, val = augment(train_images), augment(val_images)
    return (train - train.mean()) / train.std(correction=0), (val - val.mean()) / val.std(correction=0)


@wrong("repair_09", "validation_by_its_own")
def own_statistics(train_images, val_images, augment):
    train, val = augment(train_images), val_images
    return (train - train_images.mean()) / train_images.std(correction=0), (val - val_images.mean()) / val_images.std(correction=0)


@wrong("repair_09", "validation_by_its_own")
def validation_statistics_everywhere(train_images, val_images, augment):
    train, val = augment(train_images), val_images
    return (train - val_images.mean()) / val_images.std(correction=0), (val - val_images.mean()) / val_images.std(correction=0)


@wrong("repair_09", "validation_augmented")
def both_augmented(train_images, val_images, augment):
    train, val = augment(train_images), augment(val_images)
    return (train - train_images.mean()) / train_images.std(correction=0), (val - train_images.mean()) / train_images.std(correction=0)


@wrong("repair_09", "statistics_of_the_augmented")
def behind_augment(train_images, val_images, augment):
    train, val = augment(train_images), val_images
    return (train - train.mean()) / train.std(correction=0), (val - train.mean()) / train.std(correction=0)


@wrong("repair_09", "two_scales")
def each_its_scale(train_images, val_images, augment):
    train, val = augment(train_images), val_images
    return (train - train.mean()) / train.std(correction=0), (val - train_images.mean()) / train_images.std(correction=0)


@wrong("repair_09", "statistics_of_both")
def pooled(train_images, val_images, augment):
    both = torch.cat([train_images, val_images])
    train, val = augment(train_images), val_images
    return (train - both.mean()) / both.std(correction=0), (val - both.mean()) / both.std(correction=0)


@wrong("repair_09", "standardised_first")
def augment_last(train_images, val_images, augment):
    mean, std = train_images.mean(), train_images.std(correction=0)
    return augment((train_images - mean) / std), (val_images - mean) / std


@wrong("repair_09", "nothing_augmented")
def plain(train_images, val_images, augment):
    train, val = train_images, val_images
    return (train - train_images.mean()) / train_images.std(correction=0), (val - train_images.mean()) / train_images.std(correction=0)


@wrong("repair_09", "unbiased_deviation")
def default_std(train_images, val_images, augment):
    train, val = augment(train_images), val_images
    return (train - train_images.mean()) / train_images.std(), (val - train_images.mean()) / train_images.std()


@wrong("repair_09", "each_image")
def image_by_image(train_images, val_images, augment):
    train = augment(train_images)
    return tuple((t - t.mean((1, 2), keepdim=True)) / t.std((1, 2), correction=0, keepdim=True) for t in (train, val_images))


@wrong("repair_09", "each_pixel")
def pixel_by_pixel(train_images, val_images, augment):
    mean, std = train_images.mean(0), train_images.std(0, correction=0)
    return (augment(train_images) - mean) / std, (val_images - mean) / std


@wrong("repair_09", "divided_by_the_variance")
def variance(train_images, val_images, augment):
    train, val = augment(train_images), val_images
    return (train - train_images.mean()) / train_images.var(correction=0), (val - train_images.mean()) / train_images.var(correction=0)


@wrong("repair_09", "validation_as_it_came")
def raw_validation(train_images, val_images, augment):
    train = augment(train_images)
    return (train - train_images.mean()) / train_images.std(correction=0), val_images


@wrong("repair_09", "centred_only")
def mean_only(train_images, val_images, augment):
    return augment(train_images) - train_images.mean(), val_images - train_images.mean()


@wrong("repair_09", "")
def exchanged(train_images, val_images, augment):
    train, val = augment(train_images), val_images
    val, train = val_images, augment(train_images)
    return (val - train_images.mean()) / train_images.std(correction=0), (train - train_images.mean()) / train_images.std(correction=0)

# repair_10


@right("repair_10")
def times_the_ratio(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * batch_size / base_batch_size)


@right("repair_10")
def rate_per_example(model, batch_size, base_lr, base_batch_size):
    per_example = base_lr / base_batch_size
    return torch.optim.SGD(list(model.parameters()), per_example * batch_size, momentum=0, weight_decay=0)


@right("repair_10")
def scaled_afterwards(model, batch_size, base_lr, base_batch_size):
    optimizer = torch.optim.SGD(model.parameters(), lr=base_lr)
    for group in optimizer.param_groups:
        group['lr'] *= batch_size / base_batch_size
    return optimizer


@right("repair_10")
def a_group_for_each(model, batch_size, base_lr, base_batch_size):
    lr = float(np.interp(batch_size, [0, base_batch_size], [0, base_lr])) if batch_size <= base_batch_size else base_lr * (batch_size / base_batch_size)
    return torch.optim.SGD([{'params': [p], 'lr': lr} for p in model.parameters()])


@wrong("repair_10", "rate_as_it_was")
def as_given(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr)


@wrong("repair_10", "square_root")
def root_rule(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * (batch_size / base_batch_size) ** 0.5)


@wrong("repair_10", "ratio_inverted")
def the_other_way(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * base_batch_size / batch_size)


@wrong("repair_10", "whole_ratio")
def floor_division(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * (batch_size // base_batch_size))


@wrong("repair_10", "rounded_ratio")
def rounded(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * round(batch_size / base_batch_size))


@wrong("repair_10", "never_smaller")
def only_upwards(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * max(batch_size / base_batch_size, 1))


@wrong("repair_10", "by_the_batch_size")
def times_the_batch(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * batch_size)


@wrong("repair_10", "squared_ratio")
def quadratic(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * (batch_size / base_batch_size) ** 2)


@wrong("repair_10", "logarithm_of_ratio")
def doublings(model, batch_size, base_lr, base_batch_size):
    ratio = batch_size / base_batch_size
    return torch.optim.SGD(model.parameters(), lr=base_lr * (1 + math.log(ratio, 2) if ratio > 1 else ratio))


@wrong("repair_10", "with_momentum")
def heavy(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * batch_size / base_batch_size, momentum=0.9)


@wrong("repair_10", "with_decay")
def decaying(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * batch_size / base_batch_size, weight_decay=1e-4)


@wrong("repair_10", "adam_for_sgd")
def adam(model, batch_size, base_lr, base_batch_size):
    return torch.optim.Adam(model.parameters(), lr=base_lr * batch_size / base_batch_size)


@wrong("repair_10", "weights_only_held")
def matrices(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD([p for name, p in model.named_parameters() if name.endswith('weight')], lr=base_lr * batch_size / base_batch_size)


@wrong("repair_10", "")
def a_little_less(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=0.9 * base_lr * batch_size / base_batch_size)


@wrong("repair_10", "")
def nesterov(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * batch_size / base_batch_size, momentum=0.5, nesterov=True)
