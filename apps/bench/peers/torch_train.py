"""The training of apps/train by PyTorch: DistributedDataParallel over gloo,
processes of one thread each, float32, SGD with momentum.

usage: torch_train.py mlp|cnn SHAPE SAMPLES EPOCHS BATCH [PROCESSES]

Prints lines "name value unit".
"""

import gzip
import os
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

DIRECTORY = "/usr/share/datasets/fashion-mnist"


def read(stem, most=None):
    """Images as float32 of mean 0, and labels."""
    with gzip.open(f"{DIRECTORY}/{stem}-images-idx3-ubyte.gz") as file:
        pixels = torch.frombuffer(bytearray(file.read()[16:]), dtype=torch.uint8)
    with gzip.open(f"{DIRECTORY}/{stem}-labels-idx1-ubyte.gz") as file:
        labels = torch.frombuffer(bytearray(file.read()[8:]), dtype=torch.uint8)
    pixels = pixels.view(-1, 784)[:most]
    return pixels, labels[: len(pixels)].long()


def network(kind, shape):
    sizes = [int(size) for size in shape.split(",")]
    if kind == "mlp":
        layers, width = [], 784
        for size in sizes:
            layers += [nn.Linear(width, size), nn.ReLU()]
            width = size
        return nn.Sequential(*layers, nn.Linear(width, 10))
    first, second, hidden = sizes
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, first, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(second * 49, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 10),
    )


def numbers(pixels):
    return (pixels.float() - 73) / 90


def run(rank, processes, kind, shape, samples, epochs, batch):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    dist.init_process_group("gloo", rank=rank, world_size=processes)
    pixels, labels = read("train", samples)
    test, test_labels = read("t10k")
    model = nn.parallel.DistributedDataParallel(network(kind, shape))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    loss_of = nn.CrossEntropyLoss()
    share = batch // processes
    began = known = 0
    for epoch in range(epochs + 1):
        if epoch == 1:  # the first one is for warming up
            dist.barrier()
            began = time.monotonic()
        order = torch.randperm(samples)
        for first in range(0, samples, batch):
            mine = order[first : first + batch][rank * share : (rank + 1) * share]
            if len(mine) == 0:
                mine = order[:1]
            optimiser.zero_grad(set_to_none=True)
            loss_of(model(numbers(pixels[mine])), labels[mine]).backward()
            optimiser.step()
        right = torch.zeros(1)
        with torch.no_grad():
            for first in range(rank * 256, len(test), processes * 256):
                answers = model.module(numbers(test[first : first + 256])).argmax(1)
                right += (answers == test_labels[first : first + 256]).sum()
        dist.all_reduce(right)
        known = 100 * right.item() / len(test)
    if rank == 0:
        print(f"speed {samples * epochs / (time.monotonic() - began):.1f} samples/s")
        print(f"known {known:.2f} %")
    dist.destroy_process_group()


def main():
    kind, shape, samples, epochs, batch = sys.argv[1:6]
    processes = int(sys.argv[6]) if len(sys.argv) > 6 else 2
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", str(20000 + os.getpid() % 20000))
    mp.spawn(
        run,
        (processes, kind, shape, int(samples), int(epochs), int(batch)),
        nprocs=processes,
    )


if __name__ == "__main__":
    main()
