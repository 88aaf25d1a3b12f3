"""What crosses from the sandbox to the verifier: plain values in an explicit schema, never pickle.

A value is a JSON array whose first entry names its kind: none, bool, int, float (as hex),
str, list, dict, tensor (dtype, shape, place of its bytes), stray (a tensor that is not
plain memory on the CPU: device, dtype, shape). Tensor bytes follow the JSON. The decoder
believes nothing: every length, kind and nesting is checked, and anything else is a WireError.
"""

import json
import math
import re

import torch

from autograder.checks.probe import Observation, Problem

MAX_BYTES = 32 << 20  # of one observation; the largest honest one is below 1 MB
MAX_ITEMS = 20_000
MAX_DEPTH = 6
MAX_TEXT = 4_000
MAX_HEAD = 2 << 20  # of the JSON, so that parsing it stays below 100 MB
MAX_DIGITS = 400  # of a whole number; float64 ends at 309
DTYPES = {str(d).removeprefix("torch."): d for d in (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool, torch.complex64, torch.complex128)}
PROBLEMS = ("unsolved", "needs", "arity", "raised", "form", "limit")


# Control characters, line separators, changes of writing direction, halves of surrogate pairs.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


class WireError(ValueError):
    """The bytes are not an observation."""


def clean(text):
    """Text that is safe on a terminal, in a file and beside other text; a newline and a tab stay."""
    return UNPRINTABLE.sub("\ufffd", text)


def encode(observation):
    """An Observation as bytes."""
    blobs = []
    problem = observation.problem
    tree = {
        "parts": {str(k): _pack(v, blobs) for k, v in observation.parts.items()},
        "problem": [problem.kind, problem.text[:MAX_TEXT]] if problem else None,
        "mutated": list(observation.mutated),
        "printed": observation.printed[:MAX_TEXT],
    }
    head = json.dumps(tree).encode("ascii")
    return len(head).to_bytes(4, "big") + head + b"".join(blobs)


def _pack(value, blobs):
    if value is None:
        return ["none"]
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, int):
        return _pack_int(value)
    if isinstance(value, float):
        return ["float", value.hex()]
    if isinstance(value, str):
        return ["str", value[:MAX_TEXT]]
    if isinstance(value, list):
        return ["list", [_pack(v, blobs) for v in value]]
    if isinstance(value, dict):
        return ["dict", [[str(k), _pack(v, blobs)] for k, v in value.items()]]
    return _pack_tensor(value, blobs)


def _pack_int(value):
    if value.bit_length() > 3 * MAX_DIGITS:
        return ["str", f"a whole number of {value.bit_length()} bits"]
    return ["int", str(value)]


def _pack_tensor(tensor, blobs):
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.device.type != "cpu" or tensor.layout != torch.strided or dtype not in DTYPES:
        return ["stray", str(tensor.device), dtype, list(tensor.shape)]
    flat = torch.empty(tensor.numel(), dtype=tensor.dtype)  # `contiguous` may keep a stride of 2 on one entry
    flat.copy_(tensor.detach().resolve_conj().resolve_neg().reshape(-1))
    data = flat.view(torch.uint8).numpy().tobytes()
    blobs.append(data)
    return ["tensor", dtype, list(tensor.shape), len(data)]


def decode(data):
    """The Observation in `data`; raises WireError for anything that `encode` does not make."""
    if not 4 <= len(data) <= MAX_BYTES:
        raise WireError(f"{len(data)} bytes")
    size = int.from_bytes(data[:4], "big")
    _need(size <= MAX_HEAD, "head")
    try:
        tree = json.loads(bytes(data[4:4 + size]).decode("ascii"))
    except (ValueError, RecursionError):
        raise WireError("not JSON") from None
    reader = _Reader(memoryview(data)[4 + size:])
    _need(isinstance(tree, dict) and set(tree) == {"parts", "problem", "mutated", "printed"}, "keys")
    _need(isinstance(tree["parts"], dict) and len(tree["parts"]) <= 1000, "parts")
    parts = {_text(k): reader.value(v) for k, v in tree["parts"].items()}
    _need(isinstance(tree["mutated"], list) and len(tree["mutated"]) <= 100, "mutated")
    return Observation(parts, _problem(tree["problem"]), [_text(m) for m in tree["mutated"]], _text(tree["printed"]))


