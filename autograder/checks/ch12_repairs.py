"""Checks of chapter 12's ten repairs.

A repair is judged by what it does: it trains small networks in float64, beside a loop that takes its gradients
from the graph; wrong repairs are turns of that loop. How the code is written does not matter.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from .ch01_generalization import Sampled, alike, draw_after_seed, seeded
from .ch05_batch_norm import no_eps, no_root, outside, root, standardise
from .ch06_scale_invariance import backwards, between, named, normal
from .ch08_weight_decay import inventory, normalises, own, unchanged
from .ch10_one_cycle import batch_norm_network, flat, listed, momentum_in_use, number, used, whole
from .ch12_debugging import (
    CHAPTER, F32, F64, FROM_THE_GENERATOR, Scene, by_dtype, curve, entropy, gradients_left, learners, ledger,
    partly_frozen, quick_network, single_precision, slopes, softened, summed, training_left)
from .exercise import Exercise
from .probe import Misfit, kind_of, plain

# 12.7 What the repairs share.


def loop(model, optimizer, batches, *, value=entropy, keep=lambda k: False, first=None, last=None, updates=lambda k: True):
    """(losses) of one pass of training; whatever is given beside the three makes it wrong.

    `first(k)` runs before the forward pass of batch k, `last(k)` between its backward pass and its update.
    """
    losses = []
    for k, (x, y) in enumerate(batches):
        if first:
            first(k)
        loss = value(model, x, y)
        slopes(model, loss, keep(k))
        if last:
            last(k)
        if updates(k):
            optimizer.step(closure=None)
        losses.append(float(loss.detach()))
    return torch.tensor(losses, dtype=F64)


def class_room(network, optimizer, sizes, seed, **rest):
    """Model, optimizer and batches: the same for the same arguments, inside a `Scene`."""
    model = network().double()
    batches = [(torch.randn(n, 4, dtype=F64), torch.randint(3, (n,))) for n in sizes]
    return model, optimizer(model), batches


STALE = "gradients of an earlier pass are left"
TRAINED = {"parameters afterwards": by_dtype, "buffers afterwards": by_dtype, "optimizer's state afterwards": by_dtype}


def everything_stale(optimizer_of):
    """An optimizer, and gradients of an earlier pass on every parameter that learns."""
    def build(model):
        optimizer = optimizer_of(model)
        gradients_left(model)
        return optimizer

    return named(optimizer_of.__name__, build)


def plain_sgd(model):
    return torch.optim.SGD(learners(model), lr=0.3)


def heavy_ball(model):
    """In use already: it remembers two steps."""
    return used(model, torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.6))


def adam_new(model):
    return torch.optim.Adam(learners(model), lr=0.05, betas=(0.8, 0.95))


# 12.7 repair_01

EACH, UPDATES = "loss of each batch", "updates by the optimizer"


def one_pass(fn, inputs):
    with Scene(inputs["seed"]):
        model, optimizer, batches = class_room(**inputs)
        written, start = ledger(optimizer), flat(model.parameters())
        losses = curve(fn(model=model, optimizer=optimizer, batches=batches), "losses")
        by_hand = not written and not torch.equal(start, flat(model.parameters()))
        count = "none, and yet the weights moved" if by_hand else str(len(written))
        return {UPDATES: count, EACH: losses} | training_left(model, optimizer)


repair_01 = Exercise("repair_01", CHAPTER, ("losses",), read="12.7", probe=one_pass, tolerances={EACH: by_dtype} | TRAINED)


@repair_01.oracle
def own_gradients(model, optimizer, batches):
    return loop(model, optimizer, batches)


def lesson(g, network, optimizer, *sizes, **rest):
    return dict(network=network, optimizer=optimizer, sizes=list(sizes), seed=whole(g, 0, 10**6)) | rest


@repair_01.case(note="the optimizer is new, and no gradient is there yet")
def fresh_start(g):
    return lesson(g, quick_network, plain_sgd, 5, 5, 5, 3)


@repair_01.case(note=f"the optimizer has been used, and {STALE}")
def used_and_stale(g):
    return lesson(g, batch_norm_network, momentum_in_use, 6, 6, 4)


@repair_01.case(note=f"a new Adam, a frozen bias, and {STALE}")
def adam_and_stale(g):
    return lesson(g, partly_frozen, everything_stale(adam_new), 4, 4, 4)


def trains_wrongly(message):
    """Decorator: a misconception; `turn(model, optimizer, batches)` returns how the pass differs."""
    def add(turn):
        return repair_01.misconception(message)(named(
            turn.__name__, lambda model, optimizer, batches: loop(model, optimizer, batches, **turn(model, optimizer, batches))))

    return add


def forget(model):
    for p in model.parameters():
        p.grad = None


def blank(model):
    for p in learners(model):
        p.grad = torch.zeros_like(p)


@trains_wrongly(
    "The gradients add up: `backward` adds to what stands in `.grad`, so each update follows the sum of all batches so "
    "far.")
def gradients_add_up(model, optimizer, batches):
    return dict(keep=lambda k: True)


@trains_wrongly(
    "The gradients are cleared after each update only. What an earlier pass has left enters the first update: clear "
    "before the backward pass.")
def cleared_after_the_update_only(model, optimizer, batches):
    return dict(keep=lambda k: k == 0)


@trains_wrongly("The gradients are cleared once, before the loop. From the second batch on they add up as before.")
def cleared_once(model, optimizer, batches):
    return dict(keep=lambda k: k > 0)


@trains_wrongly("The gradients are cleared between the backward pass and the update, so the update has nothing to follow.")
def cleared_too_late(model, optimizer, batches):
    return dict(last=lambda k: forget(model))


@trains_wrongly("The gradients are set to 0 between the backward pass and the update: only momentum still moves the weights.")
def zeroed_too_late(model, optimizer, batches):
    return dict(last=lambda k: blank(model))


@trains_wrongly("There is one update, after the last batch. Every batch should have its own.")
def one_update_for_all(model, optimizer, batches):
    return dict(keep=lambda k: k > 0, updates=lambda k: k == len(batches) - 1)


@trains_wrongly(
    "The optimizer starts anew with every batch: momentum and moments are lost. Clear the gradients and keep the "
    "optimizer.")
def new_optimizer_each_time(model, optimizer, batches):
    return dict(first=lambda k: optimizer.state.clear())


@trains_wrongly("Nothing learns: no update is made.")
def no_update_at_all(model, optimizer, batches):
    return dict(updates=lambda k: False)


@trains_wrongly("The model runs in evaluation mode. This is a training pass.")
def trained_in_evaluation_mode(model, optimizer, batches):
    return dict(first=lambda k: model.eval())


@trains_wrongly("The loss is summed over each batch. Cross-entropy is a mean here.")
def batch_summed(model, optimizer, batches):
    return dict(value=summed)


@trains_wrongly("The softmax is applied twice: cross-entropy takes logits and applies its own.")
def softmax_before_cross_entropy(model, optimizer, batches):
    return dict(value=softened)


@trains_wrongly(
    "The loss is divided by the number of batches, as one does when gradients are accumulated on purpose. Here every "
    "batch has an update of its own.")
def divided_by_the_batches(model, optimizer, batches):
    return dict(value=lambda *args: entropy(*args) / len(batches))


@repair_01.misconception("Each loss is taken after its update. It is asked for before.")
def losses_after_the_updates(model, optimizer, batches):
    losses = []
    for pair in batches:
        loop(model, optimizer, [pair])
        losses.append(float(entropy(model, *pair).detach()))
    return torch.tensor(losses, dtype=F64)


@repair_01.misconception("That is the mean of the losses. One loss for each batch is asked for.")
def mean_of_the_losses(model, optimizer, batches):
    return loop(model, optimizer, batches).mean()


@repair_01.misconception("That is a running total of the losses. Each batch has its own loss.")
def running_total(model, optimizer, batches):
    return loop(model, optimizer, batches).cumsum(0)


@repair_01.misconception(
    "The updates are plain gradient descent. The optimizer that is given should make them: its momentum or its moments "
    "count.")
def descends_by_hand(model, optimizer, batches):
    return loop(model, torch.optim.SGD(learners(model), lr=optimizer.param_groups[-1]["lr"]), batches)


# 12.7 repair_02

GRADIENT = "gradient with respect to the parameters"


class Sharp(nn.Module):
    """Multiplies its logits."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def classifier():
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 4), Sharp(2.0))


def certain_classifier():
    """So certain of its answers, right or wrong, that a probability is 0 in any precision."""
    return nn.Sequential(nn.Linear(5, 4), Sharp(3000.0))


def resting_classifier():
    """Dropout rests while batch norm trains."""
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 4), Sharp(2.0))
    model[2].eval()
    return model


def loss_and_gradient(fn, inputs):
    with Scene(inputs["seed"]):
        dtype = inputs["dtype"]
        model, x = inputs["network"]().to(dtype), torch.randn(inputs["n"], 5).to(dtype)
        y = torch.randint(4, (inputs["n"],))
        returned = fn(model=model, x=x, y=y)
        parts = fn.parts(returned)
        attached = isinstance(returned, torch.Tensor) and returned.requires_grad
        parts |= {"loss: requires_grad": attached, "dtype of the loss": str(getattr(returned, "dtype", "none")).removeprefix("torch.")}
        if attached:
            found = torch.autograd.grad(returned.sum(), learners(model), allow_unused=True)
            parts[GRADIENT] = flat(torch.zeros_like(p) if slope is None else slope for p, slope in zip(model.parameters(), found))
        parts[".grad afterwards"] = "none" if all(p.grad is None for p in model.parameters()) else "filled"
        parts["modules in training mode afterwards"] = listed(name or "the model" for name, m in model.named_modules() if m.training)
    return parts


