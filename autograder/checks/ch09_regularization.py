"""Checks of chapter 09: dropout, its ensemble, early stopping, softer labels, more data from the data.

Right answers come from PyTorch's own operators and from autograd through them, from averaging one unit at
a time, from permutation matrices, and from exact shares where the result is random.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from torch.distributions import AffineTransform

from .ch01_generalization import Sampled, alike, between, draw_after_seed, dtype, normal, seeded, whole
from .ch05_batch_norm import upstream
from .ch06_scale_invariance import backwards
from .compare import tolerance
from .exercise import Exercise, call
from .probe import Misfit, kind_of, plain

CHAPTER = "09_regularization"
F32, F64 = torch.float32, torch.float64


def uniform(generator, *shape, dtype=F64):
    return torch.rand(shape, generator=generator, dtype=dtype)


OF_ITS_OWN = torch.Generator()  # what a wrong implementation draws must leave the global state as it was


def uniform_like(x):
    return uniform(OF_ITS_OWN, *x.shape, dtype=x.dtype)


def gradient_through(name, returned, leaf_name, leaf):
    """Whether a result stays in the graph of an input, and the gradient for a random gradient of the result."""
    attached = isinstance(returned, torch.Tensor) and returned.requires_grad
    parts = {f"{name}: requires_grad": attached}
    if attached:
        found = torch.autograd.grad(returned, leaf, upstream(returned), allow_unused=True)
        parts[f"gradient with respect to {leaf_name}"] = plain(found[0])
    return parts


# 9.2 dropout


def in_numbers(mask):
    """A mask of truth values and one of zeros and ones count alike."""
    return mask.to(F64) if isinstance(mask, torch.Tensor) else mask


def dropped(fn, inputs):
    parts = fn.parts(fn(**inputs))
    return parts | {"mask": in_numbers(parts["mask"])}


def through_y(fn, inputs):
    x = inputs["x"].clone().requires_grad_()
    returned = fn(**inputs | {"x": x})
    parts = fn.parts(returned)
    return parts | {"mask": in_numbers(parts["mask"])} | gradient_through("y", returned[0], "x", x)


TWICE = "result of a second call with the same arguments"


def twice(fn, inputs):
    """Whether anything but the arguments decides. The global state is put back afterwards."""
    with torch.random.fork_rng(devices=[]):
        first, second = (fn.parts(fn(**inputs)) for _ in range(2))
    equal = all(alike(torch.as_tensor(first[name]), torch.as_tensor(second[name])) == "equal" for name in first)
    return {TWICE: "equal" if equal else "different"}


def factor(p, dtype=F64):
    """What PyTorch's operator makes of a kept 1; it keeps none of 4096 with probability p^4096."""
    with torch.random.fork_rng(devices=[]):
        return F.dropout(torch.ones(4096, dtype=dtype), p).max()


def through_float32(want, inputs):
    """A Boolean mask divided by a number is float32, whatever x is; wrong factors differ by far more."""
    return max(tolerance(want, inputs), 1e-6 * float(want.abs().max()))


dropout = Exercise("dropout", CHAPTER, ("y", "mask"), read="9.2", probe=dropped, tolerances={
    part: through_float32 for part in ("y", "mask", "gradient with respect to x")})


@dropout.oracle
def by_the_factor_of_the_operator(x, p, uniform, training=True):
    if not training:
        return x.clone(), torch.ones_like(x)
    kept = torch.bucketize(uniform.contiguous(), torch.tensor([p], dtype=uniform.dtype), right=True).bool()
    return torch.where(kept, factor(p, x.dtype) * x, torch.zeros_like(x)), kept


def drop_with(x, p, uniform, training=True, *, kept=torch.ge, share=lambda p, mask: 1 - p, rest=lambda p: 1.0):
    """Dropout with another rule for what is kept, another divisor, or another factor in evaluation."""
    if not training:
        return x * rest(p), torch.ones_like(x)
    mask = kept(uniform, p)
    return AffineTransform(0, share(p, mask)).inv(x.masked_fill(~mask, 0)), mask


def undivided(p, mask):
    return 1.0


KEEP_PROBABILITY = ("p was taken for the probability to keep, as in the first paper and in some courses. Here, as in "
                    "PyTorch, p is the probability to drop.")
NOT_RESCALED = ("What is kept is not rescaled. In training a unit then passes on less, on average, than in evaluation, "
                "where nothing is dropped.")
ONLY_TRAINING = ("In evaluation y is not x. The rescaling in training has made up for the dropped units already: "
                 "nothing is left to do.")


@dropout.misconception(KEEP_PROBABILITY)
def keep_probability_for_p(x, p, uniform, training=True):
    return drop_with(x, p, uniform, training, kept=torch.lt, share=lambda p, mask: p)


@dropout.misconception(KEEP_PROBABILITY)
def keep_probability_from_above(x, p, uniform, training=True):
    return drop_with(x, 1 - p, uniform, training)


@dropout.misconception(NOT_RESCALED)
def not_rescaled(*args, **options):
    return drop_with(*args, **options, share=undivided)


@dropout.misconception(ONLY_TRAINING)
def scaled_in_evaluation(*args, **options):
    return drop_with(*args, **options, rest=lambda p: 1 - p)


@dropout.misconception("That is dropout of the first paper: nothing is rescaled in training, and evaluation makes up "
                       "for it. Here, as in PyTorch, training rescales, and evaluation leaves x as it is.")
def rescaled_in_evaluation_only(*args, **options):
    return drop_with(*args, **options, share=undivided, rest=lambda p: 1 - p)


@dropout.misconception("What is kept is divided by p, the probability to drop. Its mean over the draws is then not x: "
                       "work the mean out for one unit. (A source that divides by p calls p the probability to keep.)")
def divided_by_p(*args, **options):
    return drop_with(*args, **options, share=lambda p, mask: p)


@dropout.misconception("What is kept is made smaller. Dropping takes from the mean already: what is kept must make up "
                       "for that.")
def rescaled_the_wrong_way(*args, **options):
    return drop_with(*args, **options, share=lambda p, mask: 1 / (1 - p))


@dropout.misconception("Kept and dropped are confused: an entry is kept where `uniform` is at least p.")
def dropped_are_kept(*args, **options):
    return drop_with(*args, **options, kept=torch.lt)


@dropout.misconception("The right number is kept, on average, but it is the other end of the draws. Which entries are "
                       "kept is fixed by the docstring: those where `uniform` is at least p.")
def kept_from_the_other_end(*args, **options):
    return drop_with(*args, **options, kept=lambda u, p: u < 1 - p)


@dropout.misconception("An entry of `uniform` that equals p is dropped. `uniform` lies in [0, 1), 0 included: with "
                       "p = 0 nothing may be dropped.")
def equal_is_dropped(*args, **options):
    return drop_with(*args, **options, kept=torch.gt)


@dropout.misconception("The factor keeps the mean square. Dropout keeps the mean: compare the two for one unit.")
def mean_square_kept(*args, **options):
    return drop_with(*args, **options, share=lambda p, mask: math.sqrt(1 - p))


@dropout.misconception("The divisor is the share that happened to be kept in this batch. Then each unit's output depends "
                       "on the other units' luck: the factor is fixed by p.")
def divided_by_the_observed_share(*args, **options):
    return drop_with(*args, **options, share=lambda p, mask: mask.double().mean())


@dropout.misconception(ONLY_TRAINING)
def scaled_up_in_evaluation(*args, **options):
    return drop_with(*args, **options, rest=lambda p: 1 / (1 - p))


