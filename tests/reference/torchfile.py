"""Small files of torch.save, for tests/unit/torchfile.c and as seeds of tests/fuzz/torchfile.c.

    python torchfile.py ../golden          writes torch.bin, torch_module.bin, torch_view.bin, torch_old.bin

Ran under Python 3.11, torch 2.15.
"""
import sys
from collections import OrderedDict

import torch


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
# a module's state has attributes besides its tensors
module = torch.nn.Linear(2, 2)
module.weight.data = torch.tensor([[1., 2], [3, 4]])
module.bias.data = torch.tensor([5., 6])
save("torch_module", module.state_dict())
save("torch_view", {"t": torch.arange(6.).reshape(2, 3).t()})
save("torch_old", {"a": torch.arange(6.)}, _use_new_zipfile_serialization=False)