def softmax_of_thousands(want, inputs):
    """float32 keeps logits in the thousands to 5e-4, and with them the probabilities."""
    return by_dtype(want, inputs) * (100 if inputs["dtype"] == F32 else 1)


repair_02 = Exercise("repair_02", CHAPTER, ("loss",), read="12.7", probe=loss_and_gradient, tolerances={
    "loss": by_dtype, GRADIENT: softmax_of_thousands})


def one_class_at_a_time(z, y):
    """How far the log-sum of all classes lies above the own class, example by example; stable."""
    rows = [torch.logsumexp(row - row[label], 0) for row, label in zip(z, y)]
    return torch.stack(rows)


@repair_02.oracle
def above_the_own_logit(model, x, y):
    return torch.mean(one_class_at_a_time(model(x), y))


def exam(g, network, n, dtype=F64):
    return dict(network=network, n=n, dtype=dtype, seed=whole(g, 0, 10**6))


@repair_02.case
def ordinary_logits(g):
    return exam(g, classifier, 7)


@repair_02.case(note="logits in the thousands")
def certain_logits(g):
    return exam(g, certain_classifier, 6, dtype=F32)


@repair_02.case(note="dropout in evaluation mode, batch norm in training mode")
def mixed_modes(g):
    return exam(g, resting_classifier, 8, dtype=F32)


def loses(message):
    """Decorator: a misconception; `of(z, y)` is the loss of logits and labels."""
    def add(of):
        return repair_02.misconception(message)(named(of.__name__, lambda model, x, y: of(model(x), y)))

    return add


def chosen(table, y):
    return table.gather(1, y[:, None])[:, 0]


@loses(
    "That is still the softmax of a softmax: `F.cross_entropy` takes logits and applies its own. The loss of a certain "
    "model then stays far above 0.")
def softmax_then_cross_entropy(z, y):
    return torch.mean(one_class_at_a_time(z.softmax(1), y))


@loses("`nll_loss` takes logarithms of probabilities; these are probabilities. The loss would be negative.")
def nll_of_probabilities(z, y):
    return -chosen(z.softmax(1), y).mean()


@loses(
    "The softmax is left out of the graph: the value is right, and its gradient says to raise every logit of a right "
    "class alike.")
def normaliser_detached(z, y):
    return (z.detach().logsumexp(1) - chosen(z, y)).mean()


@loses("`nll_loss` takes logarithms of probabilities; these are logits. Nothing holds the logits of the other classes down.")
def nll_of_logits(z, y):
    return -chosen(z, y).mean()


@loses(
    "The logarithm of a softmax: where a probability is rounded to 0 the loss is infinite. PyTorch has an operator "
    "that takes both in one.")
def logarithm_of_the_softmax(z, y):
    return -chosen(z.softmax(1).log(), y).mean()


@loses(
    "The probabilities are kept away from 0 by a small number. A model that is certain and wrong gets a bounded loss "
    "and no gradient: use an operator that takes softmax and logarithm in one.")
def probabilities_clamped(z, y):
    return -chosen(z.softmax(1).clamp(min=1e-8), y).log().mean()


@loses(
    "A small number is added to the probabilities. It changes the loss of every example a little, and bounds the loss "
    "of a wrong one: use an operator that takes softmax and logarithm in one.")
def something_added_to_the_probabilities(z, y):
    return -(chosen(z.softmax(1), y) + 1e-8).log().mean()


@loses("The softmax runs over the batch. It should run over the classes of each example.")
def softmax_over_the_batch(z, y):
    return -chosen(z.log_softmax(0), y).mean()


@loses("A sigmoid comes before `F.cross_entropy`. That takes logits as they are.")
def sigmoid_then_cross_entropy(z, y):
    return torch.mean(one_class_at_a_time(z.sigmoid(), y))


@loses("Every class is treated as a yes or no of its own. The classes exclude each other: one softmax over all of them.")
def binary_for_each_class(z, y):
    return F.binary_cross_entropy_with_logits(z, F.one_hot(y, z.shape[1]).to(z))


@loses("The losses are summed over the batch. Here cross-entropy is their mean.")
def total(z, y):
    return one_class_at_a_time(z, y).sum()


@loses("That is one loss for each example. Their mean is asked for.")
def one_for_each_example(z, y):
    return one_class_at_a_time(z, y)


@loses("The loss is divided by the number of classes as well. The mean is over examples.")
def divided_by_the_classes(z, y):
    return one_class_at_a_time(z, y).mean() / z.shape[1]


@loses("That is the squared distance of the probabilities from the labels. Cross-entropy is asked for.")
def squared_distance(z, y):
    return (z.softmax(1) - F.one_hot(y, z.shape[1])).square().sum(1).mean()


@loses("The sign is turned: cross-entropy is never negative.")
def sign_turned(z, y):
    return -one_class_at_a_time(z, y).mean()


@loses("The loss has left the graph: nothing can be trained with it.")
def out_of_the_graph(z, y):
    return one_class_at_a_time(z, y).mean().detach()


@repair_02.misconception(
    "The backward pass has been made already. The loss is asked for; what is done with it is the caller's.")
def backward_included(model, x, y):
    loss = above_the_own_logit(model, x, y)
    loss.backward(retain_graph=True)
    return loss


@repair_02.misconception("The model is put into evaluation mode. Its modes are the caller's.")
def put_into_evaluation(model, x, y):
    return above_the_own_logit(model.eval(), x, y)


@repair_02.misconception(
    "The whole model is put into training mode. Its modes are the caller's: some modules may rest on purpose.")
def put_into_training(model, x, y):
    return above_the_own_logit(model.train(), x, y)


# 12.7 repair_03

EPOCHS = 150
SIZES, TOGETHER, ONCE = "sizes of the batches", "inputs and labels", "examples"
FORM, ORDERS = "shapes and dtypes", "order"
AT, FOLLOW = "share of epochs in which an example comes at a place", "neighbours that stay neighbours, per epoch"


def numbered(n):
    """Inputs and labels that tell which example they belong to."""
    order = torch.arange(n)
    return torch.stack([order, order + 0.5], 1).to(F64)[:, :, None], 3 * order + 7


def deal(returned):
    """Pairs of tensors in any container."""
    try:
        pairs = [tuple(pair) for pair in returned]
    except TypeError:
        raise Misfit(f"returned {kind_of(returned)}, expected a list of pairs (x, y)") from None
    if not all(len(pair) == 2 and all(isinstance(t, torch.Tensor) for t in pair) for pair in pairs):
        raise Misfit("returned a list whose entries are not all pairs of tensors (x, y)")
    return pairs


def numbers_of(dealt):
    """(examples of the inputs, examples of the labels) of all epochs in the order in which they come; −1 where a row is no example."""
    rows, own_labels = (torch.cat([pair[side] for pairs in dealt for pair in pairs]) for side in (0, 1))
    first = rows.reshape(len(rows), -1)[:, 0]
    whole_rows = (rows.reshape(len(rows), -1) == torch.stack([first, first + 0.5], 1)).all(1) & (first == first.round())
    return torch.where(whole_rows, first, -1.0).long(), ((own_labels - 7) / 3).long()


def epochs(fn, inputs):
    """The form of one epoch, and where examples come in many."""
    n = inputs["n"]
    with torch.random.fork_rng(devices=[]):
        generator = seeded(inputs["seed"])
        x, y = numbered(n)
        dealt = [deal(fn(x=x.clone(), y=y.clone(), batch_size=inputs["batch_size"], generator=generator)) for _ in range(EPOCHS)]
    sizes = {tuple((len(x), len(y)) for x, y in pairs) for pairs in dealt}
    forms = {(x.shape[1:], x.dtype, y.shape[1:], y.dtype) for pairs in dealt for x, y in pairs}
    parts = {SIZES: "; ".join(sorted(listed(str(a) if a == b else f"{a} and {b}" for a, b in row) for row in sizes)),
             FORM: "; ".join(sorted(f"{tuple(of_x)} {x_dtype}, {tuple(of_y)} {y_dtype}" for of_x, x_dtype, of_y, y_dtype in forms))}
    if any(sum(len(t) for t in column) != n for pairs in dealt for column in zip(*pairs)) or len(sizes) > 1 or len(forms) > 1:
        return parts
    a, b = (numbers.view(EPOCHS, n) for numbers in numbers_of(dealt))
    parts[TOGETHER] = "belong together" if torch.equal(a, b) else why_apart(a, b)
    parts[ONCE] = how_often(a, inputs["batch_size"]) if torch.equal(a, b) else how_often(b, inputs["batch_size"])
    parts[ORDERS] = "new in each epoch" if not torch.equal(a, a[:1].expand_as(a)) else \
        "the one given, in every epoch" if torch.equal(a[0], torch.arange(n)) else "the same in every epoch"
    places = F.one_hot(a.clamp(0), n).to(F64).mean(0)
    follow = (a[:, 1:] == a[:, :-1] + 1).to(F64).sum(1).mean()
    return parts | {AT: places, FOLLOW: float(follow)}


