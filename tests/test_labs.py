"""The GPU lab on a CPU: what it plans, measures and writes, and what the chapter's page makes of stored results."""

import json
import subprocess
import sys

import pytest
import torch

from autograder.labs import gpu_bench, stored_results
from autograder.publish import execute
from autograder.publish.source import ROOT, read_chapter

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize("capability, measured", [((7, 0), ["fp32", "fp16"]), ((7, 5), ["fp32", "fp16"]),
                                                  ((8, 0), ["fp32", "tf32", "bf16", "fp16"]), ((12, 0), ["fp32", "tf32", "bf16", "fp16"])])
def test_the_lab_measures_what_the_card_multiplies_and_gives_a_reason_for_the_rest(capability, measured):
    precisions, skipped = gpu_bench.plan(CUDA, capability)
    assert precisions == measured and {*precisions, *skipped} == set(gpu_bench.DTYPES) and all(skipped.values())


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """(file that a tiny run on the CPU wrote, what it printed)"""
    out = tmp_path_factory.mktemp("results") / "cpu.json"
    command = [sys.executable, "-m", "autograder.labs.gpu_bench", "--cpu", "--tiny", "--out", out]
    return out, subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_a_run_on_a_cpu_writes_one_whole_file_and_says_what_it_skips(tiny):
    out, printed = tiny
    (result,) = stored_results(out.parent)
    assert [p.name for p in out.parent.iterdir()] == ["cpu.json"]
    assert result["device"] == "cpu" and result["torch"] == torch.__version__ and result["seeds"] == [0, 1, 2]
    assert {"date", "driver", "cuda", "python", "processor", "threads", "load", "clock"} <= set(result)
    assert "tf32: skipped, needs a CUDA device" in printed and "fp16: skipped" in printed and f"written to {out}" in printed


def test_every_precision_has_a_rate_a_ceiling_a_step_and_a_curve_for_each_seed(tiny):
    (result,) = stored_results(tiny[0].parent)
    assert set(result["step"]) == set(result["products"]) == set(result["curves"]) == {"fp32", "bf16"}
    for product in result["products"].values():
        assert product["ceiling_tflops"] >= max(product["sweep_tflops"].values()) > 0 and 0 < product["product_share"] <= 1
    assert result["step"]["fp32"]["kept_mib"] > result["step"]["bf16"]["kept_mib"] > 0
    for curves in result["curves"].values():
        assert [len(curve) for curve in curves] == [result["sizes"]["curve_steps"]] * 3 and len({*map(tuple, curves)}) == 3


def test_all_precisions_start_from_the_same_weights_and_batches():
    first = {p: gpu_bench.measure_curve(p, CPU, gpu_bench.TINY, seed=1)[0] for p in ("fp32", "bf16", "fp16")}
    assert all(loss == pytest.approx(first["fp32"], abs=0.02) for loss in first.values())
    assert gpu_bench.measure_curve("fp32", CPU, gpu_bench.TINY, seed=2)[0] != first["fp32"]


def test_only_fp16_is_scaled_and_only_sixteen_bits_run_in_autocast():
    runs = {p: gpu_bench.Run(p, CPU, gpu_bench.TINY, seed=0) for p in gpu_bench.DTYPES}
    assert {p for p, run in runs.items() if run.scaler.is_enabled()} == {"fp16"}
    assert {p: run.dtype for p, run in runs.items() if run.low} == {"bf16": torch.bfloat16, "fp16": torch.float16}


def test_tf32_is_on_inside_alone_and_put_back_after_an_error():
    switch = torch.backends.cuda.matmul
    before = switch.fp32_precision, torch.backends.cudnn.conv.fp32_precision
    with pytest.raises(KeyError), gpu_bench.tf32(True):
        assert switch.fp32_precision == torch.backends.cudnn.conv.fp32_precision == "tf32"
        raise KeyError
    assert (switch.fp32_precision, torch.backends.cudnn.conv.fp32_precision) == before
    with gpu_bench.tf32(False):
        assert switch.fp32_precision == torch.backends.cudnn.conv.fp32_precision == "ieee"


