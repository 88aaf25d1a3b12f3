"""What crosses from the sandbox: every kind comes back as it was; anything else is a WireError and costs little."""

import json
import math
import random
import tracemalloc

import pytest
import torch

from autograder.bank import entries
from autograder.checks import exercises
from autograder.checks.probe import Observation, Problem, observe
from autograder.checks.verdict import judge
from autograder.hidden import hidden_cases
from autograder.grading.wire import DTYPES, MAX_BYTES, MAX_DEPTH, MAX_HEAD, MAX_ITEMS, MAX_TEXT, WireError, clean, decode, encode

FUZZ = 3000


def there_and_back(value):
    return decode(encode(Observation({"x": value}))).parts["x"]


VALUES = [None, True, False, 0, -7, 10**300, 0.1, -0.0, math.inf, -math.inf, 5e-324, "", "ζ ≠ ‖v‖", "two\nlines\t", [], [1, [2.5, ["x"]]],
          {}, {"a": [None, True], "b": {"c": 1}}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_plain_value_comes_back_as_it_was(value):
    back = there_and_back(value)
    assert back == value and type(back) is type(value)
    if isinstance(value, float):
        assert math.copysign(1, back) == math.copysign(1, value)


def test_not_a_number_comes_back():
    assert math.isnan(there_and_back(math.nan))


@pytest.mark.parametrize("shape", [(), (1,), (3, 4), (0,), (2, 0, 5), (2, 3, 4, 1)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tensor_comes_back_bit_for_bit(dtype, shape):
    tensor = torch.arange(math.prod(shape)).reshape(shape).to(DTYPES[dtype])
    back = there_and_back(tensor)
    assert back.dtype == tensor.dtype and back.shape == tensor.shape and torch.equal(back, tensor)


def test_a_strided_view_and_special_numbers_come_back():
    x = torch.tensor([[math.nan, math.inf], [-0.0, -math.inf]], dtype=torch.float64).T
    assert torch.equal(there_and_back(x).view(torch.int64), x.contiguous().view(torch.int64))
    z = torch.complex(torch.ones(2), torch.ones(2)).conj()
    assert torch.equal(there_and_back(z), z)


@pytest.mark.parametrize("tensor", [torch.empty(2, 3, device="meta"), torch.eye(3).to_sparse()], ids=("meta", "sparse"))
def test_of_a_tensor_elsewhere_only_the_form_crosses(tensor):
    back = there_and_back(tensor)
    assert back.device.type == "meta" and back.shape == tensor.shape and back.dtype == tensor.dtype


@pytest.mark.parametrize("kind", ("unsolved", "needs", "arity", "raised", "form", "limit"))
def test_a_problem_comes_back(kind):
    seen = Observation({}, Problem(kind, "why"), ["x", "y.grad"], "printed")
    assert decode(encode(seen)) == seen


@pytest.mark.parametrize("bits", (1_000, 5_000, 1_000_000))
def test_a_huge_number_crosses_whole_or_not_at_all(bits):
    back = there_and_back(1 << bits)
    assert back == 1 << bits or back == f"a whole number of {bits + 1} bits"


def test_long_text_is_cut():
    assert there_and_back("x" * 10**6) == "x" * MAX_TEXT


def test_text_is_safe_to_show():
    assert there_and_back("a\x1b[2J\x00\ud800\u202eb") == "a\ufffd[2J\ufffd\ufffd\ufffdb"
    assert clean("plain, ζ, 中文 and\na line") == "plain, ζ, 中文 and\na line"
    decode(encode(Observation({}, Problem("raised", "\ud800"), [], "\udfff"))).printed.encode()


# --- what nobody honest sends ---------------------------------------------------------------


def message(tree, blob=b""):
    head = json.dumps(tree).encode()
    return len(head).to_bytes(4, "big") + head + blob


def holding(value, blob=b""):
    return message({"parts": {"x": value}, "problem": None, "mutated": [], "printed": ""}, blob)


def nested(depth):
    value = ["none"]
    for _ in range(depth):
        value = ["list", [value]]
    return value


def with_blanks(count):
    """A message that would be good with a shorter head."""
    head = holding(["none"])[4:] + b" " * count
    return len(head).to_bytes(4, "big") + head


REFUSED = {
    "nothing": b"", "three bytes": b"\0\0\0", "no JSON": b"\0\0\0\4abcd", "other keys": message({"parts": {}}),
    "a list": message([]), "a number": message(3), "no kind": holding([]), "a strange kind": holding(["code", "1"]),
    "a private method": holding(["_tensor", 1, 2, 3]), "a kind that is a list": holding([[], 1]), "too many fields": holding(["none", 1]),
    "a bool that is none": holding(["bool", 1]), "a number in other digits": holding(["int", "²"]), "two signs": holding(["int", "--5"]),
    "too many digits": holding(["int", "9" * 401]), "no float": holding(["float", "xyz"]), "a float too large": holding(["float", "0x1p+99999"]),
    "a text too long": holding(["str", "x" * (MAX_TEXT + 1)]), "a text that is none": holding(["str", 5]),
    "pairs that are none": holding(["dict", [["a"]]]), "too deep": holding(nested(MAX_DEPTH + 1)), "far too deep": holding(nested(300)),
    "too many items": holding(["list", [["none"]] * MAX_ITEMS]), "a dtype that is a list": holding(["tensor", [], [1], 8], bytes(8)),
    "a strange dtype": holding(["tensor", "object", [1], 8], bytes(8)), "too few bytes": holding(["tensor", "float64", [2], 16], bytes(8)),
    "a size that lies": holding(["tensor", "float64", [2], 8], bytes(8)), "a negative size": holding(["tensor", "float64", [1], -8], bytes(8)),
    "a negative side": holding(["tensor", "float64", [-1], 8], bytes(8)), "a side that is none": holding(["tensor", "float64", [True], 8], bytes(8)),
    "sides without end": holding(["tensor", "float64", [1 << 40, 1 << 40, 0], 0]), "a stray without end": holding(["stray", "meta", "float32", [1 << 62, 1 << 62]]),
    "a stray of no dtype": holding(["stray", "meta", [], [1]]), "a strange problem": message({"parts": {}, "problem": ["x", "y"], "mutated": [], "printed": ""}),
    "a problem that is a text": message({"parts": {}, "problem": "raised", "mutated": [], "printed": ""}),
    "a thousand changes": message({"parts": {}, "problem": None, "mutated": ["x"] * 1000, "printed": ""}),
    "a head that is too long": with_blanks(MAX_HEAD), "too many bytes": bytes(MAX_BYTES + 1),
    "brackets without end": b"\0\1\0\0" + b"[" * 65536, "a length beyond the end": b"\xff\xff\xff\xff{}",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_sandbox_sends_is_refused(case):
    with pytest.raises(WireError):
        decode(REFUSED[case])


def test_the_refused_messages_have_neighbours_that_pass():
    assert decode(with_blanks(MAX_HEAD // 2)).parts == {"x": None}
    assert decode(holding(["int", "9" * 400])).parts["x"] == int("9" * 400)
    assert decode(holding(nested(MAX_DEPTH))).parts["x"] is not None
    assert decode(holding(["tensor", "bool", [2], 2], b"\x07\x00")).parts["x"].tolist() == [True, False]
    assert decode(holding(["stray", "cuda:0", "float32", [2]])).parts["x"].shape == (2,)


def seeds():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    return [encode(Observation({"x": x, "y": [1, 2.5, "z", None, True, {"a": x.int()}]}, None, ["x"], "printed")),
            encode(Observation({}, Problem("raised", "ValueError"))), encode(Observation({"x": torch.empty(2, device="meta")}))]


def mutated(data, chance):
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        place, what = chance.randrange(len(data)), chance.randrange(6)
        if what == 0:
            data[place] = chance.randrange(256)
        elif what == 1:
            data[place:place + chance.randrange(8)] = b""
        elif what == 2:
            data[place:place] = chance.choice((b"[", b"]", b"-", b"9" * 9, b'"', b"null", b"e999", b"{}", b"\\ud800", b"\xff"))
        elif what == 3:
            data[place:place] = data[place:place + chance.randrange(40)]
        elif what == 4 and data[place:place + 1].isdigit():
            data[place:place + 1] = str(chance.choice((0, 2**31, 2**63, 10**30))).encode()
        else:
            data[:4] = chance.choice((0, 1, 2**31, 2**32 - 1, len(data))).to_bytes(4, "big")
        if not data:
            return b""
    return bytes(data)


def repaired(data):
    """With the length of the head put right, so that mutations reach the values."""
    end = data.rfind(b'"}') + 2
    return max(end - 4, 0).to_bytes(4, "big") + data[4:]


@pytest.mark.parametrize("repair", (False, True), ids=("raw", "with the length put right"))
def test_thousands_of_mutated_messages_raise_nothing_but_wire_errors_and_take_little_memory(repair):
    chance, originals, refused = random.Random(3), seeds(), 0
    tracemalloc.start()
    for _ in range(FUZZ):
        data = mutated(chance.choice(originals), chance)
        try:
            decode(repaired(data) if repair else data)
        except WireError:
            refused += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.2 * FUZZ < refused <= FUZZ and peak < 20 << 20


@pytest.mark.parametrize("filler", (b"[],", b'"",', b"{},", b"1,"))
def test_the_largest_head_costs_less_than_a_few_hundred_megabytes(filler):
    inner = b"[" + filler * (MAX_HEAD // len(filler) - 40) + b"0]"
    head = b'{"parts": {"x": ' + inner + b'}, "problem": null, "mutated": [], "printed": ""}'
    tracemalloc.start()
    with pytest.raises(WireError):
        decode(len(head).to_bytes(4, "big") + head)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 << 20


def test_one_entry_with_an_odd_stride_crosses():
    odd = torch.arange(4.0)[::2][:1]
    assert odd.stride() == (2,) and odd.contiguous().stride() == (2,)
    assert torch.equal(decode(encode(Observation(parts={"x": odd}))).parts["x"], odd)


@pytest.mark.parametrize("exercise", exercises().values(), ids=lambda e: e.name)
def test_every_right_alternative_passes_after_the_crossing_too(exercise):
    cases = exercise.cases + hidden_cases(exercise.name)
    for entry in [e for e in entries(exercise.name) if e.is_right]:
        seen = [decode(encode(o)) for o in observe(exercise.subject(), entry.fn, exercise.prepare(cases, 3))]
        assert judge(exercise, seen, cases, 3).passed, entry.name