def why_apart(a, b):
    """a, b: (EPOCHS, n), the examples of the inputs and of the labels."""
    if (a < 0).any():
        return "inputs that are no examples"
    old = torch.arange(a.shape[1]).expand_as(a)
    return "apart, the labels in their old order" if torch.equal(b, old) else \
        "apart, the inputs in their old order" if torch.equal(a, old) else "apart, each in an order of its own"


def how_often(a, batch_size):
    if torch.equal(a.sort(1).values, torch.arange(a.shape[1]).expand_as(a)):
        return "each once"
    twice = any(len(block.unique()) < len(block) for order in a for block in order.split(batch_size))
    return "some twice, even in one batch" if twice else "some twice, never in one batch"


def epoch_origin(fn, inputs):
    """Where the randomness comes from."""
    def draw(generator):
        x, y = numbered(inputs["n"])
        pairs = deal(fn(x=x, y=y, batch_size=inputs["batch_size"], generator=generator))
        return torch.cat([x.reshape(-1) for x, _ in pairs])

    with torch.random.fork_rng(devices=[]):
        start = torch.get_rng_state()
        first, again = (draw(seeded(1)) for _ in range(2))
        left = torch.equal(start, torch.get_rng_state())
        one = seeded(2)
        two_draws = draw(one), draw(one)
        from_global = [draw_after_seed(draw, 3), draw_after_seed(draw, 3), draw(None)]
    return {"global random state": "untouched" if left else "advanced",
            "same generator, same result": torch.equal(first, again),
            "two draws in a row": alike(*two_draws),
            "generator=None after the same torch.manual_seed": alike(*from_global[:2]),
            "generator=None twice in a row": alike(*from_global[1:])}


def seven_sigma_place(want, inputs):
    """Of a share of 1/n in so many epochs; binomial tails, all n² shares together: at most one false alarm in 5e6."""
    return 7 * math.sqrt((1 - 1 / inputs["n"]) / inputs["n"] / EPOCHS)


def seven_sigma_follow(want, inputs):
    """Their number in a random order has a variance below 1: like a Poisson number, one false alarm in 1e9."""
    return 7 / math.sqrt(EPOCHS)


class Shuffled(Sampled):
    """The oracle is asked with the probe's inputs, of which student code sees only what they make."""

    def expected(self, case, inputs):
        return self.right(None, inputs["n"], inputs["batch_size"], None)[(case.probe or self.probe).__name__]


repair_03 = Shuffled("repair_03", CHAPTER, ("batches",), read="12.7", probe=epochs, tolerances={
    AT: seven_sigma_place, FOLLOW: seven_sigma_follow})


