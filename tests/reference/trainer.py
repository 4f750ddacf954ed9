"""Golden of lib/nx/trainer: losses, norms and rates of HF's own Trainer on the tiny models.

Ran under Python 3.11, torch 2.15.0, transformers 5.24.0, accelerate 1.15.0.
usage: trainer.py GOLDEN_DIR
Writes trainer.txt. Where transformers of today does not do it any more (loss
by sequence, batches left over joining the next epoch: transformers 4.25) a plain
loop over torch's optimizer does.
"""
import sys
import tempfile

import torch
from torch.utils.data import RandomSampler
from transformers import Adafactor, Trainer, TrainingArguments, get_scheduler
from transformers.trainer_pt_utils import get_parameter_names

from tinyweights import tiny_model, tiny_name, tiny_u

OUT = sys.argv[1]
LENGTHS = [9, 1, 17, 4, 12, 0, 23, 6, 2, 14, 3]  # tests/unit/trainer.c has the same records


def records():
    """As tiny_batch of tests/unit/tiny.h makes them, with more lengths: one is empty, one is not in the loss."""
    import numpy as np

    flat = ((tiny_u(tiny_name("ids"), np.arange(sum(LENGTHS))) + 1) / 2 * 97).astype(np.int64)
    rows, at = [], 0
    for s, n in enumerate(LENGTHS):
        ids = flat[at:at + n].tolist()
        rows.append({"input_ids": ids, "labels": [-100 if s == 3 or (i + s) % 4 == 3 else t for i, t in enumerate(ids)]})
        at += n
    return rows


def collate(rows):
    width = max(1, max(len(r["input_ids"]) for r in rows))
    pad = lambda v, fill: v + [fill] * (width - len(v))
    return {
        "input_ids": torch.tensor([pad(r["input_ids"], 0) for r in rows], dtype=torch.long),
        "attention_mask": torch.tensor([pad([1] * len(r["input_ids"]), 0) for r in rows], dtype=torch.long),
        "labels": torch.tensor([pad(r["labels"], -100) for r in rows], dtype=torch.long),
    }


def hf(model, optim, batch, accum, steps, sched, clip, decay, rate):
    """The Trainer of today: (loss, grad_norm, learning_rate, epoch) a step, then eval_loss."""
    with tempfile.TemporaryDirectory() as tmp:
        args = TrainingArguments(
            output_dir=tmp, use_cpu=True, report_to=[], disable_tqdm=True, save_strategy="no", logging_steps=1,
            optim=optim, learning_rate=rate, weight_decay=decay, max_grad_norm=clip, lr_scheduler_type=sched,
            warmup_steps=1, max_steps=steps, per_device_train_batch_size=batch, per_device_eval_batch_size=2,
            gradient_accumulation_steps=accum, seed=42, dataloader_pin_memory=False, remove_unused_columns=False,
            lr_scheduler_kwargs={"min_lr_rate": 0.1} if sched == "cosine_with_min_lr" else {},
            logging_nan_inf_filter=False)
        t = Trainer(model=model, args=args, train_dataset=records(), eval_dataset=records(), data_collator=collate)
        t.train()
        rows = [h for h in t.state.log_history if "loss" in h]
        return [(h["loss"], h["grad_norm"], h["learning_rate"], h["epoch"]) for h in rows], t.evaluate()["eval_loss"]


def optimizer(model, optim, decay, rate):
    """The Trainer's groups: no decay for biases and LayerNorm."""
    names = set(get_parameter_names(model, [torch.nn.LayerNorm], [r"bias"]))
    groups = [{"params": [p for n, p in model.named_parameters() if n in names], "weight_decay": decay},
              {"params": [p for n, p in model.named_parameters() if n not in names], "weight_decay": 0.0}]
    if optim == "adafactor":
        return Adafactor(groups, lr=rate, scale_parameter=False, relative_step=False)
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.999), eps=1e-8)