class Event:
    """A CUDA event on a machine without one: the clock advances by a millisecond a call of the work."""

    now = 0.0

    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        self.at, self.ready = Event.now, False

    def synchronize(self):
        self.ready = True

    def elapsed_time(self, end):
        assert end.ready, "read before the work was done"
        return end.at - self.at


def test_on_a_card_a_call_is_timed_between_two_events_after_both_have_passed(monkeypatch):
    monkeypatch.setattr(torch.cuda, "Event", Event)

    def work():
        Event.now += 1.0

    assert gpu_bench.times_ms(work, CUDA, repeats=3, inner=4) == [1.0] * 3


def test_a_product_that_fills_the_card_is_left_out(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4 * 2**30, 16 * 2**30))
    assert [n for n in gpu_bench.CUDA.sweep if gpu_bench.fits(n, CUDA)] == [1024, 2048, 4096, 8192]
    assert all(gpu_bench.fits(n, CPU) for n in gpu_bench.CUDA.sweep)


def refusal(*arguments):
    with pytest.raises(SystemExit) as left:
        gpu_bench.main([*map(str, arguments)])
    return left.value.code


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_bench, "bench", lambda *_: pytest.fail("measured"))
    (tmp_path / "file").touch()
    for out in (tmp_path, tmp_path / "file" / "cpu.json"):
        assert "cannot be written" in refusal("--cpu", "--tiny", "--out", out)


FAILURES = {"too little free memory": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB"),
            "no code for this card": RuntimeError("CUDA error: no kernel image is available for execution on the device"),
            "nothing was written": KeyboardInterrupt()}


@pytest.mark.parametrize("words", FAILURES)
def test_what_the_reader_can_mend_is_said_in_a_sentence_and_leaves_no_file(words, tmp_path, monkeypatch):
    def fail(*_):
        raise FAILURES[words]

    monkeypatch.setattr(gpu_bench, "bench", fail)
    assert words in refusal("--cpu", "--tiny", "--out", tmp_path / "cpu.json")
    assert not list(tmp_path.iterdir())