@repair_03.oracle
def exact_order(x, y, batch_size, generator):
    """x is not used, and y is the number of examples."""
    n = y
    sizes = [batch_size] * (n // batch_size) + [n % batch_size] * (n % batch_size > 0)
    return {"epochs": {SIZES: listed(map(str, sizes)), FORM: "(2, 1) torch.float64, () torch.int64",
                       TOGETHER: "belong together", ONCE: "each once", ORDERS: "new in each epoch", AT: torch.full((n, n), 1 / n, dtype=F64), FOLLOW: (n - 1) / n},
            "epoch_origin": FROM_THE_GENERATOR}


def examples(g, n, batch_size):
    return dict(n=n, batch_size=batch_size, seed=whole(g, 0, 10**6))


@repair_03.case(note=f"{EPOCHS} epochs with one generator")
def last_one_smaller(g):
    return examples(g, 10, 3)


@repair_03.case(note=f"{EPOCHS} epochs with one generator")
def in_equal_batches(g):
    return examples(g, 8, 4)


@repair_03.case(probe=epoch_origin, note="called again with the same generator, and with generator=None")
def order_comes_from(g):
    return examples(g, 40, 8)


def batches_of(x, y, batch_size, order, labels_order=None, whole_only=False):
    """The batches of an order; labels may have one of their own."""
    labels_order = order if labels_order is None else labels_order
    stop = len(order) - (len(order) % batch_size if whole_only else 0)
    return [(x[order[k:k + batch_size]], y[labels_order[k:k + batch_size]]) for k in range(0, stop, batch_size)]


def shuffles(message):
    """Decorator: a misconception; `turn(n, batch_size, generator)` returns the arguments of `batches_of`."""
    def add(turn):
        return repair_03.misconception(message)(named(
            turn.__name__, lambda x, y, batch_size, generator: batches_of(x, y, batch_size, **turn(len(x), batch_size, generator))))

    return add


def any_order(n, generator):
    """Sorting random numbers: an order from the generator, without `randperm`."""
    return torch.rand(n, generator=generator, dtype=F64).argsort()


@shuffles(
    "Nothing is shuffled: the examples come in their old order. Inputs and labels belong together then, but every "
    "epoch is the same.")
def not_shuffled(n, batch_size, generator):
    return dict(order=torch.arange(n))


@repair_03.misconception(
    "Inputs and labels still have an order of their own, so images get the labels of others. One order for both.")
def two_orders(x, y, batch_size, generator):
    return batches_of(x, y, batch_size, any_order(len(x), generator), any_order(len(x), generator))


@shuffles("Only the inputs are shuffled; the labels stay where they were. One order for both.")
def labels_stay(n, batch_size, generator):
    return dict(order=any_order(n, generator), labels_order=torch.arange(n))


@shuffles("Only the labels are shuffled; the inputs stay where they were. One order for both.")
def inputs_stay(n, batch_size, generator):
    return dict(order=torch.arange(n), labels_order=any_order(n, generator))


@shuffles("The last, smaller batch is left out. Every example should come once in an epoch.")
def last_one_dropped(n, batch_size, generator):
    return dict(order=any_order(n, generator), whole_only=True)


@shuffles("The last batch is filled up with examples that have come already. It should be smaller.")
def last_one_filled(n, batch_size, generator):
    order = any_order(n, generator)
    return dict(order=torch.cat([order, order[:-n % batch_size]]))


@shuffles("Examples are drawn with replacement: in one epoch some come twice and some never.")
def with_replacement(n, batch_size, generator):
    return dict(order=torch.randint(n, (n,), generator=generator))


@repair_03.misconception(
    "Each batch is drawn by itself, so in one epoch some examples come twice and some never. One order for the whole "
    "epoch.")
def each_batch_by_itself(x, y, batch_size, generator):
    pairs = batches_of(x, y, batch_size, torch.arange(len(x)))
    orders = [any_order(len(x), generator)[:len(labels_here)] for _, labels_here in pairs]
    return [(x[order], y[order]) for order in orders]


@shuffles(
    "The batches are shuffled, and what is in them is not: the same examples always come together. Shuffle the "
    "examples.")
def whole_batches_shuffled(n, batch_size, generator):
    blocks = torch.arange(n).split(batch_size)
    full = [blocks[k] for k in any_order(len(blocks) - (n % batch_size > 0), generator)]
    return dict(order=torch.cat([*full, *blocks[len(full):]]))


@shuffles("The examples are shuffled inside each batch only: the same examples always come together.")
def shuffled_inside_batches(n, batch_size, generator):
    return dict(order=torch.cat([block[any_order(len(block), generator)] for block in torch.arange(n).split(batch_size)]))


@shuffles("The order is only turned, as a ring: neighbours stay neighbours. Every order should be equally likely.")
def turned_as_a_ring(n, batch_size, generator):
    return dict(order=torch.arange(n).roll(int(torch.randint(n, (), generator=generator))))


@shuffles("The order is drawn without the generator that is given. With it an epoch can be repeated.")
def drawn_without_the_generator(n, batch_size, generator):
    return dict(order=any_order(n, None))


@shuffles("The generator is set back to its seed in every call, so every epoch has the same order. Draw from it as it comes.")
def every_epoch_alike(n, batch_size, generator):
    return dict(order=any_order(n, generator and generator.manual_seed(generator.initial_seed())))


@repair_03.misconception(
    "The entries inside each example are shuffled. Examples lie along dimension 0; what is inside them stays.")
def entries_shuffled(x, y, batch_size, generator):
    return batches_of(x[:, any_order(x.shape[1], generator)], y, batch_size, any_order(len(x), generator))


# 12.7 repair_04

GRAPH = "graph built in the forward pass"
UNCHANGED, GRADS = "parameters and buffers", ".grad"


class Ear(nn.Module):
    """Notes whether a graph is built; passes x on."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def forward(self, x):
        self.heard.append(x.requires_grad)
        return x


def settled(model):
    """Running statistics far from those of any batch."""
    for m in model.modules():
        if isinstance(m, nn.BatchNorm1d):
            m.running_mean.normal_(std=2.0)
            m.running_var.uniform_(0.3, 3.0)
    return model


def all_training():
    return settled(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.LeakyReLU(0.1), Ear(), nn.Dropout(0.5), nn.Linear(8, 3)))


def frozen_batch_norm():
    """In training mode, but for a block inside that rests, and one module inside the block that does not."""
    block = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), Ear())
    model = settled(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), block, nn.Linear(8, 3)))
    block.eval()
    block[2].train()
    return model


def all_resting():
    return all_training().eval()


def top_rests():
    """The model itself is in evaluation mode; dropout and a batch norm inside are not."""
    model = all_training().eval()
    model[1].train()
    model[4].train()
    return model


def states(model):
    """Parameters and buffers, and gradients."""
    kept = [*model.parameters(), *model.buffers()], [p.grad for p in model.parameters()]
    return [[None if t is None else t.detach().clone() for t in tensors] for tensors in kept]


def equal(before, after):
    return all((a is None) == (b is None) and (a is None or torch.equal(a, b)) for a, b in zip(before, after))


def mostly_right(model, x):
    """Labels that a resting model names in four of five cases, so that other modes do worse."""
    with torch.no_grad():
        guesses = copy.deepcopy(model).eval()(x).argmax(1)
    return torch.where(torch.rand(len(x)) < 0.8, guesses, torch.randint(3, (len(x),)))


def measured(fn, inputs):
    with Scene(inputs["seed"]):
        model = inputs["network"]()
        gradients_left(model)
        x = torch.randn(inputs["n"], 4)
        y = mostly_right(model, x)
        before = states(model)
        accuracy = number(fn(model=model, x=x, y=y))
        ears = [heard for m in model.modules() if isinstance(m, Ear) for heard in m.heard]
        held, grads = map(equal, before, states(model))
        return {"accuracy": accuracy, UNCHANGED: "as they were" if held else "changed", GRADS: "as it was" if grads else "changed",
                GRAPH: "yes" if any(ears) else "no",
                "modules in training mode afterwards": listed(name or "the model" for name, m in model.named_modules() if m.training),
                "gradient mode afterwards": "on" if torch.is_grad_enabled() else "off"}


repair_04 = Exercise("repair_04", CHAPTER, ("accuracy",), read="12.7", probe=measured, tolerances={"accuracy": single_precision})


def right_share(logits, y):
    return sum(row.tolist().index(max(row.tolist())) == label for row, label in zip(logits.detach(), y.tolist())) / len(y)


@repair_04.oracle
def by_a_resting_copy(model, x, y):
    return right_share(copy.deepcopy(model).eval()(x), y)


def trial(g, network, n=60):
    return dict(network=network, n=n, seed=whole(g, 0, 10**6))


@repair_04.case(note="the whole model in training mode")
def in_training(g):
    return trial(g, all_training)


@repair_04.case(note="a block inside the model rests in evaluation mode, but for its dropout")
def with_a_resting_block(g):
    return trial(g, frozen_batch_norm)


@repair_04.case(note="the whole model in evaluation mode")
def at_rest(g):
    return trial(g, all_resting)


@repair_04.case(note="the model in evaluation mode, two modules inside in training mode")
def top_at_rest(g):
    return trial(g, top_rests)


def look(model, x, y, *, mode=False, graph=False, count=right_share):
    """Accuracy in a mode, with or without graph; the modes are not put back. mode None leaves them as they are."""
    if mode is not None:
        model.train(mode)
    with torch.set_grad_enabled(graph):
        return count(model(x), y)


def put_back(model, modes):
    for each, kept in zip(model.modules(), modes):
        each.training = kept


def modes_of(model):
    return [module.training for module in model.modules()]


def measures(message, restore=put_back):
    """Decorator: a misconception about the measurement, that puts the modes back; `turn()` returns how `look` differs."""
    def add(turn):
        def wrong(model, x, y):
            modes = modes_of(model)
            accuracy = look(model, x, y, **turn())
            restore(model, modes)
            return accuracy

        return repair_04.misconception(message)(named(turn.__name__, wrong))

    return add


@repair_04.misconception(
    "The model runs in the mode it is in: dropout drops, and batch norm takes the statistics of this batch and changes "
    "its running ones. If you have set `model.training`: that is the flag of the outermost module alone.")
def mode_as_it_is(model, x, y):
    return look(model, x, y, mode=None)


@measures(
    "The mode is right, and a graph is built in the forward pass: it holds the memory of every layer until it is let "
    "go. Taking the result out of the graph afterwards is too late.")
def graph_kept():
    return dict(graph=True)


@repair_04.misconception(
    "The model is left in evaluation mode: the next training step would train without dropout and with old statistics.")
def left_in_evaluation(model, x, y):
    return look(model, x, y)


@repair_04.misconception(
    "The whole model is put into training mode afterwards. Some modules rested before, on purpose: each gets back its "
    "own mode.")
def all_put_into_training(model, x, y):
    accuracy = look(model, x, y)
    model.train()
    return accuracy


@repair_04.misconception(
    "Every module gets back the mode of the whole model. `model.training` is the mode of the outermost module only: "
    "keep that of each.")
def mode_of_the_outermost(model, x, y):
    mode = model.training
    accuracy = look(model, x, y)
    model.train(mode)
    return accuracy


@repair_04.misconception(
    "The modes of the model's direct children are put back, each with everything inside it. Modules inside modules "
    "have modes of their own.")
def modes_of_children(model, x, y):
    mode, below = model.training, [child.training for child in model.children()]
    accuracy = look(model, x, y)
    model.training = mode
    for child, its in zip(model.children(), below):
        child.train(its)
    return accuracy


@measures(
    "The model runs in training mode. Measure in evaluation mode: dropout rests, batch norm uses its running "
    "statistics.")
def measured_in_training():
    return dict(mode=True)


@measures("That is the share of errors. Accuracy is the share that is right.")
def share_of_errors():
    return dict(count=lambda z, y: 1 - right_share(z, y))


@measures("That is a number of examples. Accuracy is a share.")
def number_right():
    return dict(count=lambda z, y: len(y) * right_share(z, y))


@measures("That is a percentage. Accuracy is a share between 0 and 1.")
def per_cent():
    return dict(count=lambda z, y: 100 * right_share(z, y))


@measures("The smallest logit is taken for the guess. It is the largest.")
def smallest_logit():
    return dict(count=lambda z, y: right_share(-z, y))


@repair_04.misconception(
    "Gradients are switched off for good: nothing after this call can train. They should rest for the measurement "
    "only.")
def gradients_off_for_good(model, x, y):
    modes = modes_of(model)
    accuracy = look(model, x, y)
    put_back(model, modes)
    torch.set_grad_enabled(False)
    return accuracy


@repair_04.misconception("The gradients are cleared. Measuring should leave `.grad` as it was.")
def gradients_cleared(model, x, y):
    modes = modes_of(model)
    accuracy = look(model, x, y)
    put_back(model, modes)
    forget(model)
    return accuracy


# 12.7 repair_05


def standardised(fn, inputs):
    """The values, whether they are in the graph, and the gradient through it."""
    leaf = inputs["x"].clone().requires_grad_()
    given = inputs | {"x": leaf}
    with torch.enable_grad():
        returned = fn(**given)
    parts = fn.parts(returned)
    attached = isinstance(returned, torch.Tensor) and returned.requires_grad
    parts["xhat: requires_grad"] = attached
    if attached:
        random_upstream = torch.randn(returned.shape, generator=seeded(314159), dtype=returned.dtype)
        parts["gradient with respect to x"] = plain(torch.autograd.grad(returned, leaf, random_upstream)[0])
    return parts


repair_05 = Exercise("repair_05", CHAPTER, ("xhat",), read="12.7", probe=standardised)


@repair_05.oracle
def by_the_operator(x, eps=1e-5):
    return F.instance_norm(x.T[None], eps=eps)[0].T


@repair_05.case(note="eps at its default")
def narrow_batch(g):
    return dict(x=normal(g, 6, 3))


@repair_05.case
def large_eps(g):
    return dict(x=0.4 * normal(g, 5, 4) + 2.0, eps=0.1)


@repair_05.case(note="not contiguous in memory")
def float32_batch(g):
    return dict(x=backwards(g, 8, 3, dtype=F32) - 1.0, eps=0.1)


def columns(message, **options):
    """Decorator: a misconception about statistics over the columns; `turn(x)` returns arguments of `standardise`."""
    def add(turn):
        return repair_05.misconception(message)(named(turn.__name__, lambda x, eps=1e-5: standardise(x, eps, **turn(x))))

    return add


@repair_05.misconception(
    "The statistics are still constants for the gradient. Mean and variance depend on every x of the batch: no "
    "`no_grad`, no `detach` on their way.")
def statistics_are_constants(x, eps=1e-5):
    return standardise(x, eps, keep=torch.Tensor.detach)


@repair_05.misconception("The mean is a constant for the gradient. It depends on every x of the batch, as the variance does.")
def mean_is_constant(x, eps=1e-5):
    variance, mean = torch.var_mean(x, 0, correction=0)
    return (x - mean.detach()) / root(variance, eps)


@repair_05.misconception("The variance is a constant for the gradient. It depends on every x of the batch, as the mean does.")
def variance_is_constant(x, eps=1e-5):
    variance, mean = torch.var_mean(x, 0, correction=0)
    return (x - mean) / root(variance.detach(), eps)


@repair_05.misconception("The whole result has left the graph: what is built on it cannot be trained.")
def result_is_constant(x, eps=1e-5):
    return by_the_operator(x.detach(), eps)


@columns("That is the unbiased variance, with N−1. Normalisers divide by N.")
def unbiased(x):
    return dict(correction=1)


@columns("eps is added to the standard deviation. It belongs to the variance, inside the root.")
def eps_outside_the_root(x):
    return dict(scale=outside)


@columns("eps is left out. A column that is constant would be divided by 0.")
def eps_forgotten(x):
    return dict(scale=no_eps)


@columns("The columns are divided by their variance. The standard deviation is its root.")
def root_left_out(x):
    return dict(scale=no_root)


@columns("The statistics are those of each row. Standardise each column, over the batch.")
def each_row(x):
    return dict(axes=[1])


@columns("There is one mean and one variance for the whole batch. Each column has its own.")
def one_for_the_whole_batch(x):
    return dict(axes=[0, 1])


@repair_05.misconception("The mean is not subtracted.")
def not_centred(x, eps=1e-5):
    return x / root(x.var(0, correction=0), eps)


@repair_05.misconception("The columns are centred and not scaled.")
def not_scaled(x, eps=1e-5):
    return x - torch.mean(x, 0)


# 12.7 repair_06

USED, REPORTED = "rate at each update", "rates returned"


def cycled(fn, inputs):
    with Scene(inputs["seed"]):
        model, optimizer, batches = class_room(**inputs)
        given = dict(epochs=inputs["epochs"], max_lr=inputs["max_lr"])
        written = ledger(optimizer)
        rates_returned = curve(fn(model=model, optimizer=optimizer, batches=batches, **given), "rates")
        return {USED: curve(written, "rates"), REPORTED: rates_returned} | training_left(model, optimizer)


repair_06 = Exercise("repair_06", CHAPTER, ("rates",), read="12.7", probe=cycled, tolerances={
    part: lambda want, inputs: 1e-9 * inputs["max_lr"] for part in (USED, REPORTED)} | TRAINED)


def cycle(model, optimizer, batches, epochs, max_lr, *, total=None, when=lambda k, n: True, noted="before",
          restart=False, keep=lambda k: False, early=False, passes=None, schedule=OneCycleLR, **options):
    """The rates of one cycle; whatever is given beside the exercise's arguments makes it wrong.

    `when(k, n)` says whether the schedule moves after step k of n a pass; `noted` when a rate is written down.
    """
    n, rates_used = len(batches), []
    scheduler = schedule(optimizer, max_lr, total_steps=total or epochs * n, **options)
    for k in range((passes or epochs) * n):
        if restart and k and k % n == 0:
            scheduler = schedule(optimizer, max_lr, total_steps=n, **options)
        if early:
            scheduler.step()
        if noted == "before":
            rates_used.append(float(optimizer.param_groups[0]["lr"]))
        slopes(model, entropy(model, *batches[k % n]), keep(k))
        optimizer.step(closure=None)
        if not early and when(k, n):
            scheduler.step()
        if noted == "after":
            rates_used.append(float(optimizer.param_groups[0]["lr"]))
    return torch.tensor(rates_used, dtype=F64)


@repair_06.oracle
def one_over_the_run(model, optimizer, batches, epochs, max_lr):
    return cycle(model, optimizer, batches, epochs, max_lr)


def course(g, network, optimizer, sizes, epochs, low, high):
    return lesson(g, network, optimizer, *sizes, epochs=epochs, max_lr=between(g, low, high))


@repair_06.case(note="SGD with momentum; batches of two sizes")
def momentum_cycle(g):
    return course(g, quick_network, fresh_one_group, (5, 5, 5, 3), 3, 0.3, 0.5)


@repair_06.case(note=f"Adam; {STALE}")
def adam_cycle(g):
    return course(g, partly_frozen, everything_stale(adam_new), (4, 4, 4), 4, 0.05, 0.1)


@repair_06.case(note="one epoch; batch norm in training mode")
def single_epoch(g):
    return course(g, batch_norm_network, fresh_one_group, (6, 6, 6, 6, 6), 1, 0.3, 0.5)


def fresh_one_group(model):
    return torch.optim.SGD(learners(model), lr=0.05, momentum=0.5)


def turns(message):
    """Decorator: a misconception; `turn(epochs, n)` returns how the cycle differs."""
    def add(turn):
        def wrong(model, optimizer, batches, epochs, max_lr):
            return cycle(model, optimizer, batches, epochs, max_lr, **turn(epochs, len(batches)))

        return repair_06.misconception(message)(named(turn.__name__, wrong))

    return add


@turns(
    "The schedule still moves once an epoch, while it was made for as many moves as there are steps: the rate never "
    "gets beyond the beginning of its rise.")
def moves_once_an_epoch(epochs, n):
    return dict(when=lambda k, n: k % n == n - 1)


@repair_06.misconception(
    "The schedule moves once an epoch, and was made for as many moves as there are epochs. Now the cycle is whole, in "
    "stairs: it should move with every step.")
def stairs(model, optimizer, batches, epochs, max_lr):
    return cycle(model, optimizer, batches, epochs, max_lr, total=epochs, when=lambda k, n: k % n == n - 1)


@turns("There is one cycle for each epoch. One cycle spans the whole run.")
def a_cycle_for_each_epoch(epochs, n):
    return dict(total=n, restart=True)


@turns(
    "The schedule is made for the steps of one epoch more than there are, so it never comes down to its end. It has "
    "epochs times batches steps.")
def an_epoch_too_long(epochs, n):
    return dict(total=(epochs + 1) * n)


@turns("The schedule is one step too long. It has exactly epochs times batches steps.")
def a_step_too_long(epochs, n):
    return dict(total=epochs * n + 1)


@turns("Each rate is written down after the schedule has moved: it is that of the next step.")
def written_down_late(epochs, n):
    return dict(noted="after")


@turns("The schedule moves before the optimizer does: the first rate is skipped, and each step uses the rate of the next.")
def schedule_first(epochs, n):
    return dict(early=True)


@turns("Momentum does not cycle. PyTorch's default lets it fall while the rate rises.")
def momentum_held(epochs, n):
    return dict(cycle_momentum=False)


@turns("The three phases of the paper are asked for. PyTorch's defaults have two.")
def three_phases(epochs, n):
    return dict(three_phase=True)


@turns("The rate rises and falls along straight lines. PyTorch's default is the cosine.")
def straight_lines(epochs, n):
    return dict(anneal_strategy="linear")


@turns("One epoch is run. There are `epochs`.")
def one_epoch_run(epochs, n):
    return dict(passes=1)


@turns("The gradients add up: `backward` adds to what stands in `.grad`. Clear it before every backward pass.")
def cycle_with_gradients_adding_up(epochs, n):
    return dict(keep=lambda k: True)


@turns("The gradients are cleared after each step only. What an earlier pass has left enters the first one.")
def cycle_with_old_gradients(epochs, n):
    return dict(keep=lambda k: k == 0)


@repair_06.misconception("The peak is the rate that the optimizer had. It should be max_lr.")
def peak_of_the_optimizer(model, optimizer, batches, epochs, max_lr):
    return cycle(model, optimizer, batches, epochs, optimizer.param_groups[0]["lr"])


@repair_06.misconception("That is a cosine from max_lr down, without the rise at the start. One cycle is asked for.")
def cosine_only(model, optimizer, batches, epochs, max_lr):
    for group in optimizer.param_groups:
        group.update(lr=max_lr, initial_lr=max_lr)
    return cycle(model, optimizer, batches, epochs, max_lr,
                 schedule=lambda optimizer, max_lr, total_steps: CosineAnnealingLR(optimizer, total_steps))


@repair_06.misconception("One rate for each epoch is returned. One for each step is asked for.")
def a_rate_for_each_epoch(model, optimizer, batches, epochs, max_lr):
    return one_over_the_run(model, optimizer, batches, epochs, max_lr)[::len(batches)]


@repair_06.misconception("The losses are returned. Asked for are the rates.")
def losses_for_rates(model, optimizer, batches, epochs, max_lr):
    scheduler, losses = OneCycleLR(optimizer, max_lr, total_steps=epochs * len(batches)), []
    for pair in list(batches) * epochs:
        losses += loop(model, optimizer, [pair])
        scheduler.step()
    return torch.stack(losses)


# 12.7 repair_07

STEPS, SCALE, GOOD = "loss of each step", "scale afterwards", "good steps that the scaler has counted"


def unit_network():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3), Sharp(3.0))


def clipped(fn, inputs):
    with Scene(inputs["seed"]):
        dtype = inputs["dtype"]
        model = inputs["network"]().to(dtype)
        optimizer = inputs["optimizer"](model)
        scaler = torch.amp.GradScaler("cpu", init_scale=inputs["scale"], growth_interval=inputs.get("interval", 3))
        losses = []
        for _ in range(inputs["steps"]):
            x, y = torch.randn(6, 4).to(dtype), torch.randint(3, (6,))
            losses.append(number(fn(model=model, optimizer=optimizer, scaler=scaler, x=x, y=y, max_norm=inputs["max_norm"])))
        return {STEPS: torch.tensor(losses, dtype=F64)} | training_left(model, optimizer) | {
            SCALE: scaler.get_scale(), GOOD: int(scaler.state_dict()["_growth_tracker"])}


def clip_tolerance(want, inputs):
    """PyTorch adds 1e-6 to the norm; whatever is wrong moves a parameter by 1e-3 or more."""
    sizes = torch.as_tensor(want, dtype=F64).abs()
    return 3e-5 * max([1.0, *sizes[sizes.isfinite()].tolist()])


repair_07 = Exercise("repair_07", CHAPTER, ("loss",), read="12.7", probe=clipped, tolerances={
    STEPS: clip_tolerance, "parameters afterwards": clip_tolerance, "buffers afterwards": clip_tolerance,
    "optimizer's state afterwards": clip_tolerance})


def shorten(model, max_norm):
    """All gradients together to the length max_norm at most."""
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    size = float(flat(grads).norm())
    if not size <= max_norm:
        for grad in grads:
            grad *= max_norm / size


def clip_step(model, optimizer, scaler, x, y, max_norm, *, value=entropy, keep=False, before=None, unscale=True,
              clip=shorten, step=None, update=True):
    """One step with loss scaling; whatever is given beside the exercise's arguments makes it wrong."""
    loss = value(model, x, y)
    slopes(model, scaler.scale(loss), keep)
    if before:
        before(model, max_norm)
    if unscale:
        scaler.unscale_(optimizer=optimizer)
    if clip:
        clip(model, max_norm)
    if step:
        step(optimizer)
    else:
        scaler.step(optimizer=optimizer)
    if update:
        scaler.update(new_scale=None)
    return float(loss.detach())


@repair_07.oracle
def shortened_between(model, optimizer, scaler, x, y, max_norm):
    return clip_step(model, optimizer, scaler, x, y, max_norm)


def tour(g, optimizer, scale, max_norm, steps, dtype=F64, network=unit_network, **rest):
    return dict(network=network, optimizer=optimizer, scale=scale, max_norm=max_norm, steps=steps, dtype=dtype,
                seed=whole(g, 0, 10**6)) | rest


def overflowing_network():
    """Its loss is so large that times the scale it is infinite."""
    return nn.Sequential(nn.Linear(4, 3), Sharp(40.0))


@repair_07.case(note="one step, and it overflows")
def overflow(g):
    return tour(g, heavy_ball, 3e38, between(g, 0.3, 0.4), 1, dtype=F32, network=overflowing_network)


@repair_07.case(note="two steps; the gradients are longer than max_norm")
def long_gradients(g):
    return tour(g, plain_sgd, 1000.0, between(g, 0.15, 0.25), 2)


@repair_07.case(note=f"three steps; the gradients are shorter than max_norm; the optimizer has been used, and {STALE}")
def short_gradients(g):
    return tour(g, heavy_ball, 60.0, between(g, 40, 60), 3, interval=9)


@repair_07.case(note="three steps, and after them the scale grows")
def growing_scale(g):
    return tour(g, adam_new, 500.0, between(g, 0.3, 0.4), 3)


def clips(message):
    """Decorator: a misconception; `turn()` returns how the step differs."""
    def add(turn):
        def wrong(model, optimizer, scaler, x, y, max_norm):
            return clip_step(model, optimizer, scaler, x, y, max_norm, **turn())

        return repair_07.misconception(message)(named(turn.__name__, wrong))

    return add


@clips(
    "The true gradient is cut to max_norm divided by the scale: it is clipped while it is still scaled, and next to "
    "nothing is left of it. Unscale first.")
def clipped_while_scaled():
    return dict(before=shorten, clip=None)


@clips("Nothing is clipped before the step. Clipping after it, or before the backward pass, changes nothing.")
def not_clipped():
    return dict(clip=None)


def each_tensor(model, max_norm):
    for p in learners(model):
        p.grad *= min(1.0, max_norm / (float(p.grad.norm()) + 1e-6))


@clips("Each tensor is clipped by its own norm. The global norm keeps the direction of the whole gradient.")
def each_by_its_own_norm():
    return dict(clip=each_tensor)


def each_entry(model, max_norm):
    for p in learners(model):
        p.grad.clamp_(-max_norm, max_norm)


@clips("Each entry is clipped by itself, which turns the gradient. Clip its global norm.")
def each_entry_by_itself():
    return dict(clip=each_entry)


def always(model, max_norm):
    size = float(flat(p.grad for p in learners(model)).norm())
    for p in learners(model):
        p.grad *= max_norm / size


@clips("The gradient is brought to the length max_norm even where it is shorter. Clipping only shortens.")
def stretched_as_well():
    return dict(clip=always)


def directly(optimizer):
    optimizer.step(closure=None)


@clips("The optimizer makes the step itself: where a gradient is not finite, the weights are spoilt. Let the scaler make it.")
def steps_without_the_scaler():
    return dict(step=directly)


@clips("The scaler is not updated: after an overflow its scale stays too large for ever.")
def scaler_not_updated():
    return dict(update=False)


@clips(
    "The scale is never divided out: the optimizer sees scaled gradients, cut to max_norm. And where a gradient is not "
    "finite the step is made all the same.")
def never_divided_out():
    return dict(unscale=False, step=directly, update=False)


@repair_07.misconception("The scale is divided out twice: the scaler has done it, and so has a line by hand.")
def divided_out_twice(model, optimizer, scaler, x, y, max_norm):
    def again(model, max_norm):
        for p in learners(model):
            p.grad /= scaler.get_scale()
        shorten(model, max_norm)

    return clip_step(model, optimizer, scaler, x, y, max_norm, clip=again)


@repair_07.misconception(
    "The gradients are divided by the scale by hand, and the scaler's step divides once more: it does not know. Leave "
    "the division to the scaler, which remembers it.")
def divided_by_hand_and_again(model, optimizer, scaler, x, y, max_norm):
    def by_hand(model, max_norm):
        for p in learners(model):
            p.grad /= scaler.get_scale()
        shorten(model, max_norm)

    return clip_step(model, optimizer, scaler, x, y, max_norm, unscale=False, clip=by_hand)


@repair_07.misconception(
    "The scaler is left out. The loss is to be scaled, and the step skipped where a gradient is not finite.")
def scaler_left_out(model, optimizer, scaler, x, y, max_norm):
    loss = entropy(model, x, y)
    slopes(model, loss)
    shorten(model, max_norm)
    directly(optimizer)
    return float(loss.detach())


@repair_07.misconception("The scaled loss is returned. The scale is for the backward pass; return the loss without it.")
def scaled_loss_returned(model, optimizer, scaler, x, y, max_norm):
    scale = scaler.get_scale()
    return float(scale * torch.tensor(clip_step(model, optimizer, scaler, x, y, max_norm), dtype=x.dtype))


@repair_07.misconception("That is the loss after the step. Asked for is the one that was differentiated.")
def loss_after_the_step(model, optimizer, scaler, x, y, max_norm):
    clip_step(model, optimizer, scaler, x, y, max_norm)
    return float(entropy(model, x, y).detach())


@clips("The gradients add up: `backward` adds to what stands in `.grad`, and what is there is not even scaled.")
def old_gradients_enter():
    return dict(keep=True)


@repair_07.misconception(
    "The gradients are cleared at the end of the step only. Those of an earlier pass enter the first one.")
def cleared_at_the_end_only(model, optimizer, scaler, x, y, max_norm):
    loss = clip_step(model, optimizer, scaler, x, y, max_norm, keep=True)
    forget(model)
    return loss


@clips("The loss is summed over the batch. Cross-entropy is a mean here.")
def sum_of_the_batch():
    return dict(value=summed)


# 12.7 repair_08

SHRINK, HELD, MODEL = "parameters that shrink without a gradient", "parameters of the optimizer", "the model afterwards"
SHARE, MOVES = "share of itself that a decayed weight loses in a step", "parameters after three steps"


class Block(nn.Module):
    """Names that say little about what they name."""

    def __init__(self):
        super().__init__()
        self.first = nn.LayerNorm(4)
        self.norm_free = nn.Sequential(nn.Linear(4, 4), nn.GroupNorm(2, 4))
        self.debias = nn.Linear(4, 4, bias=False)
        self.gain = nn.Parameter(torch.ones(4))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.attention = nn.MultiheadAttention(4, 2)
        self.scale = nn.RMSNorm(4)
        self.plane = nn.LayerNorm((3, 4))


def around_batch_norm():
    return nn.Sequential(nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3), nn.Flatten(), nn.PReLU(), nn.Linear(6, 4, bias=False))


