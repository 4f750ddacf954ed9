"""Logits, loss and every parameter's gradient of the tiny models, for tests/unit/model.c.

    python grads.py ../golden          writes tiny_A.txt, tiny_B.txt, tiny_C.txt

The model runs in float64 from its float32 weights (rotary angles stay float32),
each sequence by itself; the loss is the sum over all scored rows, gradients are
of that sum divided by their number. Arrays are whole numbers in units of
max|value| / 1e6, the unit standing in front of them.

Ran under Python 3.11, torch 2.15, transformers 5.24, numpy 2.4.
"""
import sys

import torch
import torch.nn.functional as F

from tinyweights import file_name, tiny_batch, tiny_model


def put(out, what, t):
    v = t.detach().double().reshape(-1)
    unit = v.abs().max().item() / 1e6
    out.write(f"{what} {v.numel()} {unit!r}\n")
    if unit > 0:
        out.write(" ".join(str(i) for i in torch.round(v / unit).long().tolist()) + "\n")


def main():
    for which in "ABC":
        model = tiny_model(which).double()
        ids, labels = tiny_batch(which)
        nll, count, logits = 0, 0, []
        for seq, lab in zip(ids, labels):
            out = model(torch.tensor([seq])).logits[0]
            logits.append(out)
            target = torch.tensor(lab[1:], dtype=torch.long)
            if len(lab) > 1:
                nll = nll + F.cross_entropy(out[:-1], target, ignore_index=-100, reduction="sum")
                count += int((target != -100).sum())
        (nll / count).backward()
        with open(f"{sys.argv[1]}/tiny_{which}.txt", "w") as out:
            out.write(f"loss {count} {nll.item()!r}\n")
            put(out, "logits", torch.cat(logits))
            for name, p in model.named_parameters():
                put(out, file_name(name), p.grad)


if __name__ == "__main__":
    main()
