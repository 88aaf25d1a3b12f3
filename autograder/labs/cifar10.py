"""CIFAR-10 under a budget of time: `python -m autograder.labs.cifar10 --seconds 60 --download`.

Trains a residual network on a CUDA device for so many seconds, then reads accuracy and calibration error on
the test images. Nothing is downloaded without `--download`; where the data cannot be had it runs on digits and
says so. Without a CUDA device it says what it needs and stops.
"""

import argparse
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from autograder.labs.gpu_bench import digits, layout, residual_network

NEEDS = ("Skipped: this lab needs a CUDA device, and PyTorch sees none. On Colab: Runtime, Change runtime type, a GPU. "
         "It also needs torchvision, and 170 MB for CIFAR-10 with --download.")
MEAN, SPREAD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of CIFAR-10's training images, by channel
BATCH, WIDTH, BLOCKS, BINS = 512, 64, 1, 15
TOP_RATE, WARM_UP, MOMENTUM, DECAY = 0.4, 0.2, 0.9, 5e-4


class NoData(Exception):
    """CIFAR-10 cannot be had; the text says why and what to do."""


def cifar10(folder, download):
    """(train images, train labels, test images, test labels): uint8 (N, 3, 32, 32) and int64. Raises NoData."""
    try:
        from torchvision.datasets import CIFAR10
    except ImportError:
        raise NoData("torchvision is not installed (pip install torchvision)") from None
    try:
        parts = [CIFAR10(folder, train=train, download=download) for train in (True, False)]
    except (OSError, RuntimeError) as error:  # URLError is an OSError; torchvision raises RuntimeError for absent or damaged files
        advice = "is there a network?" if download else "add --download to fetch 170 MB"
        raise NoData(f"{' '.join(str(error).split())[:200]} ({advice})") from None
    tensors = [(torch.from_numpy(part.data).permute(0, 3, 1, 2), torch.tensor(part.targets)) for part in parts]
    return tensors[0] + tensors[1]


def split_digits(image=32):
    """Digits in CIFAR-10's form, standardised: a quarter for the test."""
    images, labels, _ = digits(image)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    rest = len(labels) // 4
    return images[order[rest:]], labels[order[rest:]], images[order[:rest]], labels[order[:rest]]


def standardised(images):
    """uint8 pixels to numbers of mean 0 and standard deviation 1 by channel; numbers stay."""
    if images.is_floating_point():
        return images
    mean, spread = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (MEAN, SPREAD))
    return (images.float() / 255 - mean) / spread


def load(folder, download, say=print):
    """(name of the data, four tensors)."""
    try:
        return "CIFAR-10", cifar10(folder, download)
    except NoData as why:
        say(f"No CIFAR-10: {why}. Digits instead.")
        return "digits", split_digits()


