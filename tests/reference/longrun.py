"""Golden of 10,000 updates: what HF's Trainer logs on a tiny model, for tests/soak.

Ran under Python 3.11, torch 2.15.0, transformers 5.24.0, accelerate 1.15.0.
usage: longrun.py GOLDEN_DIR [STEPS]
Writes longrun.jsonl, the records, and longrun.txt: the options of nx-train, the mean loss of the
500 updates up to each 500th, and the loss of all records at the end. The model is tiny model A.
"""
import json
import sys
import tempfile

import torch
from transformers import Trainer, TrainingArguments

from tinyweights import tiny_model, tiny_name, tiny_u
from trainer import collate

OUT = sys.argv[1]
STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
RECORDS, LONGEST, BRANCHES = 256, 32, 4
ARGS = dict(max_steps=STEPS, per_device_train_batch_size=8, learning_rate=1e-3, weight_decay=0.01, logging_steps=500)


def records():
    """A token is followed by one of four: there is something to learn, and a loss that stays (log 4), so that
    the end is no mere zero."""
    rows = []
    for n in range(RECORDS):
        u = [int(x) for x in (tiny_u(tiny_name(f"longrun {n}"), range(LONGEST + 1)) + 1) * 5e5]
        ids = [u[0] % 97]
        for x in u[1:LONGEST - u[-1] % 16]:
            ids.append((ids[-1] * 5 + x % BRANCHES + 1) % 97)
        rows.append({"input_ids": ids})
    return rows


def with_labels(rows):
    return [dict(r, labels=r["input_ids"]) for r in rows]


def main():
    torch.set_num_threads(1)
    data = records()
    with open(f"{OUT}/longrun.jsonl", "w") as f:
        for r in data:
            f.write(json.dumps(r) + "\n")
    with tempfile.TemporaryDirectory() as tmp:
        t = Trainer(
            model=tiny_model("A").train(), train_dataset=with_labels(data), eval_dataset=with_labels(data), data_collator=collate,
            args=TrainingArguments(output_dir=tmp, use_cpu=True, report_to=[], disable_tqdm=True, seed=42, save_strategy="no",
                                   dataloader_pin_memory=False, remove_unused_columns=False, **ARGS))
        t.train()
        final = t.evaluate()["eval_loss"]
    with open(f"{OUT}/longrun.txt", "w") as f:
        f.write("# run options; log step loss, of the updates since the line before; eval loss, of all records at the end\n")
        f.write("run " + " ".join(f"--{k.replace('_', '-')} {v}" for k, v in ARGS.items()) + "\n")
        for h in t.state.log_history:
            if "loss" in h:
                f.write(f"log {h['step']} {h['loss']:.9g}\n")
        f.write(f"eval {final:.9g}\n")


main()
