"""Similarity: what renaming and layout hide is found, what nobody has to invent is not, and the page accuses nobody."""

import random
import re

import pytest
from classroom import NAMES, STEM, from_bank, hand_in, make_course, reference

from autograder.__main__ import main
from autograder.delivery import similarity as alike
from autograder.delivery.similarity import FEWEST, K, WINDOW, all_prints, compare, fingerprints, tokens

ODD = '''def fans(shape):
    """My own words."""
    sizes = list(shape)
    taps = 1
    while len(sizes) > 2:
        taps *= sizes.pop()  # kernel
    doubled = [2 * taps * k for k in sizes]
    return tuple(d // 2 for d in reversed(doubled))
'''
RENAMED = '''def fans(s):

    zz = list(s)   # other words
    q = 1
    while len(zz) > 2:

        q *= zz.pop()
    w = [2 * q * i
         for i in zz]
    return tuple(u // 2 for u in reversed(w))
'''
OTHER = '''def fans(shape):
    n, m, *rest = shape
    area = functools.reduce(operator.mul, rest, 1.0)
    if area < 1 or not isinstance(area, float):
        raise ValueError("no kernel")
    return round(m * area), round(n * area)
'''


def test_names_comments_docstrings_and_layout_do_not_count():
    assert [t for t, _ in tokens(ODD)] == [t for t, _ in tokens(RENAMED)]
    assert set(fingerprints(ODD)) == set(fingerprints(RENAMED)) and fingerprints(ODD)


def test_interfaces_and_numbers_do_count():
    assert [t for t, _ in tokens("torch.sum(x) * 2")] == ["name", ".", "sum", "(", "name", ")", "*", "2"]
    assert tokens("y.mean()") != tokens("y.var()") and tokens("x = 3") != tokens("x = 4")


def test_winnowing_finds_every_shared_stretch_that_it_promises():
    """Schleimer et al.: a shared run of at least K + WINDOW - 1 tokens is always found; K - 1 tokens never are."""
    words, chance = ["+", "-", "*", "/", "(", ")", "1", "2", "3"], random.Random(0)
    for _ in range(200):
        shared = [chance.choice(words) for _ in range(K + WINDOW - 1)]
        texts = [" ".join([chance.choice(words) for _ in range(chance.randrange(30))] + shared + [chance.choice(words) for _ in range(chance.randrange(30))])
                 for _ in range(2)]
        left, right = (set(_prints(t)) for t in texts)
        assert left & right
        short = " ".join(shared[:K - 1])
        assert not _prints(short)


def _prints(text):
    """Fingerprints of a sequence of tokens that is no program."""
    return fingerprints(text.replace("(", "<").replace(")", ">"))


def test_code_that_is_no_python_is_compared_as_far_as_it_goes():
    for source in ("", "def f(", "%%magic\n!ls", "x = '", "\x00", "é = 1\n" * 50, "(" * 5000, "if x:\n    y = 1\n  z = 2"):
        fingerprints(source)
    assert set(fingerprints(ODD + "\ndef broken(")) & set(fingerprints(RENAMED))


def test_a_copy_is_found_and_independent_work_is_not():
    pairs = compare({"ada": {"fans": ODD}, "bob": {"fans": RENAMED}, "cyd": {"fans": OTHER}}, {})
    assert [(p.left, p.right) for p in pairs] == [("ada", "bob")] and pairs[0].share == 1 and pairs[0].weight >= FEWEST


def test_what_is_known_or_common_is_left_out():
    assert not compare({"ada": {"fans": ODD}, "bob": {"fans": RENAMED}}, {"fans": all_prints(ODD)})
    whole_class = {f"s{k}": {"fans": ODD} for k in range(8)}
    assert not compare(whole_class, {})
    assert len(compare(dict(list(whole_class.items())[:3]) | {f"o{k}": {"fans": OTHER} for k in range(3)}, {})) == 6


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    course = make_course(tmp_path_factory.mktemp("alike") / "course")
    whole = {n: s for n, s in reference(STEM).items() if n in NAMES}
    bank = {n: from_bank(n, True) for n in NAMES}
    for student, work in {"ada": {"fans": ODD}, "bob<b>": {"fans": RENAMED}, "cyd": {"fans": OTHER}, "dan": whole, "eve": whole, "fay": bank,
                          "gus": bank, "hal": {}, "ivy": {}}.items():
        hand_in(course, student, work)
    (course / "submitted" / "jon" / STEM).mkdir(parents=True)
    (course / "submitted" / "jon" / STEM / f"{STEM}.ipynb").write_text("<html>")
    return course


def test_the_page_names_the_pair_and_neither_stub_nor_reference_nor_bank(course, capsys):
    assert main(["similarity", STEM, "--course", str(course)]) == 0
    assert "Submissions: 10   Pairs to look at: 1" in capsys.readouterr().out
    page = (course / "report" / f"{STEM}-similarity.html").read_text()
    assert "A place to look, not a finding." in page and "Schleimer" in page
    assert "ada and bob&lt;b&gt;" in page and "bob<b>" not in page and "<mark>" in page
    assert not [s for s in ("cyd", "dan", "eve", "fay", "gus", "hal", "ivy", "jon") if re.search(rf"\b{s}\b", page)]
    assert "script" not in page.lower() and "default-src 'none'" in page


def test_the_page_accuses_nobody(course):
    main(["similarity", STEM, "--course", str(course)])
    page = (course / "report" / f"{STEM}-similarity.html").read_text().lower()
    assert not [w for w in ("plagiar", "cheat", "copied", "guilty", "suspect", "misconduct", "dishonest") if w in page]


def test_a_class_without_pairs_has_a_page_too(course):
    assert "No two submissions share unusual code." in alike.body(STEM, {}, [])
    with pytest.raises(Exception, match="There is no assignment '99'"):
        alike.write_similarity("99", course)


def test_many_pairs_are_counted_and_not_all_shown():
    solutions = {f"s{k}": {f"e{k // 2}": ODD} for k in range(200)}
    pairs = compare(solutions, {})
    page = alike.body(STEM, solutions, pairs)
    assert len(pairs) == 100 and "70 more pairs share less" in page and page.count("<h2") == alike.MOST_PAIRS
