"""The loss curve of HF's Trainer, for examples/curve to lay nx-train's on.

Ran under Python 3.11, torch 2.15.0, transformers 5.24.0, accelerate 1.15.0.
usage: losscurve.py MODEL_DIR TRAIN.jsonl TEST.jsonl LOG.jsonl
       [--epochs 3] [--batch 8] [--rate 1e-3] [--warmup 24]
MODEL_DIR is one of nx-init, the records are bpe-encode's. Writes what the Trainer logs, a
line an update and one an evaluation at the end of each epoch, with the key step.
AdamW, linear schedule, clipping at 1, seed 42: as nx-train by default.
Threads: OMP_NUM_THREADS.
"""
import argparse
import json
import tempfile

import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

p = argparse.ArgumentParser()
for name in ("model", "train", "test", "log"):
    p.add_argument(name)
p.add_argument("--epochs", type=float, default=3)
p.add_argument("--batch", type=int, default=8)
p.add_argument("--rate", type=float, default=1e-3)
p.add_argument("--warmup", type=int, default=24)
a = p.parse_args()


def read(path):
    return [json.loads(line) for line in open(path)]


def collate(rows):
    width = max(1, max(len(r["input_ids"]) for r in rows))
    pad = lambda v, fill: v + [fill] * (width - len(v))
    return {"input_ids": torch.tensor([pad(r["input_ids"], 0) for r in rows]),
            "attention_mask": torch.tensor([pad(r["attention_mask"], 0) for r in rows]),
            "labels": torch.tensor([pad(r["labels"], -100) for r in rows])}


with tempfile.TemporaryDirectory() as out:
    args = TrainingArguments(
        output_dir=out, use_cpu=True, report_to=[], disable_tqdm=True, save_strategy="no", logging_steps=1,
        eval_strategy="epoch", optim="adamw_torch", learning_rate=a.rate, weight_decay=0.0, max_grad_norm=1.0,
        lr_scheduler_type="linear", warmup_steps=a.warmup, num_train_epochs=a.epochs,
        per_device_train_batch_size=a.batch, per_device_eval_batch_size=8, gradient_accumulation_steps=1, seed=42,
        dataloader_pin_memory=False, remove_unused_columns=False)
    trainer = Trainer(model=AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32), args=args,
                      train_dataset=read(a.train), eval_dataset=read(a.test), data_collator=collate)
    trainer.train()
    with open(a.log, "w") as log:
        for line in trainer.state.log_history:
            keys = [k for k in ("loss", "grad_norm", "learning_rate", "eval_loss", "train_loss", "epoch", "step") if k in line]
            log.write(json.dumps({k: line[k] for k in keys}) + "\n")