def misleading_names():
    return nn.Sequential(Block(), nn.InstanceNorm1d(4, affine=True))


def decayed(fn, inputs):
    """Three steps along random gradients and one without any, of an optimizer that was made for this model."""
    with Scene(inputs["seed"]):
        model = inputs["network"]().double()
        for p in model.parameters():
            p.data += 0.5 * torch.randn_like(p)
        before = inventory(model)
        optimizer = fn(model=model, lr=inputs["lr"], wd=inputs["wd"])
        same = unchanged(before, inventory(model))
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise Misfit(f"returned {kind_of(optimizer)}, expected a torch optimizer")
        names = {id(p): name for name, p in model.named_parameters()}
        held = [names.get(id(p), "a stranger") for group in optimizer.param_groups for p in group["params"]]
        parts = {MODEL: "as it was" if same else "changed", HELD: listed(sorted(held))}
        gradients = [[torch.randn_like(p) for p in model.parameters()] for _ in range(3)]
        return parts | shrinking(model, optimizer) | {MOVES: moved(model, optimizer, gradients)}


def shrinking(model, optimizer):
    """What a step without gradient takes away, from which parameters, and which share; the step is taken back."""
    kept = [p.detach().clone() for p in model.parameters()]
    blank(model)
    optimizer.step()
    lost = {name: (old - p.detach()) / old for (name, p), old in zip(model.named_parameters(), kept) if not torch.equal(p, old)}
    for p, old in zip(model.parameters(), kept):
        p.data.copy_(old)
    optimizer.state.clear()
    shares_lost = flat(lost.values())
    return {SHRINK: f"{listed(lost)}{how_they_shrink(shares_lost)}", SHARE: float(shares_lost.median()) if lost else 0.0}


