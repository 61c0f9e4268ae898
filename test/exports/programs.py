"""The Python programs' part of `npm run test:exports`: jobs as JSON on standard input, a JSON line for each on standard output.

make: a small random model of a family (Transformers). transformers, peft, mlx, mlx_adapter: opens what was exported, and compares it with
what reference.ts has written. quantize: llama.cpp's own file of a type, by the libraries of node-llama-cpp.
"""

import ctypes
import glob
import json
import os
import shutil
import sys
import traceback
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")

import numpy as np


def rows_of(place):
    reference = json.loads((Path(place) / "reference.json").read_text())
    logprobs = np.fromfile(Path(place) / "logprobs.bin", dtype=np.float32).reshape(-1, reference["vocab"])
    return reference, logprobs


def compared(reference, logprobs, logits_of):
    """Mean KL(reference || program) over the tokens of all rows, and the tokens of greedy answers for which the program has another.

    A token counts as another if the reference itself finds it less likely by more than rounding can explain.
    """
    found = np.concatenate([np.asarray(logits_of(row), dtype=np.float64)[:, : reference["vocab"]] for row in reference["rows"]])
    found -= found.max(axis=-1, keepdims=True)
    found -= np.log(np.exp(found).sum(axis=-1, keepdims=True))
    own = logprobs.astype(np.float64)
    starts = np.cumsum([0] + [len(row) for row in reference["rows"]])
    others = 0
    for answer in reference["answers"]:
        first, end = starts[answer["row"]] + answer["from"] - 1, starts[answer["row"] + 1] - 1
        chosen = np.take_along_axis(own[first:end], found[first:end].argmax(axis=-1)[:, None], axis=-1)[:, 0]
        others += int((own[first:end].max(axis=-1) - chosen > 1e-3).sum())
    return {"kl": max(0.0, float((np.exp(own) * (own - found)).sum(axis=-1).mean())), "others": others}


def make(job):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**job["config"]))
    model.save_pretrained(job["out"])
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(job["tokenizer"]) / name, job["out"])
    # As Transformers saves it: Qwen 2, for one, splits and normalizes texts by its own rules, whatever tokenizer.json says.
    AutoTokenizer.from_pretrained(job["out"]).save_pretrained(job["out"])
    return {}


def torch_model(path):
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def torch_logits(model):
    import torch

    def logits_of(row):
        with torch.no_grad():
            return model(torch.tensor([row])).logits[0].float().numpy()

    return logits_of


def transformers(job):
    from transformers import AutoTokenizer

    reference, logprobs = rows_of(job["reference"])
    model = torch_model(job["model"])
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    problems = []
    for text in reference["texts"]:
        if tokenizer.encode(text["text"], add_special_tokens=False) != text["ids"]:
            problems.append(f"ids of {text['text'][:40]!r}")
            break
    for chat in reference["chats"]:
        ids = tokenizer.apply_chat_template(chat["messages"], add_generation_prompt=True, return_dict=False)
        if ids != chat["ids"]:
            problems.append(f"ids of the chat {chat['messages'][0]['content'][:40]!r}")
            break
    ends = model.generation_config.eos_token_id
    if set(ends if isinstance(ends, list) else [ends]) != set(reference["ends"]):
        problems.append(f"ends at {ends} instead of {reference['ends']}")
    return {**compared(reference, logprobs, torch_logits(model)), "problem": "; ".join(problems) or None}


def peft(job):
    from peft import PeftModel

    reference, logprobs = rows_of(job["reference"])
    model = PeftModel.from_pretrained(torch_model(job["model"]), job["adapter"]).eval()
    return {**compared(reference, logprobs, torch_logits(model)), "problem": None}


def mlx_logits(model):
    import mlx.core as mx

    return lambda row: np.array(model(mx.array([row]))[0].astype(mx.float32))


def mlx(job):
    import mlx.core as mx
    from mlx_lm.utils import load_model, load_tokenizer

    mx.set_default_device(mx.cpu)
    reference, logprobs = rows_of(job["reference"])
    model, config = load_model(Path(job["model"]))
    model.eval()
    problems = []
    if not job.get("adapter"):
        tokenizer = load_tokenizer(Path(job["model"]), eos_token_ids=config.get("eos_token_id"))
        for chat in reference["chats"]:
            if list(tokenizer.apply_chat_template(chat["messages"], add_generation_prompt=True)) != chat["ids"]:
                problems.append(f"ids of the chat {chat['messages'][0]['content'][:40]!r}")
                break
        if set(tokenizer.eos_token_ids) != set(reference["ends"]):
            problems.append(f"ends at {sorted(tokenizer.eos_token_ids)} instead of {reference['ends']}")
    else:
        from mlx_lm.tuner.utils import load_adapters

        model = load_adapters(model, job["adapter"])
        model.eval()
    return {**compared(reference, logprobs, mlx_logits(model)), "problem": "; ".join(problems) or None}


def quantize(job):
    libraries = glob.glob(f"{job['llama']}/node_modules/@node-llama-cpp/*/bins/*/libllama.*")
    folder = os.path.dirname(libraries[0])
    global LLAMA, SILENT
    if "LLAMA" not in globals():
        by_name = lambda part: next(path for path in sorted(glob.glob(f"{folder}/lib{part}.*")))
        for part in ("ggml-base", "ggml"):
            ggml = ctypes.CDLL(by_name(part), mode=ctypes.RTLD_GLOBAL)
        ggml.ggml_backend_load_all_from_path(folder.encode())
        LLAMA = ctypes.CDLL(by_name("llama"), mode=ctypes.RTLD_GLOBAL)

        class Parameters(ctypes.Structure):
            """llama_model_quantize_params; what is behind the first two is as the library fills it in."""

            _fields_ = [("nthread", ctypes.c_int32), ("ftype", ctypes.c_int32), ("rest", ctypes.c_byte * 256)]

        LLAMA.llama_model_quantize_default_params.restype = Parameters
        SILENT = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
        LLAMA.llama_log_set(SILENT, None)
        LLAMA.llama_backend_init()
    parameters = LLAMA.llama_model_quantize_default_params()
    parameters.nthread, parameters.ftype = os.cpu_count(), job["file_type"]
    failed = LLAMA.llama_model_quantize(job["from"].encode(), job["out"].encode(), ctypes.byref(parameters))
    return {"problem": "llama_model_quantize refuses it" if failed else None}


def versions(_job):
    from importlib.metadata import version

    names = {"transformers": "Transformers", "peft": "PEFT", "mlx-lm": "mlx-lm"}
    return {package: f"{name} {version(package)}" for package, name in names.items()}


KINDS = {"versions": versions, "make": make, "transformers": transformers, "peft": peft, "mlx": mlx, "mlx_adapter": mlx, "quantize": quantize}

for job in json.load(sys.stdin):
    try:
        result = KINDS[job["kind"]](job)
    except Exception as error:
        traceback.print_exc()
        result = {"problem": f"{type(error).__name__}: {error}"[:300]}
    print("RESULT " + json.dumps(result), flush=True)
