"""The LoRA rows of `engine bench` with PyTorch + PEFT on the same GPU: prints an answer of the same form as JSON.

Called as `gpu_peft.py DEVICE ROW...` by gpu.mjs; DEVICE is one of torch, or empty for the GPU that there is.
"""

import json
import statistics
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

SHAPE = dict(
    vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
    num_key_value_heads=3, max_position_embeddings=8192, rms_norm_eps=1e-5, tie_word_embeddings=True, rope_theta=100000,
)
ROWS = [("LoRA, SmolLM2-135M, 4 x 256", 4, 256), ("LoRA, SmolLM2-135M, 1 x 1024", 1, 1024)]
MEASURE_SECONDS = 8


def default_device():
    """CUDA is also ROCm's name."""
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    raise SystemExit("torch finds no GPU")


DEVICE, *WANTED = sys.argv[1:]
DEVICE = DEVICE or default_device()


def measure(batch, tokens):
    if DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()
    base = LlamaForCausalLM(LlamaConfig(**SHAPE)).to(DEVICE)
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]))
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-4, weight_decay=0.0)
    ids = torch.randint(0, SHAPE["vocab_size"], (batch, tokens), device=DEVICE)

    def step():
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    step()
    step()
    times = []
    end = time.perf_counter() + MEASURE_SECONDS
    while time.perf_counter() < end and len(times) < 50:
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    seconds = statistics.median(times)
    return {"value": batch * tokens / seconds, "unit": "tokens/s", "seconds": seconds,
            "bytes": torch.cuda.max_memory_allocated() if DEVICE == "cuda" else None, "problem": None}


torch.backends.cuda.matmul.allow_tf32 = False
rows = [{"id": name, **measure(batch, tokens)} for name, batch, tokens in ROWS if name in WANTED]
name = torch.cuda.get_device_name() if DEVICE == "cuda" else DEVICE
print(json.dumps({"backend": "PyTorch + PEFT", "library": torch.__version__, "device": name, "rows": rows}))
