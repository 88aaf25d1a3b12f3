"""Bank of chapter 12: right alternatives and wrong implementations."""

import copy
import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from autograder.bank import right, wrong

# expected_initial_loss


@right("expected_initial_loss")
def natural_logarithm(num_classes):
    return math.log(num_classes)


@right("expected_initial_loss")
def of_a_tensor(num_classes):
    return torch.tensor(float(num_classes)).log()


@right("expected_initial_loss")
def entropy_of_the_guess(num_classes):
    p = np.full(num_classes, 1 / num_classes)
    return -(p * np.log(p)).sum()


@right("expected_initial_loss")
def by_cross_entropy(num_classes):
    return F.cross_entropy(torch.zeros(2, num_classes), torch.zeros(2, dtype=torch.int64)).item()


@wrong("expected_initial_loss", "in_bits")
def entropy_in_bits(num_classes):
    return -math.log2(1 / num_classes)


@wrong("expected_initial_loss", "to_base_ten")
def decimal(num_classes):
    return math.log10(num_classes)


@wrong("expected_initial_loss", "negative")
def minus_forgotten(num_classes):
    return math.log(1 / num_classes)


@wrong("expected_initial_loss", "probability")
def uniform_guess(num_classes):
    return 1.0 / num_classes


@wrong("expected_initial_loss", "error_rate")
def wrong_guesses(num_classes):
    return (num_classes - 1) / num_classes


@wrong("expected_initial_loss", "one_class_fewer")
def other_classes(num_classes):
    return np.log(num_classes - 1)


@wrong("expected_initial_loss", "one_class_more")
def classes_from_zero(num_classes):
    return math.log1p(num_classes)


@wrong("expected_initial_loss", "perplexity")
def number_of_classes(num_classes):
    return float(num_classes)


@wrong("expected_initial_loss", "summed_over_classes")
def sum_over_classes(num_classes):
    return sum(-math.log(1 / num_classes) for _ in range(num_classes))


@wrong("expected_initial_loss", "averaged_over_classes")
def mean_over_classes(num_classes):
    return math.log(num_classes) / num_classes


@wrong("expected_initial_loss", "")
def always_ten(num_classes):
    return math.log(10)

# check_data


@right("check_data")
def four_questions(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if (y < 0).any() or (y >= num_classes).any():
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@right("check_data")
def in_plain_python(x, y, num_classes):
    found = {
        "labels not integer": "float" in str(y.dtype),
        "lengths differ": len(x) != len(y),
        "label out of range": any(label < 0 or label > num_classes - 1 for label in y.tolist()),
        "non-finite input": not all(math.isfinite(v) for v in x.flatten().tolist()),
    }
    return [name for name in found if found[name]]


@right("check_data")
def in_numpy(x, y, num_classes):
    values, classes = x.double().numpy(), y.double().numpy()
    faults = ["non-finite input"] * (not np.isfinite(values).all())
    faults += ["label out of range"] * bool(classes.min() < 0 or classes.max() >= num_classes)
    faults += ["lengths differ"] * (values.shape[0] != classes.shape[0])
    return faults + ["labels not integer"] * (not np.issubdtype(y.numpy().dtype, np.integer))


@right("check_data")
def by_membership(x, y, num_classes):
    good = torch.isin(y.long(), torch.arange(num_classes)) & (y.long() == y)
    faults = []
    if not torch.isfinite(x.float().sum() if x.is_floating_point() and x.dtype != torch.float64 else x.sum()):
        faults.append("non-finite input")
    if not good.all():
        faults.append("label out of range")
    if x.size(0) - y.size(0):
        faults.append("lengths differ")
    if not (y.dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)):
        faults.append("labels not integer")
    return faults


