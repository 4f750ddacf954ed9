"""tests/golden/generate.txt: what HF's generate(do_sample=False) answers on the three tiny models.

    python generate.py > ../golden/generate.txt
    python generate.py --model DIR --generate "nx-generate -m DIR" [--new 64] [--prompts 6]

The second form compares nx-generate with HF on a model directory (the 70m model of
nx-init), token by token, and measures both: same prompts, same number of threads.

A line of the golden file: model, eos id (-1: none), new tokens at most, the prompt,
what generate() put behind it (with the end of text, where it came), and the smallest
distance between the best and the second logit on the way:
    A 0 24 | 5 9 3 | 17 17 4 0 | 0.0123

Ran under Python 3.11, torch 2.15, transformers 5.24, numpy 2.4.
"""
import argparse
import json
import shlex
import subprocess
import sys
import time

import torch
from transformers import AutoModelForCausalLM

from tinyweights import tiny_model, tiny_name, tiny_u

THREADS = 2


def prompt(seed, n, vocab):
    return [int((u + 1) / 2 * vocab) for u in tiny_u(tiny_name(seed), range(n))]


def answer(model, ids, new, eos):
    """New ids, and the smallest gap between the two best logits."""
    out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                         do_sample=False, max_new_tokens=new, eos_token_id=None if eos < 0 else eos, pad_token_id=0,
                         output_logits=True, return_dict_in_generate=True)
    gap = min(float(t[0] - t[1]) for t in (x[0].topk(2).values for x in out.logits))
    return out.sequences[0, len(ids):].tolist(), gap


def golden():
    for which in "ABC":
        model = tiny_model(which)
        model.generation_config.eos_token_id = None
        for n in (1, 2, 9, 40, 300):
            ids = prompt(f"{which}{n}", n, 97)
            free, gap = answer(model, ids, 40, -1)
            runs = [(-1, free, gap)]
            # an id that does occur, so that the end of text is seen
            eos = free[-1]
            runs.append((eos, *answer(model, ids, 40, eos)))
            for eos, out, gap in runs:
                print(which, eos, 40, "|", *ids, "|", *out, "|", f"{gap:.4f}")


def ours(command, records, new):
    """(answers, seconds of prompts and decoding as --timing says them)"""
    text = "".join(json.dumps({"input_ids": ids}) + "\n" for ids in records)
    run = subprocess.run(shlex.split(command) + ["--max-new-tokens", str(new), "--ignore-eos", "--timing", "--threads",
                                                 str(THREADS)], input=text, capture_output=True, text=True, check=True)
    return [json.loads(line)["output_ids"] for line in run.stdout.splitlines()], run.stderr.strip()


def compare(args):
    torch.set_num_threads(THREADS)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None
    vocab = min(model.config.vocab_size, 50254)
    records = [prompt(f"p{i}", n, vocab) for i, n in enumerate((1, 5, 17, 60, 200, 400)[:args.prompts])]
    mine, said = ours(args.generate, records, args.new)
    differ, smallest, took = 0, 1e9, 0
    for ids, got in zip(records, mine):
        begin = time.perf_counter()
        want, gap = answer(model, ids, args.new, -1)
        took += time.perf_counter() - begin
        smallest = min(smallest, gap)
        at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), None)
        same = want == got
        differ += not same
        print(f"prompt of {len(ids):3d}: {'equal' if same else f'first difference at new token {at}'}, "
              f"smallest gap of the two best logits {gap:.5f}, {len(set(want))} different ids")
    print(f"{len(records) - differ} of {len(records)} prompts equal over {args.new} tokens; smallest gap {smallest:.6f}")
    print(f"HF, {THREADS} threads: {args.new * len(records) / took:.1f} new tokens/s with the prompts in the time")
    print("nx-generate:", said)
    return differ != 0


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--model")
    p.add_argument("--generate")
    p.add_argument("--new", type=int, default=64)
    p.add_argument("--prompts", type=int, default=6)
    a = p.parse_args()
    sys.exit(compare(a) if a.model else golden())
