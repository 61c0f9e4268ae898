"""Swaps adapters and decodes several sequences with Transformers and PEFT, and prints the times. Started by serving.mjs with a job (JSON)."""
import json
import os
import statistics
import sys
import time
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
warnings.filterwarnings("ignore")


def timed(act):
    """Milliseconds."""
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)


def generate(model, ids, tokens, **more):
    ids = torch.tensor(ids)
    mask = torch.ones_like(ids)
    model.generate(
        input_ids=ids, attention_mask=mask, do_sample=False, min_new_tokens=tokens, max_new_tokens=tokens, **more
    )


def load(job, path):
    base = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
    return PeftModel.from_pretrained(base, path, adapter_name="a").eval()


def swap_times(job, path):
    model = load(job, path)
    add = timed(lambda: model.load_adapter(path, adapter_name="b"))
    first = [job["prompt_ids"][0]]
    for name in ["a", "b"]:
        model.set_adapter(name)
        generate(model, first, 1)
    swapped, same = [], []

    def switch(name):
        model.set_adapter(name)
        generate(model, first, 1)

    for i in range(job["swaps"]):
        swapped.append(timed(lambda: switch("ab"[i % 2])))
        same.append(timed(lambda: generate(model, first, 1)))
    same_ms = statistics.median(same)
    return {"addMs": add, "swapMs": statistics.median(swapped) - same_ms, "firstTokenMs": same_ms}


def speed(model, job, sequences, which):
    ids = job["prompt_ids"][:sequences]

    def once():
        if which == "different":
            generate(model, ids, job["tokens"], adapter_names=[str(i) for i in range(sequences)])
        elif which == "same":
            generate(model, ids, job["tokens"])
        else:
            with model.disable_adapter():
                generate(model, ids, job["tokens"])

    once()
    return 1000 * sequences * job["tokens"] / timed(once)


def main():
    job = json.loads(sys.argv[1])
    torch.set_num_threads(os.cpu_count())
    with torch.inference_mode():
        swaps = {method: swap_times(job, path) for method, path in job["adapters"].items()}
        lora = job["adapters"]["LORA"]
        model = load(job, lora)
        for i in range(max(each["sequences"] for each in job["loads"])):
            model.load_adapter(lora, adapter_name=str(i))
        model.set_adapter("0")
        speeds = {each["id"]: speed(model, job, each["sequences"], each["adapters"]) for each in job["loads"]}
    print(json.dumps({"swaps": swaps, "speeds": speeds}))


main()
