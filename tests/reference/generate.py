"""tests/golden/generate.txt: what HF's generate(do_sample=False) answers on the three tiny models.

    python generate.py > ../golden/generate.txt
    python generate.py --model DIR --generate "nx-generate -m DIR" [--new 64] [--prompts 6] [--rounds 3]
        [--tokenizer tokenizer.json --data lamini_docs.jsonl]

The second form compares nx-generate with HF on a model directory (the 70m model of
nx-init), token by token, and measures both: same prompts, same number of threads; with the last
two options also the texts of the guide's inference().

A line of the golden file: model, eos id (-1: none), new tokens at most, the prompt,
what generate() put behind it (with the end of text, where it came), and the smallest
distance between the best and the second logit on the way:
    A 0 24 | 5 9 3 | 17 17 4 0 | 0.0123

Ran under Python 3.11, torch 2.15, transformers 5.24, numpy 2.4.
"""
import argparse
import json
import re
import shlex
import subprocess
import sys
import time

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

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
    """Answers, and what --timing says: (prompt tokens/s, new tokens/s behind the first)."""
    text = "".join(json.dumps({"input_ids": ids}) + "\n" for ids in records)
    run = subprocess.run(shlex.split(command) + ["--max-new-tokens", str(new), "--ignore-eos", "--timing", "--threads",
                                                 str(THREADS)], input=text, capture_output=True, text=True, check=True)
    speeds = [float(x) for x in re.findall(r"([0-9.]+)/s", run.stderr)]
    return [json.loads(line)["output_ids"] for line in run.stdout.rstrip("\n").split("\n")], speeds


def compare(args, model):
    vocab = min(model.config.vocab_size, 50254)
    records = [prompt(f"p{i}", n, vocab) for i, n in enumerate((1, 5, 17, 60, 200, 400)[:args.prompts])]
    mine, _ = ours(args.generate, records, args.new)
    differ, smallest = 0, 1e9
    for ids, got in zip(records, mine):
        want, gap = answer(model, ids, args.new, -1)
        smallest = min(smallest, gap)
        at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), None)
        differ += want != got
        print(f"prompt of {len(ids):3d}: {'equal' if want == got else f'first difference at new token {at}'}, "
              f"smallest gap of the two best logits {gap:.5f}, {len(set(want))} different ids")
    print(f"{len(records) - differ} of {len(records)} prompts equal over {args.new} tokens; smallest gap {smallest:.6f}")
    return differ


def seconds(model, ids, new):
    begin = time.perf_counter()
    model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False,
                   max_new_tokens=new, eos_token_id=None, pad_token_id=0)
    return time.perf_counter() - begin


def speed(args, model):
    """Rounds of both programs in turn; the best of each, since other work on the machine only slows."""
    short, long, new = prompt("s", 8, 50254), prompt("l", 512, 50254), 128
    decode, fill = [], []
    for _ in range(args.rounds):
        first = seconds(model, short, 1)
        decode.append((new / (seconds(model, short, new + 1) - first), ours(args.generate, [short], new + 1)[1][1]))
        fill.append((len(long) / seconds(model, long, 1), ours(args.generate, [long], 1)[1][0]))
    for what, runs in (("new tokens", decode), ("tokens of a prompt of 512", fill)):
        hf, own = max(r[0] for r in runs), max(r[1] for r in runs)
        print(f"{what}, {THREADS} threads: HF {hf:.1f}/s, nx-generate {own:.1f}/s, ratio {own / hf:.2f} "
              f"(best of {len(runs)} rounds)")


def compare_texts(args, model):
    """The guide's inference() on questions of its data set (every 40th row) and on harder text."""
    tok = PreTrainedTokenizerFast(tokenizer_file=args.tokenizer, eos_token="<|endoftext|>")
    tok.pad_token, tok.truncation_side = tok.eos_token, "left"
    with open(args.data) as f:
        texts = [json.loads(line)["question"] for line in f][::40]
    texts += ["na\u00efve caf\u00e9 \u2014 \u20bfitcoin \u65e5\u672c\u8a9e \U0001f600?", "x = 1;\n\n    y  =   2\t# ok"]
    run = subprocess.run(shlex.split(args.generate) + ["-T", args.tokenizer, "--threads", str(THREADS)], check=True,
                         input="".join(json.dumps({"question": t}) + "\n" for t in texts), capture_output=True, text=True)
    differ = 0
    for text, line in zip(texts, run.stdout.rstrip("\n").split("\n"), strict=True):
        ids = tok.encode(text, return_tensors="pt", truncation=True, max_length=1000)
        out = model.generate(ids, max_length=100, do_sample=False, pad_token_id=0)
        want = tok.batch_decode(out, skip_special_tokens=True)[0][len(text):]
        got = json.loads(line)["generated"]
        if want != got:
            differ += 1
            print(f"differs: {text!r}\n  HF   {want!r}\n  ours {got!r}")
    print(f"{len(texts) - differ} of {len(texts)} texts are those of the guide's inference()")
    return differ


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model")
    p.add_argument("--generate")
    p.add_argument("--new", type=int, default=64)
    p.add_argument("--prompts", type=int, default=6)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--tokenizer")
    p.add_argument("--data")
    args = p.parse_args()
    if not args.model:
        return golden()
    torch.set_num_threads(THREADS)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    differ = compare_texts(args, model) if args.tokenizer else 0
    model.generation_config.eos_token_id = None
    differ += compare(args, model)
    speed(args, model)
    return differ != 0


if __name__ == "__main__":
    sys.exit(main())
