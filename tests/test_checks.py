"""What a check says to right, wrong and misused functions."""

import time

import pytest
import sympy
import torch

from autograder.__main__ import main
from autograder.bank import entries
from autograder.checks import UnknownExercise, exercises, find, run_check
from autograder.checks.compare import compare
from autograder.checks.render import html, text
from autograder.hidden import hidden_cases, hidden_check

BANK = entries()
RIGHT = [e for e in BANK if e.is_right]
WRONG = [e for e in BANK if not e.is_right]
EXERCISES = list(exercises().values())


def name_of(entry):
    return f"{entry.exercise}-{entry.name}"


@pytest.mark.parametrize("entry", RIGHT, ids=name_of)
def test_a_right_alternative_passes_visible_and_hidden_checks(entry):
    for finding in (run_check(entry.exercise, entry.fn), hidden_check(entry.exercise, entry.fn)):
        assert finding.passed, text(finding)


@pytest.mark.parametrize("entry", WRONG, ids=name_of)
def test_a_wrong_implementation_fails_and_is_named(entry):
    finding = run_check(entry.exercise, entry.fn)
    if finding.passed:
        finding = hidden_check(entry.exercise, entry.fn)
    assert not finding.passed
    assert finding.cause == (entry.cause or finding.cause), text(finding)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_each_exercise_has_three_rights_and_each_misconception_a_wrong_one(exercise):
    rights = [e for e in RIGHT if e.exercise == exercise.name]
    causes = {e.cause for e in WRONG if e.exercise == exercise.name}
    assert len(rights) >= 3
    assert {m.name for m in exercise.misconceptions} <= causes
    assert exercise.misconceptions and hidden_cases(exercise.name)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_a_check_answers_in_under_a_second(exercise):
    slowest = 0.0
    for entry in [e for e in BANK if e.exercise == exercise.name]:
        began = time.process_time()
        run_check(exercise.name, entry.fn)
        slowest = max(slowest, time.process_time() - began)
    assert slowest < 1.0


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_hidden_findings_never_show_the_inputs(exercise):
    def fails(*args, **kwargs):
        raise ValueError("no")

    finding = hidden_check(exercise.name, fails)
    assert finding.status == "failed" and finding.tried.startswith("a hidden case")


def test_an_exception_that_quotes_hidden_inputs_is_masked_and_prints_are_dropped():
    def quotes(grad_y, x, gamma, eps=1e-5):
        print("secret", x)
        raise ValueError(f"x is {x.flatten()[0].item()}")

    hidden, visible = hidden_check("bn_backward", quotes), run_check("bn_backward", quotes)
    assert "x is -#.#" in hidden.fact.replace("is #", "is -#") and not hidden.printed
    assert "secret" in visible.printed and "x is -#" not in visible.fact


# What students hand to `check` by accident. Each row: what it is, a function of
# bn_backward's arguments, what the message must say.
X = torch.zeros(1)


def unsolved(grad_y, x, gamma, eps=1e-5):
    raise NotImplementedError()


def needs_another(grad_y, x, gamma, eps=1e-5):
    return unsolved(grad_y, x, gamma)


def right(grad_y, x, gamma, eps=1e-5):
    leaf, g = x.detach().clone().requires_grad_(), gamma.detach().clone().requires_grad_()
    b = torch.zeros_like(gamma).requires_grad_()
    y = torch.nn.functional.batch_norm(leaf, None, None, g, b, True, 0.1, eps)
    return torch.autograd.grad(y, (leaf, g, b), grad_y)