@dropout.misconception("The mask of evaluation has zeros. Nothing is dropped there: every entry of it is one.")
def mask_drawn_in_evaluation(x, p, uniform, training=True):
    return drop_with(x, p, uniform, training)[0], uniform >= p


@dropout.misconception("Units are dropped in evaluation. `training` says whether to drop at all.")
def dropped_in_evaluation(x, p, uniform, training=True):
    return drop_with(x, p, uniform)


@dropout.misconception("The factor was multiplied into the mask. The mask holds zeros and ones alone; the factor "
                       "belongs to y.")
def scaled_mask(x, p, uniform, training=True):
    y, mask = drop_with(x, p, uniform, training)
    return y, mask / (1 - p) if training else mask


@dropout.misconception("The mask of evaluation is all zeros: everything would count as dropped. Nothing is dropped "
                       "there, so every entry is one.")
def no_mask_in_evaluation(x, p, uniform, training=True):
    y, mask = drop_with(x, p, uniform, training)
    return y, mask if training else torch.zeros_like(x)


@dropout.misconception("The mask was read off y. Where x itself is 0, y is 0 as well, although the entry was kept.")
def mask_read_off_y(x, p, uniform, training=True):
    y, _ = drop_with(x, p, uniform, training)
    return y, y != 0


@dropout.misconception("The function draws for itself. The draws are given in `uniform`, so that the result can be "
                       "repeated and its gradient checked.")
def draws_of_its_own(x, p, uniform, training=True):
    return drop_with(x, p, uniform_like(x), training)


def signals(g, *shape, p, dtype=F64):
    return dict(x=normal(g, *shape, dtype=dtype), p=p, uniform=uniform(g, *shape, dtype=dtype))


@dropout.case
def matrix(g):
    return signals(g, 6, 5, p=between(g, 0.25, 0.35))


@dropout.case(note="x is 0 at many places, as after a ReLU")
def after_a_relu(g):
    inputs = signals(g, 4, 3, 2, 3, p=between(g, 0.65, 0.75), dtype=F32)
    return inputs | dict(x=inputs["x"].relu())


@dropout.case(note="some entries of uniform equal p; x and uniform are not contiguous in memory")
def equal_draws(g):
    steps = torch.randint(8, (5, 8), generator=g).T / 8
    return dict(x=backwards(g, 8, 5), p=0.375, uniform=steps.to(F64))


@dropout.case(note="evaluation")
def evaluation(g):
    return signals(g, 5, 4, p=between(g, 0.25, 0.35)) | dict(training=False)


@dropout.case(probe=through_y, note="gradient through y, for a random gradient of y")
def gradient_in_training(g):
    return signals(g, 4, 6, p=between(g, 0.65, 0.75))


@dropout.case(probe=through_y, note="gradient through y in evaluation")
def gradient_in_evaluation(g):
    return signals(g, 4, 3, p=between(g, 0.25, 0.35)) | dict(training=False)


@dropout.case(probe=twice, note="called twice")
def repeated(g):
    return signals(g, 8, 8, p=between(g, 0.35, 0.45))


# 9.2 dropout_backward

dropout_backward = Exercise("dropout_backward", CHAPTER, ("grad_x",), read="9.2", tolerances={"grad_x": through_float32})


def pull_back(grad_out, forward):
    """Autograd through `forward` at any x: dropout is linear in it."""
    with torch.enable_grad():
        x = torch.ones_like(grad_out).requires_grad_()
        return torch.autograd.grad(forward(x), x, grad_out)[0]


@dropout_backward.oracle
def by_autograd(grad_out, mask, p):
    kept = mask.bool()
    return pull_back(grad_out, lambda x: torch.where(kept, factor(p, x.dtype) * x, torch.zeros_like(x)))


def back_with(grad_out, mask, p, share=1.0, kept=True):
    """The gradient of dropout that keeps where the mask equals `kept` and divides by `share`."""
    return pull_back(grad_out, lambda x: AffineTransform(0, share).inv(torch.where(mask.bool() == kept, x, 0 * x)))


@dropout_backward.misconception("The factor is missing. In training y is the kept part of x, rescaled: the chain rule "
                                "rescales the gradient by the same factor.")
def factor_forgotten(grad_out, mask, p):
    return back_with(grad_out, mask, p)


@dropout_backward.misconception(KEEP_PROBABILITY)
def divided_by_p_again(grad_out, mask, p):
    return back_with(grad_out, mask, p, p)


@dropout_backward.misconception("The factor is inverted. The map is linear in each entry: its slope forward is its "
                                "slope backward.")
def factor_inverted(grad_out, mask, p):
    return back_with(grad_out, mask, p, 1 / (1 - p))


@dropout_backward.misconception("The mask has no effect. A dropped entry of x does not touch the loss: what is its "
                                "gradient?")
def mask_forgotten(grad_out, mask, p):
    return back_with(grad_out, torch.ones_like(mask), p, 1 - p)


@dropout_backward.misconception("The gradient goes through the dropped entries and stops at the kept ones. A mask is "
                                "one where the entry is kept.")
def mask_inverted(grad_out, mask, p):
    return back_with(grad_out, mask, p, 1 - p, kept=False)


@dropout_backward.misconception("The factor entered twice. `mask` is unscaled and `grad_out` belongs to y, which is "
                                "rescaled once.")
def factor_twice(grad_out, mask, p):
    return back_with(grad_out, mask, p, (1 - p) ** 2)


@dropout_backward.misconception("The divisor is the share of ones in this mask. Forward, the factor was fixed by p.")
def share_of_the_mask(grad_out, mask, p):
    return back_with(grad_out, mask, p, mask.double().mean())


@dropout_backward.misconception("The factor of the mean square stands there. Use the factor of the forward pass, which "
                                "keeps the mean.")
def root_of_the_factor(grad_out, mask, p):
    return back_with(grad_out, mask, p, math.sqrt(1 - p))


def upstream_and_mask(g, *shape, p, kind=F64, dtype=F64):
    return dict(grad_out=normal(g, *shape, dtype=dtype), mask=(uniform(g, *shape) >= p).to(kind), p=p)


@dropout_backward.case
def mask_of_numbers(g):
    return upstream_and_mask(g, 6, 5, p=between(g, 0.25, 0.35))


@dropout_backward.case(note="a mask of truth values")
def mask_of_truth_values(g):
    return upstream_and_mask(g, 4, 7, p=between(g, 0.65, 0.75), kind=torch.bool)


@dropout_backward.case(note="images; grad_out is not contiguous in memory")
def images_backward(g):
    inputs = upstream_and_mask(g, 3, 4, 2, 3, p=between(g, 0.15, 0.2), kind=torch.bool)
    return inputs | dict(grad_out=backwards(g, 3, 4, 2, 3))


@dropout_backward.case
def float32_backward(g):
    return upstream_and_mask(g, 5, 6, p=between(g, 0.55, 0.6), kind=F32, dtype=F32)


# 9.3 ensemble_mean

def weights_in_float32(want, inputs):
    """A number to the power of a tensor of counts is float32. The terms of a mean are of size 100 at most."""
    return 1e-5 * max(1.0, abs(float(want)))


ensemble_mean = Exercise("ensemble_mean", CHAPTER, ("mean",), read="9.3", tolerances={"mean": weights_in_float32})


def linear(z):
    return z


def square(z):
    return z * z


def cube(z):
    return z * z * z


def every_network(terms):
    """(sum, number of kept terms) of all 2^n networks, (2^n,) each; the first half lacks the last term."""
    sums, kept = terms.new_zeros(1), terms.new_zeros(1)
    for term in terms:
        sums, kept = torch.cat([sums, sums + term]), torch.cat([kept, kept + 1])
    return sums, kept