def plain_425(model, optim, batch, accum, steps, sched, clip, decay, rate):
    """The loop of transformers 4.25, as read: each batch's mean over accum; gradients live on across epochs."""
    data = records()
    opt = optimizer(model, optim, decay, rate)
    schedule = get_scheduler(sched, opt, num_warmup_steps=1, num_training_steps=steps)
    torch.manual_seed(42)
    g = torch.Generator()
    g.manual_seed(int(torch.empty((), dtype=torch.int64).random_().item()))
    sampler = RandomSampler(data, generator=g)
    out, epoch, total = [], 0, 0.0
    while len(out) < steps:
        order = list(sampler)
        batches = [order[i:i + batch] for i in range(0, len(order), batch)]
        for k, rows in enumerate(batches):
            inputs = collate([data[i] for i in rows])
            if (inputs["labels"][:, 1:] != -100).any():
                loss = model(**inputs).loss / accum
                loss.backward()
                total += loss.item()
            if (k + 1) % accum == 0 or (len(batches) <= accum and k + 1 == len(batches)):
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip).item()
                used = opt.param_groups[0]["lr"]
                opt.step()
                schedule.step()
                model.zero_grad()
                out.append((total, norm, used, epoch + (k + 1) / len(batches)))
                total = 0.0
                if len(out) == steps:
                    break
        epoch += 1
    return out, float("nan")


def plain_sequence(model, optim, batch, accum, steps, sched, clip, decay, rate):
    """Today's order, each batch's token mean, their mean: what `--loss-reduction sequence` is with `--sampler hf`."""
    data = records()
    opt = optimizer(model, optim, decay, rate)
    schedule = get_scheduler(sched, opt, num_warmup_steps=1, num_training_steps=steps)
    out, epoch = [], 0
    while len(out) < steps:
        g = torch.Generator()
        g.manual_seed(42 + epoch)
        order = torch.randperm(len(data), generator=g).tolist()
        batches = [order[i:i + batch] for i in range(0, len(order), batch)]
        for at in range(0, len(batches), accum):
            update = batches[at:at + accum]
            total = 0.0
            for rows in update:
                inputs = collate([data[i] for i in rows])
                if (inputs["labels"][:, 1:] != -100).any():
                    loss = model(**inputs).loss / len(update)
                    loss.backward()
                    total += loss.item()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip).item()
            used = opt.param_groups[0]["lr"]
            opt.step()
            schedule.step()
            model.zero_grad()
            out.append((total, norm, used, epoch + (at + len(update)) / len(batches)))
            if len(out) == steps:
                break
        epoch += 1
    return out, float("nan")


RUNS = [
    ("hf token", hf, dict(batch=2, accum=4, steps=10, sched="linear", clip=1.0, decay=0.01, rate=1e-3)),
    ("hf token", hf, dict(batch=3, accum=2, steps=10, sched="cosine", clip=0.5, decay=0.1, rate=3e-3)),
    ("hf-4.25 sequence", plain_425, dict(batch=2, accum=4, steps=10, sched="linear", clip=1.0, decay=0.01, rate=1e-3)),
    ("hf sequence", plain_sequence, dict(batch=2, accum=4, steps=10, sched="linear", clip=1.0, decay=0.0, rate=1e-3)),
]

MORE = [("B", "sgd", dict(batch=2, accum=4, steps=10, sched="cosine_with_min_lr", clip=1.0, decay=0.1, rate=0.1)),
        ("B", "adamw_torch", dict(batch=4, accum=2, steps=8, sched="inverse_sqrt", clip=1.0, decay=0.0, rate=1e-3)),
        ("C", "adamw_torch", dict(batch=3, accum=4, steps=8, sched="constant_with_warmup", clip=0.0, decay=0.0, rate=1e-3))]


def write_run(f, which, optim, name, run, args):
    steps, loss = run(tiny_model(which).train(), optim, **args)
    words = " ".join(str(args[k]) for k in ("batch", "accum", "steps", "sched", "clip", "decay", "rate"))
    f.write(f"run {which} {optim.removesuffix('_torch')} {name} {words}\n")
    for s in steps:
        f.write("step " + " ".join(f"{x:.9g}" for x in s) + "\n")
    if loss == loss:
        f.write(f"eval {loss:.9g}\n")


def main():
    with open(f"{OUT}/trainer.txt", "w") as f:
        f.write("# run: model optimizer sampler reduction batch accum steps schedule max_grad_norm weight_decay learning_rate; warm-up 1\n")
        f.write("# step: loss grad_norm learning_rate epoch; eval: eval_loss behind the last step, in batches of 2\n")
        for which in "ABC":
            for optim in ("adamw_torch", "adafactor"):
                for name, run, args in RUNS:
                    if run is not hf and which != "A":
                        continue
                    write_run(f, which, optim, name, run, args)
        for which, optim, args in MORE:
            write_run(f, which, optim, "hf token", hf, args)


if __name__ == "__main__":
    main()