def _problem(raw):
    if raw is None:
        return None
    _need(isinstance(raw, list) and len(raw) == 2 and raw[0] in PROBLEMS, "problem")
    return Problem(raw[0], _text(raw[1]))


def _need(condition, what):
    if not condition:
        raise WireError(f"bad {what}")


def _text(value):
    _need(isinstance(value, str) and len(value) <= MAX_TEXT, "text")
    return clean(value)


class _Reader:
    """Unpacks values; the tensors' bytes are taken from `blob` in order."""

    def __init__(self, blob):
        self.blob, self.place, self.items = blob, 0, 0

    def value(self, raw, depth=0):
        self.items += 1
        _need(self.items <= MAX_ITEMS and depth <= MAX_DEPTH, "size")
        _need(isinstance(raw, list) and raw and isinstance(raw[0], str), "value")
        kind, *rest = raw
        unpack = getattr(self, f"_{kind}", None) if kind in KINDS else None
        _need(unpack is not None and len(rest) == KINDS[kind], "kind")
        return unpack(*rest, depth=depth) if kind in ("list", "dict") else unpack(*rest)

    def _none(self):
        return None

    def _bool(self, raw):
        _need(isinstance(raw, bool), "bool")
        return raw

    def _int(self, raw):
        _need(isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,%d}" % MAX_DIGITS, raw), "int")
        return int(raw)

    def _float(self, raw):
        _need(isinstance(raw, str) and len(raw) <= 40, "float")
        try:
            return float.fromhex(raw)
        except (ValueError, OverflowError):
            raise WireError("bad float") from None

    def _str(self, raw):
        return _text(raw)

    def _list(self, raw, depth):
        _need(isinstance(raw, list), "list")
        return [self.value(v, depth + 1) for v in raw]

    def _dict(self, raw, depth):
        _need(isinstance(raw, list) and all(isinstance(p, list) and len(p) == 2 for p in raw), "dict")
        return {_text(k): self.value(v, depth + 1) for k, v in raw}

    def _tensor(self, dtype, shape, size):
        _need(_text(dtype) in DTYPES and isinstance(size, int) and size >= 0, "tensor")
        shape = _shape(shape)
        _need(math.prod(shape) * DTYPES[dtype].itemsize == size and self.place + size <= len(self.blob), "tensor size")
        data = bytearray(self.blob[self.place:self.place + size])
        self.place += size
        if not size:
            return torch.empty(shape, dtype=DTYPES[dtype])
        if dtype == "bool":  # any byte may come; a bool is 0 or 1
            return torch.frombuffer(data, dtype=torch.uint8).bool().reshape(shape)
        return torch.frombuffer(data, dtype=DTYPES[dtype]).reshape(shape)

    def _stray(self, device, dtype, shape):
        """A tensor whose values stayed behind: only its form can be judged, on PyTorch's meta device."""
        _text(device)
        return torch.empty(_shape(shape), dtype=DTYPES.get(_text(dtype), torch.float32), device="meta")


KINDS = {"none": 0, "bool": 1, "int": 1, "float": 1, "str": 1, "list": 1, "dict": 1, "tensor": 3, "stray": 3}


def _shape(raw):
    """A shape whose size and strides PyTorch can count, also where one of its sides is 0."""
    _need(isinstance(raw, list) and len(raw) <= 8 and all(type(n) is int and n >= 0 for n in raw), "shape")
    _need(math.prod(max(n, 1) for n in raw) <= 1 << 40, "shape")
    return tuple(raw)
