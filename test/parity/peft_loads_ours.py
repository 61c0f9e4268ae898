"""What the engine writes, PEFT and Transformers load: without a missing or unexpected key, with the same logits.

    .venv/bin/python test/parity/peft_loads_ours.py            # trains and saves every parity case first (npx vitest)
    .venv/bin/python test/parity/peft_loads_ours.py FOLDER     # what `PARITY_OUT=FOLDER npx vitest run ...` saved before

Run by hand, in the venv of make_fixtures.py. For every case of test/fixtures/parity it loads the
saved adapter with PeftModel.from_pretrained (SELECTIVE: its tensors onto the base; FULL: the model) and the merged model
with AutoModelForCausalLM, and compares logits with PyTorch's own after the same training. Exit code 1 if any differ.
"""

import os
import re
import subprocess
import sys
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
sys.dont_write_bytecode = True

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from make_fixtures import FIXTURES, PROBE, real_logits

TOLERANCE = 1e-4
# PEFT keeps the untouched weight of an adapted head in its own files and does not ask for it.
BASE_COPY = re.compile(r"\.base_layer\.weight$")

NO_PROJECTION = ("Specified to not save vera_A", "Specified to not load vera_A")

logging.disable_progress_bar()
logging.set_verbosity_error()
torch.set_num_threads(1)


def save_ours(folder):
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    command = ["npx", "vitest", "run", "test/parity/parity.test.ts"]
    subprocess.run(command, cwd=root, env={**os.environ, "PARITY_OUT": folder}, check=True)


def load_base(path):
    """The model, after checking that Transformers missed nothing in its files and left nothing over."""
    model, info = AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    faults = {kind: keys for kind, keys in info.items() if keys}
    assert not faults, f"Transformers: {faults}"
    return model


def load_adapter(base, folder):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(base, folder)
    told = [str(warning.message) for warning in caught if "key" in str(warning.message) or "config" in str(warning.message)]
    # Of every adapter with save_projection false, its own ones included; that the logits are right is checked below.
    told = [message for message in told if not message.startswith(NO_PROJECTION)]
    assert not told, f"PEFT warns: {told}"
    ours = load_file(f"{folder}/adapter_model.safetensors")
    unexpected = set_peft_model_state_dict(model, ours).unexpected_keys
    # PEFT reports the one tensor of every prompt adapter so, its own ones included.
    assert set(unexpected) <= {"prompt_embeddings"}, f"unexpected keys: {unexpected}"
    theirs = {key for key in get_peft_model_state_dict(model) if not BASE_COPY.search(key)}
    assert theirs == set(ours), f"keys differ: {sorted(theirs ^ set(ours))}"
    return model


def load_selective(base, folder):
    ours = load_file(f"{folder}/selected_model.safetensors")
    unexpected = base.load_state_dict(ours, strict=False).unexpected_keys
    assert not unexpected, f"unexpected keys: {unexpected}"
    return base


def check_case(model_name, case, folder):
    """Yields (what was loaded, its largest difference in the logits)."""
    expected = load_file(f"{FIXTURES}/{model_name}/{case}/expected.safetensors")["final_logits"]
    difference = lambda model: (real_logits(model.eval(), PROBE) - expected).abs().max().item()
    base = f"{FIXTURES}/{model_name}"
    if os.path.exists(f"{folder}/adapter_config.json") and not case.startswith("bottleneck"):  # no method of PEFT's
        yield "adapter", difference(load_adapter(load_base(base), folder))
    if os.path.exists(f"{folder}/selective_config.json"):
        yield "selected tensors", difference(load_selective(load_base(base), folder))
    if os.path.exists(f"{folder}/merged"):
        yield "merged model", difference(load_base(f"{folder}/merged"))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="parity-")
    if len(sys.argv) < 2:
        save_ours(folder)
    checked, faults, worst = 0, [], 0.0
    for model_name in sorted(os.listdir(folder)):
        for case in sorted(os.listdir(f"{folder}/{model_name}")):
            try:
                for what, difference in check_case(model_name, case, f"{folder}/{model_name}/{case}"):
                    checked += 1
                    worst = max(worst, difference)
                    if not difference <= TOLERANCE:
                        faults.append(f"{model_name}/{case}, {what}: logits differ by {difference:.1e}")
            except Exception as error:
                faults.append(f"{model_name}/{case}: {error}")
    print("\n".join(faults))
    print(f"{checked} folders loaded by PEFT and Transformers, largest difference of a logit {worst:.1e}, {len(faults)} faults")
    sys.exit(1 if faults or not checked else 0)


if __name__ == "__main__":
    main()
