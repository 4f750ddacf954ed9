"""Small files of torch.save, for tests/unit/torchfile.c and as seeds of tests/fuzz/torchfile.c.

    python torchfile.py ../golden          writes torch.bin, torch_module.bin, torch_view.bin, torch_old.bin, torch_call.bin
                                           and torch-model/, for tests/weights.bats

Ran under Python 3.11, torch 2.15, transformers 5.24.
"""
import json
import os
import sys
from collections import OrderedDict

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from tinyweights import file_name


def save(name, what, **options):
    torch.save(what, f"{sys.argv[1]}/{name}.bin", **options)


save("torch", OrderedDict([
    ("weight", torch.arange(6.).reshape(2, 3)),
    ("half", torch.tensor([1., -2, 65504, 2**-24]).half()),
    ("bf", torch.tensor([1.5, -3]).bfloat16()),
    ("p", torch.nn.Parameter(torch.arange(12.)[3:7])),
    ("row", torch.arange(6.).reshape(1, 6)[:, 2:4]),  # of one row: dense although its stride is 6
    ("i", torch.arange(3)),
    ("s", torch.tensor(7.)),
]))


class Call:
    """What a hostile file holds: loading it with pickle runs the command."""

    def __reduce__(self):
        return os.system, ("touch ran",)


save("torch_call", {"a": Call()})
# a module's state has attributes besides its tensors
module = torch.nn.Linear(2, 2)
module.weight.data = torch.tensor([[1., 2], [3, 4]])
module.bias.data = torch.tensor([5., 6])
save("torch_module", module.state_dict())
save("torch_view", {"t": torch.arange(6.).reshape(2, 3).t()})
save("torch_old", {"a": torch.arange(6.)}, _use_new_zipfile_serialization=False)


def model():
    """torch-model/: one GPT-NeoX as model.safetensors, as pytorch_model.bin and as two with an index."""
    path = f"{sys.argv[1]}/torch-model"
    config = GPTNeoXConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                           max_position_embeddings=32, bos_token_id=0, eos_token_id=0)
    m = GPTNeoXForCausalLM(config).bfloat16()
    m.float().save_pretrained(path)  # numbers of a bfloat16 in float32
    state = OrderedDict((file_name(k), v.bfloat16()) for k, v in m.state_dict().items())
    # what files held once
    state["gpt_neox.layers.0.attention.bias"] = torch.ones(1, 1, 32, 32, dtype=torch.bool).tril()
    state["gpt_neox.layers.0.attention.masked_bias"] = torch.tensor(-1e9)
    torch.save(state, f"{path}/pytorch_model.bin")
    names = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    where = {k: names[i % 2] for i, k in enumerate(state)}
    for name in names:
        torch.save({k: v for k, v in state.items() if where[k] == name}, f"{path}/{name}")
    with open(f"{path}/pytorch_model.bin.index.json", "w") as f:
        json.dump({"metadata": {"total_size": sum(v.nbytes for v in state.values())}, "weight_map": where}, f, indent=2)


model()
