"""A trained adapter of a real model: Python's PEFT loads it, on the same base, and gives the logits that the engine gives.

    python3 -m venv .venv
    .venv/bin/pip install torch==2.15.0 transformers==5.23.0 peft==0.21.2 safetensors gguf==0.19.0
    .venv/bin/python test/parity/check_adapter.py smollm2-135m-instruct media/examples/runs/RUN/adapter
    .venv/bin/python test/parity/check_adapter.py MODEL ADAPTER --prompt "Why is the sky blue?" --rows 0

MODEL is what a run file names: a pulled model, a GGUF file (Transformers dequantizes it to float32, as the engine does)
or a Hugging Face folder; it needs a chat template. Run by hand, after `tunewright engine install`; under two minutes for
SmolLM2-135M. Both sides render and tokenize the same chats, prompts and rows of the bundled validation set; the token ids
have to be equal, no key of the adapter missing or unexpected, and the logits of the base alone and with the adapter within
TOLERANCE everywhere. Exit code 1 where anything differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
sys.dont_write_bytecode = True

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from peft_loads_ours import load_adapter

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
ROWS = os.path.join(ROOT, "media", "datasets", "instructions.validation.jsonl")
PROMPTS = [
    "Why is the sky blue?",
    "Write a haiku about the sea.",
    "What is 1234 + 5678?",
    "Übersetze „Guten Morgen“ ins Français, 日本語 und 🙂.",
    "def add(a, b):\n    return a + b\n\nExplain   this code.",
]
TOLERANCE = 1e-3


def read_chats(prompts, rows):
    """(what it is, messages) of every chat."""
    with open(ROWS, encoding="utf-8") as file:
        messages = [json.loads(line)["messages"] for line in file][:rows]
    asked = [(repr(prompt), [{"role": "user", "content": prompt}]) for prompt in prompts]
    return asked + [(f"validation row {i + 1}", chat) for i, chat in enumerate(messages)]


def model_path(model):
    """Where the engine finds the model."""
    command = ["node", os.path.join(ROOT, "extension", "bin", "tunewright.mjs"), "inspect", model, "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["path"]


def write_ours(model, adapter, chats, out):
    """The engine's token ids; its logits it leaves in the folder `out`."""
    request = {"model": model, "adapter": os.path.abspath(adapter), "chats": chats, "out": out}
    subprocess.run(["node", os.path.join(HERE, "writeLogits.mjs")], input=json.dumps(request), text=True, check=True)
    with open(f"{out}/ids.json", encoding="utf-8") as file:
        return json.load(file)


def load_theirs(path):
    """Base model and tokenizer, after checking that Transformers missed nothing in the file and left nothing over."""
    folder, file = os.path.split(path) if path.endswith(".gguf") else (path, None)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=file, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    faults = {kind: keys for kind, keys in info.items() if keys}
    assert not faults, f"Transformers: {faults}"
    return model.eval(), tokenizer


def ids_of(chat, tokenizer):
    asks = chat[-1]["role"] == "user"
    return tokenizer.apply_chat_template(chat, add_generation_prompt=asks, return_dict=False)


@torch.no_grad()
def compare(model, sequences, name, ours):
    """Prints and returns the largest difference of each sequence's logits."""
    differences, same_choice, highest = [], 0, 0.0
    for i, ids in enumerate(sequences):
        # Behind the virtual tokens, where the adapter has some.
        theirs = model(input_ids=torch.tensor([ids])).logits[0, -len(ids):]
        own = ours.get_tensor(f"{name}.{i}")
        differences.append((own - theirs).abs().max().item())
        same_choice += (own.argmax(-1) == theirs.argmax(-1)).sum().item()
        highest = max(highest, theirs.abs().max().item())
    tokens = sum(map(len, sequences))
    print(
        f"{name}: largest difference of a logit {max(differences):.2e} (logits reach {highest:.1f}), "
        f"likeliest token the same at {same_choice} of {tokens} positions"
    )
    return differences


def largest_change(sequences, ours):
    """How far the adapter moves a logit: had it done nothing, the comparison would say nothing."""
    change = lambda i: (ours.get_tensor(f"adapter.{i}") - ours.get_tensor(f"base.{i}")).abs().max().item()
    return max(change(i) for i in range(len(sequences)))


def main():
    parser = argparse.ArgumentParser(description="Compares a trained adapter's logits with those of Python's PEFT.")
    parser.add_argument("model")
    parser.add_argument("adapter")
    parser.add_argument("--prompt", action="append", help="in place of the script's own; may be repeated")
    parser.add_argument("--rows", type=int, default=12, help="rows of the validation set (default 12)")
    arguments = parser.parse_args()
    named = read_chats(arguments.prompt or PROMPTS, arguments.rows)
    names, chats = zip(*named)

    with tempfile.TemporaryDirectory(prefix="check-adapter-") as out:
        path = model_path(arguments.model)
        sequences = write_ours(arguments.model, arguments.adapter, chats, out)
        base, tokenizer = load_theirs(path)
        faults = [
            f"{name}: token ids differ from Python's"
            for name, chat, ids in zip(names, chats, sequences)
            if ids_of(chat, tokenizer) != ids
        ]
        print(f"{len(chats)} chats, {sum(map(len, sequences))} tokens; ids equal in {len(chats) - len(faults)} of them")
        with safe_open(f"{out}/logits.safetensors", "pt") as ours:
            for which in ["base", "adapter"]:
                model = base if which == "base" else load_adapter(base, arguments.adapter).eval()
                for name, difference in zip(names, compare(model, sequences, which, ours)):
                    if not difference <= TOLERANCE:
                        faults.append(f"{name}, {which}: logits differ by {difference:.1e}, {TOLERANCE:.0e} is allowed")
            moved = largest_change(sequences, ours)
    print(f"the adapter moves a logit by up to {moved:.2f}; PEFT loaded it without a missing or unexpected key")
    if not moved > TOLERANCE:
        faults.append("the adapter changes nothing, so nothing was compared")
    print("\n".join(faults) or "the same")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
