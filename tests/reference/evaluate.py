"""Golden of nx-eval: losses and accuracies of HF's own Trainer.evaluate on the tiny models.

Ran under Python 3.11, torch 2.15.0, transformers 5.24.0, accelerate 1.15.0.
usage: evaluate.py GOLDEN_DIR
Writes evaluate.jsonl, the records, and evaluate.txt. The accuracy is that of the
argmax of logits[:, :-1] against labels[:, 1:] where these are not -100, through
the Trainer's compute_metrics. Some records are padded by themselves, on the right
or (their first token then is not in the loss) on the left.
"""
import json
import sys
import tempfile

import numpy as np
import torch
from transformers import Trainer, TrainingArguments

from tinyweights import tiny_model, tiny_name, tiny_u

OUT = sys.argv[1]
LENGTHS = [9, 1, 17, 4, 12, 0, 23, 6, 2, 14, 3, 40, 8, 31, 5, 19, 7, 11, 64]
SILENT = 3
RIGHT, LEFT = {4: 3, 12: 1, 16: 8}, {6: 2, 13: 5}  # record: tokens of padding


def records():
    flat = ((tiny_u(tiny_name("eval"), np.arange(sum(LENGTHS))) + 1) / 2 * 97).astype(np.int64)
    rows, at = [], 0
    for s, n in enumerate(LENGTHS):
        ids = flat[at:at + n].tolist()
        at += n
        masked = lambda i: s == SILENT or (i + s) % 5 == 3 or (i == 0 and s in LEFT)
        labels = [-100 if masked(i) else t for i, t in enumerate(ids)]
        left, right = LEFT.get(s, 0), RIGHT.get(s, 0)
        rows.append({"input_ids": [0] * left + ids + [0] * right,
                     "attention_mask": [0] * left + [1] * n + [0] * right,
                     "labels": [-100] * left + labels + [-100] * right})
    return rows


def follow(models, rows):
    """Labels that one of the models itself would give at some places, so that no accuracy is 0."""
    for s, r in enumerate(rows):
        if not r["input_ids"]:
            continue
        with torch.no_grad():
            best = models[s % 3](torch.tensor([r["input_ids"]]), attention_mask=torch.tensor([r["attention_mask"]])).logits[0].argmax(-1)
        for i in range(1, len(r["labels"])):
            if r["labels"][i] != -100 and (i + s) % 3 == 0:
                r["labels"][i] = int(best[i - 1])


def collate(rows):
    width = max(1, max(len(r["input_ids"]) for r in rows))
    pad = lambda r, k, fill: r[k] + [fill] * (width - len(r[k]))
    fills = {"input_ids": 0, "attention_mask": 0, "labels": -100}
    return {k: torch.tensor([pad(r, k, f) for r in rows], dtype=torch.long) for k, f in fills.items()}


def accuracy(p):
    labels, preds = p.label_ids[:, 1:], p.predictions[:, :-1]
    mask = labels != -100
    return {"accuracy": float((preds == labels)[mask].mean()), "tokens": int(mask.sum())}


def evaluate(model, rows, batch):
    with tempfile.TemporaryDirectory() as tmp:
        args = TrainingArguments(output_dir=tmp, use_cpu=True, report_to=[], disable_tqdm=True,
                                 per_device_eval_batch_size=batch, dataloader_pin_memory=False, remove_unused_columns=False)
        t = Trainer(model=model, args=args, eval_dataset=rows, data_collator=collate, compute_metrics=accuracy,
                    preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(-1))
        return t.evaluate()


def alone(model, row):
    """Loss, tokens and hits of one record in a batch of its own."""
    b = collate([row])
    with torch.no_grad():
        logits = model(input_ids=b["input_ids"], attention_mask=b["attention_mask"]).logits[0, :-1].double()
    labels = b["labels"][0, 1:]
    keep = labels != -100
    if not keep.any():
        return None
    nll = torch.nn.functional.cross_entropy(logits[keep], labels[keep])
    return nll.item(), int(keep.sum()), int((logits.argmax(-1) == labels)[keep].sum())


rows = records()
follow([tiny_model(w) for w in "ABC"], rows)
with open(f"{OUT}/evaluate.jsonl", "w") as f:
    for i, r in enumerate(rows):
        f.write(json.dumps({"name": f"record {i}", **r}) + "\n")
with open(f"{OUT}/evaluate.txt", "w") as f:
    f.write("# total: model batch eval_loss token_loss eval_accuracy tokens records; each: model record loss tokens accuracy\n")
    for which in "ABC":
        model = tiny_model(which)
        each = [alone(model, r) for r in rows]
        scored = [e for e in each if e]
        tokens = sum(e[1] for e in scored)
        mean = sum(e[0] * e[1] for e in scored) / tokens
        for batch in (1000, 8, 5, 3):
            m = evaluate(model, rows, batch)
            assert m["eval_loss"] == m["eval_loss"] and m["eval_tokens"] == tokens
            f.write(f"total {which} {batch} {m['eval_loss']:.9g} {mean:.9g} {m['eval_accuracy']:.9g} {tokens} {len(rows)}\n")
        for i, e in enumerate(each):
            f.write(f"each {which} {i} " + (f"{e[0]:.9g} {e[1]} {e[2] / e[1]:.9g}\n" if e else "null 0 null\n"))
