"""A model directory that nx-train wrote, loaded by transformers: do its logits equal our own?

Ran under Python 3.11, torch 2.15.0, transformers 5.24.0, numpy 2.4.6.
usage: savedlogits.py MODEL_DIR TOKENS.jsonl [RECORDS]
Run behind `make`: our side is a few lines of C, compiled against the library of the last plain build.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from transformers import AutoModelForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = r"""
#include "nx/model.h"
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)    /* DIR ID ...: the logits of every row, as floats, on stdout */
{
	struct model m;
	struct err e;
	struct work *ws;
	int n = argc - 2, start[2] = {0, n};
	int32_t *ids = calloc(n, sizeof *ids);
	for (int i = 0; i < n; i++)
		ids[i] = atoi(argv[i + 2]);
	if (model_load(&m, argv[1], &e) || !(ws = model_work(&m, 2, &e)))
		return fprintf(stderr, "%s\n", e.msg), 1;
	struct batch b = {1, start, ids, ids};
	size_t count = (size_t)n * m.cfg.vocab;
	float *logits = malloc(count * sizeof *logits);
	if (model_logits(&m, ws, &b, logits, &e))
		return fprintf(stderr, "%s\n", e.msg), 1;
	return fwrite(logits, sizeof *logits, count, stdout) != count;
}
"""

directory, tokens = sys.argv[1:3]
records = [json.loads(line)["input_ids"] for line in open(tokens)]
records = [r for r in records if r][:int(sys.argv[3]) if len(sys.argv) > 3 else 5]
lib = ROOT / (ROOT / "build/rel/key").read_text().strip() / "libnxtools.a"
model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
with tempfile.TemporaryDirectory() as tmp:
    (pathlib.Path(tmp) / "logits.c").write_text(SOURCE)
    flags = subprocess.run(["pkg-config", "--libs", "yajl", "libutf8proc", "libzstd"], check=True, text=True,
                           capture_output=True).stdout.split()
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", f"-I{ROOT}/lib", "-pthread", "-o", f"{tmp}/logits", f"{tmp}/logits.c",
                    str(lib), *flags, "-lm", "-ldl"], check=True)
    worst = 0.0
    for ids in records:
        raw = subprocess.run([f"{tmp}/logits", directory, *map(str, ids)], check=True, capture_output=True).stdout
        with torch.no_grad():
            want = model(torch.tensor([ids])).logits[0].numpy()
        got = np.frombuffer(raw, np.float32).reshape(want.shape)
        worst = max(worst, float(np.abs(got - want).max()))
        print(f"{len(ids)} tokens: largest difference {np.abs(got - want).max():.2e}, of values up to {np.abs(want).max():.3g}")
    print(f"worst {worst:.2e}:", "equal to 1e-4" if worst < 1e-4 else "DIFFERENT")
    sys.exit(worst >= 1e-4)