@ensemble_mean.oracle
def one_unit_at_a_time(x, w, p, phi=None):
    """The mean over one unit of the mean over the others: from the last unit to the first."""
    values = (phi or linear)(every_network(factor(p, x.dtype) * w * x)[0])
    while len(values) > 1:
        without, with_it = values.chunk(2)
        values = torch.lerp(with_it, without, p)
    return values[0]


def weight(kept, n, p):
    return p ** (n - kept) * (1 - p) ** kept


def ensemble_with(x, w, p, phi=None, *, weight=weight, share=lambda p: 1 - p, after=1.0, chosen=slice(None)):
    """A weighted sum over the networks, with other weights or another factor."""
    sums, kept = every_network(w * x / share(p))
    values = (phi or linear)(sums) / after * weight(kept, len(x), p)
    return values[chosen].sum()


@ensemble_mean.misconception("All 2^n masks count alike. They are equally likely for p = ½ alone: weigh each by its "
                             "probability.")
def masks_count_alike(*args, **options):
    return ensemble_with(*args, **options, weight=lambda kept, n, p: 0.5**n)


@ensemble_mean.misconception("That is one pass through the network without dropout. It is the mean of the ensemble for "
                             "a linear unit; here phi bends, and the mean of phi is not phi of the mean.")
def phi_of_the_mean(x, w, p, phi=None):
    return (phi or linear)((w * x).sum())


@ensemble_mean.misconception("The weights of kept and dropped units are swapped. p is the probability to drop.")
def weights_swapped(*args, **options):
    return ensemble_with(*args, **options, weight=lambda kept, n, p: weight(kept, n, 1 - p))


@ensemble_mean.misconception("p was taken for the probability to keep, in the weights and in the factor. Here it is the "
                             "probability to drop.")
def keep_probability(x, w, p, phi=None):
    return ensemble_with(x, w, 1 - p, phi)


@ensemble_mean.misconception("The sum of the kept terms is not rescaled. Each network of the ensemble is one pass of "
                             "dropout in training, factor included.")
def terms_not_rescaled(*args, **options):
    return ensemble_with(*args, **options, share=lambda p: 1.0)


@ensemble_mean.misconception("The factor is applied behind phi. In dropout it belongs to the units, which go into the "
                             "sum: phi sees it.")
def rescaled_behind_phi(x, w, p, phi=None):
    return ensemble_with(x, w, p, phi, share=lambda p: 1.0, after=1 - p)


@ensemble_mean.misconception("The kept terms are divided by p, the probability to drop. Rescale them as your `dropout` "
                             "rescales what it keeps.")
def terms_divided_by_p(*args, **options):
    return ensemble_with(*args, **options, share=lambda p: p)


@ensemble_mean.misconception("The masks were drawn at random, so two calls differ. All 2^n of them are asked for, each "
                             "once, with its weight.")
def masks_drawn(x, w, p, phi=None):
    masks = (uniform_like(x.expand(100, len(x))) >= p).to(x.dtype)
    return (phi or linear)(masks @ (w * x) / (1 - p)).mean()


@ensemble_mean.misconception("The network without any unit is left out. All units are dropped with probability p^n, and "
                             "phi(0) need not be 0.")
def empty_network_left_out(*args, **options):
    return ensemble_with(*args, **options, chosen=slice(1, None))


@ensemble_mean.misconception("The full network is left out: it is one of the 2^n as well.")
def full_network_left_out(*args, **options):
    return ensemble_with(*args, **options, chosen=slice(None, -1))


@ensemble_mean.misconception("The weights are applied and then the sum is divided by the number of masks as well. The "
                             "weights sum to 1 already.")
def divided_twice(*args, **options):
    return ensemble_with(*args, **options, weight=lambda kept, n, p: weight(kept, n, p) / 2**n)


@ensemble_mean.misconception("phi has no effect. It is applied to the sum in each network.")
def phi_ignored(x, w, p, phi=None):
    return ensemble_with(x, w, p)


@ensemble_mean.misconception("The weights hold a binomial coefficient: the probability of a number of kept units, not "
                             "of a mask. Every mask has a term of its own already.")
def binomial_weights(*args, **options):
    def probability_of_the_number(kept, n, p):
        return weight(kept, n, p) * kept.new_tensor([math.comb(n, int(k)) for k in kept])

    return ensemble_with(*args, **options, weight=probability_of_the_number)


@ensemble_mean.misconception("phi is applied to each unit's term, before the sum. It is applied to the sum.")
def phi_inside_the_sum(x, w, p, phi=None):
    phi = phi or linear
    terms = w * x / (1 - p)
    return ((1 - p) * phi(terms) + p * phi(torch.zeros_like(terms))).sum()


def one_unit(g, n, p, phi=None, dtype=F64):
    inputs = dict(x=normal(g, n, dtype=dtype), w=normal(g, n, dtype=dtype), p=p)
    return inputs | (dict(phi=phi) if phi else {})


@ensemble_mean.case(note="a linear unit")
def linear_unit(g):
    return one_unit(g, 3, between(g, 0.25, 0.35))


@ensemble_mean.case
def squared_unit(g):
    return one_unit(g, 4, between(g, 0.25, 0.35), square)


@ensemble_mean.case
def sigmoid_unit_in_float32(g):
    return one_unit(g, 6, between(g, 0.65, 0.75), torch.sigmoid, F32)


@ensemble_mean.case
def cubic_unit(g):
    return one_unit(g, 5, between(g, 0.55, 0.6), cube)


@ensemble_mean.case(probe=twice, note="called twice")
def the_same_again(g):
    return one_unit(g, 6, between(g, 0.4, 0.45), torch.sigmoid)


# 9.4 early_stopping


def of_each_curve(fn, inputs):
    """The two epochs of every row of losses."""
    returned = [fn.parts(fn(**inputs | {"val_losses": row})) for row in inputs["val_losses"].tolist()]
    return {name: torch.tensor([float(parts[name]) for parts in returned]) for name in returned[0]}


def exactly(want, inputs):
    return 0


early_stopping = Exercise("early_stopping", CHAPTER, ("best_epoch", "stop_epoch"), read="9.4", tolerances={
    "best_epoch": exactly, "stop_epoch": exactly})


@early_stopping.oracle
def by_the_last_accepted_epochs(val_losses, patience, min_delta=0.0):
    """The epoch accepted last, for every epoch; then the first epoch that lies too far from its own."""
    def later(accepted, epoch):
        return epoch if val_losses[accepted] - val_losses[epoch] > min_delta else accepted

    accepted = list(itertools.accumulate(range(len(val_losses)), later))
    stop = next((e for e, a in enumerate(accepted) if e >= a + patience), len(accepted) - 1)
    return accepted[stop], stop


def below(loss, reference, min_delta):
    return loss + min_delta < reference


def watch(losses, patience, min_delta=0.0, *, better=below, late=0, follow=lambda accepted, loss, reference: loss):
    """Early stopping in a loop, with another rule of acceptance, another wait, another loss to compare with."""
    best, reference = 0, losses[0]
    for epoch, loss in enumerate(losses):
        accepted = epoch > 0 and better(loss, reference, min_delta)
        best = epoch if accepted else best
        reference = loss if accepted else follow(accepted, loss, reference)
        if epoch - best >= patience + late:
            return best, epoch
    return best, len(losses) - 1


def keep_reference(accepted, loss, reference):
    return reference


def watch_with(*args, follow=keep_reference, **options):
    return watch(*args, follow=follow, **options)


