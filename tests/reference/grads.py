"""Logits, loss and every parameter's gradient of the tiny models, for tests/unit/model.c.

    python grads.py ../golden          writes tiny_A.txt, tiny_B.txt, tiny_C.txt, tiny_A_bf16.txt

The model runs in float64 from its float32 weights (rotary angles stay float32),
each sequence by itself; the loss is the sum over all scored rows, gradients are
of that sum divided by their number. Arrays are whole numbers in units of
max|value| / 1e6, the unit standing in front of them.

tiny_A_bf16.txt is what mixed precision means in nxtools: in each linear layer, on the way
there and back, both operands of each product are rounded to bfloat16; all else is exact.

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


def near(t):
    return t.float().bfloat16().to(t.dtype)


class RoundedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return near(x) @ near(w).T

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        flat = near(dy).reshape(-1, dy.shape[-1])
        return near(dy) @ near(w), flat.T @ near(x).reshape(-1, x.shape[-1])


def round_operands(model):
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.forward = lambda x, m=layer: RoundedLinear.apply(x, m.weight) + (0 if m.bias is None else m.bias)


def main():
    for which, rounded in ("A", False), ("B", False), ("C", False), ("A", True):
        model = tiny_model(which).double()
        if rounded:
            round_operands(model)
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
        with open(f"{sys.argv[1]}/tiny_{which}{'_bf16' if rounded else ''}.txt", "w") as out:
            out.write(f"loss {count} {nll.item()!r}\n")
            put(out, "logits", torch.cat(logits))
            for name, p in model.named_parameters():
                put(out, file_name(name), p.grad)


if __name__ == "__main__":
    main()
