"""The three tiny models of tests/unit/tiny.h, built in PyTorch from the same formulas.

    from tinyweights import tiny_model, tiny_batch, tiny_save
    model = tiny_model("A")            GPTNeoXForCausalLM, float32, eval mode
    ids, labels = tiny_batch("A")      lists of sequences
    tiny_save("A", "dir")              a model directory

Ran under Python 3.11, torch 2.15, transformers 5.24, numpy 2.4.
"""
import numpy as np
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

LENGTHS = [9, 1, 17, 4, 12]

SIZES = {
    "A": dict(hidden_size=32, num_attention_heads=2, intermediate_size=48, rotary_pct=0.25, rotary_emb_base=10000,
              use_parallel_residual=True, tie_word_embeddings=False, attention_bias=True, hidden_act="gelu"),
    "B": dict(hidden_size=36, num_attention_heads=3, intermediate_size=80, rotary_pct=1.0, rotary_emb_base=500,
              use_parallel_residual=False, tie_word_embeddings=False, attention_bias=True, hidden_act="gelu"),
    "C": dict(hidden_size=40, num_attention_heads=5, intermediate_size=64, rotary_pct=0.5, rotary_emb_base=10000,
              use_parallel_residual=True, tie_word_embeddings=True, attention_bias=False, hidden_act="gelu_new"),
}


def tiny_u(h, j):
    """Hash of a tensor's name and element numbers (array) to [-1, 1)."""
    m = np.uint64(0xFFFFFFFF)
    x = (np.uint64(h) + np.asarray(j, dtype=np.uint64) * np.uint64(0x9E3779B9)) & m
    x = (x ^ x >> np.uint64(16)) * np.uint64(0x85EBCA6B) & m
    x = (x ^ x >> np.uint64(13)) * np.uint64(0xC2B2AE35) & m
    x ^= x >> np.uint64(16)
    return (x >> np.uint64(8)).astype(np.float64) / 8388608 - 1


def tiny_name(s):
    h = 2166136261
    for b in s.encode():
        h = (h ^ b) * 16777619 & 0xFFFFFFFF
    return h


def file_name(name):
    """transformers 5 calls the head lm_head in memory; files call it embed_out."""
    return "embed_out.weight" if name == "lm_head.weight" else name


def tiny_tensor(name, shape, tied):
    base, amp = 0.0, 0.25
    if "layernorm.weight" in name or "layer_norm.weight" in name:
        base = 1.0
    elif name == "gpt_neox.embed_in.weight":
        amp = 0.25 if tied else 1.0
    elif name == "embed_out.weight":
        amp = 0.5
    n = int(np.prod(shape))
    v = base + amp * tiny_u(tiny_name(name), np.arange(n))
    return torch.from_numpy(v.astype(np.float32).reshape(tuple(shape)))


def tiny_config(which):
    return GPTNeoXConfig(vocab_size=97, num_hidden_layers=2, max_position_embeddings=64, bos_token_id=0,
                         eos_token_id=0, layer_norm_eps=1e-5, **SIZES[which])


def tiny_model(which):
    model = GPTNeoXForCausalLM(tiny_config(which)).float().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(tiny_tensor(file_name(name), p.shape, SIZES[which]["tie_word_embeddings"]))
    return model


def tiny_save(which, path):
    tiny_model(which).save_pretrained(path)


def tiny_batch(which):
    total = sum(LENGTHS)
    flat = ((tiny_u(tiny_name("ids"), np.arange(total)) + 1) / 2 * 97).astype(np.int64)
    ids, labels, at = [], [], 0
    for s, n in enumerate(LENGTHS):
        seq = flat[at:at + n].tolist()
        ids.append(seq)
        labels.append([-100 if s == 3 or (i + s) % 4 == 3 else t for i, t in enumerate(seq)])
        at += n
    return ids, labels