def how_they_shrink(shares_lost):
    if not len(shares_lost):
        return ""
    kinds = shares_lost.round(decimals=9).unique()
    return ", by one share of themselves" if len(kinds) == 1 else ", by two shares of themselves" if len(kinds) == 2 else ", not by a share"


def moved(model, optimizer, gradients):
    for step in gradients:
        for p, slope in zip(model.parameters(), step):
            p.grad = slope.clone()
        optimizer.step()
    return flat(model.parameters())


repair_08 = Exercise("repair_08", CHAPTER, ("optimizer",), read="12.7", probe=decayed, tolerances={MOVES: by_dtype})


def spared(model, normaliser=normalises, bias=lambda name: "bias" in own(name)):
    """The parameters that do not decay."""
    inside = {id(p) for m in model.modules() if normaliser(m) for p in m.parameters(recurse=False)}
    return [id(p) for name, p in model.named_parameters() if id(p) in inside or bias(name)]


def two_sorts(model, free):
    return [[p for p in model.parameters() if (id(p) in free) == sort] for sort in (False, True)]


def decoupled(model, lr, wd, free, rest=0.0, kind=torch.optim.AdamW, **options):
    """One of Adam's kind; `rest` is the decay of the parameters in `free`."""
    decaying, others = two_sorts(model, free)
    groups = [dict(params=params, weight_decay=decay) for params, decay in ((decaying, wd), (others, rest)) if params]
    return kind(groups, lr=lr, **options)


