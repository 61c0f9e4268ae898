"""Trains one row of the bench with PyTorch, Transformers and PEFT, and prints what it took as one JSON object.

Started by peer.mjs with a job (JSON) as its argument. The loop is what Transformers' Trainer does a step (forward,
backward, clip_grad_norm_, AdamW, schedule), without its logging. Rows are padded to the longest of their batch.
"""
import json
import os
import random
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()


def attach(model, method):
    """The model with the method's trainable parameters; the names are those of our run files."""
    kind = method["peft_type"]
    if kind == "FULL":
        return model
    if kind == "SELECTIVE":
        layers = model.config.num_hidden_layers
        wanted = {f"model.layers.{i}." for i in range(layers - method["num_layers"], layers)}
        for name, parameter in model.named_parameters():
            parameter.requires_grad = any(name.startswith(prefix) for prefix in wanted)
        return model
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=method["r"], lora_alpha=method["lora_alpha"], target_modules=method["target_modules"], task_type="CAUSAL_LM"
    )
    return get_peft_model(model, config)


def collate(rows):
    longest = max(len(row["input_ids"]) for row in rows)
    pad = lambda values, filler: values + [filler] * (longest - len(values))
    return {
        "input_ids": torch.tensor([pad(row["input_ids"], 0) for row in rows]),
        "labels": torch.tensor([pad(row["labels"], -100) for row in rows]),
        "attention_mask": torch.tensor([pad([1] * len(row["input_ids"]), 0) for row in rows]),
    }


def peak_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def main():
    job = json.loads(sys.argv[1])
    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(42)
    random.seed(42)
    with open(job["rows"]) as lines:
        rows = [json.loads(line) for line in lines]
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    model = attach(model, job["method"])
    model.config.use_cache = False
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=job["learning_rate"], weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    size = job["batch_size"]
    kind = getattr(torch, job["autocast"] or "bfloat16")
    autocast = torch.autocast("cpu", dtype=kind, enabled=job["autocast"] is not None)
    steps = []
    for epoch in range(job["epochs"]):
        if job["shuffle"]:
            random.shuffle(rows)
        for start in range(0, len(rows), size):
            began = time.perf_counter()
            chosen = rows[start : start + size]
            with autocast:
                loss = model(**collate(chosen)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            steps.append(
                {
                    "epoch": epoch,
                    "ms": (time.perf_counter() - began) * 1000,
                    "loss": loss.item(),
                    "tokens": sum(len(row["input_ids"]) for row in chosen),
                    "rows": len(chosen),
                }
            )
    print(json.dumps({"steps": steps, "peak_bytes": peak_bytes(), "torch": torch.__version__}))


main()
