"""Compare plain values: None where they agree, else one sentence that says where, got, expected, tolerance."""

import math

import torch

# Relative to the largest expected entry of a part. A sum of n rounded terms is off by at
# most n*eps; n <= 1000 in every check, and the exercises condition mildly (a factor 10).
RELATIVE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 2e-2}


def tolerance(expected, inputs):
    """Absolute tolerance for a part: `RELATIVE` of its coarsest dtype times its largest entry."""
    dtypes = [v.dtype for v in inputs.values() if isinstance(v, torch.Tensor) and v.is_floating_point()]
    relative = max([RELATIVE[d] for d in dtypes], default=RELATIVE[torch.float64])
    return relative * (_largest(_float64(expected)) or 1.0 if _numeric(expected) else 1.0)


def _largest(values):
    """The largest finite magnitude, 0 where there is none."""
    scale = float(values.abs().max()) if values.numel() else 0.0
    if math.isfinite(scale):
        return scale
    finite = values[torch.isfinite(values)]
    return float(finite.abs().max()) if finite.numel() else 0.0


def _numeric(value):
    return isinstance(value, (torch.Tensor, float, int)) and not isinstance(value, bool)


def compare(part, got, want, allowed, strict):
    """None where `got` equals `want`, else one sentence: where, got, expected, how many, tolerance."""
    if not _numeric(want):
        return None if got == want and type(got) is type(want) else f"{part} is {_said(got)}, expected {want!r}"
    if isinstance(got, list):
        if strict:
            return f"{part} is a list, expected {_kind(want)}"
        try:
            got = torch.tensor([float(g) for g in got], dtype=torch.float64)
        except (TypeError, ValueError):
            return f"{part} is not a sequence of numbers"
    if not _numeric(got):
        return f"{part} is {_kind(got)}, expected {_kind(want)}"
    if isinstance(got, torch.Tensor) and got.is_complex():
        return f"{part} holds complex numbers, expected real ones"
    shape, want_shape = _shape(got), _shape(want)
    if shape != want_shape:
        return f"{part} has shape {shape}, expected {want_shape}"
    if isinstance(got, torch.Tensor) and isinstance(want, torch.Tensor):
        if got.device != want.device:
            return f"{part} is on {got.device}, expected {want.device}"
        if strict and got.dtype != want.dtype:
            return f"{part} has dtype {_dtype(got)}, expected {_dtype(want)}: keep the dtype of the input"
    return _compare_values(part, _float64(got), _float64(want), allowed)


def _float64(value):
    return torch.as_tensor(value, dtype=torch.float64)  # a bare float must not pass through float32


def _compare_values(part, got, want, allowed):
    if bool(((got - want).abs() <= allowed).all()):
        return None
    bad_number = torch.isnan(got) & ~torch.isnan(want)
    if bad_number.any():
        return f"{part} holds {int(bad_number.sum())} NaN of {got.numel()}, the first at {_index(bad_number)}" if got.shape else f"{part} is NaN"
    same = (got == want) | ((got - want).abs() <= allowed) | (torch.isnan(got) & torch.isnan(want))
    if same.all():
        return None
    gap = torch.where(same, torch.zeros_like(got), (got - want).abs().nan_to_num(math.inf, math.inf))
    flat = int(gap.flatten().argmax())
    where = _index_of(flat, got.shape)
    many = f"{int((~same).sum())} of {got.numel()} differ, " if got.numel() > 1 else ""
    a, b = _digits(float(got.flatten()[flat]), float(want.flatten()[flat]))
    return f"{part}{where} is {a}, expected {b} ({many}tolerance {allowed:.1g})"


def _digits(a, b):
    """Both numbers with as many digits as it takes to tell them apart."""
    for digits in (5, 8, 12, 17):
        if f"{a:.{digits}g}" != f"{b:.{digits}g}":
            break
    return f"{a:.{digits}g}", f"{b:.{digits}g}"


def _index(mask):
    return _index_of(int(mask.flatten().to(torch.int8).argmax()), mask.shape)


def _index_of(flat, shape):
    if not shape:
        return ""
    place = []
    for size in reversed(shape):
        place.append(flat % size)
        flat //= size
    return "[" + ", ".join(map(str, reversed(place))) + "]"


def _shape(value):
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()


def _dtype(value):
    return str(value.dtype).removeprefix("torch.")


def _said(value):
    """A value in words; whole tensors are too much of it."""
    return "another one" if isinstance(value, list) and any(isinstance(v, torch.Tensor) for v in value) else repr(value)


def _kind(value):
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, (int, float)):
        return "a number"
    return str(value)[:80]
