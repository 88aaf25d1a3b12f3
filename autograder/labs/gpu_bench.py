"""Mixed precision measured on the device at hand: `python -m autograder.labs.gpu_bench`.

Matrix products against the device's own ceiling, a residual network's training step, and its loss on
digits over three seeds, in each precision that the device has. One JSON file in `book/results/`.
Runs wherever torch runs; without a CUDA device it runs a small version and says what it skips.
"""

import argparse
import contextlib
import datetime
import errno
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from autograder.labs import PLACE, results_folder

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SEEDS = (0, 1, 2)
CLASSES = 10
FINE_CLOCK = time.get_clock_info("process_time").resolution < 1e-5  # Windows counts a process's time in steps of 16 ms


@dataclass(frozen=True)
class Sizes:
    """How much is measured. A matrix product multiplies two (n, n) matrices."""

    sweep: tuple  # n
    product: int  # n of the lab's own product
    seconds: float  # time for one rate
    width: int
    blocks: int  # per stage, three stages
    batch: int
    image: int  # pixels a side
    warmup: int
    steps: int  # timed training steps
    curve_steps: int


CUDA = Sizes((1024, 2048, 4096, 8192, 12288, 16384), 8192, 1.0, 64, 3, 256, 32, 10, 50, 300)
CPU = Sizes((128, 256, 512, 1024), 512, 0.3, 16, 1, 32, 16, 2, 10, 60)
TINY = Sizes((32, 64), 64, 0.01, 4, 1, 8, 8, 1, 2, 3)


def plan(device, capability):
    """(precisions to measure, {precision: why it is skipped})."""
    if device.type != "cuda":
        return ["fp32", "bf16"], {"tf32": "needs a CUDA device of capability 8.0",
                                  "fp16": "CPUs multiply fp16 by slow emulation; needs a CUDA device"}
    if capability >= (8, 0):
        return ["fp32", "tf32", "bf16", "fp16"], {}
    old = f"capability {capability[0]}.{capability[1]}, needs 8.0"
    return ["fp32", "fp16"], {"tf32": old, "bf16": old + " (PyTorch would emulate it)"}


@contextlib.contextmanager
def tf32(on):
    """TF32 for products and convolutions, put back afterwards; new and old spelling of PyTorch."""
    owners = (torch.backends.cuda.matmul, torch.backends.cudnn.conv if _new_switch() else torch.backends.cudnn)
    name, value = ("fp32_precision", "tf32" if on else "ieee") if _new_switch() else ("allow_tf32", on)
    before = [getattr(owner, name) for owner in owners]
    for owner in owners:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, old in zip(owners, before):
            setattr(owner, name, old)


def _new_switch():
    return hasattr(torch.backends.cuda.matmul, "fp32_precision") and hasattr(torch.backends.cudnn, "conv")


def times_ms(work, device, repeats, inner=1):
    """Milliseconds of one call of `work`, `repeats` times, each the mean of `inner` calls between two events."""
    return [_span_ms(work, device, inner) / inner for _ in range(repeats)]


def _span_ms(work, device, inner):
    if device.type != "cuda":
        began = _cpu_seconds()
        for _ in range(inner):
            work()
        return 1e3 * (_cpu_seconds() - began)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(inner):
        work()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


def _cpu_seconds():
    """Not the wall's clock where it can be helped: other processes share the cores."""
    return time.process_time() / torch.get_num_threads() if FINE_CLOCK else time.perf_counter()


# ---- matrix products

def product_tflops(n, dtype, device, seconds):
    """Median rate of an (n, n) product of normal random matrices, in 10¹² operations a second."""
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    work = lambda: torch.mm(a, b, out=out)
    once = statistics.median(times_ms(work, device, 3))  # warm-up, and how long one call takes
    inner = max(1, min(50, math.ceil(2 / max(once, 1e-3))))  # at least 2 ms between events
    repeats = max(5, min(100, round(1e3 * seconds / (inner * max(once, 1e-3)))))
    return 2 * n**3 / statistics.median(times_ms(work, device, repeats, inner)) / 1e9


def fits(n, device):
    """Whether a product of two (n, n) matrices leaves half of the card's free memory: four of them in fp32 at most."""
    return device.type != "cuda" or 4 * 4 * n**2 <= torch.cuda.mem_get_info(device)[0] / 2


def measure_products(precision, device, sizes):
    """Rates over the sweep, the lab's own product measured afresh, and the ceiling: the largest rate of all."""
    with tf32(precision == "tf32"):
        rate = lambda n: product_tflops(n, DTYPES[precision], device, sizes.seconds)
        sweep = {str(n): rate(n) for n in sizes.sweep if fits(n, device)}
        own = rate(sizes.product)
    ceiling = max(*sweep.values(), own)
    return {"sweep_tflops": sweep, "ceiling_tflops": ceiling, "product_n": sizes.product,
            "product_tflops": own, "product_share": own / ceiling}