def lowest(losses):
    return min(range(len(losses)), key=losses.__getitem__)


EPOCH_BEFORE = ("Each loss is compared with that of the epoch before. Compare it with the best accepted one: a loss that "
                "climbs and dips a little is no progress.")


@early_stopping.misconception("A loss that only equals the best one, or best − min_delta, is accepted. The improvement "
                              "must be larger than min_delta.")
def ties_accepted(*args, **options):
    return watch_with(*args, **options, better=lambda loss, reference, d: loss <= reference - d)


@early_stopping.misconception("The stop is one epoch late: PyTorch's ReduceLROnPlateau counts so, with > for its "
                              "patience. Here the run stops once `patience` epochs have passed since the best.")
def stops_one_late(*args, **options):
    return watch_with(*args, **options, late=1)


@early_stopping.misconception("The stop is one epoch early. The first epoch that is not accepted is one away from the "
                              "best, not two.")
def stops_one_early(*args, **options):
    return watch_with(*args, **options, late=-1)


@early_stopping.misconception("min_delta has no effect. An improvement that is not larger than min_delta does not count.")
def min_delta_ignored(val_losses, patience, min_delta=0.0):
    return watch_with(val_losses, patience)


@early_stopping.misconception(EPOCH_BEFORE)
def compared_with_the_epoch_before(*args, **options):
    return watch(*args, **options)


@early_stopping.misconception(EPOCH_BEFORE)
def rises_counted(val_losses, patience, min_delta=0.0):
    stop = watch(val_losses, patience, min_delta)[1]
    return lowest(val_losses[:stop + 1]), stop


@early_stopping.misconception("best_epoch is the epoch of the lowest loss in the whole list. A run that stops never sees "
                              "what comes after: go through the epochs in order.")
def looks_past_the_stop(*args, **options):
    return lowest(args[0]), watch_with(*args, **options)[1]


@early_stopping.misconception("best_epoch is the epoch of the lowest loss before the stop. It is the last accepted one: "
                              "an improvement that is not larger than min_delta does not count here either.")
def lowest_before_the_stop(*args, **options):
    stop = watch_with(*args, **options)[1]
    return lowest(args[0][:stop + 1]), stop


@early_stopping.misconception("The best loss follows improvements that were not accepted. Many small ones then never add "
                              "up to min_delta: keep the loss of the last accepted epoch.")
def reference_creeps(*args, **options):
    return watch(*args, **options, follow=lambda accepted, loss, reference: min(loss, reference))


@early_stopping.misconception("The count goes on over the accepted epochs. An accepted epoch starts it afresh.")
def count_never_reset(val_losses, patience, min_delta=0.0):
    best, waited = 0, 0
    for epoch in range(1, len(val_losses)):
        accepted = below(val_losses[epoch], val_losses[best], min_delta)
        best, waited = (epoch, waited) if accepted else (best, waited + 1)
        if waited >= patience:
            return best, epoch
    return best, len(val_losses) - 1


@early_stopping.misconception("min_delta has the wrong sign: losses that are slightly worse than the best are accepted.")
def min_delta_added(*args, **options):
    return watch_with(*args, **options, better=lambda loss, reference, d: loss < reference + d)


@early_stopping.misconception("min_delta is taken as a fraction of the best loss, the default of PyTorch's "
                              "ReduceLROnPlateau. Here it is a difference of losses.")
def min_delta_relative(*args, **options):
    return watch_with(*args, **options, better=lambda loss, reference, d: loss < reference * (1 - d))


@early_stopping.misconception("The run never stops: the whole list was gone through.")
def never_stops(val_losses, patience, min_delta=0.0):
    return watch_with(val_losses, len(val_losses), min_delta)


@early_stopping.misconception("Where patience never runs out, stop_epoch lies behind the list. Epochs count from 0: "
                              "which is the last?")
def stops_behind_the_list(val_losses, patience, min_delta=0.0):
    best, stop = watch_with(val_losses, patience, min_delta)
    return best, len(val_losses) if stop - best < patience else stop


@early_stopping.misconception("stop_epoch is always best_epoch + patience. The list may end before: then its last epoch "
                              "is the stop.")
def patience_past_the_end(val_losses, patience, min_delta=0.0):
    best, _ = watch_with(val_losses, patience, min_delta)
    return best, best + patience


@early_stopping.misconception("Epochs are counted from 1. They count from 0.")
def epochs_from_one(*args, **options):
    return tuple(epoch + 1 for epoch in watch_with(*args, **options))


@early_stopping.misconception("The two are returned in the wrong order: best_epoch comes first.")
def stop_first(*args, **options):
    return watch_with(*args, **options)[::-1]


@early_stopping.misconception("The best loss is returned. The epoch in which it was reached is asked for.")
def loss_for_epoch(*args, **options):
    best, stop = watch_with(*args, **options)
    return args[0][best], stop


def curve(*losses, **options):
    """Losses in sixteenths, whose differences are exact."""
    return lambda g: dict(val_losses=[loss / 16 for loss in losses], **options)


early_stopping.case(curve(16, 12, 8, 10, 9, 11, 4, 3, patience=3))
early_stopping.case(curve(16, 12, 8, 8, 10, 8, 9, 12, patience=3), note="some losses equal the best one")
early_stopping.case(curve(20, 16, 14, 18, 15, 9, 13, 12, 16, patience=6), note="patience never runs out")
early_stopping.case(curve(12, 9, 10, 6, 8, patience=1))
early_stopping.case(curve(48, 47, 46, 45, 44, 43, 42, 41, 40, patience=3, min_delta=0.125),
                    note="a loss that falls by half of min_delta in each epoch")
early_stopping.case(curve(24, 23, 22, 21, 23, 12, 11, 10, patience=2, min_delta=0.125),
                    note="the loss of epoch 2 lies exactly min_delta below the first")
early_stopping.case(curve(80, 60, 58, 59, 55, 55, 57, 56, 40, patience=3, min_delta=0.25))


def curves(g, count=40, epochs=14, **options):
    """Curves that fall at first and wander then."""
    steps = torch.randint(-3, 4, (count, epochs), generator=g) - (torch.arange(epochs) < 4).long()
    return dict(val_losses=(48 + steps.cumsum(1)).to(F64) / 16, **options)


@early_stopping.case(probe=of_each_curve, note="each row of val_losses in turn, as a list")
def many_curves(g):
    return curves(g, patience=3, min_delta=0.125)


# 9.5 smooth_labels


def float32_rounding(want, inputs):
    """Three roundings of numbers up to 1, each within 6e-8."""
    return 1e-6


def softened(fn, inputs):
    """The targets and, apart, their dtype: labels are whole numbers and theirs is not kept."""
    targets = fn.parts(fn(**inputs))["targets"]
    if not isinstance(targets, torch.Tensor):
        return {"targets": targets}
    return {"dtype of the targets": dtype(targets), "targets": targets.to(F64)}


smooth_labels = Exercise("smooth_labels", CHAPTER, ("targets",), read="9.5", probe=softened,
                         tolerances={"targets": float32_rounding})


@smooth_labels.oracle
def from_the_operator_s_gradient(labels, num_classes, eps):
    """The gradient of PyTorch's cross-entropy with label smoothing is softmax − target: solved for the target."""
    with torch.enable_grad():
        logits = torch.zeros(len(labels), num_classes, dtype=F64).requires_grad_()
        loss = F.cross_entropy(logits, labels, label_smoothing=eps, reduction="sum")
        slope = torch.autograd.grad(loss, logits)[0]
    return (torch.full_like(slope, 1 / num_classes) - slope).float()