@repair_08.oracle
def one_group_each(model, lr, wd):
    """A group for every parameter, decoupled by Adam's own switch."""
    free = spared(model)
    return torch.optim.Adam([dict(params=[p], weight_decay=0.0 if id(p) in free else wd) for p in model.parameters()], lr=lr,
                            decoupled_weight_decay=True)


def plan(g, network):
    return dict(network=network, lr=between(g, 0.05, 0.1), wd=between(g, 0.3, 0.6), seed=whole(g, 0, 10**6))


@repair_08.case(note="convolution, batch norm, PReLU and a linear layer")
def batch_norm_model(g):
    return plan(g, around_batch_norm)


@repair_08.case(note="names that mislead: `norm_free`, `debias`, `gain`; layer, group and instance norm")
def misleading_model(g):
    return plan(g, misleading_names)


@repair_08.case(note="embedding, attention with `in_proj_bias`, RMS norm, and a layer norm over two dimensions")
def attention_model(g):
    return plan(g, Attention)


def prepares(message):
    """Decorator: a misconception about the optimizer; a function of (model, lr, wd)."""
    return lambda wrong: repair_08.misconception(message)(wrong)


@prepares(
    "That is still Adam with the penalty inside: `weight_decay` is added to the gradient, and divided away by Adam's "
    "second moment. And it pulls at every bias and gain.")
def penalty_over_all(model, lr, wd):
    return torch.optim.Adam(model.parameters(), lr=lr, weight_decay=wd)


@prepares(
    "The right parameters are chosen, but the penalty still goes through Adam's moments: the step hardly depends on "
    "it. Decouple the decay.")
def penalty_on_weights(model, lr, wd):
    return decoupled(model, lr, wd, spared(model), kind=torch.optim.Adam)


@prepares("The decay is decoupled, and every parameter has it. Biases and the gains of normalisers should not decay.")
def everything_decays(model, lr, wd):
    return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=wd)


@prepares("The second group has no decay of its own, so it gets PyTorch's default of 0.01. Say that it is 0.")
def default_decay_on_the_rest(model, lr, wd):
    return decoupled(model, lr, wd, spared(model), rest=0.01)


@prepares("One normaliser is overlooked: instance norm. With `affine=True` it has gains.")
def instance_norm_overlooked(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, normaliser=lambda m: normalises(m) and not isinstance(m, nn.InstanceNorm1d)))


@prepares("One normaliser is overlooked: RMS norm. It centres nothing, and has a gain all the same.")
def rms_norm_overlooked(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, normaliser=lambda m: normalises(m) and not isinstance(m, nn.RMSNorm)))


@prepares(
    "Batch and layer norm count as normalisers there; the others do not. Group, instance and RMS norm have gains as "
    "well.")
def batch_and_layer_norm_only(model, lr, wd):
    kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm
    return decoupled(model, lr, wd, spared(model, normaliser=lambda m: isinstance(m, kinds)))


@prepares("Only batch norm counts as a normaliser there. Layer, group, instance and RMS norm have gains as well.")
def batch_norm_only(model, lr, wd):
    kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
    return decoupled(model, lr, wd, spared(model, normaliser=lambda m: isinstance(m, kinds)))


@prepares("The gains of the normalisers decay. Only the biases are spared.")
def gains_decay(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, normaliser=lambda m: False))


@prepares("The biases of other layers decay. Only the normalisers are spared.")
def biases_decay(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, bias=lambda name: False))


@prepares(
    "That goes by the number of dimensions, as nanoGPT does: vectors are spared, matrices decay. Here the kind of "
    "module and the name decide, and some normalisers hold matrices.")
def by_dimension(model, lr, wd):
    return decoupled(model, lr, wd, [id(p) for p in model.parameters() if p.ndim < 2])


@prepares("That looks for “norm” in the names. A name is what its author liked; ask what kind of module a parameter sits in.")
def norm_in_the_name(model, lr, wd):
    return decoupled(model, lr, wd, [id(p) for name, p in model.named_parameters() if "norm" in name or "bias" in own(name)])


@prepares("“bias” is looked for in the whole path. A layer may be called so; the parameter's own name is the last part.")
def bias_in_the_path(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, bias=lambda name: "bias" in name))


@prepares(
    "Only parameters called exactly “bias” are spared. A name that contains the word counts too, such as "
    "`in_proj_bias`.")
def called_exactly_bias(model, lr, wd):
    return decoupled(model, lr, wd, spared(model, bias=lambda name: own(name) == "bias"))


@prepares("The two groups are exchanged: biases and gains decay, weights do not.")
def groups_exchanged(model, lr, wd):
    free = spared(model)
    return decoupled(model, lr, wd, [id(p) for p in model.parameters() if id(p) not in free])


@prepares("The parameters that do not decay are missing: they would never be trained. They belong in a group without decay.")
def rest_left_out(model, lr, wd):
    decaying, _ = two_sorts(model, spared(model))
    return torch.optim.AdamW(decaying, lr=lr, weight_decay=wd)


@prepares("Nothing decays: wd has no effect.")
def nothing_decays(model, lr, wd):
    return torch.optim.Adam(model.parameters(), lr=lr)


@prepares("The decay is PyTorch's default of 0.01. Pass wd on.")
def default_decay(model, lr, wd):
    return decoupled(model, lr, 0.01, spared(model))


@prepares("The rate is PyTorch's default of 0.001. Pass lr on.")
def default_rate(model, lr, wd):
    return decoupled(model, 1e-3, wd, spared(model))


@prepares("wd is multiplied by lr before it is given to AdamW, which multiplies by lr itself.")
def rate_twice(model, lr, wd):
    return decoupled(model, lr, lr * wd, spared(model))


@prepares("wd is divided by lr: that undoes the product which AdamW makes. Here a decayed weight shrinks by lr·wd of itself.")
def rate_divided_out(model, lr, wd):
    return decoupled(model, lr, wd / lr, spared(model))


@prepares("That is SGD. Adam's step is asked for, with a decay beside it.")
def sgd_for_adam(model, lr, wd):
    return decoupled(model, lr, wd, spared(model), kind=torch.optim.SGD)


# 12.7 repair_09

SEEN = "images that augment was given"


def darker_mirror(images):
    """Mirrored, and half as bright on a grey ground."""
    return 0.5 * images.flip(-1) + 0.7


def one_to_the_left(images):
    """Moved by one pixel; zeros come in."""
    return F.pad(images[..., 1:], (0, 1))


def prepared(fn, inputs):
    seen = []

    def augment(images):
        seen.append(bool(torch.isclose(images, inputs["train_images"]).all()) if images.shape == inputs["train_images"].shape else False)
        return inputs["augment"](images)

    parts = fn.parts(fn(**inputs | {"augment": augment}))
    given = "none" if not seen else "the training images as they came" if all(seen) else "others as well"
    return {"val": parts["val"], "train": parts["train"], SEEN: given}


repair_09 = Exercise("repair_09", CHAPTER, ("train", "val"), read="12.7", probe=prepared)


def scale_of(images, correction=0):
    """One mean and one standard deviation of all pixels, by sums."""
    pixels_of_all = images.to(F64).flatten()
    mean = pixels_of_all.sum() / len(pixels_of_all)
    return mean, ((pixels_of_all - mean).square().sum() / (len(pixels_of_all) - correction)).sqrt()


def scaled_by(images, scale):
    mean, deviation = scale
    return ((images.to(F64) - mean) / deviation).to(images)


@repair_09.oracle
def by_the_untouched_ones(train_images, val_images, augment):
    scale = scale_of(train_images)
    return scaled_by(augment(train_images), scale), scaled_by(val_images, scale)


def pictures(g, augment, *shapes, dtype=F64):
    """Validation images are brighter and have more contrast."""
    train, val = (torch.rand(shape, generator=g, dtype=dtype) for shape in shapes)
    return dict(train_images=3 * train + between(g, 0.5, 1), val_images=5 * val + between(g, 2, 3), augment=augment)


@repair_09.case
def mirrored(g):
    return pictures(g, darker_mirror, (4, 3, 5), (3, 3, 5))


@repair_09.case
def moved_by_one(g):
    return pictures(g, one_to_the_left, (3, 4, 4), (5, 4, 4), dtype=F32)


def treats(message):
    """Decorator: a misconception about how the images are prepared."""
    return lambda wrong: repair_09.misconception(message)(wrong)


