"""nx-train beside HF's Trainer on one model and data set, step by step; not part of the check.

Ran under Python 3.11, torch 2.15.0, transformers 5.24.0, accelerate 1.15.0.
usage: trainrun.py NX_TRAIN MODEL_DIR TOKENS.jsonl [--optim adafactor] [--steps 10] [--accum 4] [--batch 1]
       [--rate 1e-5] [--sched linear] [--decay 0] [--clip 1] [--reduction token] [--bf16] [--eval TOKENS.jsonl] [--logits N]
MODEL_DIR must hold a model nx-train and transformers both load (nx-init makes one),
TOKENS.jsonl records as bpe-encode writes them. Threads: OMP_NUM_THREADS, 2 if unset.
Prints a line a step: both losses, both norms, their relative differences; seconds a
step and the largest resident memory of both; with --logits, how far the logits that
transformers gets from nx-train's model are from those of the Trainer's own.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "2")
p = argparse.ArgumentParser()
p.add_argument("nx_train")
p.add_argument("model")
p.add_argument("tokens")
p.add_argument("--optim", default="adafactor")
p.add_argument("--steps", type=int, default=10)
p.add_argument("--accum", type=int, default=4)
p.add_argument("--batch", type=int, default=1)
p.add_argument("--rate", type=float, default=1e-5)
p.add_argument("--sched", default="linear")
p.add_argument("--decay", type=float, default=0.0)
p.add_argument("--clip", type=float, default=1.0)
p.add_argument("--eval")
p.add_argument("--bf16", action="store_true", help="mixed precision on both sides")
p.add_argument("--logits", type=int, default=0)
a = p.parse_args()
threads = int(os.environ["OMP_NUM_THREADS"])


def read(path):
    return [json.loads(line) for line in open(path)]


def ours(out):
    cmd = [a.nx_train, "-q", "-m", a.model, "-o", f"{out}/nx", "--log", f"{out}/log", "--optim", a.optim, "--max-steps", a.steps,
           "--grad-accum", a.accum, "--batch-size", a.batch, "--learning-rate", a.rate, "--lr-scheduler-type", a.sched,
           "--weight-decay", a.decay, "--max-grad-norm", a.clip, "--warmup-steps", 1, "--threads", threads, a.tokens]
    if a.bf16:
        cmd += ["--bf16"]
    if a.eval:
        cmd += ["--eval", a.eval]
    env = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    subprocess.run([str(c) for c in cmd], check=True, stdout=subprocess.DEVNULL, env=env)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    log = read(f"{out}/log")
    steps = [h for h in log if "loss" in h]
    evals = [h["eval_loss"] for h in log if "eval_loss" in h]
    return steps, steps[-1]["iter_time"], memory, evals


# Before torch is there: a child counts what it was forked from as its own memory.
directory = tempfile.TemporaryDirectory()
out = directory.name
mine, mine_time, mine_memory, mine_eval = ours(out)

import torch
from transformers import AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments

torch.set_num_threads(threads)


def collate(rows):
    width = max(1, max(len(r["input_ids"]) for r in rows))
    pad = lambda v, fill: v + [fill] * (width - len(v))
    return {"input_ids": torch.tensor([pad(r["input_ids"], 0) for r in rows], dtype=torch.long),
            "attention_mask": torch.tensor([pad([1] * len(r["input_ids"]), 0) for r in rows], dtype=torch.long),
            "labels": torch.tensor([pad(r.get("labels", r["input_ids"]), -100) for r in rows], dtype=torch.long)}


class Clock(TrainerCallback):
    """Seconds from the end of the first step to the end of the last."""

    def on_step_end(self, args, state, control, **kw):
        self.last = time.perf_counter()
        if state.global_step == 1:
            self.first = self.last


def theirs(out, model):
    args = TrainingArguments(
        output_dir=f"{out}/hf", use_cpu=True, report_to=[], disable_tqdm=True, save_strategy="no", logging_steps=1,
        optim="adamw_torch" if a.optim == "adamw" else a.optim, learning_rate=a.rate, weight_decay=a.decay,
        max_grad_norm=a.clip, lr_scheduler_type=a.sched, warmup_steps=1, max_steps=a.steps,
        per_device_train_batch_size=a.batch, per_device_eval_batch_size=8, gradient_accumulation_steps=a.accum, seed=42, bf16=a.bf16,
        dataloader_pin_memory=False, remove_unused_columns=False)
    clock = Clock()
    t = Trainer(model=model, args=args, train_dataset=read(a.tokens), eval_dataset=read(a.eval) if a.eval else None,
                data_collator=collate, callbacks=[clock])
    t.train()
    evals = [t.evaluate()["eval_loss"]] if a.eval else []
    steps = [h for h in t.state.log_history if "loss" in h]
    return steps, (clock.last - clock.first) / (a.steps - 1), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, evals


with directory:
    model = AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32)
    hf, hf_time, hf_memory, hf_eval = theirs(out, model)
    worst_loss = worst_norm = 0.0
    for m, h in zip(mine, hf):
        loss, norm = (abs(m[k] - h[k]) / abs(h[k]) for k in ("loss", "grad_norm"))
        worst_loss, worst_norm = max(worst_loss, loss), max(worst_norm, norm)
        print(f"step {m['step']}: loss {m['loss']:.7f} hf {h['loss']:.7f} ({loss:.1e})  "
              f"norm {m['grad_norm']:.6f} hf {h['grad_norm']:.6f} ({norm:.1e})  rate {m['learning_rate']:.4g} hf {h['learning_rate']:.4g}")
    print(f"worst: loss {worst_loss:.2e}, norm {worst_norm:.2e}")
    for m, h in zip(mine_eval, hf_eval):
        print(f"eval_loss {m:.7f} hf {h:.7f} ({abs(m - h) / h:.1e})")
    tokens = sum(m["tokens"] for m in mine[1:])
    print(f"seconds a step {mine_time:.3f} hf {hf_time:.3f} (ratio {hf_time / mine_time:.2f}); "
          f"tokens/s {tokens / mine_time / (a.steps - 1):.0f} hf {tokens / hf_time / (a.steps - 1):.0f}; {threads} threads")
    print(f"largest resident memory {mine_memory / 1e6:.3f} GB hf {hf_memory / 1e6:.3f} GB")
    if a.logits:
        model.eval()
        loaded = AutoModelForCausalLM.from_pretrained(f"{out}/nx").eval()
        rows = [r["input_ids"] for r in read(a.tokens) if r["input_ids"]][:a.logits]
        with torch.no_grad():
            pairs = [(loaded(torch.tensor([r])).logits, model(torch.tensor([r])).logits) for r in rows]
        print(f"logits of {len(rows)} records, {loaded.dtype}: largest difference "
              f"{max((x - y).abs().max().item() for x, y in pairs):.2e}, of values up to "
              f"{max(y.abs().max().item() for _, y in pairs):.3g}")
