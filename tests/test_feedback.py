"""The feedback page: says what was found and why, shows no hidden input, and is safe to open."""

import http.server
import re
import shutil
import subprocess
import threading
from html.parser import HTMLParser

import pytest
import torch

from autograder.bank import entries
from autograder.checks import find
from autograder.grading import feedback
from autograder.grading.job import Result
from autograder.grading.page import POLICY, STYLE, clean, document, text, write_page
from autograder.hidden import hidden_cases, hidden_check
from autograder.publish.editions import check_id

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SEED = 11
TAGS = set("html head meta title style body main h1 h2 h3 p ul ol li strong table caption thead tbody tr th td a section span dl dt dd "
           "details summary pre code i b wbr sub div svg rect line text".split())
HOSTILE = ('</code></pre></title></style><script>document.title="owned";new Image().src="http://HOST/script"</script>'
           '<img src="http://HOST/img" onerror="document.title=\'owned\'"><svg onload="document.title=\'owned\'"></svg>'
           '<style>@import "http://HOST/css"; body{background:url(http://HOST/background)}</style>'
           '<iframe src="http://HOST/frame"></iframe><link rel="stylesheet" href="http://HOST/link">'
           '<meta http-equiv="refresh" content="0;url=http://HOST/refresh"><a href="javascript:alert(1)">x</a>"\'`<b>`\x1b[2J\u202e\x00\ud800')


def result_of(functions, solutions=None, **more):
    """The Result of a student whose functions are these, judged on hidden checks as grading does."""
    findings = [hidden_check(name, fn, SEED) for name, fn in functions.items()]
    scores = {check_id(f.exercise): [1.0 * f.passed, 1.0] for f in findings}
    return Result(**{"assignment": "02_initialization", "student": "ada", "scores": scores,
                     "findings": [f.to_dict() for f in findings], "solutions": solutions or {}} | more)


def stub(*args, **kwargs):
    raise NotImplementedError()


def unsolved(name):
    fn = eval(f"lambda {', '.join(find(name).signature.parameters)}: stub()", {"stub": stub})
    return fn


def swapped(name):
    entry = next(e for e in entries(name) if e.cause)
    return entry, result_of({name: entry.fn}, {name: entry.source()})


class Shape(HTMLParser):
    """The tags, attributes and depth of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.open = set(), [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def is_harmless(page):
    """No tag, handler or address but our own."""
    shape = Shape(page)
    addresses = [v for k, v in shape.attributes if k in ("href", "src") and not v.startswith("#")]
    return shape.tags <= TAGS and not addresses and not [k for k, _ in shape.attributes if k.startswith("on")]


def hostile_result(host="198.51.100.7"):
    bad = HOSTILE.replace("HOST", host)
    entry, result = swapped("fans")
    result.findings[0] |= {"fact": f"fan_in is {bad}", "why": bad, "printed": bad}
    result.student, result.remarks, result.incidents = bad, [bad], [bad]
    result.solutions, result.tests = {"fans": bad + "\n" + bad * 50}, {"by-hand": bad}
    result.scores["by-hand"] = [0.0, 1.0]
    return result


# --- what it says -------------------------------------------------------------------------


def test_a_failed_exercise_says_what_was_found_why_and_where_to_read_beside_the_own_code():
    entry, result = swapped("fans")
    page, finding = feedback.page(result), result.findings[0]
    for line in (finding["fact"], finding["why"], f"section {finding['read']}", "0 of 1"):
        assert feedback.prose(line) in page
    shown = re.sub(r"</?[bi]>", "", page)
    assert finding["why"] and text(entry.source()) in shown


def test_each_outcome_stands_as_a_word():
    right = next(e for e in entries("uniform_bound") if e.is_right).fn
    result = result_of({"uniform_bound": right, "kaiming_variance": unsolved("kaiming_variance"), "fans": swapped("fans")[0].fn})
    result.findings[1] |= {"status": "not judged"}
    rows = re.findall(r'<th scope="row">.*?</tr>', feedback.page(result))
    assert [next(w for w in ("passed", "not judged", "not yet") if w in row) for row in rows] == ["passed", "not judged", "not yet"]
    titles = re.findall("<h3.*?</h3>", feedback.page(result))
    assert "passed" in titles[0] and "not judged" in titles[1] and "not yet" in titles[2]
    assert "not solved yet" in feedback.page(result_of({"kaiming_variance": unsolved("kaiming_variance")}))


def test_the_student_reads_where_to_start():
    _, result = swapped("fans")
    assert 'Start with <a href="#fans">' in feedback.page(result)
    assert "Start with" not in feedback.page(result_of({"kaiming_variance": unsolved("kaiming_variance")}))


def test_an_empty_submission_has_a_page():
    page = feedback.page(Result("02_initialization", "ada", remarks=["The file is empty."]))
    assert "The file is empty." in page and "0 of 0 points" in page


def test_keywords_and_strings_are_marked_and_nothing_else_of_the_code_changes():
    source = 'def f(x):\n    """If x\'s <b> & more."""\n    return {"a": x < 1}  # "for" & \'good\''
    page = feedback._code(source, True)
    assert "<b>def</b>" in page and "<i># &quot;for&quot; &amp; &#x27;good&#x27;</i>" in page
    source += "\nx = 'never closed"
    marked = feedback._code(source, True).split("<code>")[1].split("</code>")[0]
    assert "&#x27;never closed" in marked
    assert re.sub(r"</?[bi]>", "", marked) == text(source)


# --- what it does not say -----------------------------------------------------------------


def chatty(weights, x, phi):
    print(x)
    raise ValueError(f"cannot go on with {x.flatten().tolist()}")