@treats(
    "The training images have the statistics of their augmented version, the validation images those of the plain one. "
    "One scale for both.")
def two_scales(train_images, val_images, augment):
    train = augment(train_images)
    return scaled_by(train, scale_of(train)), scaled_by(val_images, scale_of(train_images))


@treats(
    "The validation images are still augmented and normalised by their own statistics. Augmentation is for training; "
    "and a network knows only the scale it was trained on.")
def as_broken(train_images, val_images, augment):
    train, val = augment(train_images), augment(val_images)
    return scaled_by(train, scale_of(train, 1)), scaled_by(val, scale_of(val, 1))


@treats(
    "Nothing but the kind of variance has changed: the validation images are still augmented and normalised by their "
    "own statistics.")
def as_broken_with_biased_variance(train_images, val_images, augment):
    train, val = augment(train_images), augment(val_images)
    return scaled_by(train, scale_of(train)), scaled_by(val, scale_of(val))


@treats(
    "The validation images are normalised by their own statistics. They get those of the training images: what is "
    "brighter than training should look brighter.")
def validation_by_its_own(train_images, val_images, augment):
    return scaled_by(augment(train_images), scale_of(train_images)), scaled_by(val_images, scale_of(val_images))


@treats("The validation images are augmented. They stand for what the network will meet: leave them as they are.")
def validation_augmented(train_images, val_images, augment):
    scale = scale_of(train_images)
    return scaled_by(augment(train_images), scale), scaled_by(augment(val_images), scale)


@treats(
    "The statistics are those of the augmented images. They would change with every draw: take those of the training "
    "images as they came.")
def statistics_of_the_augmented(train_images, val_images, augment):
    train = augment(train_images)
    return scaled_by(train, scale_of(train)), scaled_by(val_images, scale_of(train))


@treats(
    "The statistics are taken over training and validation images together. Nothing of the validation set may enter "
    "training.")
def statistics_of_both(train_images, val_images, augment):
    scale = scale_of(torch.cat([train_images, val_images]))
    return scaled_by(augment(train_images), scale), scaled_by(val_images, scale)


@treats(
    "The images are standardised first and augmented afterwards. Zeros that come in are then grey, not black: augment "
    "pixels.")
def standardised_first(train_images, val_images, augment):
    scale = scale_of(train_images)
    return augment(scaled_by(train_images, scale)), scaled_by(val_images, scale)


@treats("The training images are not augmented.")
def nothing_augmented(train_images, val_images, augment):
    scale = scale_of(train_images)
    return scaled_by(train_images, scale), scaled_by(val_images, scale)


@treats("That is the unbiased standard deviation, PyTorch's default. The docstring asks for the biased one.")
def unbiased_deviation(train_images, val_images, augment):
    scale = scale_of(train_images, 1)
    return scaled_by(augment(train_images), scale), scaled_by(val_images, scale)


@treats("Each image is standardised by itself: what tells a bright image from a dark one is lost. One scale for all.")
def each_image(train_images, val_images, augment):
    def alone(images):
        return torch.stack([scaled_by(image, scale_of(image)) for image in images])

    return alone(augment(train_images)), alone(val_images)


@treats("Each pixel has a mean and a deviation of its own. One scale for all pixels is asked for.")
def each_pixel(train_images, val_images, augment):
    variance, mean = torch.var_mean(train_images, 0, correction=0)
    return (augment(train_images) - mean) / variance.sqrt(), (val_images - mean) / variance.sqrt()


@treats("The images are divided by the variance. The standard deviation is its root.")
def divided_by_the_variance(train_images, val_images, augment):
    mean, deviation = scale_of(train_images)
    return scaled_by(augment(train_images), (mean, deviation**2)), scaled_by(val_images, (mean, deviation**2))


@treats("The validation images are not standardised. They get the scale of the training images.")
def validation_as_it_came(train_images, val_images, augment):
    return scaled_by(augment(train_images), scale_of(train_images)), val_images.clone()


@treats("The images are centred and not scaled.")
def centred_only(train_images, val_images, augment):
    mean, _ = scale_of(train_images)
    return scaled_by(augment(train_images), (mean, 1.0)), scaled_by(val_images, (mean, 1.0))


# 12.7 repair_10

RATE, WAY = "rate of the param groups", "way of the parameters along a gradient of ones, in two steps"


def scaled_rate(fn, inputs):
    """The rate, and what two steps along a gradient of ones do."""
    with Scene(inputs["seed"]):
        model = inputs["network"]().double()
        before = inventory(model)
        optimizer = fn(model=model, **{key: inputs[key] for key in ("batch_size", "base_lr", "base_batch_size")})
        same = unchanged(before, inventory(model))
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise Misfit(f"returned {kind_of(optimizer)}, expected torch.optim.SGD")
        names = {id(p): name for name, p in model.named_parameters()}
        held = [names.get(id(p), "a stranger") for group in optimizer.param_groups for p in group["params"]]
        rates_held = sorted({float(group["lr"]) for group in optimizer.param_groups})
        start = flat(model.parameters())
        for _ in range(2):
            for p in model.parameters():
                p.grad = torch.ones_like(p)
            optimizer.step()
        kind = "SGD" if isinstance(optimizer, torch.optim.SGD) else type(optimizer).__name__
        return {RATE: rates_held[0] if len(rates_held) == 1 else torch.tensor(rates_held, dtype=F64), HELD: listed(sorted(held)),
                WAY: start - flat(model.parameters()), "kind": kind, MODEL: "as it was" if same else "changed"}


repair_10 = Exercise("repair_10", CHAPTER, ("optimizer",), read="12.7", probe=scaled_rate, tolerances={
    RATE: lambda want, inputs: 1e-9 * inputs["base_lr"], WAY: lambda want, inputs: 1e-9 * max(1.0, float(want.abs().max()))})


@repair_10.oracle
def same_way_per_example(model, batch_size, base_lr, base_batch_size):
    """As many times the tuned rate per example as the batch has examples."""
    return torch.optim.SGD(model.parameters(), lr=math.fsum([base_lr / base_batch_size] * batch_size))


def order(g, batch_size, base_batch_size):
    return dict(network=quick_network, batch_size=batch_size, base_lr=between(g, 0.05, 0.2), base_batch_size=base_batch_size,
                seed=whole(g, 0, 10**6))


@repair_10.case
def larger_batch(g):
    return order(g, 8 * 32, 32)


@repair_10.case
def smaller_batch(g):
    return order(g, 48, 128)


@repair_10.case
def no_multiple(g):
    return order(g, 112, 64)


def scales(message):
    """Decorator: a misconception about the factor, a function of batch_size and base_batch_size."""
    def add(factor):
        def wrong(model, batch_size, base_lr, base_batch_size):
            return torch.optim.SGD(model.parameters(), lr=base_lr * factor(batch_size, base_batch_size))

        return repair_10.misconception(message)(named(factor.__name__, wrong))

    return add


@scales("The rate grows with larger batches and does not fall with smaller ones. The rule holds both ways.")
def never_smaller(batch_size, base):
    return max(1.0, batch_size / base)


@scales(
    "The rate still does not follow the batch size: with larger batches there are fewer steps in an epoch, and each is "
    "as long as before.")
def rate_as_it_was(batch_size, base):
    return 1.0


@scales(
    "That is the square-root rule, which keeps the size of the noise in a step, and is used with Adam. The linear rule "
    "keeps the way per epoch.")
def square_root(batch_size, base):
    return math.sqrt(batch_size / base)


@scales("The ratio is upside down: a larger batch should get a larger rate.")
def ratio_inverted(batch_size, base):
    return base / batch_size


@scales("The ratio is rounded down to a whole number. Batch sizes are no multiples of each other.")
def whole_ratio(batch_size, base):
    return batch_size // base


@scales("The ratio is rounded to a whole number. Batch sizes are no multiples of each other.")
def rounded_ratio(batch_size, base):
    return round(batch_size / base)


@scales("The rate is multiplied by the batch size. What counts is its ratio to the one at which the rate was tuned.")
def by_the_batch_size(batch_size, base):
    return batch_size


@scales("The ratio is squared. The rule is linear.")
def squared_ratio(batch_size, base):
    return (batch_size / base) ** 2


@scales("The rate grows with the logarithm of the ratio. The rule is linear.")
def logarithm_of_ratio(batch_size, base):
    return 1 + math.log2(batch_size / base) if batch_size > base else batch_size / base


@repair_10.misconception(
    "The rate is scaled, and momentum added. Plain SGD is asked for: momentum lengthens the steps once more.")
def with_momentum(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * batch_size / base_batch_size, momentum=0.9)


@repair_10.misconception("The rate is scaled, and a decay added. Plain SGD is asked for.")
def with_decay(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD(model.parameters(), lr=base_lr * batch_size / base_batch_size, weight_decay=1e-4)


@repair_10.misconception("That is Adam. SGD is asked for: the linear rule is one of SGD.")
def adam_for_sgd(model, batch_size, base_lr, base_batch_size):
    return torch.optim.Adam(model.parameters(), lr=base_lr * batch_size / base_batch_size)


@repair_10.misconception("The optimizer holds the weights only. All parameters should be trained.")
def weights_only_held(model, batch_size, base_lr, base_batch_size):
    return torch.optim.SGD([p for p in model.parameters() if p.ndim > 1], lr=base_lr * batch_size / base_batch_size)
