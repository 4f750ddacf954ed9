"""tests/golden/beam.txt: what HF's beam search answers on the three tiny models.

    python beam.py > ../golden/beam.txt

A line: model, beams, length penalty, early stopping (0 False, 1 True, 2 "never"), new tokens at
most, at least, repetition penalty, n-gram size | ends of text | prompt | and, the best first, each
of the beams with its score and its new tokens:
    A 4 1.0 0 24 0 1.0 0 | 0 | 5 9 3 | -12.345 17 17 4 0 | -13.1 17 17 5

Ran under Python 3.11, torch 2.15, transformers 5.24, numpy 2.4.
"""
import torch

from generate import prompt
from tinyweights import tiny_model

EARLY = [False, True, "never"]


def case(model, which, ids, beams, penalty=1.0, early=0, new=24, least=0, repetition=1.0, ngram=0, eos=()):
    out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False,
                         num_beams=beams, num_return_sequences=beams, length_penalty=penalty,
                         early_stopping=EARLY[early], max_new_tokens=new, min_new_tokens=least or None,
                         repetition_penalty=repetition, no_repeat_ngram_size=ngram, eos_token_id=list(eos) or None,
                         pad_token_id=0, output_scores=True, return_dict_in_generate=True)
    ways = []
    for row, score in zip(out.sequences, out.sequences_scores):
        tokens = row[len(ids):].tolist()
        end = next((i + 1 for i, t in enumerate(tokens) if t in eos), len(tokens))
        ways.append(" ".join(map(str, [f"{score:.6g}", *tokens[:end]])))
    print(which, beams, penalty, early, new, least, repetition, ngram, "|", *eos, "|", *ids, "|", " | ".join(ways))


def main():
    for which in "ABC":
        model = tiny_model(which)
        model.generation_config.eos_token_id = None
        ids = prompt(f"{which}beam", 9, 97)
        long = prompt(f"{which}beam300", 300, 97)
        # ids that do occur on good ways
        seen = model.generate(torch.tensor([ids]), do_sample=False, num_beams=4, max_new_tokens=24, pad_token_id=0)
        a, b = seen[0, 9 + 3].item(), seen[0, 9 + 17].item()
        case(model, which, ids, 4)
        case(model, which, long, 3, new=12)
        case(model, which, ids[:1], 2, new=1)
        for early in (0, 1, 2):
            for penalty in (1.0, 0.0, 2.5, -1.0):
                case(model, which, ids, 4, penalty, early, eos=(a,))
            case(model, which, ids, 3, 1.0, early, eos=(a, b, 5))
            case(model, which, ids, 6, 0.6, early, new=40, eos=(b,))
        case(model, which, ids, 4, least=8, eos=(a,))
        case(model, which, ids, 4, repetition=1.3, ngram=2, eos=(b,))
        case(model, which, ids, 4, ngram=1, eos=(b,))
        # so many ends that all of the twice as many candidates as beams may be ends
        likely = model(torch.tensor([ids])).logits[0, -1].topk(12).indices.tolist()
        case(model, which, ids, 4, eos=likely)
        case(model, which, ids, 20, new=10, eos=(a, b))


if __name__ == "__main__":
    main()
