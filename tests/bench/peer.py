"""peer.py - the other side of tests/bench/run: HF tokenizers, PyTorch and transformers.

    peer.py encode TOKENIZER TEXT           seconds to encode every line, loading not counted
    peer.py gigatoken TOKENIZER TEXT        seconds to encode every line: the first time, and the same again
    peer.py bpe_train TEXT                  seconds to learn 32000 tokens, reading counted
    peer.py train MODEL TOKENS.jsonl STEPS  seconds a step of 4 records: forward, backward, clip, AdamW
    peer.py step MODEL TOKENS ROUNDS [checkpoint]   seconds of forward and backward of one sequence, the best; megabytes
    peer.py generate MODEL N [PROMPTS]      seconds for N greedy tokens behind a short prompt, or behind each of some at once

Prints one number. Threads as OMP_NUM_THREADS says. Ran under tokenizers 0.23.3,
torch 2.15.0, transformers 5.24.0."""
import json
import os
import sys
import time

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("RAYON_NUM_THREADS", "1")


def encode(tokenizer, text):
    from tokenizers import Tokenizer

    tok = Tokenizer.from_file(tokenizer)
    lines = open(text, encoding="utf-8").read().splitlines()
    start = time.perf_counter()
    n = 0
    for at in range(0, len(lines), 1000):
        n += sum(len(e.ids) for e in tok.encode_batch(lines[at : at + 1000], add_special_tokens=False))
    return time.perf_counter() - start


def gigatoken(tokenizer, text):
    import gigatoken as giga

    tok = giga.Tokenizer(tokenizer)
    lines = open(text, encoding="utf-8", errors="ignore").read().split("\n")
    times = []
    for _ in range(3):
        start = time.perf_counter()
        tok.encode_batch(lines, parallel=False)
        times.append(time.perf_counter() - start)
    return f"{times[0]} {min(times[1:])}"


def bpe_train(text):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=32000, special_tokens=["<|endoftext|>", "<|padding|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    start = time.perf_counter()
    tok.train([text], trainer)
    return time.perf_counter() - start


def load(path):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)


def train(path, tokens, steps):
    import torch

    model = load(path)
    model.train()
    optim = torch.optim.AdamW(model.parameters(), lr=1e-5)
    rows = [json.loads(line)["input_ids"] for line in open(tokens, encoding="utf-8")]
    rows = [r for r in rows if len(r) > 1]
    start = None
    for step in range(int(steps) + 1):
        if step == 1:
            start = time.perf_counter()
        batch = rows[4 * step : 4 * step + 4]
        width = max(map(len, batch))
        ids = torch.tensor([r + [0] * (width - len(r)) for r in batch])
        mask = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in batch])
        labels = ids.masked_fill(mask == 0, -100)
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optim.step()
        optim.zero_grad()
    return (time.perf_counter() - start) / int(steps)


def step(path, tokens, rounds, checkpoint=None):
    import resource

    import torch

    model = load(path)
    model.train()
    if checkpoint:
        model.gradient_checkpointing_enable()
        model.config.use_cache = False
    n = int(tokens)
    ids = torch.tensor([[(i * 7919 + 13) % model.config.vocab_size for i in range(n)]])
    times = []
    for _ in range(int(rounds) + 1):
        start = time.perf_counter()
        model(input_ids=ids, labels=ids).loss.backward()
        times.append(time.perf_counter() - start)
        for p in model.parameters():
            p.grad.zero_()
    return f"{min(times[1:])} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}"


def generate(path, count, prompts=1):
    import torch

    model = load(path)
    model.eval()
    ids = torch.arange(100, 116).unsqueeze(0).expand(int(prompts), -1)
    mask = torch.ones_like(ids)
    with torch.no_grad():
        run = lambda n: model.generate(ids, attention_mask=mask, do_sample=False, min_new_tokens=n, max_new_tokens=n, pad_token_id=0)
        run(4)
        seconds = []
        for n in (1, int(count) + 1):
            start = time.perf_counter()
            run(n)
            seconds.append(time.perf_counter() - start)
    return seconds[1] - seconds[0]  # of `count` tokens behind the first, as nx-generate --timing counts


print({"encode": encode, "gigatoken": gigatoken, "bpe_train": bpe_train, "train": train, "step": step, "generate": generate}[sys.argv[1]](*sys.argv[2:]))