def varied(images, flip, generator, pad=4):
    """Each image cut out anew from a padded one, and mirrored at random where `flip`: photographs may be, digits may not."""
    count, _, side, _ = images.shape
    place = lambda: torch.randint(2 * pad + 1, (count, 1), generator=generator, device=images.device) + torch.arange(side, device=images.device)
    rows, columns = place(), place()
    if flip:
        mirrored = torch.rand(count, 1, generator=generator, device=images.device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    each = torch.arange(count, device=images.device)[:, None, None]
    return F.pad(images, 4 * (pad,)).permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def rate_at(share):
    """The learning rate when `share` of the time is spent: up to the top, and down to 0 at the end."""
    return TOP_RATE * (share / WARM_UP if share < WARM_UP else max(0.0, (1 - share) / (1 - WARM_UP)))


def precision_of(device):
    """(dtype of autocast or None, whether gradients are scaled), by what the card computes itself."""
    if device.type != "cuda":
        return None, False
    major = torch.cuda.get_device_capability(device)[0]
    return (torch.bfloat16, False) if major >= 8 else (torch.float16, True) if major == 7 else (None, False)


class Race:
    """A network, its optimizer and a clock that runs in training alone."""

    def __init__(self, device, seed, width=WIDTH, blocks=BLOCKS):
        torch.manual_seed(seed)
        self.device, self.spent = device, 0.0
        self.generator = torch.Generator(device).manual_seed(seed)
        self.net = residual_network(width, blocks).to(device, memory_format=layout(device))
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.0, momentum=MOMENTUM, weight_decay=DECAY, nesterov=True)
        self.dtype, scaled = precision_of(device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=scaled)

    def logits(self, images):
        images = images.contiguous(memory_format=layout(self.device))
        with torch.autocast(self.device.type, dtype=self.dtype or torch.bfloat16, enabled=self.dtype is not None):
            return self.net(images).float()

    def step(self, images, labels, rate):
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(F.cross_entropy(self.logits(images), labels)).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def run(self, images, labels, seconds, flip, batch=BATCH):
        """Steps until the time is spent; returns how many. A warm-up step at rate 0 is free."""
        self.net.train()
        batch = min(batch, len(labels))
        self.step(standardised(images[:batch]), labels[:batch], 0.0)
        steps = 0
        while self.spent < seconds:
            began = self._now()
            rows = torch.randint(len(labels), (batch,), generator=self.generator, device=self.device)
            self.step(varied(standardised(images[rows]), flip, self.generator), labels[rows], rate_at(self.spent / seconds))
            self.spent += self._now() - began
            steps += 1
        return steps

    def _now(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def probabilities(self, images, batch=1000):
        self.net.eval()
        with torch.no_grad():
            return torch.cat([self.logits(standardised(part)).softmax(1).cpu().double() for part in images.split(batch)])


def accuracy_and_error(probabilities, labels):
    """(share read right, expected calibration error with 15 bins)."""
    top, guess = probabilities.max(dim=1)
    hit = guess.eq(labels).double()
    gap = torch.bincount((top * BINS).ceil().long(), weights=top - hit, minlength=BINS + 1)
    return float(hit.mean()), float(gap.abs().sum()) / len(labels)


def race(data, tensors, seconds, device, seed, say=print, **size):
    """Train and report; returns (accuracy, calibration error, steps)."""
    images, labels, test_images, test_labels = (t.to(device) for t in tensors)
    contest = Race(device, seed, **size)
    steps = contest.run(images, labels, seconds, flip=data == "CIFAR-10")
    accuracy, error = accuracy_and_error(contest.probabilities(test_images), test_labels.cpu())
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    precision = str(contest.dtype).removeprefix("torch.") if contest.dtype else "float32"
    say(f"{data}, {name}, {precision}, seed {seed}: {steps} steps in {contest.spent:.1f} s; "
        f"{len(test_labels)} test images: accuracy {100 * accuracy:.2f} %, calibration error {100 * error:.2f} %")
    return accuracy, error, steps


def parser():
    options = argparse.ArgumentParser(prog="python -m autograder.labs.cifar10", description=__doc__.split("\n")[0])
    options.add_argument("--seconds", type=float, default=60.0, help="time for training (default: 60)")
    options.add_argument("--seeds", type=int, default=1, help="how many runs, one a seed (default: 1)")
    options.add_argument("--data", type=Path, default=Path("data"), help="folder of the data set (default: ./data)")
    options.add_argument("--download", action="store_true", help="fetch CIFAR-10, 170 MB, where it is not there")
    return options


def main(argv=None):
    options = parser().parse_args(argv)
    if not 0 < options.seconds < float("inf") or options.seeds < 1:
        print("--seconds must be a positive number and --seeds at least 1.", file=sys.stderr)
        return 2
    if not torch.cuda.is_available():
        print(NEEDS)
        return 0
    data, tensors = load(options.data, options.download)
    try:
        for seed in range(options.seeds):
            race(data, tensors, options.seconds, torch.device("cuda"), seed)
    except torch.cuda.OutOfMemoryError:
        print("The card's memory is full: close other programs that use it, or lower BATCH in autograder/labs/cifar10.py.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
