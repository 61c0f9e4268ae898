"""What `export --to merged-mlx` writes, mlx-lm loads, and computes what Transformers computes for the original folder.

    .venv/bin/pip install "mlx[cpu]" mlx-lm        # with mlx 0.32.4, mlx-lm 0.32.2 on Linux
    .venv/bin/python test/parity/mlx_loads_merged.py

Run by hand. test/contract/mlxFolders.test.ts writes every model of test/fixtures/configs as a folder for mlx-lm, in float32, or refuses
it; this script compares the loss of each token. Exit code 1 if one differs by more than 1e-4 of 1 + its size.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.utils import load_model

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4

mx.set_default_device(mx.cpu)
fixture = json.loads((ROOT / "test" / "fixtures" / "configs" / "variants.json").read_text())
ids = mx.array([fixture["ids"]])
checked, faults, worst = 0, 0, 0.0
with tempfile.TemporaryDirectory() as folder:
    command = ["npx", "vitest", "run", "test/contract/mlxFolders.test.ts"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "MLX_OUT": folder}, check=True, stdout=subprocess.DEVNULL)
    for number, variant in enumerate(fixture["variants"]):
        path = Path(folder) / str(number)
        if not path.exists():
            continue
        checked += 1
        name = f"{number} {variant['config']['model_type']}"
        try:
            model, _ = load_model(path)
            losses = nn.losses.cross_entropy(model(ids)[0, :-1], ids[0, 1:]).tolist()
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}")
            faults += 1
            continue
        off = max(abs(ours - loss) / (1 + loss) for ours, loss in zip(losses, variant["losses"], strict=True))
        worst = max(worst, off)
        if not off <= TOLERANCE:
            faults += 1
            print(f"{name}: a loss differs by {off:.1e}")
print(f"{checked} of {len(fixture['variants'])} models written and loaded by mlx-lm, largest difference of a loss {worst:.1e}, {faults} faults")
sys.exit(1 if faults or not checked else 0)