def numbers_of_hidden_inputs(name):
    exercise, found = find(name), set()
    for _, inputs in exercise.prepare(exercise.cases + hidden_cases(name), SEED):
        for value in inputs.values():
            for tensor in value if isinstance(value, list) else [value]:
                if isinstance(tensor, torch.Tensor):
                    found |= {f"{abs(v):.4f}" for v in tensor.flatten().tolist()} | {repr(abs(v))[:8] for v in tensor.flatten().tolist()}
    return {number for number in found if len(number.lstrip("0.").replace(".", "")) >= 4}


def test_hidden_inputs_that_a_student_prints_and_raises_are_not_shown():
    secrets, result = numbers_of_hidden_inputs("second_moments"), result_of({"second_moments": chatty})
    assert not any(s in result.findings[0]["fact"] for s in secrets)  # masked where the verdict is made
    page = feedback.page(result)
    assert not [s for s in secrets if s in page]
    assert "ValueError in line" in page and "cannot go on with" in page


def test_what_a_student_printed_on_a_hidden_case_is_not_shown():
    _, result = swapped("fans")
    result.findings[0]["printed"] = "tensor([0.7713])"
    assert "0.7713" not in feedback.page(result)


def test_the_gap_itself_keeps_its_numbers():
    fact = "grad_x[5, 4] is 1.2643, expected 0.1855 (30 of 30 differ, tolerance 1e-9)."
    assert feedback.without_values(fact) == fact
    raised = "RuntimeError in line 3: `return x @ w[0]`: sizes (5) and (7) differ. The 2 cases before it pass."
    assert feedback.without_values(raised) == "RuntimeError in line 3: `return x @ w[0]`: sizes (#) and (#) differ. The 2 cases before it pass."


# --- hostile content ----------------------------------------------------------------------


def test_hostile_content_adds_no_tag_no_handler_and_no_address():
    assert not is_harmless(f"<main>{HOSTILE.split('</style>')[1]}</main>")
    page = feedback.page(hostile_result())
    assert is_harmless(page) and not Shape(page).open


def test_control_and_direction_characters_become_visible_and_letters_stay():
    assert clean("a\x1b[31m\x00\u202eb\ud800\u2066") == "a␛[31m␀[U+202E]b[U+D800][U+2066]"
    assert clean("x̂ ≈ γ·σ\n\tü 漢字 🙂") == "x̂ ≈ γ·σ\n\tü 漢字 🙂"


def test_a_page_with_half_a_surrogate_can_be_written(tmp_path):
    page = feedback.page(hostile_result())
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        (tmp_path / "raw.html").write_text(HOSTILE, encoding="utf-8")


def test_a_megabyte_of_code_is_cut_and_says_so():
    _, result = swapped("fans")
    result.solutions = {"fans": "'" * 1_000_000}
    page = feedback.page(result)
    assert len(page) < 200_000 and "980,000 more characters" in page


def contrast(one, other):
    """WCAG 2 contrast of two colours written as #rgb or #rrggbb."""

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_text_colour_has_contrast_in_light_dark_and_print():
    assert contrast("#fff", "#000") == pytest.approx(21)
    modes = [dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.S)]
    assert len(modes) == 3
    for colours in modes:
        for ink in ("ink", "quiet", "link", "word"):
            for ground in ("page", "soft"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground, colours)
        for edge in {"passed", "failed", "unsolved", "not-judged"} & set(colours):
            assert contrast(colours[edge], colours["page"]) >= 3


# --- in a browser -------------------------------------------------------------------------


class Canary(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def canary():
    """A server that notes what is asked of it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def opened(path):
    """The page's document after it has been opened in a browser."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--virtual-time-budget=3000",
               "--dump-dom", f"file://{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_in_a_browser_hostile_content_runs_nothing_and_asks_for_nothing(tmp_path, canary):
    host = f"127.0.0.1:{canary.server_port}"
    raw = HOSTILE.replace("HOST", host).encode(errors="replace").decode()
    (tmp_path / "unguarded.html").write_text(f"<title>before</title>{raw}", encoding="utf-8")
    assert "<title>owned</title>" in opened(tmp_path / "unguarded.html") and canary.seen
    canary.seen.clear()
    write_page(tmp_path / "unescaped.html", "before", raw.replace("refresh", "none"))  # the policy alone
    assert "<title>owned</title>" not in opened(tmp_path / "unescaped.html") and not canary.seen
    (tmp_path / "page.html").write_text(feedback.page(hostile_result(host)), encoding="utf-8")
    dom = opened(tmp_path / "page.html")
    assert "Feedback on" in dom and "<title>owned</title>" not in dom and not canary.seen


def width_at(page, width, folder):
    """The width that a page needs in a window of `width` pixels."""
    (folder / "frame.html").write_text(
        f'<iframe style="border:0;width:{width}px;height:800px" srcdoc="{page.replace("&", "&amp;").replace(chr(34), "&quot;")}"></iframe>'
        "<script>onload = () => document.title = document.querySelector('iframe').contentDocument.documentElement.scrollWidth</script>",
        encoding="utf-8")
    return int(re.search(r"<title>(\d+)</title>", opened(folder / "frame.html"))[1])


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_a_phone_shows_the_whole_width_of_hostile_and_honest_pages(tmp_path):
    assert width_at(document("wide", f'<p style="white-space:nowrap">{"wide " * 200}</p>'), 390, tmp_path) > 390
    assert width_at(feedback.page(hostile_result()), 390, tmp_path) <= 390
    assert width_at(feedback.page(swapped("xavier_uniform_bound")[1]), 390, tmp_path) <= 390


def test_the_policy_allows_no_script_and_no_host():
    assert POLICY.startswith("default-src 'none'") and "script" not in POLICY and "http" not in POLICY
    assert POLICY in feedback.page(swapped("fans")[1])