@wrong("check_data", "infinities_missed")
def isnan_only(x, y, num_classes):
    faults = []
    if torch.isnan(x).any():
        faults.append("non-finite input")
    if (y < 0).any() or (y >= num_classes).any():
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "nan_missed")
def isinf_only(x, y, num_classes):
    faults = []
    if torch.isinf(x).any():
        faults.append("non-finite input")
    if (y < 0).any() or (y >= num_classes).any():
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "one_too_large_passes")
def greater_than_the_number(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if y.min() < 0 or y.max() > num_classes:
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "negative_labels_pass")
def maximum_only(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if int(y.max()) >= num_classes:
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "large_labels_pass")
def minimum_only(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if y.min() < 0:
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "classes_from_one")
def from_one(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if (y < 1).any() or (y > num_classes).any():
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "whole_values_pass")
def values_compared(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if (y < 0).any() or (y >= num_classes).any():
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if not torch.equal(y.double(), y.double().round()):
        faults.append("labels not integer")
    return faults


@wrong("check_data", "int64_only")
def long_or_nothing(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if (y < 0).any() or (y >= num_classes).any():
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if y.dtype is not torch.int64:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "shapes_compared")
def shape_of_both(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if (y < 0).any() or (y >= num_classes).any():
        faults.append("label out of range")
    if x.shape != y.shape:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "shapes_compared")
def numel_of_both(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if (y < 0).any() or (y >= num_classes).any():
        faults.append("label out of range")
    if x.numel() != y.numel():
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "longer_passes")
def too_few_examples(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if (y < 0).any() or (y >= num_classes).any():
        faults.append("label out of range")
    if len(x) < len(y):
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "first_fault_only")
def returns_early(x, y, num_classes):
    if not torch.isfinite(x).all():
        return ["non-finite input"]
    if (y < 0).any() or (y >= num_classes).any():
        return ["label out of range"]
    if len(x) != len(y):
        return ["lengths differ"]
    return ["labels not integer"] if y.is_floating_point() else []


@wrong("check_data", "range_of_integers_only")
def range_of_whole_numbers(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if not y.is_floating_point() and ((y < 0) | (y >= num_classes)).any():
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "lengths_end_the_search")
def lengths_first(x, y, num_classes):
    if len(x) != len(y):
        return ["lengths differ"]
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if (y < 0).any() or (y >= num_classes).any():
        faults.append("label out of range")
    if False:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults


@wrong("check_data", "entry_for_every_value")
def one_for_each(x, y, num_classes):
    faults = ["non-finite input" for v in x.flatten().tolist() if not math.isfinite(v)]
    faults += ["label out of range" for label in y.tolist() if not 0 <= label < num_classes]
    if len(x) != len(y):
        faults.append("lengths differ")
    if y.is_floating_point():
        faults.append("labels not integer")
    return faults


@wrong("check_data", "everything_reported")
def pessimist(x, y, num_classes):
    return ["non-finite input", "label out of range", "lengths differ", "labels not integer"]


@wrong("check_data", "nothing_reported")
def optimist(x, y, num_classes):
    return []


@wrong("check_data", "")
def another_wording(x, y, num_classes):
    faults = []
    if torch.isnan(x).any() or torch.isinf(x).any():
        faults.append("non-finite input")
    if (y < 0).any() or (y >= num_classes).any():
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("label not integer")
    return faults


@wrong("check_data", "")
def yes_or_no(x, y, num_classes):
    return bool(torch.isnan(x).any() or torch.isinf(x).any())


@wrong("check_data", "")
def cleans_the_data(x, y, num_classes):
    x.nan_to_num_()
    faults = []
    if False:
        faults.append("non-finite input")
    if (y < 0).any() or (y >= num_classes).any():
        faults.append("label out of range")
    if x.shape[0] != y.shape[0]:
        faults.append("lengths differ")
    if y.dtype.is_floating_point:
        faults.append("labels not integer")
    return faults

# overfit_one_batch


@right("overfit_one_batch")
def by_the_book(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@right("overfit_one_batch")
def by_hand(model, x, y, lr, steps):
    losses = np.zeros(steps)
    for k in range(steps):
        model.zero_grad()
        loss = -model(x).log_softmax(1)[torch.arange(len(y)), y].mean()
        loss.backward()
        losses[k] = loss.detach()
        for p in model.parameters():
            if p.grad is not None:
                p.data -= lr * p.grad
    return losses


@right("overfit_one_batch")
def from_the_graph(model, x, y, lr, steps):
    learning = [p for p in model.parameters() if p.requires_grad]
    losses = []
    for _ in range(steps):
        loss = F.nll_loss(F.log_softmax(model(x), -1), y)
        slopes = torch.autograd.grad(loss, learning)
        with torch.no_grad():
            for p, slope in zip(learning, slopes):
                p.sub_(slope, alpha=lr)
        losses.append(loss.detach())
    return losses


@right("overfit_one_batch")
def with_a_closure(model, x, y, lr, steps):
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr)
    losses = []

    def closure():
        optimizer.zero_grad(set_to_none=False)
        loss = F.cross_entropy(model(x), y, reduction="sum") / x.shape[0]
        loss.backward()
        return loss

    for _ in range(steps):
        losses.append(float(optimizer.step(closure)))
    return losses


@wrong("overfit_one_batch", "gradients_never_cleared")
def no_zero_grad(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "old_gradients_in_the_first_step")
def zero_grad_last(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "cleared_before_the_loop_only")
def zero_grad_outside(model, x, y, lr, steps):
    model.zero_grad()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "loss_after_each_update")