# ---- a residual network

class Block(nn.Module):
    """Two convolutions with batch norm before each, and a shortcut."""

    def __init__(self, inner, outer, stride):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(inner), nn.BatchNorm2d(outer)
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(inner, outer, 1, stride, bias=False) if stride > 1 or inner != outer else nn.Identity()

    def forward(self, images):
        hidden = F.relu(self.norm1(images))
        return self.shortcut(images) + self.conv2(F.relu(self.norm2(self.conv1(hidden))))


def residual_network(width, blocks):
    layers, inner = [nn.Conv2d(3, width, 3, 1, 1, bias=False)], width
    for stage, outer in enumerate((width, 2 * width, 4 * width)):
        for number in range(blocks):
            layers.append(Block(inner, outer, 2 if stage and not number else 1))
            inner = outer
    return nn.Sequential(*layers, nn.BatchNorm2d(inner), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(inner, CLASSES))


def layout(device):
    """Channels last is how matrix units read images; the same for every precision."""
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


class Run:
    """A network with its optimizer in one precision; a call is one training step."""

    def __init__(self, precision, device, sizes, seed):
        torch.manual_seed(seed)
        self.net = residual_network(sizes.width, sizes.blocks).to(device, memory_format=layout(device))
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9)
        self.low = precision in ("bf16", "fp16")
        self.dtype = DTYPES[precision] if self.low else torch.bfloat16  # unused where autocast is off
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def objective(self, images, labels):
        images = images.contiguous(memory_format=layout(images.device))
        with torch.autocast(images.device.type, dtype=self.dtype, enabled=self.low):
            return F.cross_entropy(self.net(images), labels)

    def __call__(self, images, labels):
        self.optimizer.zero_grad(set_to_none=True)
        objective = self.objective(images, labels)
        self.scaler.scale(objective).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return objective.detach()


