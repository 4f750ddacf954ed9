"""Golden of nx-train's flow: what HF's Trainer logs, evaluates, saves and keeps on a tiny model.

Ran under Python 3.11, torch 2.15.0, transformers 5.24.0, accelerate 1.15.0.
usage: flow.py GOLDEN_DIR
Writes flow-train.jsonl and flow-eval.jsonl, the records, and flow.txt: a line "run" with
the options of nx-train, then what the Trainer's log_history and output directory hold.
tests/nx-train-flow.bats runs nx-train with these options on tiny model A.
"""
import json
import os
import sys
import tempfile

from transformers import EarlyStoppingCallback, Trainer, TrainingArguments

OUT = sys.argv[1]
from tinyweights import tiny_model
from trainer import collate, records

RUNS = [
    dict(max_steps=9, per_device_train_batch_size=2, eval_strategy="steps", eval_steps=2, save_strategy="steps", save_steps=4,
         save_total_limit=1, load_best_model_at_end=True, learning_rate=5e-3, warmup_steps=1),
    dict(num_train_epochs=3, per_device_train_batch_size=2, gradient_accumulation_steps=4, eval_strategy="epoch",
         save_strategy="epoch", save_total_limit=2, load_best_model_at_end=True, greater_is_better=True,
         metric_for_best_model="eval_loss", learning_rate=3e-3),
    dict(max_steps=20, per_device_train_batch_size=4, eval_strategy="steps", eval_steps=1, save_strategy="steps", save_steps=1,
         load_best_model_at_end=True, early_stopping_patience=2, learning_rate=1e-2, lr_scheduler_type="constant"),
    dict(num_train_epochs=2.5, per_device_train_batch_size=3, gradient_accumulation_steps=2, logging_steps=3,
         save_strategy="epoch", learning_rate=1e-3, lr_scheduler_type="cosine", warmup_ratio=0.3),
    dict(num_train_epochs=2, per_device_train_batch_size=2, gradient_accumulation_steps=4, eval_strategy="epoch",
         save_strategy="no", optim="adafactor", learning_rate=1e-3, weight_decay=0.1),
    dict(num_train_epochs=2, per_device_train_batch_size=5, eval_strategy="steps", eval_steps=4, save_strategy="steps",
         save_steps=3, save_total_limit=1, optim="sgd", learning_rate=0.1, lr_scheduler_type="inverse_sqrt", warmup_steps=2),
]


def option(k, v):
    k = "--" + k.replace("_", "-")
    return k if v is True else f"{k} {v}"


def run(f, args):
    f.write("run " + " ".join(option(k, v) for k, v in args.items()) + "\n")
    args = dict(args)
    patience = args.pop("early_stopping_patience", 0)
    args.setdefault("logging_steps", 1)
    ratio = args.pop("warmup_ratio", None)
    if ratio:
        args["warmup_steps"] = ratio  # below 1 it is one
    with tempfile.TemporaryDirectory() as tmp:
        t = Trainer(
            model=tiny_model("A").train(), train_dataset=records(), eval_dataset=evaluation(), data_collator=collate,
            callbacks=[EarlyStoppingCallback(patience)] if patience else [],
            args=TrainingArguments(output_dir=tmp, use_cpu=True, report_to=[], disable_tqdm=True, seed=42,
                                   dataloader_pin_memory=False, remove_unused_columns=False, per_device_eval_batch_size=2, **args))
        t.train()
        for h in t.state.log_history:
            if "loss" in h:
                f.write(f"log {h['step']} {h['epoch']:.9g} {h['learning_rate']:.9g} {h['loss']:.9g} {h['grad_norm']:.9g}\n")
            elif "eval_loss" in h:
                f.write(f"eval {h['step']} {h['epoch']:.9g} {h['eval_loss']:.9g}\n")
            else:
                f.write(f"end {h['step']} {h['epoch']:.9g} {h['train_loss']:.9g}\n")
        left = sorted(int(d.split("-")[1]) for d in os.listdir(tmp) if d.startswith("checkpoint-"))
        best = t.state.best_model_checkpoint
        f.write("left " + " ".join(map(str, left)) + "\n")
        f.write("best " + (best.split("-")[-1] if best else "none") + "\n")
        if best:
            # not what the Trainer has loaded: of a GPT-NeoX model it leaves the head as it was last, since files
            # call it embed_out and the model lm_head
            t.model = type(t.model).from_pretrained(best)
        f.write(f"final {t.evaluate()['eval_loss']:.9g}\n")


def evaluation():
    """Other texts than those of the training, so that what is learned too well harms."""
    rows = []
    for r in records():
        ids = [96 - i for i in r["input_ids"]]
        rows.append({"input_ids": ids, "labels": [-100 if l == -100 else 96 - l for l in r["labels"]]})
    # a batch without a label has no mean: the Trainer's eval_loss would be NaN
    return rows[:3] + rows[4:5] + rows[6:8]


for name, rows in (("train", records()), ("eval", evaluation())):
    with open(f"{OUT}/flow-{name}.jsonl", "w") as f:
        for r in rows:
            f.write(json.dumps(r) + "\n")
with open(f"{OUT}/flow.txt", "w") as f:
    f.write("# run options; log step epoch learning_rate loss grad_norm; eval step epoch eval_loss; end step epoch train_loss;\n")
    f.write("# left: the checkpoints that are there at the end; best: the best one; final: eval_loss of the model at the end\n")
    for args in RUNS:
        run(f, args)
