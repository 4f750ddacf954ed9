"""The golden model of torchfile.py as its state_dict() has it, where the head is lm_head.weight; for tests/weights.bats.

    python statedict.py ../golden/torch-model      writes state.safetensors (float32) and state.bin (bfloat16) beside
                                                   the model.safetensors there

Ran under Python 3.11, torch 2.15, transformers 5.24.
"""
import sys

import torch
from safetensors.torch import save_file
from transformers import GPTNeoXForCausalLM

path = sys.argv[1]
state = GPTNeoXForCausalLM.from_pretrained(path).state_dict()
assert "lm_head.weight" in state and "embed_out.weight" not in state
save_file(state, f"{path}/state.safetensors")
torch.save({k: v.bfloat16() for k, v in state.items()}, f"{path}/state.bin")
