"""What `tunewright export --to mlx` writes, mlx-lm loads: with the logits that PEFT computes.

    .venv/bin/pip install "mlx[cpu]" mlx-lm        # with mlx 0.32.4, mlx-lm 0.32.2 on Linux
    .venv/bin/python test/parity/mlx_loads_ours.py

Run by hand, in the venv of make_fixtures.py. It exports every adapter of test/fixtures/parity that can be exported, and
fails on logits that differ by more than 1e-4 of their range.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import mlx.core as mx
import numpy as np
import torch
from mlx_lm.tuner.utils import load_adapters
from mlx_lm.utils import load_model
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.disable_progress_bar()
logging.set_verbosity_error()
ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "test" / "fixtures" / "parity"
TOLERANCE = 1e-4
IDS = [1, 17, 42, 5, 60, 63, 9, 30, 71, 2]


def export(model, adapter, out):
    command = ["npm", "run", "-s", "tunewright", "--", "export", "--model", model, "--adapter", adapter, "--to", "mlx"]
    return subprocess.run([*map(str, command), "--out", str(out)], cwd=ROOT, capture_output=True, text=True)


def loadable(model, folder):
    """The model as mlx-lm reads it: rotary keys as Transformers 4 wrote them, GPT-2 as OpenAI published it, float32."""
    config = json.loads((model / "config.json").read_text())
    rotary = config.pop("rope_parameters", None)
    if rotary:
        config["rope_theta"] = rotary.pop("rope_theta")
        config["rope_scaling"] = rotary if rotary["rope_type"] != "default" else None
    config.setdefault("n_ctx", config.get("n_positions"))
    tensors = {}
    for file in model.glob("model*.safetensors"):
        for name, tensor in load_file(file).items():
            tensors[name.removeprefix("transformer.")] = tensor.float()
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def logits_of_mlx(model, adapter=None):
    loaded, _ = load_model(model)
    if adapter:
        loaded = load_adapters(loaded, str(adapter))
    loaded.eval()
    return np.array(loaded(mx.array([IDS])))


def logits_of_torch(model, adapter=None):
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    if adapter:
        loaded = PeftModel.from_pretrained(loaded, adapter)
    with torch.no_grad():
        return loaded.eval()(torch.tensor([IDS])).logits.numpy()


def difference(ours, expected):
    return np.abs(ours - expected).max() / np.ptp(expected)


mx.set_default_device(mx.cpu)
failed = 0
for model in sorted(path.parent for path in FIXTURES.glob("*/config.json")):
    with tempfile.TemporaryDirectory() as folder:
        base = loadable(model, Path(folder) / "base")
        if (apart := difference(logits_of_mlx(base), logits_of_torch(model))) > TOLERANCE:
            print(f"skipped  {model.name}: mlx-lm computes something else for the base model itself ({apart:.1e})")
            continue
        for config in sorted(model.glob("*/adapter_config.json")):
            adapter, out = config.parent, Path(folder) / config.parent.name
            done = export(model, adapter, out)
            if done.returncode:
                print(f"refused  {model.name}/{adapter.name}: {done.stderr.strip().splitlines()[0].rsplit(': ', 1)[-1]}")
                failed += done.returncode != 2
                continue
            apart = difference(logits_of_mlx(base, out), logits_of_torch(model, adapter))
            failed += not apart < TOLERANCE
            rank = json.loads((out / "adapter_config.json").read_text())["lora_parameters"]["rank"]
            print(f"{'ok' if apart < TOLERANCE else 'DIFFERS'}  {model.name}/{adapter.name}: rank {rank}, {apart:.1e}")
sys.exit(failed > 0)