def kept_bytes(run, images, labels):
    """Bytes that the graph keeps for the backward pass, each storage once, parameters left out."""
    parameters = {p.untyped_storage().data_ptr() for p in run.net.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        objective = run.objective(images, labels)
    del objective
    return sum(kept.values())


def measure_step(precision, device, sizes):
    """Time and memory of one training step on normal random images."""
    with tf32(precision == "tf32"):
        run = Run(precision, device, sizes, seed=0)
        images = torch.randn(sizes.batch, 3, sizes.image, sizes.image, device=device)
        labels = torch.randint(CLASSES, (sizes.batch,), device=device)
        work = lambda: run(images, labels)
        times_ms(work, device, sizes.warmup)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        spans = sorted(times_ms(work, device, sizes.steps))
        peak = torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None
        kept = kept_bytes(run, images, labels) / 2**20
    quarter = len(spans) // 4
    return {"median_ms": statistics.median(spans), "quartiles_ms": [spans[quarter], spans[-1 - quarter]],
            "peak_mib": peak, "kept_mib": kept, "parameters": sum(p.numel() for p in run.net.parameters())}


# ---- loss curves

def digits(image):
    """Scikit-learn's digits blown up to (1797, 3, image, image), and labels; stripes where it is not installed."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        generator = torch.Generator().manual_seed(0)
        labels = torch.randint(CLASSES, (1797,), generator=generator)
        small = torch.rand(CLASSES, 8, 8, generator=generator)[labels] + torch.rand(1797, 8, 8, generator=generator)
        name = "ten random patterns with noise"
    else:
        bunch = load_digits()
        small, labels, name = torch.tensor(bunch.images, dtype=torch.float32) / 16, torch.tensor(bunch.target), "digits"
    large = F.interpolate(small[:, None], size=(image, image), mode="nearest")
    return (large - large.mean()).expand(-1, 3, -1, -1) / large.std(), labels, name


def measure_curve(precision, device, sizes, seed):
    """Training losses, one a step; every precision sees the same start and the same batches."""
    images, labels, _ = digits(sizes.image)
    generator = torch.Generator().manual_seed(1000 + seed)
    losses = []
    with tf32(precision == "tf32"):
        run = Run(precision, device, sizes, seed)
        for _ in range(sizes.curve_steps):
            rows = torch.randint(len(labels), (sizes.batch,), generator=generator)
            losses.append(run(images[rows].to(device), labels[rows].to(device)))
    values = torch.stack(losses).tolist()
    return [round(v, 5) if math.isfinite(v) else None for v in values]


# ---- the record

def facts(device):
    """What the numbers depend on."""
    common = {"torch": torch.__version__, "cuda": torch.version.cuda, "python": platform.python_version(),
              "threads": torch.get_num_threads(), "load": _load(),
              "clock": "CUDA events" if device.type == "cuda" else "CPU time over threads" if FINE_CLOCK else "wall",
              "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    if device.type != "cuda":
        return common | {"device": "cpu", "processor": _processor(), "capability": None, "driver": None, "cudnn": None}
    return common | {"device": torch.cuda.get_device_name(device), "processor": _processor(), "driver": _driver(),
                     "capability": list(torch.cuda.get_device_capability(device)), "cudnn": torch.backends.cudnn.version(),
                     "memory_mib": torch.cuda.get_device_properties(device).total_memory / 2**20}


def _load():
    """Processes that wanted to run in the last minute, before ours: above the number of cores, CPU times are too long."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _driver():
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


def bench(device, sizes, say=print):
    """Everything, as one dictionary."""
    capability = torch.cuda.get_device_capability(device) if device.type == "cuda" else None
    precisions, skipped = plan(device, capability)
    result = {"lab": "gpu_bench", "version": 1} | facts(device)
    result |= {"seeds": list(SEEDS), "sizes": asdict(sizes), "data": digits(8)[2], "skipped": skipped,
               "products": {}, "step": {}, "curves": {}}
    for precision, why in skipped.items():
        say(f"{precision}: skipped, {why}")
    for precision in precisions:
        result["products"][precision] = measure_products(precision, device, sizes)
        result["step"][precision] = measure_step(precision, device, sizes)
        result["curves"][precision] = [measure_curve(precision, device, sizes, seed) for seed in SEEDS]
        say(line(precision, result))
    return result


def line(precision, result):
    """One precision in words."""
    product, step = result["products"][precision], result["step"][precision]
    memory = step["peak_mib"] or step["kept_mib"]
    return (f"{precision}: product {product['product_tflops']:.3g} TFLOP/s ({100 * product['product_share']:.0f} % of its ceiling), "
            f"training step {step['median_ms']:.3g} ms, {'peak' if step['peak_mib'] else 'kept for backward'} {memory:.3g} MiB")


def slug(name):
    """A file name from a device name.

    >>> slug("NVIDIA A100-SXM4-40GB")
    'nvidia-a100-sxm4-40gb'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def default_path(device_name):
    """`cpu.json` or `gpu_<device>.json` in the stored results, or in a new folder below the working directory."""
    name = "cpu.json" if device_name == "cpu" else f"gpu_{slug(device_name)}.json"
    return (results_folder() or Path.cwd() / PLACE) / name


def write(result, path):
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as file:
        try:
            json.dump(result, file, indent=1, allow_nan=False)
            file.write("\n")
        except BaseException:
            os.unlink(file.name)
            raise
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def check_writable(path):
    """Raise OSError now, rather than after minutes of measuring."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "that is a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=path.parent).close()


def device_at_hand(cpu):
    if cpu or not torch.cuda.is_available():
        return torch.device("cpu"), "cpu"
    device = torch.device("cuda", torch.cuda.current_device())
    return device, torch.cuda.get_device_name(device)


def advice(error):
    """What to do about an error of the card, or None where the fault may be ours."""
    if isinstance(error, torch.OutOfMemoryError):
        return "The card has too little free memory. Close what else uses it, other notebooks too, and run this again."
    if "no kernel image" in str(error):
        return "This build of PyTorch has no code for this card. Install one that has, or measure the CPU with --cpu."
    return None


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m autograder.labs.gpu_bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, help="file to write (default: book/results/gpu_DEVICE.json, or cpu.json)")
    parser.add_argument("--cpu", action="store_true", help="measure the CPU though there is a GPU")
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes; needs --out, since its numbers say nothing")
    given = parser.parse_args(arguments)
    if given.tiny and not given.out:
        parser.error("--tiny needs --out FILE")
    device, name = device_at_hand(given.cpu)
    path = given.out or default_path(name)
    print(f"device: {name}" + ("" if device.type == "cuda" else " (no CUDA device is used: a small version runs)"), flush=True)
    try:
        check_writable(path)
        write(bench(device, TINY if given.tiny else CUDA if device.type == "cuda" else CPU), path)
    except KeyboardInterrupt:
        sys.exit("Stopped; nothing was written.")
    except OSError as error:
        sys.exit(f"{path} cannot be written: {error.strerror or error}. Name another file with --out FILE.")
    except RuntimeError as error:
        if not advice(error):
            raise
        sys.exit(advice(error))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