MISUSE = {
    "a stub left as it is": (unsolved, "unsolved", "not solved yet"),
    "a helper that is a stub": (needs_another, "not judged", "needs `unsolved`"),
    "a result instead of a function": (X, "failed", "pass the function itself"),
    "wrong arity": (lambda grad_y, x: x, "failed", "takes (grad_y, x), expected (grad_y, x, gamma, eps=1e-05)"),
    "None returned": (lambda grad_y, x, gamma, eps=1e-5: None, "failed", "did the function end without `return`"),
    "too few values": (lambda grad_y, x, gamma, eps=1e-5: (x, x), "failed", "returned 2 values, expected 3"),
    "wrong shape": (lambda g, x, gamma, eps=1e-5: tuple(t.unsqueeze(0) for t in right(g, x, gamma, eps)), "failed", "has shape"),
    "wrong dtype": (lambda g, x, gamma, eps=1e-5: tuple(t.half() for t in right(g, x, gamma, eps)), "failed", "keep the dtype"),
    "wrong device": (lambda g, x, gamma, eps=1e-5: tuple(t.to("meta") for t in right(g, x, gamma, eps)), "failed", "is on meta"),
    "NaN": (lambda g, x, gamma, eps=1e-5: tuple(t * float("nan") for t in right(g, x, gamma, eps)), "failed", "NaN"),
    "mutated input": (lambda g, x, gamma, eps=1e-5: (right(g, x, gamma, eps), x.mul_(2))[0], "failed", "changed its input: x"),
    "a type that is no number": (lambda g, x, gamma, eps=1e-5: (object(),) * 3, "failed", "returned a object"),
    "an exception": (lambda g, x, gamma, eps=1e-5: x @ x, "failed", "RuntimeError in line"),
}


@pytest.mark.parametrize("what", MISUSE)
def test_misuse_gets_one_clear_message_and_no_traceback(what):
    fn, status, words = MISUSE[what]
    finding = run_check("bn_backward", fn)
    message = text(finding)
    assert finding.status == status, message
    assert words in message
    assert "Traceback" not in message and "autograder/" not in message and "autograder/" not in html(finding)


def test_the_permitted_neighbour_of_all_misuse_passes():
    assert run_check("bn_backward", right).passed


def test_an_unknown_exercise_suggests_the_nearest_name():
    with pytest.raises(UnknownExercise, match="did you mean 'bn_backward'"):
        find("bn_backwards")


def test_the_box_escapes_what_the_student_printed():
    def prints(grad_y, x, gamma, eps=1e-5):
        print("<script>alert(1)</script>")
        return x, x, x

    finding = run_check("bn_backward", prints)
    assert "<script>" not in html(finding) and "&lt;script&gt;" in html(finding)


def test_lying_comparison_does_not_pass():
    class Liar(torch.Tensor):
        def __eq__(self, other):
            return torch.ones(self.shape, dtype=torch.bool)

    def lies(grad_y, x, gamma, eps=1e-5):
        return tuple(torch.zeros_like(t).as_subclass(Liar) for t in right(grad_y, x, gamma, eps))

    assert not run_check("bn_backward", lies).passed


def test_numbers_are_compared_in_float64():
    assert compare("v", 0.1, 0.1 + 1e-9, 1e-12, False) and not compare("v", 0.1, 0.1 + 1e-13, 1e-12, False)


def test_a_list_passes_only_where_no_tensor_went_in():
    assert compare("v", [1.0, 2.0], torch.tensor([1.0, 2.0], dtype=torch.float64), 1e-9, False) is None
    assert "is a list" in compare("v", [1.0], torch.tensor([1.0]), 1e-9, True)


def test_expressions_that_are_no_answer_are_refused_in_words():
    sigma = sympy.Symbol("sigma")
    for wrong, words in {lambda s: sigma**2: "new symbols of the same name", lambda s: sympy.Symbol("t"): "its only symbols",
                         lambda s: "s +": "expected a sympy expression", lambda s: s / 0: "value is zoo"}.items():
        assert words in run_check("relu_second_moment", wrong).fact


def test_an_audit_of_an_unknown_exercise_suggests_the_nearest(capsys):
    assert main(["audit", "bn_backwards"]) == 2
    assert "did you mean 'bn_backward'?" in capsys.readouterr().err
