"""Goldens of lib/base/mt, lib/nx/sampler and lib/nx/sched: what torch, accelerate and transformers do.

Ran under Python 3.11, torch 2.15.0, transformers 5.24.0, accelerate 1.15.0.
usage: sampler.py GOLDEN_DIR
Writes mt.txt (draws), sampler.txt (orders, as hashes) and sched.txt (factors).
"""
import sys

import torch
from accelerate.data_loader import SeedableRandomSampler
from torch.utils.data import RandomSampler
from transformers import get_scheduler

OUT = sys.argv[1]
M64 = 2**64 - 1


def hash_words(words, h=0x6E78746F6F6C7331):
    """lib/base/hash.h"""
    for w in words:
        h = ((h ^ int(w)) * 0x9E3779B97F4A7C15) & M64
        h ^= h >> 32
    return h


SEEDS = [0, 1, 42, 123, 2**31, 2**32 - 1, 2**32 + 42, 2**63 + 7]
with open(f"{OUT}/mt.txt", "w") as f:
    f.write("# seed n: 63-bit draws 0, 1, 700 (torch's random_()); hash, first and last of randperm(n) after a new seed\n")
    for seed in SEEDS:
        g = torch.Generator()
        signed = seed - 2**64 if seed >= 2**63 else seed
        g.manual_seed(signed)
        draws = [torch.empty((), dtype=torch.int64).random_(generator=g).item() for _ in range(701)]
        for n in (1, 2, 3, 10, 1260, 100001):
            g.manual_seed(signed)
            p = torch.randperm(n, generator=g).tolist()
            f.write(f"{seed} {n} {draws[0]} {draws[1]} {draws[700]} {hash_words(p):016x} {p[0]} {p[-1]}\n")


def hf_425(n, seed):
    """Trainer._get_train_sampler of transformers 4.25 behind set_seed(seed): its generator goes through all epochs."""
    torch.manual_seed(seed)
    g = torch.Generator()
    g.manual_seed(int(torch.empty((), dtype=torch.int64).random_().item()))
    return RandomSampler(range(n), generator=g)


def hf(n, seed):
    """What the Trainer of today reaches through accelerate: a sampler that is told the epoch."""
    torch.manual_seed(seed)
    return SeedableRandomSampler(range(n))


with open(f"{OUT}/sampler.txt", "w") as f:
    f.write("# sampler n seed epoch hash: orders\n")
    for name, make in (("hf", hf), ("hf-4.25", hf_425)):
        for n in (1, 2, 7, 1260, 5000):
            for seed in (0, 42, 2**32 - 1):
                s = make(n, seed)
                for epoch in range(4):
                    if name == "hf":
                        s.set_epoch(epoch)
                    f.write(f"{name} {n} {seed} {epoch} {hash_words(list(s)):016x}\n")

with open(f"{OUT}/sched.txt", "w") as f:
    f.write("# schedule warmup total update factor: the rate each update used, as a part of the learning rate\n")
    for name in ("linear", "cosine", "constant", "constant_with_warmup", "cosine_with_min_lr", "inverse_sqrt"):
        for warmup, total in ((0, 1), (0, 10), (1, 3), (3, 10), (10, 10), (12, 10), (100, 1000)):
            w = torch.nn.Parameter(torch.zeros(1))
            opt = torch.optim.SGD([w], lr=1.0)
            sched = get_scheduler(name, opt, num_warmup_steps=warmup, num_training_steps=total,
                                  scheduler_specific_kwargs={"min_lr_rate": 0.1} if name == "cosine_with_min_lr" else None)
            for k in range(total + 2):
                if total < 100 or k % 83 == 0:
                    f.write(f"{name} {warmup} {total} {k} {sched.get_last_lr()[0]!r}\n")
                opt.step()
                sched.step()
