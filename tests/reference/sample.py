"""tests/golden/sample.txt: what HF's logits processors and warpers leave of logits, in the order generate() has them.

    python sample.py > ../golden/sample.txt

A case is two lines. The first: vocab seed scale steps gaps | prompt history range | min_new eos |
temperature top_k top_p min_p typical_p repetition ngram presence frequency. The logits are
    x[j] = scale (u + u^3), u = tiny_u(name("l" seed), j)
in double, where steps > 0 rounded to multiples of 1 / steps (ties), where gaps > 0 -inf at each
j with j % gaps == gaps - 1; then rounded to float. The history is `history` ids below `range`, of which
`prompt` are the prompt. The second line: how many ids are left, the sum of them, and the first 40 of
them with their probability.

presence and frequency are by the formula of OpenAI's documentation of its API, since HF has
none; they stand behind the repetition penalty, as in vLLM.

TopPLogitsWarper removes from the low end of torch.sort, which is not stable: which of equally likely
tokens at the border stay depends on the machine. Here the sort is made stable: those with higher ids.

Ran under Python 3.11, torch 2.15, transformers 5.24, numpy 2.4.
"""
import itertools
import math

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

from tinyweights import tiny_model, tiny_name, tiny_u

OFF = dict(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, typical_p=1.0, repetition=1.0, ngram=0, presence=0.0,
           frequency=0.0)


class Occurrence(LogitsProcessor):
    def __init__(self, presence, frequency, prompt):
        self.presence, self.frequency, self.prompt = presence, frequency, prompt

    def __call__(self, ids, scores):
        scores = scores.clone()
        new = ids[0, self.prompt:].tolist()
        for j in set(new):
            scores[0, j] = scores[0, j] - new.count(j) * self.frequency - self.presence
        return scores


def logits(vocab, seed, scale, steps, gaps):
    x = []
    for j, u in enumerate(tiny_u(tiny_name(f"l{seed}"), range(vocab))):
        v = scale * (u + u * u * u)
        if steps > 0:
            v = math.floor(v * steps + 0.5) / steps
        x.append(-math.inf if gaps and j % gaps == gaps - 1 else v)
    return torch.tensor([x], dtype=torch.float32)


def history(seed, n, limit):
    return [int((u + 1) / 2 * limit) for u in tiny_u(tiny_name(f"h{seed}"), range(n))]


def processors(model, prompt, min_new, eos, r):
    c = GenerationConfig(do_sample=True, temperature=r["temperature"], top_k=r["top_k"], top_p=r["top_p"],
                         min_p=r["min_p"] or None, typical_p=r["typical_p"], repetition_penalty=r["repetition"],
                         no_repeat_ngram_size=r["ngram"], min_new_tokens=min_new, num_beams=1, num_return_sequences=1)
    c._eos_token_tensor = torch.tensor([eos])
    p = list(model._get_logits_processor(c, input_ids_seq_length=prompt, device="cpu"))
    if r["presence"] or r["frequency"]:
        at = 1 if p and isinstance(p[0], RepetitionPenaltyLogitsProcessor) else 0
        p.insert(at, Occurrence(r["presence"], r["frequency"], prompt))
    return LogitsProcessorList(p)


def case(model, shape, hist, stop, **rules):
    r = OFF | rules
    x = logits(*shape)
    prompt, n, limit = hist
    ids = torch.tensor([history(shape[1], n, limit)], dtype=torch.long)
    left = processors(model, prompt, *stop, r)(ids, x)[0]
    p = torch.softmax(left.double(), 0)
    kept = [j for j in range(len(left)) if left[j] > -math.inf]
    print(*shape, "|", *hist, "|", *stop, "|", *r.values())
    print(len(kept), sum(kept), *(f"{j}:{p[j]:.9g}" for j in kept[:40]))


SHAPES = [(300, 1, 4.0, 0, 0), (300, 2, 0.5, 0, 0), (300, 3, 4.0, 2, 0), (300, 4, 4.0, 0, 3), (41, 5, 30.0, 1, 2),
          (1, 6, 1.0, 0, 0), (2, 7, 1.0, 0, 2), (100, 8, 0.0, 1, 0), (5003, 9, 6.0, 0, 0)]
RULES = [dict(temperature=0.7), dict(temperature=3.0), dict(temperature=1e-3),
         dict(top_k=1), dict(top_k=5), dict(top_k=50), dict(top_k=1000),
         dict(top_p=0.0), dict(top_p=0.1), dict(top_p=0.5), dict(top_p=0.9), dict(top_p=0.999),
         dict(min_p=0.05), dict(min_p=0.3), dict(min_p=1.0),
         dict(typical_p=0.1), dict(typical_p=0.5), dict(typical_p=0.95),
         dict(repetition=1.3), dict(repetition=0.8), dict(ngram=1), dict(ngram=2), dict(ngram=3), dict(ngram=60),
         dict(presence=0.7), dict(frequency=0.3), dict(presence=-0.5, frequency=0.25),
         dict(temperature=0.8, top_k=40, top_p=0.9), dict(top_k=30, min_p=0.1, typical_p=0.8),
         dict(temperature=1.5, top_k=100, top_p=0.95, min_p=0.02, typical_p=0.9, repetition=1.2, ngram=2, presence=0.5,
              frequency=0.1)]


def main():
    plain = torch.sort
    torch.sort = lambda x, descending=False: plain(x, dim=-1, descending=descending, stable=True)
    model = tiny_model("A")
    for shape, rules in itertools.product(SHAPES, RULES):
        limit = min(shape[0], 9)
        case(model, shape, (20, 50, limit), (0, 0), **rules)
    for new in (0, 3, 29, 30, 31, 40):  # 30 new tokens are there
        case(model, SHAPES[0], (20, 50, 9), (new, 7), top_k=20)
    case(model, SHAPES[0], (20, 50, 9), (31, 7), repetition=1.1, ngram=2, temperature=0.5)
    # no complete n-gram yet, or just one
    for n, ngram in ((1, 1), (1, 2), (2, 2), (2, 3), (3, 3)):
        case(model, SHAPES[0], (1, n, 2), (0, 0), ngram=ngram, top_k=30)


if __name__ == "__main__":
    main()
