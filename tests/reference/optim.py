"""Golden of lib/nx/optim: torch's AdamW, transformers' Adafactor and torch's clipping over a few tensors.

Ran under Python 3.11, torch 2.15.0, transformers 5.24.0, numpy 2.4.6.
usage: optim.py GOLDEN_DIR
Computed in float64, and checked to agree with float32. Weights and gradients come
from a formula (tests/unit/optim.c has the same); writes optim.txt.
"""
import sys

import numpy as np
import torch
from transformers import Adafactor

OUT = sys.argv[1]
SHAPES = {"wide": (700, 150), "bias": (33,), "small": (5, 7), "long": (40000,), "column": (90, 1)}
STEPS = 5


def u(h, n):
    """As tests/unit/tiny.h: an integer hash scaled to [-1, 1)."""
    with np.errstate(over="ignore"):
        x = np.uint32(h) + np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B9)
        x = (x ^ x >> np.uint32(16)) * np.uint32(0x85EBCA6B)
        x = (x ^ x >> np.uint32(13)) * np.uint32(0xC2B2AE35)
        x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float64) / 8388608 - 1


def weight(i, shape):
    return (0.5 * u(100 + i, int(np.prod(shape)))).astype(np.float32).reshape(shape)


def grad(i, step, shape):
    """Of different sizes a tensor; every third row of the matrix "wide" gets none before step 3, as words not seen."""
    g = (10.0 ** -i * u(1000 * step + i, int(np.prod(shape)))).astype(np.float32).reshape(shape)
    if i == 0 and step < 3:
        g[::3] = 0
    return g


def run(kind, decay, clip, dtype):
    params = [torch.nn.Parameter(torch.tensor(weight(i, s), dtype=dtype)) for i, s in enumerate(SHAPES.values())]
    groups = [
        {"params": [p for p, s in zip(params, SHAPES.values()) if len(s) > 1], "weight_decay": decay},
        {"params": [p for p, s in zip(params, SHAPES.values()) if len(s) == 1], "weight_decay": 0.0},
    ]
    if kind == "adamw":
        opt = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.999), eps=1e-8)
    else:
        opt = Adafactor(groups, lr=0.0, scale_parameter=False, relative_step=False)
    for step in range(1, STEPS + 1):
        rate = 0.01 * (step - 1) / STEPS  # the first one moves nothing, as behind a warm-up
        for g in opt.param_groups:
            g["lr"] = rate
        for i, (p, s) in enumerate(zip(params, SHAPES.values())):
            p.grad = torch.tensor(grad(i, step, s), dtype=dtype)
        norm = torch.nn.utils.clip_grad_norm_(params, clip if clip else float("inf")).item()
        opt.step()
        for i, (p, (name, s)) in enumerate(zip(params, SHAPES.items())):
            d = (p.detach().numpy().astype(np.float64) - weight(i, s).astype(np.float64)).ravel()
            yield [kind, decay, clip, step, name, norm, np.abs(d).sum(), d[0], d[len(d) // 2], d[-1]]


with open(f"{OUT}/optim.txt", "w") as f:
    f.write("# optimizer weight_decay max_grad_norm step tensor norm; how far the weights have come: sum of |d|, d[0], d[n/2], d[n-1]\n")
    for kind in ("adamw", "adafactor"):
        for decay, clip in ((0.0, 0.0), (0.1, 1.0)):
            for wide, narrow in zip(run(kind, decay, clip, torch.float64), run(kind, decay, clip, torch.float32)):
                assert abs(wide[6] - narrow[6]) <= 2e-5 * abs(wide[6]), (wide, narrow)
                f.write(" ".join(f"{x:.10g}" if isinstance(x, float) else str(x) for x in wide) + "\n")