def looks_again(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(F.cross_entropy(model(x), y).item())
    return losses


@wrong("overfit_one_batch", "momentum_added")
def with_momentum(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum=0.9)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "decay_added")
def with_decay(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr, weight_decay=0.01)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "steps_of_adam")
def by_adam(model, x, y, lr, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "sum_over_the_batch")
def summed_loss(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y, reduction="sum")
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "logits_softened")
def probabilities_in(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(F.softmax(model(x), dim=1), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "one_example_a_step")
def in_turn(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[k % len(x)][None]), y[k % len(x)][None])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "put_into_training_mode")
def calls_train(model, x, y, lr, steps):
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "in_evaluation_mode")
def calls_eval(model, x, y, lr, steps):
    model.eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "nothing_learnt")
def zero_grad_before_the_step(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "copy_trained")
def works_on_a_copy(model, x, y, lr, steps):
    model = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "uphill")
def plus_for_minus(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        for p in model.parameters():
            if p.grad is not None:
                p.grad.neg_()
        optimizer.step()
        losses.append(loss.item())
    return losses


@wrong("overfit_one_batch", "one_loss_over")
def one_more(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    losses.append(F.cross_entropy(copy.deepcopy(model)(x), y).item())
    return losses


@wrong("overfit_one_batch", "only_the_last")
def last_loss(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses[-1]


@wrong("overfit_one_batch", "")
def twice_as_fast(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=2 * lr)
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

# gradient_norms


@right("gradient_norms")
def by_torch(model):
    return {name: p.grad.norm().item() for name, p in model.named_parameters() if p.grad is not None}


@right("gradient_norms")
def by_pythagoras(model):
    norms = {}
    for name, p in model.named_parameters():
        if p.grad is None:
            continue
        norms[name] = math.sqrt(sum(v * v for v in p.grad.flatten().tolist()))
    return norms


@right("gradient_norms")
def in_numpy(model):
    grads = {n: p.grad.detach().double().numpy().ravel() for n, p in model.named_parameters() if p.grad is not None}
    return {n: np.sqrt(g @ g) for n, g in grads.items()}


@right("gradient_norms")
def tensors_in_another_order(model):
    return {n: torch.linalg.vector_norm(p.grad) for n, p in reversed(list(model.named_parameters())) if isinstance(p.grad, torch.Tensor)}


@wrong("gradient_norms", "of_the_parameters")
def norm_of_the_weights(model):
    return {name: float(p.detach().norm()) for name, p in model.named_parameters() if p.grad is not None}


@wrong("gradient_norms", "root_forgotten")
def squares(model):
    return {name: float(p.grad.pow(2).sum()) for name, p in model.named_parameters() if p.grad is not None}


@wrong("gradient_norms", "root_of_the_mean")
def rms(model):
    return {name: float(p.grad.pow(2).mean() ** 0.5) for name, p in model.named_parameters() if p.grad is not None}


@wrong("gradient_norms", "absolute_sum")
def one_norm(model):
    return {name: float(p.grad.norm(1)) for name, p in model.named_parameters() if p.grad is not None}


@wrong("gradient_norms", "absolute_mean")
def mean_size(model):
    return {name: float(p.grad.abs().mean()) for name, p in model.named_parameters() if p.grad is not None}


@wrong("gradient_norms", "largest_entry")
def max_norm(model):
    return {name: float(p.grad.norm(float('inf'))) for name, p in model.named_parameters() if p.grad is not None}


@wrong("gradient_norms", "entries_cancel")
def size_of_the_sum(model):
    return {name: float(abs(p.grad.sum())) for name, p in model.named_parameters() if p.grad is not None}


@wrong("gradient_norms", "spread_of_entries")
def deviation(model):
    return {name: float(p.grad.var(correction=0).sqrt()) for name, p in model.named_parameters() if p.grad is not None}


@wrong("gradient_norms", "spectral")
def matrix_norm(model):
    return {name: float(torch.linalg.matrix_norm(p.grad, ord=2) if p.grad.ndim == 2 else p.grad.norm()) for name, p in model.named_parameters() if p.grad is not None}


@wrong("gradient_norms", "missing_as_zero")
def none_is_zero(model):
    return {name: float(0 if p.grad is None else p.grad.norm()) for name, p in model.named_parameters() if True}


@wrong("gradient_norms", "zeros_left_out")
def if_any(model):
    return {name: float(p.grad.norm()) for name, p in model.named_parameters() if p.grad is not None and p.grad.norm() > 0}


@wrong("gradient_norms", "weights_only")
def names_that_end_in_weight(model):
    return {name: float(p.grad.norm()) for name, p in model.named_parameters() if p.grad is not None and name.split('.')[-1] == 'weight'}


@wrong("gradient_norms", "one_for_all")
def total_norm(model):
    return {"total": torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm()}


@wrong("gradient_norms", "shares_of_the_whole")
def relative(model):
    norms = {n: p.grad.norm() for n, p in model.named_parameters() if p.grad is not None}
    whole = torch.stack(list(norms.values())).norm()
    return {n: float(v / whole) for n, v in norms.items()}


@wrong("gradient_norms", "named_by_module")
def module_names(model):
    return {(name[:name.rindex(".")] if "." in name else name): float(p.grad.norm())
            for name, p in model.named_parameters() if p.grad is not None}


@wrong("gradient_norms", "cleared_while_looking")
def clears_afterwards(model):
    norms = {n: float(p.grad.norm()) for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return norms


@wrong("gradient_norms", "")
def list_of_norms(model):
    return [float(p.grad.norm()) for p in model.parameters() if p.grad is not None]

# update_ratios


@right("update_ratios")
def by_cases(before, after):
    ratios = {}
    for name, old in before.items():
        new = after[name]
        d, b = (new - old).norm().item(), old.norm().item()
        ratios[name] = (0.0 if d == 0 else math.inf) if b == 0 else d / b
    return ratios


@right("update_ratios")
def by_numpy_division(before, after):
    ratios = {}
    for name in before:
        moved = np.linalg.norm((after[name].double() - before[name].double()).numpy())
        size = np.linalg.norm(before[name].double().numpy())
        with np.errstate(all="ignore"):
            ratios[name] = np.nan_to_num(np.float64(moved) / np.float64(size), nan=0.0, posinf=np.inf)
    return ratios


@right("update_ratios")
def by_torch_division(before, after):
    def ratio(old, new):
        quotient = (new - old).pow(2).sum().sqrt() / old.pow(2).sum().sqrt()
        return torch.where(quotient.isnan(), torch.zeros_like(quotient), quotient)

    return {name: ratio(before[name], after[name]) for name in reversed(list(before))}


@right("update_ratios")
def by_exception(before, after):
    ratios = {}
    for name, old in before.items():
        b, a = old.flatten().tolist(), after[name].flatten().tolist()
        try:
            ratios[name] = math.dist(a, b) / math.hypot(*b)
        except ZeroDivisionError:
            ratios[name] = math.inf if any(a) else 0
    return ratios


@wrong("update_ratios", "over_the_new_one")
def divided_by_after(before, after):
    ratios = {}
    for name, old in before.items():
        new = after[name]
        d, b = (new - old).norm().item(), new.norm().item()
        ratios[name] = (0.0 if d == 0 else math.inf) if b == 0 else d / b
    return ratios


@wrong("update_ratios", "difference_of_lengths")
def norms_subtracted(before, after):
    ratios = {}
    for name, old in before.items():
        new = after[name]
        d, b = abs(new.norm() - old.norm()).item(), old.norm().item()
        ratios[name] = (0.0 if d == 0 else math.inf) if b == 0 else d / b
    return ratios


@wrong("update_ratios", "squares_divided")
def no_roots(before, after):
    ratios = {}
    for name, old in before.items():
        new = after[name]
        d, b = (new - old).pow(2).sum().item(), old.pow(2).sum().item()
        ratios[name] = (0.0 if d == 0 else math.inf) if b == 0 else d / b
    return ratios


@wrong("update_ratios", "mean_of_entry_ratios")
def entry_by_entry(before, after):
    return {n: float(((after[n] - before[n]) / before[n]).abs().nan_to_num(0, math.inf).double().mean()) for n in before}


@wrong("update_ratios", "deviations_divided")
def std_over_std(before, after):
    ratios = {}
    for name, old in before.items():
        new = after[name]
        d, b = (new - old).std(correction=0).item(), old.std(correction=0).item()
        ratios[name] = (0.0 if d == 0 else math.inf) if b == 0 else d / b
    return ratios


@wrong("update_ratios", "absolute_values_divided")
def one_norms(before, after):
    ratios = {}
    for name, old in before.items():
        new = after[name]
        d, b = (new - old).norm(1).item(), old.norm(1).item()
        ratios[name] = (0.0 if d == 0 else math.inf) if b == 0 else d / b
    return ratios


@wrong("update_ratios", "new_over_old")
def growth(before, after):
    ratios = {}
    for name, old in before.items():
        new = after[name]
        d, b = new.norm().item(), old.norm().item()
        ratios[name] = (0.0 if d == 0 else math.inf) if b == 0 else d / b
    return ratios


@wrong("update_ratios", "update_alone")
def not_divided(before, after):
    return {n: (after[n] - before[n]).norm().item() for n in before}


@wrong("update_ratios", "ratio_upside_down")
def inverted(before, after):
    ratios = {}
    for name, old in before.items():
        new = after[name]
        d, b = (new - old).norm().item(), old.norm().item()
        ratios[name] = (0.0 if b == 0 else math.inf) if d == 0 else b / d
    return ratios


@wrong("update_ratios", "logarithm_of_the_ratio")
def log_ten(before, after):
    ratios = {}
    for name, old in before.items():
        new = after[name]
        d, b = (new - old).norm().item(), old.norm().item()
        ratios[name] = (-math.inf if d == 0 else math.inf) if b == 0 else (math.log10(d / b) if d else -math.inf)
    return ratios


@wrong("update_ratios", "zero_over_zero")
def nan_for_nothing(before, after):
    return {n: float((after[n] - before[n]).norm() / before[n].norm()) for n in before}


@wrong("update_ratios", "infinite_without_a_move")
def inf_for_zero(before, after):
    ratios = {}
    for name, old in before.items():
        new = after[name]
        d, b = (new - old).norm().item(), old.norm().item()
        ratios[name] = (math.inf) if b == 0 else d / b
    return ratios


@wrong("update_ratios", "zero_for_a_start_at_zero")
def zero_for_zero(before, after):
    ratios = {}
    for name, old in before.items():
        new = after[name]
        d, b = (new - old).norm().item(), old.norm().item()
        ratios[name] = (0.0) if b == 0 else d / b
    return ratios


@wrong("update_ratios", "guarded_denominator")
def small_number_added(before, after):
    return {n: float((after[n] - before[n]).norm() / (before[n].norm() + 1e-12)) for n in before}


@wrong("update_ratios", "unmoved_left_out")
def moved_ones(before, after):
    return {n: float((after[n] - before[n]).norm() / before[n].norm()) for n in before if not torch.equal(after[n], before[n])}


@wrong("update_ratios", "zeros_skipped")
def skips_zeros(before, after):
    return {n: float((after[n] - before[n]).norm() / before[n].norm()) for n in before if before[n].norm() > 0}


@wrong("update_ratios", "one_ratio_for_all")
def whole_vector(before, after):
    old = torch.cat([t.double().flatten() for t in before.values()])
    new = torch.cat([t.double().flatten() for t in after.values()])
    return {"total": float((new - old).norm() / old.norm())}


@wrong("update_ratios", "")
def changes_before(before, after):
    return {n: float(before[n].sub_(after[n]).norm()) for n in before}

# dead_fraction


@right("dead_fraction")
def largest_of_each(acts):
    return (acts.reshape(acts.shape[0], acts.shape[1], -1).amax((0, 2)) <= 0).float().mean()


@right("dead_fraction")
def unit_by_unit(acts):
    dead = 0
    for unit in range(acts.shape[1]):
        dead += not (acts[:, unit] > 0).any()
    return dead / acts.shape[1]


@right("dead_fraction")
def in_numpy(acts):
    fired = (acts.numpy() > 0).any(axis=(0, *range(2, acts.ndim)))
    return 1 - fired.mean()


@right("dead_fraction")
def set_of_the_living(acts):
    alive = set()
    for example in acts.flatten(2).tolist() if acts.dim() > 2 else acts[..., None].tolist():
        alive |= {unit for unit, places in enumerate(example) if max(places) > 0}
    return 1 - len(alive) / acts.size(1)


@wrong("dead_fraction", "share_of_zeros")
def not_positive(acts):
    return (acts <= 0).float().mean()


@wrong("dead_fraction", "share_of_exact_zeros")
def equal_to_zero(acts):
    return (acts == 0).float().mean().item()


@wrong("dead_fraction", "silent_examples")
def along_the_batch(acts):
    return (acts.flatten(1) <= 0).all(dim=1).float().mean().item()


@wrong("dead_fraction", "silent_once")
def any_for_all(acts):
    return (acts.transpose(0, 1).flatten(1) <= 0).any(dim=1).float().mean().item()


@wrong("dead_fraction", "zero_everywhere")
def all_equal_to_zero(acts):
    return (acts.transpose(0, 1).flatten(1) == 0).all(dim=1).float().mean().item()


@wrong("dead_fraction", "each_position")
def all_over_the_batch(acts):
    return (acts <= 0).all(dim=0).float().mean().item()


@wrong("dead_fraction", "units_in_the_last_dimension")
def last_axis(acts):
    return (acts.reshape(-1, acts.shape[-1]) <= 0).all(0).float().mean().item()


@wrong("dead_fraction", "judged_by_the_mean")
def mean_activation(acts):
    return (acts.transpose(0, 1).flatten(1).mean(1) <= 0).float().mean().item()


@wrong("dead_fraction", "number_of_dead")
def counted(acts):
    return int((acts.transpose(0, 1).flatten(1) <= 0).all(1).sum())


@wrong("dead_fraction", "share_of_the_living")
def living(acts):
    return (acts.transpose(0, 1).flatten(1) > 0).any(1).float().mean().item()


@wrong("dead_fraction", "percentage")
def in_per_cent(acts):
    return 100 * (acts.transpose(0, 1).flatten(1) <= 0).all(1).float().mean().item()


@wrong("dead_fraction", "first_example_only")
def first_row(acts):
    return (acts[:1].transpose(0, 1).flatten(1) <= 0).all(1).float().mean().item()


@wrong("dead_fraction", "each_image_by_itself")
def image_by_image(acts):
    return (acts.flatten(2) <= 0).all(2).float().mean().item() if acts.dim() > 2 else (acts <= 0).float().mean().item()


@wrong("dead_fraction", "")
def below_one(acts):
    return (acts.transpose(0, 1).flatten(1) < 1).all(1).float().mean().item()

# log_uniform


@right("log_uniform")
def power_of_the_ratio(low, high, n, generator):
    return (low * (high / low) ** torch.rand(n, generator=generator, dtype=torch.float64)).float()


@right("log_uniform")
def powers_of_ten(low, high, n, generator):
    a, b = math.log10(low), math.log10(high)
    return 10 ** (a + (b - a) * torch.rand(n, generator=generator))


@right("log_uniform")
def powers_of_two(low, high, n, generator):
    exponents = torch.empty(n, dtype=torch.float64).uniform_(math.log2(low), math.log2(high), generator=generator)
    return torch.exp2(exponents).to(torch.float32)


@right("log_uniform")
def one_by_one_as_a_list(low, high, n, generator):
    return [math.exp(math.log(low) + math.log(high / low) * float(torch.rand((), generator=generator))) for _ in range(n)]


@right("log_uniform")
def down_from_high(low, high, n, generator):
    draws = -torch.rand(n, generator=generator, dtype=torch.float64) * math.log(high / low)
    return (high * draws.exp()).float()


@wrong("log_uniform", "uniform_in_value")
def linear(low, high, n, generator):
    return low + torch.rand(n, generator=generator) * (high - low)


@wrong("log_uniform", "natural_power_of_decimal_logarithm")
def log10_and_exp(low, high, n, generator):
    a, b = math.log10(low), math.log10(high)
    return torch.exp(a + (b - a) * torch.rand(n, generator=generator))


@wrong("log_uniform", "power_of_ten_of_natural_logarithm")
def log_and_power_of_ten(low, high, n, generator):
    a, b = math.log(low), math.log(high)
    return 10 ** (a + (b - a) * torch.rand(n, generator=generator))


@wrong("log_uniform", "logarithms_returned")
def not_put_back(low, high, n, generator):
    return torch.empty(n).uniform_(math.log(low), math.log(high), generator=generator)


@wrong("log_uniform", "logarithms_returned")
def exponents(low, high, n, generator):
    return torch.empty(n).uniform_(math.log10(low), math.log10(high), generator=generator)


@wrong("log_uniform", "grid")
def logspace(low, high, n, generator):
    return torch.logspace(math.log10(low), math.log10(high), n)


@wrong("log_uniform", "whole_powers")
def decades(low, high, n, generator):
    a, b = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return 10.0 ** torch.randint(a, b + 1, (n,), generator=generator).float()


@wrong("log_uniform", "sorted_draws")
def in_order(low, high, n, generator):
    u = torch.rand(n, generator=generator).sort().values
    return low * (high / low) ** u


@wrong("log_uniform", "one_draw_repeated")
def the_same_n_times(low, high, n, generator):
    return torch.full((n,), low * (high / low) ** torch.rand((), generator=generator).item())


@wrong("log_uniform", "normal_logarithm")
def log_normal(low, high, n, generator):
    a, b = math.log(low), math.log(high)
    return ((a + b) / 2 + (b - a) / 6 * torch.randn(n, generator=generator)).exp()


@wrong("log_uniform", "uniform_reciprocal")
def one_over(low, high, n, generator):
    return 1 / torch.empty(n).uniform_(1 / high, 1 / low, generator=generator)


@wrong("log_uniform", "uniform_root")
def square_of_a_uniform(low, high, n, generator):
    return torch.empty(n).uniform_(math.sqrt(low), math.sqrt(high), generator=generator) ** 2


@wrong("log_uniform", "end_for_length")
def added_wrongly(low, high, n, generator):
    return torch.exp(math.log(low) + torch.rand(n, generator=generator) * math.log(high))


@wrong("log_uniform", "generator_ignored")
def global_draws(low, high, n, generator):
    return low * (high / low) ** torch.rand(n)


@wrong("log_uniform", "generator_set_back")
def reseeds(low, high, n, generator):
    if generator is not None:
        generator.manual_seed(0)
    return low * (high / low) ** torch.rand(n, generator=generator)


@wrong("log_uniform", "left_in_float64")
def double(low, high, n, generator):
    return low * (high / low) ** torch.rand(n, generator=generator, dtype=torch.double)


@wrong("log_uniform", "")
def two_too_many(low, high, n, generator):
    return low * (high / low) ** torch.rand(n + 2, generator=generator)

# diagnose


@right("diagnose")
def rule_after_rule(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@right("diagnose")
def in_numpy(curves):
    scale = math.log(curves["num_classes"])
    train, val, grad = (np.array(curves[key], dtype=np.float64) for key in ("train_loss", "val_loss", "grad_norm"))
    train, val = train / scale, val / scale
    if not np.isfinite(train).all() or train[-1] >= 2:
        return "learning rate too high"
    late = train[len(train) // 2] - train[-1] >= 0.24 * (train[0] - train[-1])
    conditions = [train[0] >= 2, train[-1] >= 0.8 and grad[-1] <= 1e-6, np.diff(train).max() >= 0.4, val.min() >= 0.95, val[-1] >= 0.15 + val.min(),
                  train[-1] >= 0.5 and late, train[-1] >= 0.35]
    names = ["bad initial loss", "dead network", "loss spikes", "inputs and labels apart", "overfitting", "learning rate too low", "underfitting"]
    return ([name for name, holds in zip(names, conditions) if holds] + ["healthy"])[0]


@right("diagnose")
def from_the_other_end(curves):
    C = curves["num_classes"]
    train = torch.tensor(curves["train_loss"], dtype=torch.float64).div(math.log(C))
    val = torch.tensor(curves["val_loss"], dtype=torch.float64).div(math.log(C))
    end = train[-1].item()
    if not math.isfinite(train.sum().item()) or end > 1.3:
        return "learning rate too high"
    if train[0] > 1.5:
        return "bad initial loss"
    if end > 0.75 and curves["grad_norm"][-1] < 1e-5:
        return "dead network"
    if train.diff().max() > 0.2:
        return "loss spikes"
    if (val > 0.92).all():
        return "inputs and labels apart"
    if val[-1] - val.min() > 0.07:
        return "overfitting"
    if end < 0.25:
        return "healthy"
    still_falling = (train[len(train) * 2 // 3] - end) / (train[0] - end) > 0.06
    return "learning rate too low" if still_falling and end > 0.5 else "underfitting"


@wrong("diagnose", "fixed_thresholds")
def losses_as_logged(curves):
    scale = 1.0
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 2:
        return "learning rate too high"
    if train[0] > 2:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.4:
        return "loss spikes"
    if min(val) > 0.95:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.5 and train[half] - train[-1] > 0.25 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.35:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "gap_for_rise")
def gap(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] > 1.5 * train[-1]:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "any_rise_of_the_validation_loss")
def not_the_least(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] > min(val):
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "nan_passes")
def infinity_only(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if math.inf in train or train[-1] > 2:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "only_without_numbers")
def isfinite_only(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if not all(math.isfinite(loss) for loss in train):
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "only_finite_divergence")
def large_end_only(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if 2 < train[-1] < math.inf:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "small_gradient_is_death")
def gradient_alone(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if grad[-1] < 1e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "high_loss_is_death")
def loss_alone(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "dead_at_the_start_only")
def first_gradient(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[0] < 1e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "death_not_noticed")
def no_look_at_gradients(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "spikes_not_noticed")
def ends_only(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "every_rise_is_a_spike")
def not_monotone(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if sorted(train, reverse=True) != train:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "apart_is_overfitting")
def overfitting_first(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "apart_not_noticed")
def no_chance_level(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "apart_only_where_learnt_by_heart")
def by_heart(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.95 and train[-1] < 0.3:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "slow_without_a_look_at_the_second_half")
def high_end_is_slow(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.5:
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "slow_is_underfitting")
def never_slow(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "start_not_noticed")
def no_look_at_the_start(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "start_is_the_rate")
def start_blamed_on_the_rate(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 2:
        return "learning rate too high"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "any_large_loss_is_the_rate")
def maximum(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if not all(map(math.isfinite, train)) or max(train) > 1.3:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "underfitting_not_noticed")
def no_underfitting(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    return "healthy"


@wrong("diagnose", "underfitting_of_validation")
def validation_decides(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "overfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if val[-1] > 0.25:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "")
def mixed_up_names(curves):
    scale = math.log(curves["num_classes"])
    train = [loss / scale for loss in curves["train_loss"]]
    val = [loss / scale for loss in curves["val_loss"]]
    grad = curves["grad_norm"]
    half = len(train) // 2
    if any(not math.isfinite(loss) for loss in train) or train[-1] > 1.6:
        return "learning rate too high"
    if train[0] > 1.7:
        return "bad initial loss"
    if train[-1] > 0.8 and grad[-1] < 3e-6:
        return "dead network"
    if max(b - a for a, b in zip(train, train[1:])) > 0.3:
        return "loss spikes"
    if min(val) > 0.93:
        return "inputs and labels apart"
    if val[-1] - min(val) > 0.1:
        return "underfitting"
    if train[-1] > 0.48 and train[half] - train[-1] > 0.18 * (train[0] - train[-1]):
        return "learning rate too low"
    if train[-1] > 0.3:
        return "underfitting"
    return "healthy"


@wrong("diagnose", "")
def own_words(curves):
    return "overfit"

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
