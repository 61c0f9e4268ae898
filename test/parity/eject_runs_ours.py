"""The programs that `tunewright eject` writes, executed: the losses of their steps are those of the same runs here.

    npm run parity:eject                                        # every case, a few minutes
    .venv/bin/python test/parity/eject_runs_ours.py lora vera   # cases whose names contain one of these

Run by hand, in the venv of make_fixtures.py. Each case is trained by `tunewright train`, ejected, and its program run: on the
embedded model with and without packing, and on the models of test/fixtures/parity. All have gradient accumulation, weight decay
and no dropout; schedules take turns. Exit code 1 if a loss of a step or an evaluation differs by more than 1e-3.
"""

import contextlib
import io
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
sys.dont_write_bytecode = True

import torch
from transformers.utils import logging

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FIXTURES = os.path.join(ROOT, "test", "fixtures", "parity")
MEDIA = os.path.join(ROOT, "media")
TOLERANCE = 1e-3
STEPS = 8

EMBEDDED = {
    "lora": {"peft_type": "LORA"},
    "lora-all-linear": {"peft_type": "LORA", "target_modules": "all-linear", "exclude_modules": ["o_proj"], "use_rslora": True},
    "lora-patterns": {"peft_type": "LORA", "target_modules": ["q_proj", "down_proj"], "rank_pattern": {"q_proj": 3},
                      "alpha_pattern": {"down_proj": 32}, "layers_to_transform": [0, 2], "init_lora_weights": "gaussian"},
    "lora-dora": {"peft_type": "LORA", "use_dora": True, "target_modules": ["v_proj", "up_proj"]},
    "lora-bias-saved": {"peft_type": "LORA", "bias": "all", "modules_to_save": ["lm_head", "norm"], "init_lora_weights": False},
    "ia3": {"peft_type": "IA3"},
    "ia3-saved": {"peft_type": "IA3", "target_modules": ["k_proj", "down_proj"], "feedforward_modules": ["down_proj"],
                  "modules_to_save": ["norm"]},
    "loha": {"peft_type": "LOHA"},
    "loha-patterns": {"peft_type": "LOHA", "target_modules": ["q_proj", "v_proj"], "rank_pattern": {"v_proj": 3}},
    "vera": {"peft_type": "VERA"},
    "vera-recomputed": {"peft_type": "VERA", "save_projection": False, "target_modules": ["q_proj", "v_proj"]},
    "prompt": {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 5},
    "prompt-text": {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 6, "prompt_tuning_init": "TEXT",
                    "prompt_tuning_init_text": "Talk like a pirate:"},
    "prefix": {"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 4},
    "prefix-projection": {"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 4, "prefix_projection": True},
    "p-tuning": {"peft_type": "P_TUNING", "num_virtual_tokens": 4},
    "selective-norm": {"peft_type": "SELECTIVE", "select": "norm"},
    "selective-last": {"peft_type": "SELECTIVE", "select": "last_layers", "num_layers": 1},
    "selective-first": {"peft_type": "SELECTIVE", "select": "first_layers", "num_layers": 2},
    "selective-pattern": {"peft_type": "SELECTIVE", "select": "pattern", "pattern": r".*\.mlp\.(up|down)_proj\.weight"},
    "full": {"peft_type": "FULL"},
}
OTHER = ["lora", "lora-bias-saved", "ia3", "vera", "prompt", "prefix", "p-tuning", "selective-norm", "selective-last", "full"]
# Adapters of test/fixtures/adapters that are continued, with their base: added tokens, trained and adapted embeddings and heads.
CONTINUED = {
    "untied-more-rows": "llama-untied",
    "untied-more-rows-trained": "llama-untied",
    "tied-more-rows": "llama-tied",
    "tied-more-rows-head-trained": "llama-tied",
    "tied-head-adapted": "llama-tied",
    "gpt2-more-rows": "gpt2",
}
BIASES = {"gpt2", "qwen2"}
RATES = {"LORA": 5e-3, "IA3": 1e-2, "LOHA": 5e-3, "VERA": 1e-2, "PROMPT_TUNING": 1e-2, "PREFIX_TUNING": 1e-2, "P_TUNING": 3e-3,
         "SELECTIVE": 3e-3, "FULL": 1e-3}
SCHEDULES = ["cosine", "linear", "constant_with_warmup", "polynomial", "inverse_sqrt", "cosine_with_restarts", "constant"]

LINE = re.compile(r"^step (\d+)  (?:(validation_loss)|loss) (\S+)", re.MULTILINE)

logging.disable_progress_bar()
logging.set_verbosity_error()
warnings.filterwarnings("ignore")
torch.set_num_threads(1)


def tunewright(*arguments):
    command = ["node", os.path.join(ROOT, "extension", "bin", "tunewright.mjs"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
    return done.stdout


def cases():
    """(name, model of the run, method, packing)"""
    for name, method in EMBEDDED.items():
        for packing in (True, False):
            yield f"embedded/{name}/{'packed' if packing else 'rows'}", "embedded:tiny", method, packing
    for model in sorted(os.listdir(FIXTURES)):
        if not os.path.isdir(f"{FIXTURES}/{model}"):
            continue
        named = {name: dict(EMBEDDED[name]) for name in OTHER}
        if model in BIASES:
            named["selective-bias"] = {"peft_type": "SELECTIVE", "select": "bias"}
        for number, (name, method) in enumerate(named.items()):
            if model == "gpt2" and "modules_to_save" in method:
                method["modules_to_save"] = ["ln_f"]
            yield f"{model}/{name}", f"{FIXTURES}/{model}", method, number % 2 == 0
    for adapter, model in CONTINUED.items():
        method = {"peft_type": "LORA", "init_from": os.path.join(FIXTURES, "..", "adapters", adapter)}
        yield f"continued/{adapter}", f"{FIXTURES}/{model}", method, True


def run_file(folder, model, method, packing, schedule):
    if model == "embedded:tiny":
        rows = {"train": f"{MEDIA}/datasets/pirate.messages.jsonl", "validation": 0.1, "max_length": 64}
    else:
        with open(f"{FIXTURES}/rows.json") as file, open(f"{folder}/rows.jsonl", "w") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in json.load(file)["rows"])
        rows = {"train": "rows.jsonl", "validation": 0.2, "max_length": 32}
    peft_type = method["peft_type"]
    training = {
        "max_steps": STEPS, "per_device_train_batch_size": 3, "gradient_accumulation_steps": 2, "eval_steps": 4, "warmup_steps": 2,
        "weight_decay": 0.1, "lr_scheduler_type": schedule, "learning_rate": RATES[peft_type], "max_grad_norm": 0.5,
        # As in make_fixtures.py: a gradient of rounding noise, blown up by Adam.
        "adam_epsilon": 1e-5 if model.endswith("gpt2") else 1e-8,
    }
    run = {"model": model, "dataset": {**rows, "packing": packing}, "method": method, "training": training}
    with open(f"{folder}/run.json", "w") as file:
        json.dump(run, file)
    return f"{folder}/run.json"


def ours(folder):
    """Losses by (what, step), from the events of `tunewright train`."""
    events = map(json.loads, tunewright("train", f"{folder}/run.json", "--out", f"{folder}/run", "--json").splitlines())
    kinds = {"step": "loss", "evaluated": "validation_loss"}
    return {(kinds[e["type"]], e["step"]): e["loss"] for e in events if e["type"] in kinds and e["step"] > 0}


def theirs(folder, model):
    tunewright("eject", f"{folder}/run.json", "--out", f"{folder}/program.py")
    printed = io.StringIO()
    sys.argv = ["program.py", model]
    with contextlib.redirect_stdout(printed):
        runpy.run_path(f"{folder}/program.py", run_name="__main__")
    assert os.listdir(f"{folder}/program.result"), "no result"
    return {(what or "loss", int(step)): float(loss) for step, what, loss in LINE.findall(printed.getvalue())}


def main():
    wanted = sys.argv[1:]
    place = tempfile.mkdtemp(prefix="eject-")
    tunewright("merge", "--model", "embedded:tiny", "--out", f"{place}/tiny")
    checked, faults, worst = 0, [], 0.0
    for number, (name, model, method, packing) in enumerate(cases()):
        if wanted and not any(part in name for part in wanted):
            continue
        folder = f"{place}/{name.replace('/', '-')}"
        os.makedirs(folder)
        checked += 1
        try:
            run_file(folder, model, method, packing, SCHEDULES[number % len(SCHEDULES)])
            expected = ours(folder)
            got = theirs(folder, f"{place}/tiny" if model == "embedded:tiny" else model)
            assert got.keys() == expected.keys(), f"other steps: {sorted(got.keys() ^ expected.keys())}"
            difference, step = max((abs(got[step] - loss), step) for step, loss in expected.items())
            worst = max(worst, difference)
            print(f"{name}: largest difference {difference:.1e} ({step[0]} of step {step[1]})", flush=True)
            if not difference <= TOLERANCE:
                faults.append(f"{name}: {step[0]} of step {step[1]} differs by {difference:.1e}")
        except Exception as error:
            faults.append(f"{name}: {type(error).__name__}: {error}")
            print(faults[-1], flush=True)
    print("\n".join(faults))
    print(f"{checked} programs, largest difference of a loss {worst:.1e}, {len(faults)} faults")
    sys.exit(1 if faults or not checked else 0)


if __name__ == "__main__":
    main()
