"""Adapters of the tiny models by the peft library, for tests/unit/lora.c.

    python lora.py ../golden          writes lora_A.txt, lora_B.txt, lora_C.txt and peft_B/

Rank 3, alpha 5; A and B of every adapter come from the formula of tests/unit/tiny.h,
by their names in the file. Loss, logits and gradients are as in grads.py. peft_B/ is
what peft saves: adapter_config.json and adapter_model.safetensors.

Ran under Python 3.11, torch 2.15, transformers 5.24, peft 0.21.2, numpy 2.4.
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model

from grads import put
from tinyweights import tiny_batch, tiny_model, tiny_name, tiny_u

TARGETS = {
    "A": ["query_key_value"],
    "B": ["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"],
    "C": ["dense", "dense_4h_to_h"],
}


def adapted(which, double):
    config = LoraConfig(r=3, lora_alpha=5, lora_dropout=0.0, target_modules=TARGETS[which], task_type="CAUSAL_LM")
    base = tiny_model(which)
    model = get_peft_model(base.double() if double else base, config, autocast_adapter_dtype=False)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.requires_grad:
                u = 0.25 * tiny_u(tiny_name(name.replace(".default", "")), np.arange(p.numel()))
                p.copy_(torch.from_numpy(u.astype(np.float32).reshape(tuple(p.shape))))
    return model.eval()


def main():
    for which in "ABC":
        model = adapted(which, True)
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
        with open(f"{sys.argv[1]}/lora_{which}.txt", "w") as out:
            out.write(f"loss {count} {nll.item()!r}\n")
            put(out, "logits", torch.cat(logits))
            for name, p in model.named_parameters():
                if p.requires_grad:
                    put(out, name.replace(".default", ""), p.grad)
    adapted("B", False).save_pretrained(f"{sys.argv[1]}/peft_B")
    os.remove(f"{sys.argv[1]}/peft_B/README.md")


if __name__ == "__main__":
    main()