def two_values(labels, num_classes, true, other):
    """`true` at the label and `other` elsewhere."""
    rows = torch.full((len(labels), num_classes), float(other))
    return rows.index_put((torch.arange(len(labels)), labels), torch.tensor(float(true)))


MORE_THAN_ONE = ("The true class keeps its 1, and a row sums to more than 1. What the classes share is taken from the "
                 "label.")


@smooth_labels.misconception("eps is shared by the other classes alone, as in some sources. Here, as in PyTorch, it is "
                             "spread over all C classes, the true one included.")
def spread_over_the_others(labels, num_classes, eps):
    return two_values(labels, num_classes, 1 - eps, eps / max(num_classes - 1, 1))


@smooth_labels.misconception("The true class does not get its share of eps, so a row sums to less than 1.")
def true_class_left_out(labels, num_classes, eps):
    return two_values(labels, num_classes, 1 - eps, eps / num_classes)


@smooth_labels.misconception("Every class got the whole of eps. It is spread over the classes, so that a row sums to 1.")
def eps_not_spread(labels, num_classes, eps):
    return two_values(labels, num_classes, 1, eps)


@smooth_labels.misconception(MORE_THAN_ONE)
def label_kept_whole(labels, num_classes, eps):
    return two_values(labels, num_classes, 1 + eps / num_classes, eps / num_classes)


@smooth_labels.misconception(MORE_THAN_ONE)
def true_class_untouched(labels, num_classes, eps):
    return two_values(labels, num_classes, 1, eps / num_classes)


@smooth_labels.misconception("The two weights are swapped. eps is the weight of the uniform distribution: with eps = 0 "
                             "the labels stay hard.")
def weights_of_the_mixture_swapped(labels, num_classes, eps):
    return two_values(labels, num_classes, eps + (1 - eps) / num_classes, (1 - eps) / num_classes)


@smooth_labels.misconception("The labels are not smoothed: eps has no effect.")
def hard_labels(labels, num_classes, eps):
    return two_values(labels, num_classes, 1, 0)


@smooth_labels.misconception("The number of classes was taken from the largest label. A batch need not hold every class: "
                             "num_classes says how many there are.")
def classes_of_the_batch(labels, num_classes, eps):
    return from_the_operator_s_gradient(labels, int(labels.max()) + 1, eps)


@smooth_labels.misconception("The axes are swapped. An example is a row: (N, num_classes).")
def classes_in_rows(labels, num_classes, eps):
    return from_the_operator_s_gradient(labels, num_classes, eps).T


@smooth_labels.misconception("eps was divided by the number of examples. It is spread over the classes.")
def spread_over_examples(labels, num_classes, eps):
    return two_values(labels, num_classes, 1 - eps + eps / len(labels), eps / len(labels))


def batch_of_labels(g, n, classes, eps, present=None):
    return dict(labels=torch.randint(present or classes, (n,), generator=g), num_classes=classes, eps=eps)


@smooth_labels.case
def four_classes(g):
    return batch_of_labels(g, 6, 4, between(g, 0.1, 0.2))


@smooth_labels.case(note="the last two classes do not occur in the batch")
def classes_missing(g):
    return batch_of_labels(g, 8, 7, between(g, 0.25, 0.35), present=5)


@smooth_labels.case(note="nothing to smooth")
def no_smoothing(g):
    return batch_of_labels(g, 5, 3, 0.0)


@smooth_labels.case
def strong_smoothing(g):
    return batch_of_labels(g, 4, 2, between(g, 0.7, 0.8))


# 9.5 soft_cross_entropy


def through_loss(fn, inputs):
    logits = inputs["logits"].clone().requires_grad_()
    returned = fn(**inputs | {"logits": logits})
    return fn.parts(returned) | gradient_through("loss", returned, "logits", logits)


soft_cross_entropy = Exercise("soft_cross_entropy", CHAPTER, ("loss",), read="9.5")


@soft_cross_entropy.oracle
def by_operator(logits, targets):
    return F.cross_entropy(logits, targets)


def scores(logits, targets):
    """(N, C): what each class adds to the loss of each example."""
    return -targets * F.log_softmax(logits, 1)


@soft_cross_entropy.misconception("The losses are summed over the batch. The mean over the examples is asked for.")
def summed_over_the_batch(logits, targets):
    return scores(logits, targets).sum()


@soft_cross_entropy.misconception("The mean is taken over examples and classes. Sum over the classes, then average over "
                                  "the examples.")
def averaged_over_classes(logits, targets):
    return scores(logits, targets).mean()


@soft_cross_entropy.misconception("The softmax runs over the batch. Each example is a row of its own.")
def softmax_over_the_batch(logits, targets):
    return F.cross_entropy(logits.T, targets.T) * logits.shape[1] / len(logits)


@soft_cross_entropy.misconception("The most likely class of each target was taken as a hard label. All entries of the "
                                  "target count.")
def hardened(logits, targets):
    return F.cross_entropy(logits, targets.argmax(1))


@soft_cross_entropy.misconception("The softmax is applied twice. Its output went into a function that takes logits and "
                                  "applies the softmax itself.")
def softmax_twice(logits, targets):
    return F.cross_entropy(logits.softmax(1), targets)


@soft_cross_entropy.misconception("The loss has the wrong sign: it falls without bound as the predictions get worse.")
def sign_forgotten(logits, targets):
    return -F.cross_entropy(logits, targets)


@soft_cross_entropy.misconception("That is the Kullback-Leibler divergence: the entropy of the targets is subtracted. "
                                  "For hard labels the two agree, for soft ones not.")
def divergence(logits, targets):
    return F.kl_div(F.log_softmax(logits, 1), targets, reduction="batchmean")


@soft_cross_entropy.misconception("That is `F.kl_div` with its default: the divergence from the targets' own entropy, and "
                                  "a mean over classes too.")
def divergence_per_entry(logits, targets):
    return F.kl_div(F.log_softmax(logits, 1), targets, reduction="mean")


@soft_cross_entropy.misconception("Each example has a loss of its own here. Average them.")
def per_example(logits, targets):
    return F.cross_entropy(logits, targets, reduction="none")


@soft_cross_entropy.misconception("The logarithm is not finite. Far from the largest logit a softmax is 0 in floating point, "
                                  "and exponentials of large logits overflow: keep softmax and log together.")
def log_of_softmax(logits, targets):
    return -(targets * logits.softmax(1).log()).sum(1).mean()


@soft_cross_entropy.misconception("The exponentials overflow for large logits. The softmax does not change when the same "
                                  "number is taken from all logits of a row: use that first.")
def unshifted_exponentials(logits, targets):
    exponentials = logits.exp()
    return -(targets * (exponentials / exponentials.sum(1, keepdim=True)).log()).sum(1).mean()


@soft_cross_entropy.misconception("The value is right, the gradient is not: the normaliser of the softmax was cut from the "
                                  "graph. It depends on the logits.")
def normaliser_cut(logits, targets):
    return (targets * (torch.logsumexp(logits.detach(), 1, keepdim=True) - logits)).sum(1).mean()


@soft_cross_entropy.misconception("The logits are weighted as they are. They become log-probabilities only when each row "
                                  "is normalised.")
def logits_for_log_probabilities(logits, targets):
    return -(targets * logits).sum(1).mean()


@soft_cross_entropy.misconception("The logarithm is missing: that is minus the probability of the target.")
def probability_for_its_logarithm(logits, targets):
    return -(targets * logits.softmax(1)).sum(1).mean()