def test_any_other_fault_is_ours_and_shows(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(gpu_bench, "bench", fail)
    with pytest.raises(RuntimeError, match="shapes differ"):
        gpu_bench.main(["--cpu", "--tiny", "--out", str(tmp_path / "cpu.json")])


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "cpu.json"
    path.write_text("old")
    with pytest.raises(ValueError):
        gpu_bench.write({"rate": float("nan")}, path)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["cpu.json"]


def test_tiny_numbers_are_never_stored_by_default():
    assert refusal("--tiny") == 2


def test_foreign_and_broken_files_are_no_results(tmp_path):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text(json.dumps({"lab": "another"}))
    assert stored_results(tmp_path) == []


def test_results_are_found_from_a_folder_below_and_a_card_gets_a_file_of_its_own(tmp_path, monkeypatch):
    place = tmp_path / "book" / "results"
    place.mkdir(parents=True)
    (place / "gpu_x.json").write_text(json.dumps({"lab": "gpu_bench", "device": "x"}))
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert [r["device"] for r in stored_results()] == ["x"]
    assert gpu_bench.default_path("NVIDIA X-1") == place / "gpu_nvidia-x-1.json"


def test_the_stored_results_of_the_course_have_their_provenance():
    stored = stored_results(ROOT / "book" / "results")
    assert stored and all(r["device"] and r["date"] and r["torch"] and len(r["seeds"]) == 3 for r in stored)
    for r in stored:
        assert r["device"] == "cpu" or (r["driver"] and r["cuda"] and r["capability"])
        assert "bf16" not in r["products"] or r["products"]["bf16"]["product_share"] >= 0.9


def test_the_lab_needs_torch_alone():
    code = ("import sys\nfor m in ('matplotlib', 'sklearn', 'IPython', 'ipywidgets'): sys.modules[m] = None\n"
            "from autograder.labs import gpu_bench\nimport torch\n"
            "print(gpu_bench.bench(torch.device('cpu'), gpu_bench.TINY, say=lambda *_: None)['data'])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "ten random patterns with noise"


# ---- the page


def lab_cells():
    """The chapter's cells on stored results, to run after its set-up."""
    chapter = read_chapter("11_mixed_precision")
    code = [c.text for c in chapter.cells if c.kind == "code"]
    first = next(i for i, text in enumerate(code) if "stored_results()" in text)
    figures = [text for text in code[first + 1:] if "panels()" in text]
    assert len(figures) == 2
    return [code[0], code[first], *figures]


def page(folder, monkeypatch, capsys, **stored):
    """What the cells print where these results are stored."""
    place = folder / "book" / "results"
    place.mkdir(parents=True)
    for name, result in stored.items():
        (place / f"{name}.json").write_text(json.dumps(result))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MPLBACKEND", "agg")
    namespace = {}
    for cell in lab_cells():
        exec(cell.replace("plt.show()", "plt.close()"), namespace)
    return capsys.readouterr().out


def on_this_cpu(tiny):
    """The tiny run with curves that are long enough to draw."""
    result = json.loads(tiny[0].read_text())
    return result | {"curves": {p: [curve * 5 for curve in curves] for p, curves in result["curves"].items()}}


def on_a_card(result):
    """The tiny run as a card would have stored it."""
    steps = {p: step | {"peak_mib": 2 * step["kept_mib"]} for p, step in result["step"].items()}
    return result | {"device": "Some Card", "cuda": "12.8", "driver": "570.1", "step": steps}


def test_the_page_says_not_measured_yet_while_no_card_is_stored(tiny, tmp_path, monkeypatch, capsys):
    text = page(tmp_path, monkeypatch, capsys, cpu=on_this_cpu(tiny))
    assert "GPU table: not measured yet" in text and "cpu (torch" in text and "tf32: skipped, needs" in text


def test_the_page_names_the_card_that_was_measured(tiny, tmp_path, monkeypatch, capsys):
    cpu = on_this_cpu(tiny)
    text = page(tmp_path, monkeypatch, capsys, gpu_some_card=on_a_card(cpu), cpu=cpu)
    assert "not measured yet" not in text and "driver 570.1" in text
    assert text.index("Some Card (torch") < text.index("cpu (torch") and "peak" in text


def test_without_stored_results_the_page_says_so_and_goes_on(tmp_path, monkeypatch, capsys):
    text = page(tmp_path, monkeypatch, capsys)
    assert "No stored results were found" in text


def test_a_cached_page_goes_stale_with_what_it_draws_and_checks_and_no_other_does(tmp_path, monkeypatch):
    checks = tmp_path / "autograder" / "checks"
    for folder in ("autograder/checks", "autograder/notebook", "autograder/labs", "book/results"):
        (tmp_path / folder).mkdir(parents=True)
    (checks / "ch01_a.py").write_text("")
    (checks / "ch02_b.py").write_text("from .ch01_a import *")
    (checks / "ch03_c.py").write_text("")
    (checks / "probe.py").write_text("")
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    codes = {"01_a": "check()", "02_b": "check()", "03_c": "from autograder.labs import stored_results"}

    def stale_after(path, text):
        before = {stem: execute.environment(stem, code) for stem, code in codes.items()}
        path.write_text(text)
        return [stem for stem, code in codes.items() if execute.environment(stem, code) != before[stem]]

    assert stale_after(tmp_path / "book" / "results" / "gpu_x.json", "{}") == ["03_c"]
    assert stale_after(checks / "ch01_a.py", "x = 1") == ["01_a", "02_b"]
    assert stale_after(checks / "ch03_c.py", "x = 1") == ["03_c"]
    assert stale_after(checks / "probe.py", "x = 1") == ["01_a", "02_b", "03_c"]
