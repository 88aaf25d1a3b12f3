"""Bank of chapter 12: right alternatives and wrong implementations, but for the repairs."""

import copy
import math

import numpy as np
import torch
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