@soft_cross_entropy.misconception("A small number was added before the logarithm. That shifts every loss and hides large "
                                  "errors: keep softmax and log together.")
def small_number_added(logits, targets):
    return -(targets * (logits.softmax(1) + 1e-8).log()).sum(1).mean()


@soft_cross_entropy.misconception("Each class was treated as a yes-or-no question. One softmax over the classes makes "
                                  "them compete.")
def yes_or_no(logits, targets):
    return F.binary_cross_entropy_with_logits(logits, targets)


@soft_cross_entropy.misconception("Predictions and targets have changed places. The targets weigh the logarithm of the "
                                  "predicted probabilities.")
def places_changed(logits, targets):
    return -(logits.softmax(1) * targets.log()).sum(1).mean()


@soft_cross_entropy.misconception("The targets went through a softmax. They are probabilities already.")
def targets_through_softmax(logits, targets):
    return F.cross_entropy(logits, targets.softmax(1))


def soft_problem(g, n, classes, dtype=F64, spread=2.0):
    targets = normal(g, n, classes, dtype=dtype).softmax(1)
    return dict(logits=spread * normal(g, n, classes, dtype=dtype), targets=targets)


@soft_cross_entropy.case
def soft_targets(g):
    return soft_problem(g, 6, 4)


@soft_cross_entropy.case(note="as many classes as examples")
def square_batch(g):
    return soft_problem(g, 5, 5)


@soft_cross_entropy.case(note="logits and targets are not contiguous in memory")
def float32_targets(g):
    return {name: value.T.contiguous().T for name, value in soft_problem(g, 7, 3, F32).items()}


@soft_cross_entropy.case(note="logits of thousands")
def large_logits(g):
    return soft_problem(g, 4, 3, spread=4000.0)


@soft_cross_entropy.case(probe=through_loss, note="gradient through the loss")
def gradient_of_the_loss(g):
    return soft_problem(g, 5, 4)


# 9.6 mixup

mixup = Exercise("mixup", CHAPTER, ("x", "targets"), read="9.6")


def blend(values, own, other):
    """`own` and `other` (N, N) say which examples go into a mixture, with which weight."""
    return torch.einsum("nm,m...->n...", (own + other).to(values.dtype), values)


def moves(perm):
    """The matrix that puts example perm[n] in place n."""
    return F.one_hot(perm, len(perm)).to(F64)


@mixup.oracle
def by_matrix(x, targets, lam, perm):
    own, other = lam * torch.eye(len(perm), dtype=F64), (1 - lam) * moves(perm)
    return blend(x, own, other), blend(targets, own, other)


def mix_with(x, targets, lam, perm, *, lam_targets=None, to=None, weights=lambda lam: (lam, 1 - lam)):
    """mixup with other weights or another permutation; `lam_targets` weighs the targets."""
    other, mixed = moves(perm) if to is None else to, []
    for values, share in ((x, lam), (targets, lam if lam_targets is None else lam_targets)):
        first, second = weights(share)
        mixed.append(blend(values, first * torch.eye(len(perm), dtype=F64), second * other))
    return tuple(mixed)


@mixup.misconception("The targets carry the two weights the other way round than the inputs.")
def targets_the_other_way(x, targets, lam, perm):
    return mix_with(x, targets, lam, perm, lam_targets=1 - lam)


@mixup.misconception("lam weighs the permuted examples. It is the weight of the examples as they stand.")
def lam_on_the_permuted(x, targets, lam, perm):
    return mix_with(x, targets, 1 - lam, perm)


@mixup.misconception("The targets are not mixed. A picture that is partly another's needs a target that is partly "
                     "another's.")
def targets_as_they_were(x, targets, lam, perm):
    return mix_with(x, targets, lam, perm, lam_targets=1.0)


@mixup.misconception("Each target is that of the example with the larger weight. Both targets go in, with the weights of "
                     "the inputs.")
def target_of_the_larger(x, targets, lam, perm):
    return mix_with(x, targets, lam, perm, lam_targets=float(lam >= 0.5))


@mixup.misconception("The targets are those of the permuted examples alone. Both go in, with the weights of the inputs.")
def targets_of_the_permuted(x, targets, lam, perm):
    return mix_with(x, targets, lam, perm, lam_targets=0.0)


@mixup.misconception("The inverse permutation was used. Example n is mixed with example perm[n].")
def inverse_permutation(x, targets, lam, perm):
    return mix_with(x, targets, lam, perm, to=moves(perm).T)


@mixup.misconception("The inputs are not mixed.")
def inputs_as_they_were(x, targets, lam, perm):
    return x, by_matrix(x, targets, lam, perm)[1]


@mixup.misconception("The two weights do not sum to 1: the permuted examples are added whole.")
def permuted_added_whole(x, targets, lam, perm):
    return mix_with(x, targets, lam, perm, weights=lambda share: (share, 1.0))


@mixup.misconception("The two weights do not sum to 1: the examples as they stand are added whole.")
def own_added_whole(x, targets, lam, perm):
    return mix_with(x, targets, lam, perm, weights=lambda share: (1.0, 1 - share))


@mixup.misconception("Both examples carry the weight lam, so the weights do not sum to 1.")
def lam_for_both(x, targets, lam, perm):
    return mix_with(x, targets, lam, perm, weights=lambda share: (share, share))


@mixup.misconception("Each example is mixed with the one at the mirrored place. `perm` says with which.")
def order_reversed(x, targets, lam, perm):
    return mix_with(x, targets, lam, perm, to=torch.eye(len(perm), dtype=F64).flip(0))


@mixup.misconception("`perm` was applied along another axis than the batch's: the features of an example are mixed among "
                     "themselves.")
def features_permuted(x, targets, lam, perm):
    return torch.lerp(x[:, perm], x, lam), torch.lerp(targets[:, perm], targets, lam)


@mixup.misconception("The mean of the two was taken. `lam` says with which weights.")
def halves(x, targets, lam, perm):
    return mix_with(x, targets, 0.5, perm)


@mixup.misconception("The examples were exchanged, not mixed: `lam` has no effect.")
def exchanged(x, targets, lam, perm):
    return mix_with(x, targets, 0.0, perm)


def cycle(g, n):
    """A permutation that is one cycle: for n > 2 it is not its own inverse."""
    order = torch.randperm(n, generator=g)
    return torch.empty_like(order).index_put((order,), order.roll(1))


def pairs(g, n, classes, *shape, lam, dtype=F64):
    targets = F.one_hot(torch.randint(classes, (n,), generator=g), classes).to(dtype)
    soft = 0.9 * targets + 0.1 * normal(g, n, classes, dtype=dtype).softmax(1)
    return dict(x=normal(g, n, *shape, dtype=dtype), targets=soft, lam=lam, perm=cycle(g, n))


@mixup.case
def vectors(g):
    return pairs(g, 6, 4, 3, lam=between(g, 0.65, 0.75))


@mixup.case(note="images")
def images_in_float32(g):
    return pairs(g, 5, 3, 1, 3, 2, lam=between(g, 0.15, 0.25), dtype=F32)


@mixup.case(note="as many features and classes as examples; x is not contiguous in memory")
def square_mixture(g):
    return pairs(g, 4, 4, 4, lam=between(g, 0.3, 0.4)) | dict(x=backwards(g, 4, 4))


# 9.6 random_shift

DTYPE = "dtype of the result"
PIXELS, MOVES, OUTSIDE = "pixels of the result", "what moves", "what comes in from outside"
DOWN, RIGHT = "range of the shifts down", "range of the shifts right"
SHARE_DOWN = "share of images per shift down"
SHARE_RIGHT = "share of images per shift right"
SHARE_PAIR = "share of images per pair of shifts"
NEIGHBOURS = "share of images that move like the one before"


def numbered(*shape, dtype=F32):
    """Images whose every pixel holds its own number, from 1."""
    return torch.arange(1, math.prod(shape) + 1, dtype=dtype).reshape(shape)


def as_channels(images):
    """(N, C, H, W), C = 1 for images without channels."""
    return images if images.dim() == 4 else images.unsqueeze(1)


def origins(out):
    """Where each pixel comes from: (N, C, H, W) indices of image, channel, row and column; -1 where it is 0."""
    number = out.to(F64).round().long() - 1
    found = torch.unravel_index(number.clamp(min=0), out.shape)
    return [torch.where(number < 0, -1, index) for index in found]


def places(shape):
    """The index of image, channel, row and column at every pixel."""
    return torch.meshgrid(*(torch.arange(size) for size in shape), indexing="ij")


def steps(origin, place):
    """How far each image moves along one axis, (N, C): read at its middle, or at the first pixel that is not 0."""
    height, width = origin.shape[2:]
    seen = (origin >= 0).long().flatten(2)
    seen[..., height // 2 * width + width // 2] *= 2
    return (place - origin).flatten(2).gather(2, seen.argmax(2, keepdim=True))[..., 0]


def images_like(images, returned):
    if not isinstance(returned, torch.Tensor) or returned.shape != images.shape:
        raise Misfit(f"returned {kind_of(returned)}, expected one of shape {tuple(images.shape)}")
    return returned


def shifts(fn, inputs):
    """What the pixels' numbers tell of the moves."""
    with torch.random.fork_rng(devices=[]):  # a check leaves the global state as it was
        returned = images_like(inputs["images"], fn.parts(fn(**inputs))["shifted"])
    out = as_channels(returned.to(F64))
    known = (out == out.round()) & (out >= 0) & (out <= out.numel())
    if not known.all():
        return {DTYPE: dtype(returned), PIXELS: "new values"}
    origin, place = origins(out), places(out.shape)
    down, right = (steps(origin[axis], place[axis]) for axis in (2, 3))
    form = {DTYPE: dtype(returned), PIXELS: "those of the images, and zeros",
            MOVES: what_moves(origin, place, down, right), OUTSIDE: what_comes_in(origin, place, down, right)}
    return form | shares(down[:, 0], right[:, 0], inputs["max_shift"])


def inside(origin, place, down, right):
    """(row, column) each pixel should come from, and whether that lies in the image."""
    row, column = place[2] - down[..., None, None], place[3] - right[..., None, None]
    return row, column, (row >= 0) & (row < row.shape[2]) & (column >= 0) & (column < column.shape[3])


def what_moves(origin, place, down, right):
    strangers = [((origin[axis] != place[axis]) & (origin[axis] >= 0)).any() for axis in (0, 1)]
    row, column, within = inside(origin, place, down, right)
    if strangers[0]:
        return "pixels from image to image"
    if strangers[1]:
        return "pixels from channel to channel"
    if not ((origin[2] == row) & (origin[3] == column))[within].all():
        return "no image as a whole"
    if (down != down[:, :1]).any() or (right != right[:, :1]).any():
        return "each channel by itself"
    if not (down.any() or right.any()):
        return "nothing"
    together = len(down) > 1 and (down == down[0]).all() and (right == right[0]).all()
    return "all images together" if together else "each image by itself"


def what_comes_in(origin, place, down, right):
    row, column, within = inside(origin, place, down, right)
    height, width = within.shape[2:]
    fills = {"zeros": (torch.full_like(row, -1), torch.full_like(column, -1)),
             "what has left on the other side": (row % height, column % width),
             "copies of the edge": (row.clamp(0, height - 1), column.clamp(0, width - 1))}
    for name, (from_row, from_column) in fills.items():
        if ((origin[2] == from_row) & (origin[3] == from_column))[~within].all():
            return name
    return "other pixels of the image"


def shares(down, right, m):
    """The shifts that occur, and how often; (N,) each."""
    sizes = torch.arange(-m, m + 1)
    is_down, is_right = ((moved[:, None] == sizes).to(F64) for moved in (down, right))  # (N, 2m+1)
    like_before = (down[1:] == down[:-1]) & (right[1:] == right[:-1])
    return {DOWN: f"{int(down.min())} to {int(down.max())}", RIGHT: f"{int(right.min())} to {int(right.max())}",
            SHARE_DOWN: is_down.mean(0), SHARE_RIGHT: is_right.mean(0),
            SHARE_PAIR: is_down.T @ is_right / len(down), NEIGHBOURS: float(like_before.to(F64).mean())}


def draws(fn, inputs):
    """Where the randomness comes from."""
    def draw(generator):
        return images_like(inputs["images"], fn.parts(fn(**{**inputs, "generator": generator}))["shifted"])

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


def band(power, sigmas):
    """So many standard errors of a share of 1 in (2·max_shift+1)^power.

    Binomial tails, added up over all shares: 1 false alarm in 2e7 visible checks, and in 6e6 with the hidden cases.
    Pairs are few, so their tails are heavier: they get 7.
    """
    def allowed(want, inputs):
        share = (2 * inputs["max_shift"] + 1) ** -power
        return sigmas * math.sqrt(share * (1 - share) / (len(inputs["images"]) - 1))

    return allowed


random_shift = Sampled("random_shift", CHAPTER, ("shifted",), read="9.6", probe=shifts, tolerances={
    SHARE_DOWN: band(1, 6), SHARE_RIGHT: band(1, 6), SHARE_PAIR: band(2, 7), NEIGHBOURS: band(2, 7)})


@random_shift.oracle
def exact_shares(images, max_shift, generator):
    size = 2 * max_shift + 1
    each, whole_range = torch.full((size,), 1 / size, dtype=F64), f"{-max_shift} to {max_shift}"
    return {
        "shifts": {
            DTYPE: dtype(images), PIXELS: "those of the images, and zeros", MOVES: "each image by itself",
            OUTSIDE: "zeros", DOWN: whole_range, RIGHT: whole_range, SHARE_DOWN: each, SHARE_RIGHT: each,
            SHARE_PAIR: torch.outer(each, each), NEIGHBOURS: 1 / size**2},
        "draws": {
            "global random state": "untouched", "same generator, same result": True, "two draws in a row": "different",
            "generator=None after the same torch.manual_seed": "equal", "generator=None twice in a row": "different"},
        "call": {"shifted": images.clone()}}


def whole_steps(shape, m, generator, low=-1, high=1, extra=1):
    return torch.randint(low * m, high * m + extra, shape, generator=generator)


def both(draw):
    """A draw for the rows and one for the columns."""
    return lambda shape, m, generator: (draw(shape, m, generator), draw(shape, m, generator))


def zero_outside(index, size):
    return index.clamp(0, size - 1), (index >= 0) & (index < size)


def filled(new_index):
    """Pixels from outside are those that `new_index` points at."""
    return lambda index, size: (new_index(index, size), torch.ones_like(index, dtype=torch.bool))


def shifted(images, max_shift, generator, *, draw=both(whole_steps), outside=zero_outside, share=lambda n, c: (n, 1)):
    """Whole-pixel shifts by indexing; `share` is the shape of the draws."""
    planes = as_channels(images)
    n, c, height, width = planes.shape
    down, right = (d.expand(n, c)[..., None] for d in draw(share(n, c), max_shift, generator))
    row, row_known = outside(torch.arange(height) - down, height)  # (N, C, H)
    column, column_known = outside(torch.arange(width) - right, width)  # (N, C, W)
    first, second = torch.arange(n)[:, None, None, None], torch.arange(c)[:, None, None]
    moved = planes[first, second, row[..., None], column[:, :, None]]
    return (moved * (row_known[..., None] & column_known[:, :, None])).reshape(images.shape)


END_EXCLUDED = "One of the two outermost shifts is never drawn. The upper end of `torch.randint` is excluded."
ONE_WAY = "The images only ever move one way. A shift lies between −max_shift and +max_shift."


@random_shift.misconception("The same draw moves rows and columns, so images move along a diagonal only. The two are "
                            "independent.")
def same_draw_for_both(*args):
    return shifted(*args, draw=lambda shape, m, g: (whole_steps(shape, m, g),) * 2)


@random_shift.misconception("The images move along their columns only. Each of the two axes has a shift of its own.")
def down_only(*args):
    return shifted(*args, draw=lambda shape, m, g: (whole_steps(shape, m, g), torch.zeros(shape, dtype=torch.int64)))


@random_shift.misconception("The images move along their rows only. Each of the two axes has a shift of its own.")
def right_only(*args):
    return shifted(*args, draw=lambda shape, m, g: (torch.zeros(shape, dtype=torch.int64), whole_steps(shape, m, g)))


@random_shift.misconception("All images of the batch move by the same shift. Each image has draws of its own.")
def one_shift_for_all(*args):
    return shifted(*args, share=lambda n, c: (1, 1))


@random_shift.misconception("What leaves on one side comes back in on the other, as `torch.roll` does. Zeros come in "
                            "from outside.")
def wrapped_around(*args):
    return shifted(*args, outside=filled(torch.remainder))


@random_shift.misconception(END_EXCLUDED)
def upper_end_missing(*args):
    return shifted(*args, draw=both(lambda shape, m, g: whole_steps(shape, m, g, extra=0)))


@random_shift.misconception(END_EXCLUDED)
def lower_end_missing(*args):
    return shifted(*args, draw=both(lambda shape, m, g: -whole_steps(shape, m, g, extra=0)))


@random_shift.misconception(ONE_WAY)
def one_way_only(*args):
    return shifted(*args, draw=both(lambda shape, m, g: whole_steps(shape, m, g, low=0)))


@random_shift.misconception(ONE_WAY)
def the_other_way_only(*args):
    return shifted(*args, draw=both(lambda shape, m, g: whole_steps(shape, m, g, high=0)))


@random_shift.misconception("The shifts are not centred: they run from 0 to twice max_shift. In a padded image, where does "
                            "the unmoved image begin?")
def not_centred(*args):
    return shifted(*args, draw=both(lambda shape, m, g: whole_steps(shape, m, g, low=0, high=2)))


@random_shift.misconception("The outermost shifts are half as likely as the others: only half an interval rounds to "
                            "each. Draw whole numbers.")
def ends_half_as_likely(*args):
    return shifted(*args, draw=both(lambda shape, m, g: ((2 * torch.rand(shape, generator=g) - 1) * m).round().long()))


@random_shift.misconception("A uniform number was cut off to a whole one. Cutting goes towards 0, so 0 gets two intervals "
                            "and the largest shifts none. Draw whole numbers.")
def cut_off_towards_zero(*args):
    return shifted(*args, draw=both(lambda shape, m, g: ((2 * torch.rand(shape, generator=g) - 1) * m).long()))


@random_shift.misconception("A uniform number was cut off to a whole one. Cutting goes towards 0, so 0 gets two intervals "
                            "and is twice as likely. Draw whole numbers.")
def zero_twice_as_likely(*args):
    return shifted(*args, draw=both(lambda shape, m, g: ((2 * torch.rand(shape, generator=g) - 1) * (m + 1)).long()))


@random_shift.misconception("The shifts are normal draws, rounded and cut at max_shift. All shifts must be equally likely.")
def normal_draws(*args):
    def rounded(shape, m, g):
        return (m * torch.randn(shape, generator=g) / 2).round().clamp(-m, m).long()

    return shifted(*args, draw=both(rounded))


@random_shift.misconception("Each image moves by the full max_shift or not at all. All whole pixels in between are shifts "
                            "as well.")
def extremes_only(*args):
    return shifted(*args, draw=both(lambda shape, m, g: m * torch.randint(-1, 2, shape, generator=g)))


@random_shift.misconception("Copies of the edge come in from outside. Zeros come in.")
def edge_repeated(*args):
    return shifted(*args, outside=filled(lambda index, size: index.clamp(0, size - 1)))


@random_shift.misconception("Other pixels of the image come in from outside, as with mirrored padding. Zeros come in.")
def mirrored(*args):
    return shifted(*args, outside=filled(lambda index, size: size - 1 - (size - 1 - index.abs()).abs()))


@random_shift.misconception("The channels of an image move apart. They belong to one picture: all move by its shift.")
def channels_apart(*args):
    return shifted(*args, share=lambda n, c: (n, c))


@random_shift.misconception("Pixels change their channel: the axes were counted from the front. Height and width are the "
                            "last two axes, with channels or without.")
def axes_counted_from_the_front(images, max_shift, generator):
    if images.dim() == 3:
        return shifted(images, max_shift, generator)
    return shifted(images.permute(0, 3, 1, 2), max_shift, generator).permute(0, 2, 3, 1)


@random_shift.misconception("The result holds values that no image has. Shifts are by whole pixels: nothing is "
                            "interpolated, averaged or rescaled.")
def interpolated(images, max_shift, generator):
    return images + torch.rand((), generator=generator) / 2


@random_shift.misconception("The generator is set back to its seed in every call, so every call draws the same. Draw from "
                            "it as it comes.")
def generator_set_back(images, max_shift, generator):
    return shifted(images, max_shift, generator and generator.manual_seed(generator.initial_seed()))


@random_shift.misconception("Some draw does not come from the generator that is given. Hand it to every call that draws.")
def generator_not_used(images, max_shift, generator):
    return shifted(images, max_shift, None)


@random_shift.misconception("With generator None a new generator of a fixed seed is made. None stands for PyTorch's global "
                            "generator.")
def fixed_seed_for_none(images, max_shift, generator):
    return shifted(images, max_shift, generator or seeded(0))


@random_shift.misconception("With generator None the draw does not follow torch.manual_seed. None stands for PyTorch's "
                            "global generator.")
def deaf_to_manual_seed(images, max_shift, generator):
    if generator is None:
        generator = torch.Generator()
        generator.seed()
    return shifted(images, max_shift, generator)


@random_shift.misconception("No image moves.")
def nothing_moves(images, max_shift, generator):
    return images.clone()


ALBUM = ("every pixel holds its own number; shares are listed from -max_shift to max_shift and judged within 6 standard "
         "errors, those of pairs within 7")


def album(g, *shape, max_shift, dtype=F32):
    return dict(images=numbered(*shape, dtype=dtype), max_shift=max_shift, generator=seeded(whole(g, 0, 10**6)))


@random_shift.case(note=ALBUM)
def many_images(g):
    return album(g, 2000, 7, 8, max_shift=2)


@random_shift.case(note=ALBUM)
def images_with_channels(g):
    return album(g, 800, 3, 5, 6, max_shift=1, dtype=F64)


@random_shift.case(probe=draws, note="called again with the same generator, and with generator=None")
def where_draws_come_from(g):
    return album(g, 60, 7, 8, max_shift=2)


@random_shift.case(probe=call, note="nothing may change")
def no_shift(g):
    return album(g, 4, 2, 3, 5, max_shift=0)
