"""Writes test/fixtures/parity: small random models, starting adapters as PEFT saves them, rows, and the numbers that
PyTorch + Transformers + PEFT compute from them. Run by hand, never by CI; test/parity/parity.test.ts reads what it wrote.

    python3 -m venv .venv && .venv/bin/pip install torch==2.15.0 transformers==5.23.0 peft==0.21.2 safetensors
    .venv/bin/python test/parity/make_fixtures.py            # all of it, 20 seconds
    .venv/bin/python test/parity/make_fixtures.py qwen3      # one model only
    .venv/bin/python test/parity/make_fixtures.py --check    # also trains in float64 and prints how far float32 drifts

Everything follows from fixed seeds and one CPU thread: a second run on the same versions writes the same bytes. The two
models with a window by layer were made with transformers 5.24.0.

Layout, a folder a model:
    rows.json                     the rows, shared by all models: all of them, those of the padded batch, those of the probe batch
    <model>/config.json, *.safetensors             the Hugging Face model folder
    <model>/base.safetensors      logits of the base model: `padded` (rows 0-3 as one right-padded batch) and `alone.<row>`
    <model>/expected.json         the cases: method block of a run file, training block, expected numbers of each step
                                  (no steps: the adapter is only to be loaded)
    <model>/<case>/               adapter_config.json + adapter_model.safetensors: the START, as PEFT saved it;
                                  trainable_start.safetensors where training needs more than that (prompt encoders);
                                  none of these for SELECTIVE and FULL, which start from the base;
                                  expected.safetensors: `start_logits`, `final_logits`, `final.<tensor>`. Merged models have to
                                  give `final_logits` too; that PEFT's own merging does is checked here
Logits hold the real tokens only, rows one after another: [sum of lengths, vocab]. Those of a case are of the probe rows.
"""

import copy
import json
import math
import os
import re
import shutil
import sys
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
warnings.filterwarnings("ignore")

import torch
from peft import (
    IA3Config,
    LoHaConfig,
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    VeraConfig,
    get_peft_model,
    get_peft_model_state_dict,
)
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
    get_scheduler,
)
from transformers.activations import ACT2FN
from transformers.utils.logging import disable_progress_bar

disable_progress_bar()
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "parity")
VOCAB = 96
LAYERS = 2
STEPS = 12
IGNORE = -100
PADDED = [0, 1, 2, 3]
PROBE = [2, 6, 9]
CYCLE = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]


# Rows

def make_rows():
    """Eleven rows of 5 to 24 tokens; every second one has a masked prompt, one a masked middle. An unmasked first label
    counts behind virtual tokens only: the last of those predicts it."""
    generator = torch.Generator().manual_seed(11)
    rows = []
    for i, length in enumerate([13, 24, 5, 9, 17, 21, 7, 11, 15, 6, 19]):
        ids = torch.randint(0, VOCAB, (length,), generator=generator).tolist()
        labels = list(ids)
        masked = length // 2 if i % 2 else 0
        labels[:masked] = [IGNORE] * masked
        if i == 4:
            labels[6:10] = [IGNORE] * 4
        rows.append({"input_ids": ids, "labels": labels})
    return rows


ROWS = make_rows()


def pad(indices):
    """The rows as one right-padded batch: ids, attention mask, labels."""
    longest = max(len(ROWS[i]["input_ids"]) for i in indices)
    fill = lambda values, value: values + [value] * (longest - len(values))
    ids = torch.tensor([fill(ROWS[i]["input_ids"], 0) for i in indices])
    labels = torch.tensor([fill(ROWS[i]["labels"], IGNORE) for i in indices])
    mask = torch.tensor([fill([1] * len(ROWS[i]["input_ids"]), 0) for i in indices])
    return ids, mask, labels


# Models

def model_configs():
    small = dict(vocab_size=VOCAB, num_hidden_layers=LAYERS, num_attention_heads=4, num_key_value_heads=2,
                 max_position_embeddings=128, bos_token_id=1, eos_token_id=2)
    llama3 = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0,
              "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    return {
        # Sharded; RoPE scaled as Llama 3 does.
        "llama-tied": LlamaConfig(hidden_size=32, intermediate_size=64, tie_word_embeddings=True,
                                  rope_parameters=llama3, **small),
        # config.json as Transformers 4 wrote it.
        "llama-untied": LlamaConfig(hidden_size=32, intermediate_size=56, tie_word_embeddings=False, rms_norm_eps=1e-5,
                                    rope_parameters={"rope_type": "linear", "rope_theta": 1000.0, "factor": 2.5},
                                    **small),
        # Stored as BF16; a window shorter than most rows.
        "mistral": MistralConfig(hidden_size=32, intermediate_size=48, head_dim=8, sliding_window=6,
                                 tie_word_embeddings=False, **small),
        "qwen2": Qwen2Config(hidden_size=32, intermediate_size=64, tie_word_embeddings=True, **small),
        # A window in the upper layer only; config.json as Transformers 4 wrote it, without layer_types.
        "qwen2-window": Qwen2Config(hidden_size=32, intermediate_size=48, use_sliding_window=True, sliding_window=6,
                                    max_window_layers=1, tie_word_embeddings=True, **small),
        # A window in the lower layer only.
        "qwen3-window": Qwen3Config(hidden_size=32, intermediate_size=48, head_dim=8, use_sliding_window=True,
                                    sliding_window=5, layer_types=["sliding_attention", "full_attention"],
                                    tie_word_embeddings=False, **small),
        # head_dim independent of the width: 4 heads of 12 in a model of width 40.
        "qwen3": Qwen3Config(hidden_size=40, intermediate_size=48, head_dim=12, tie_word_embeddings=False, **small),
        "gpt2": GPT2Config(n_embd=32, n_layer=LAYERS, n_head=4, n_positions=64, vocab_size=VOCAB, resid_pdrop=0.0,
                           embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=1, eos_token_id=2),
    }


def make_model(name, config):
    """Writes the model folder. Weights are large enough that every part of the model shows in the logits."""
    torch.manual_seed(sum(map(ord, name)))
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            noise = torch.randn_like(parameter)
            if "norm" in parameter_name or "ln_" in parameter_name:
                parameter.copy_(0.2 * noise + (1.0 if parameter_name.endswith("weight") else 0.0))
            elif parameter_name.endswith("bias"):
                parameter.copy_(0.2 * noise)
            elif parameter.shape[0] in (VOCAB, 64) and ("embed" in parameter_name or "wte" in parameter_name):
                parameter.copy_(0.3 * noise)
            else:
                parameter.copy_(0.2 * noise)
    if name == "mistral":
        model = model.to(torch.bfloat16)
    model.save_pretrained(name, max_shard_size="30KB" if name == "llama-tied" else "5GB")
    os.remove(f"{name}/generation_config.json")
    if name == "qwen2-window":
        with open(f"{name}/config.json") as file:
            written = json.load(file)
        del written["layer_types"]
        write_json(f"{name}/config.json", written)
    if name == "llama-untied":
        with open(f"{name}/config.json") as file:
            written = json.load(file)
        rope = written.pop("rope_parameters")
        written["torch_dtype"] = written.pop("dtype")
        written["rope_theta"] = rope.pop("rope_theta")
        written["rope_scaling"] = rope
        write_json(f"{name}/config.json", written)


def load_model(name, dtype=torch.float32):
    model = AutoModelForCausalLM.from_pretrained(name, dtype=dtype, attn_implementation="eager")
    return model.train()


# Cases

def lora(models, **config):
    """One LORA case for each model; `config` is both PEFT's LoraConfig and the run file's method block."""
    return {"models": models, "peft_type": "LORA", "config": {"lora_dropout": 0.0, **config}}


MAIN = ["llama-tied", "llama-untied", "qwen2", "qwen3"]
ALL = [*MAIN, "gpt2"]
WINDOWS = ["mistral", "qwen2-window", "qwen3-window"]

CASES = {
    "lora-qv": lora([*MAIN, *WINDOWS], r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
    "lora-default": lora(["gpt2"], r=4, lora_alpha=8),
    "lora-all-linear": lora(ALL, r=3, lora_alpha=6, target_modules="all-linear"),
    "lora-dora": lora(MAIN, r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj", "v_proj", "down_proj"]),
    "lora-dora-conv1d": lora(["gpt2"], r=4, lora_alpha=8, use_dora=True, target_modules=["c_attn", "mlp.c_proj"]),
    "lora-rslora-patterns": lora(MAIN, r=4, lora_alpha=6, use_rslora=True,
                                 target_modules=["q_proj", "o_proj", "up_proj", "down_proj"],
                                 rank_pattern={"down_proj": 6, r"layers\.1\.self_attn\.q_proj": 2},
                                 alpha_pattern={"o_proj": 12, "layers.0.mlp.up_proj": 3}),
    "lora-rslora-patterns-conv1d": lora(["gpt2"], r=4, lora_alpha=6, use_rslora=True,
                                        target_modules=["c_attn", "c_proj"], rank_pattern={"mlp.c_proj": 6},
                                        alpha_pattern={"h.0.attn.c_proj": 12}),
    "lora-save-lm-head": lora(["llama-untied", "qwen3"], r=4, lora_alpha=8, modules_to_save=["lm_head"],
                              target_modules=["q_proj", "v_proj"]),
    "lora-save-embed-tokens": lora(["llama-untied", "qwen3"], r=4, lora_alpha=8, modules_to_save=["embed_tokens"],
                                   target_modules=["q_proj", "v_proj"]),
    # Where embedding and head are tied PEFT trains a copy for the named one only; they are no longer tied then.
    "lora-save-tied-lm-head": lora(["llama-tied", "qwen2"], r=4, lora_alpha=8, modules_to_save=["lm_head"],
                                   target_modules=["q_proj", "v_proj"]),
    "lora-save-tied-embed-tokens": lora(["llama-tied"], r=4, lora_alpha=8, modules_to_save=["embed_tokens"],
                                        target_modules=["q_proj", "v_proj"]),
    "lora-save-tied-wte": lora(["gpt2"], r=4, lora_alpha=8, modules_to_save=["wte"], target_modules=["c_attn"]),
    # A module that is a target too is trained whole only.
    "lora-save-target": lora(["llama-untied"], r=4, lora_alpha=8, modules_to_save=["down_proj"],
                             target_modules=["q_proj", "down_proj"]),
    # PEFT matches modules_to_save as a plain suffix: "norm" is every normalisation whose name ends so.
    "lora-save-norms": lora(["qwen3"], r=4, lora_alpha=8, modules_to_save=["norm"], target_modules=["q_proj", "v_proj"]),
    "lora-bias-all": lora(["qwen2"], r=4, lora_alpha=8, bias="all", target_modules=["q_proj", "o_proj"]),
    "lora-bias-only": lora(["qwen2"], r=4, lora_alpha=8, bias="lora_only", target_modules=["q_proj", "o_proj"]),
    "lora-bias-all-conv1d": lora(["gpt2"], r=4, lora_alpha=8, bias="all", target_modules=["c_attn"]),
    "lora-bias-only-conv1d": lora(["gpt2"], r=4, lora_alpha=8, bias="lora_only", target_modules=["c_attn", "mlp.c_proj"]),
    "lora-dora-bias": lora(["qwen2"], r=4, lora_alpha=8, use_dora=True, bias="lora_only", target_modules=["q_proj", "v_proj"]),
    "lora-layers": lora(["llama-tied", "qwen3"], r=4, lora_alpha=8, layers_to_transform=[1],
                        target_modules=["q_proj", "down_proj"]),
    "lora-regex-exclude": lora(["llama-untied", "qwen2"], r=4, lora_alpha=8,
                               target_modules=r".*\.(self_attn|mlp)\.(q_proj|k_proj|up_proj)",
                               exclude_modules=["layers.0.self_attn.k_proj"]),
    "lora-lm-head": lora(["llama-untied", "llama-tied"], r=4, lora_alpha=8, target_modules=["q_proj", "lm_head"]),
    "lora-accumulation": {**lora(["llama-untied", "gpt2"], r=4, lora_alpha=8, target_modules="all-linear"),
                          "micro_batches": 2},
    "ia3": {"models": [*ALL, *WINDOWS], "peft_type": "IA3", "config": {}},
    "ia3-targets": {"models": ["qwen2"], "peft_type": "IA3",
                    "config": {"target_modules": ["k_proj", "o_proj", "up_proj"], "feedforward_modules": ["o_proj"]}},
    "loha": {"models": ["llama-tied", "qwen2"], "peft_type": "LOHA", "config": {"r": 2, "alpha": 4}},
    # Ranks at which the update is multiplied as factors of rank r² and as a whole matrix.
    "loha-patterns": {"models": ["llama-untied", "qwen3"], "peft_type": "LOHA",
                      "config": {"r": 3, "alpha": 6, "target_modules": ["q_proj", "o_proj", "down_proj"],
                                 "rank_pattern": {"down_proj": 6}, "alpha_pattern": {"o_proj": 9},
                                 "exclude_modules": ["layers.0.self_attn.q_proj"]}},
    "loha-save-lm-head": {"models": ["llama-untied"], "peft_type": "LOHA",
                          "config": {"r": 2, "alpha": 4, "layers_to_transform": [1],
                                     "target_modules": ["q_proj", "v_proj"], "modules_to_save": ["lm_head"]}},
    "vera": {"models": ["llama-tied", "qwen2", "gpt2"], "peft_type": "VERA", "config": {"r": 8}},
    # Modules of several sizes share A and B, which the adapter leaves out: they come from the seed.
    "vera-seed": {"models": ["llama-untied", "qwen3"], "peft_type": "VERA",
                  "config": {"r": 6, "target_modules": "all-linear", "save_projection": False,
                             "projection_prng_key": 5, "d_initial": 0.3}},
    "vera-bias": {"models": ["qwen2"], "peft_type": "VERA",
                  "config": {"r": 4, "target_modules": ["q_proj", "o_proj", "up_proj"], "bias": "vera_only",
                             "layers_to_transform": [1], "modules_to_save": ["down_proj"]}},
    "vera-conv1d": {"models": ["gpt2"], "peft_type": "VERA",
                    "config": {"r": 4, "target_modules": ["c_attn", "c_proj"], "save_projection": False}},
    "prompt": {"models": ALL, "peft_type": "PROMPT_TUNING", "config": {"num_virtual_tokens": 4}},
    "prefix": {"models": ALL, "peft_type": "PREFIX_TUNING", "config": {"num_virtual_tokens": 3}},
    "prefix-projection": {"models": ["llama-untied", "gpt2"], "peft_type": "PREFIX_TUNING",
                          "config": {"num_virtual_tokens": 3, "prefix_projection": True, "encoder_hidden_size": 20}},
    "p-tuning": {"models": ALL, "peft_type": "P_TUNING", "config": {"num_virtual_tokens": 4, "encoder_hidden_size": 20}},
    # PEFT can train this encoder, the engine only loads what comes out of it.
    "p-tuning-lstm": {"models": ["llama-untied"], "peft_type": "P_TUNING", "load_only": True,
                      "config": {"num_virtual_tokens": 4, "encoder_hidden_size": 10,
                                 "encoder_reparameterization_type": "LSTM", "encoder_num_layers": 1}},
    # No method of PEFT's: the reference is `Bottleneck` below, the adapter folder is written here in PEFT's manner.
    "bottleneck-houlsby": {"models": ["llama-untied", "gpt2"], "peft_type": "BOTTLENECK_ADAPTER",
                           "config": {"placement": "houlsby", "bottleneck_size": 5, "non_linearity": "gelu_new",
                                      "scaling": 0.5}},
    "bottleneck-pfeiffer": {"models": ["qwen2"], "peft_type": "BOTTLENECK_ADAPTER",
                            "config": {"placement": "pfeiffer", "bottleneck_size": 6, "non_linearity": "relu",
                                       "scaling": 1.0}},
    "selective-bias": {"models": ["qwen2", "gpt2"], "peft_type": "SELECTIVE", "config": {"select": "bias"}},
    "selective-norm": {"models": ALL, "peft_type": "SELECTIVE", "config": {"select": "norm"}},
    "selective-last": {"models": ALL, "peft_type": "SELECTIVE", "config": {"select": "last_layers", "num_layers": 1}},
    "selective-first": {"models": ["llama-tied", "gpt2"], "peft_type": "SELECTIVE",
                        "config": {"select": "first_layers", "num_layers": 1}},
    "selective-pattern": {"models": ["llama-untied", "qwen3"], "peft_type": "SELECTIVE",
                          "config": {"select": "pattern", "pattern": r".*\.mlp\.(down|up)_proj\.weight|lm_head\.weight"}},
    "selective-embeddings": {"models": ["llama-tied", "gpt2"], "peft_type": "SELECTIVE",
                             "config": {"select": "pattern", "pattern": r".*(embed_tokens|wte|wpe)\.weight"}},
    "full": {"models": [*ALL, "mistral"], "peft_type": "FULL", "config": {}},
}

CONFIGS = {
    "LORA": LoraConfig,
    "IA3": IA3Config,
    "LOHA": LoHaConfig,
    "VERA": VeraConfig,
    "PROMPT_TUNING": PromptTuningConfig,
    "PREFIX_TUNING": PrefixTuningConfig,
    "P_TUNING": PromptEncoderConfig,
}

# Methods that PEFT can merge.
WEIGHT_CHANGES = ("LORA", "IA3", "LOHA", "VERA")

LEARNING_RATES = {"LORA": 5e-3, "IA3": 1e-2, "LOHA": 5e-3, "VERA": 1e-2, "PROMPT_TUNING": 1e-2, "PREFIX_TUNING": 1e-2, "P_TUNING": 3e-3,
                  "BOTTLENECK_ADAPTER": 5e-3,
                  "SELECTIVE": 3e-3, "FULL": 1e-3}


def training_block(case, model_name):
    # The key part of GPT-2's c_attn.bias has a gradient of exactly 0 in theory and of rounding noise in practice, which
    # Adam's usual epsilon would blow up to whole steps in a random direction.
    trains_key_bias = model_name == "gpt2" and (
        case["peft_type"] in ("SELECTIVE", "FULL") or case["config"].get("bias", "none") != "none"
    )
    return {
        "max_steps": STEPS,
        "gradient_accumulation_steps": case.get("micro_batches", 1),
        "learning_rate": LEARNING_RATES[case["peft_type"]],
        "lr_scheduler_type": "cosine",
        "warmup_steps": 2,
        # Ten times the usual, so that leaving it out would show in the tensors.
        "weight_decay": 0.1,
        "adam_epsilon": 1e-5 if trains_key_bias else 1e-8,
        "max_grad_norm": 1.0,
    }


def attach(case, model_name, model):
    """The model with its trainable part, at a start value that differs from the identity."""
    peft_type = case["peft_type"]
    if peft_type in ("SELECTIVE", "FULL"):
        for name, parameter in model.named_parameters():
            parameter.requires_grad = peft_type == "FULL" or is_selected(case["config"], name)
        return model
    config = dict(case["config"])
    if peft_type == "BOTTLENECK_ADAPTER":
        return attach_bottlenecks(config, model)
    if peft_type in ("LORA", "IA3", "VERA") and model_name == "gpt2":
        config["fan_in_fan_out"] = True
    torch.manual_seed(7)
    model = get_peft_model(model, CONFIGS[peft_type](task_type="CAUSAL_LM", **config))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            noise = torch.randn_like(parameter)
            if "lora_B" in name or "hada_w2_b" in name:
                parameter.copy_(0.1 * noise)
            elif "lora_magnitude_vector" in name:
                parameter.mul_(1 + 0.2 * noise)
            elif "vera_lambda_b" in name:
                parameter.copy_(0.2 * noise)
            elif "vera_lambda_d" in name:
                parameter.mul_(1 + 0.2 * noise)
            elif "ia3_l" in name:
                parameter.copy_(1 + 0.2 * noise)
            elif "modules_to_save" in name or name.endswith(".bias") and "prompt_encoder" not in name:
                parameter.add_(0.05 * noise)
            elif peft_type == "PROMPT_TUNING":
                parameter.mul_(0.3)
    return model


class Bottleneck(torch.nn.Module):
    """h + scaling * up(f(down(h))), behind the projection that ends a sublayer."""

    def __init__(self, width, bottleneck_size, non_linearity, scaling):
        super().__init__()
        self.down = torch.nn.Linear(width, bottleneck_size)
        self.up = torch.nn.Linear(bottleneck_size, width)
        self.activation = ACT2FN[non_linearity]
        self.scaling = scaling

    def forward(self, h):
        return h + self.scaling * self.up(self.activation(self.down(h)))


SUBLAYERS = {r"\.(self_attn\.o_proj|attn\.c_proj)": "attention", r"\.mlp\.(down_proj|c_proj)": "feed_forward"}


def attach_bottlenecks(config, model):
    torch.manual_seed(7)
    model.requires_grad_(False)
    placement = config.pop("placement")
    for name, module in list(model.named_modules()):
        for pattern, kind in SUBLAYERS.items():
            if re.search(pattern + "$", name) and (placement == "houlsby" or kind == "feed_forward"):
                adapter = Bottleneck(model.config.hidden_size, **config)
                model.set_submodule(name, torch.nn.Sequential(module, adapter))
    return model


def bottleneck_key(name):
    """`...mlp.down_proj.1.up.weight` as the engine names it: `base_model.model....feed_forward_adapter.up.weight`."""
    for pattern, kind in SUBLAYERS.items():
        name = re.sub(pattern + r"\.1\.", f".{kind}_adapter.", name)
    return f"base_model.model.{name}"


def is_selected(config, name):
    select = config["select"]
    block = re.search(r"\.(?:layers|h)\.(\d+)\.", name)
    if select == "bias":
        return name.endswith(".bias")
    if select == "norm":
        return re.search(r"norm|\.ln_", name) is not None
    if select == "last_layers":
        return block is not None and int(block[1]) >= LAYERS - config["num_layers"]
    if select == "first_layers":
        return block is not None and int(block[1]) < config["num_layers"]
    return re.fullmatch(config["pattern"], name) is not None


# Reference

def real_logits(model, indices):
    """Logits of the rows' own tokens: without padding and virtual tokens."""
    ids, mask, _ = pad(indices)
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask).logits
    virtual = logits.shape[1] - ids.shape[1]
    lengths = [len(ROWS[row]["input_ids"]) for row in indices]
    return torch.cat([logits[i, virtual : virtual + length] for i, length in enumerate(lengths)]).float().contiguous()


def shifted_loss(model, rows):
    """Sum of the losses over the label tokens, and how many those are."""
    ids, mask, labels = pad(rows)
    logits = model(input_ids=ids, attention_mask=mask).logits
    virtual = logits.shape[1] - ids.shape[1]
    labels = torch.nn.functional.pad(labels, (virtual, 0), value=IGNORE)[:, 1:].reshape(-1)
    loss = torch.nn.functional.cross_entropy(
        logits[:, :-1].reshape(-1, VOCAB), labels, ignore_index=IGNORE, reduction="sum"
    )
    return loss, (labels != IGNORE).sum().item()


def train(model, case, block):
    """AdamW with decay on everything, clipping, cosine schedule; returns the expected numbers of each step."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=block["learning_rate"], weight_decay=block["weight_decay"],
                                  eps=block["adam_epsilon"])
    scheduler = get_scheduler("cosine", optimizer, num_warmup_steps=block["warmup_steps"], num_training_steps=STEPS)
    steps = []
    for step in range(STEPS):
        micro_batches = split(CYCLE[step % len(CYCLE)], case.get("micro_batches", 1))
        batches = [shifted_loss(model, rows) for rows in micro_batches]
        count = sum(labels for _, labels in batches)
        for loss, _ in batches:
            (loss / count).backward()
        total = sum(loss.item() for loss, _ in batches) / count
        norm = torch.nn.utils.clip_grad_norm_(parameters, block["max_grad_norm"]).item()
        steps.append({"micro_batches": micro_batches, "loss": total, "grad_norm": norm,
                      "learning_rate": scheduler.get_last_lr()[0]})
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    return steps


def split(rows, parts):
    size = math.ceil(len(rows) / parts)
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def final_tensors(model, case):
    """The trained tensors under the names of the file they are saved to."""
    if case["peft_type"] in ("SELECTIVE", "FULL"):
        tensors = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    elif case["peft_type"] == "BOTTLENECK_ADAPTER":
        tensors = {bottleneck_key(name): parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    else:
        tensors = get_peft_model_state_dict(model)
    return {name: tensor.detach().float().clone().contiguous() for name, tensor in tensors.items()}


def run_case(model_name, case_name, case, check):
    folder = f"{model_name}/{case_name}"
    os.makedirs(folder)
    peft_type = case["peft_type"]
    block = training_block(case, model_name)
    mergeable = peft_type in (*WEIGHT_CHANGES, "SELECTIVE", "FULL")
    model = attach(case, model_name, load_model(model_name))
    expected = {}
    if peft_type == "BOTTLENECK_ADAPTER":
        save_file(final_tensors(model, case), f"{folder}/adapter_model.safetensors", metadata={"format": "pt"})
        write_json(f"{folder}/adapter_config.json", {"peft_type": peft_type, **case["config"]})
        expected["start_logits"] = real_logits(model, PROBE)
    elif peft_type not in ("SELECTIVE", "FULL"):
        save_adapter(model, folder)
        expected["start_logits"] = real_logits(model, PROBE)
        reloaded = PeftModel.from_pretrained(load_model(model_name), folder)
        drift = (real_logits(reloaded, PROBE) - expected["start_logits"]).abs().max().item()
        assert drift < 1e-5, f"{folder}: PEFT itself reloads it {drift} away"
        if case.get("load_only"):
            save_file(expected, f"{folder}/expected.safetensors")
            return {"name": case_name, "method": {"peft_type": peft_type, **case["config"]}}
        encoder = model.prompt_encoder["default"].state_dict() if hasattr(model, "prompt_encoder") else {}
        if len(encoder) > 1:
            save_file({name: tensor.clone().contiguous() for name, tensor in encoder.items()},
                      f"{folder}/trainable_start.safetensors", metadata={"format": "pt"})
    before = final_tensors(model, case)
    # Transformers' mask of a whole masked row (padding beyond a window) overflows to NaN in float64.
    twin = copy.deepcopy(model).double() if check and model_name not in WINDOWS else None
    steps = train(model, case, block)
    after = final_tensors(model, case)
    moved = {name: ((after[name] - before[name]).abs().mean() / after[name].abs().mean()).item() for name in after}
    expected.update({f"final.{name}": tensor for name, tensor in after.items()})
    expected["final_logits"] = real_logits(model, PROBE)
    if mergeable:
        merged = copy.deepcopy(model)
        if peft_type in WEIGHT_CHANGES:
            merged = merged.merge_and_unload()
        drift = (real_logits(merged, PROBE) - expected["final_logits"]).abs().max().item()
        # PEFT adds a tied head's update in place, to the embedding as well.
        assert drift < 1e-4 or folder == "llama-tied/lora-lm-head", f"{folder}: merging in PEFT is {drift} off"
    save_file(expected, f"{folder}/expected.safetensors")
    line = f"{folder}: loss {steps[0]['loss']:.4f} -> {steps[-1]['loss']:.4f}, moved {sum(moved.values()) / len(moved):.3f}"
    if twin is not None:
        exact_steps = train(twin, case, block)
        exact = final_tensors(twin, case)
        loss = max(abs(a["loss"] / b["loss"] - 1) for a, b in zip(steps, exact_steps))
        norm = max(abs(a["grad_norm"] / b["grad_norm"] - 1) for a, b in zip(steps, exact_steps))
        tensor = max(((after[n] - exact[n]).abs().mean() / exact[n].abs().mean()).item() for n in after)
        logits = (expected["final_logits"] - real_logits(twin, PROBE)).abs().max().item()
        line += f" | against float64: loss {loss:.1e} norm {norm:.1e} tensors {tensor:.1e} logits {logits:.1e}"
    print(line, flush=True)
    return {
        "name": case_name,
        "method": {"peft_type": peft_type, **case["config"]},
        "training": block,
        "mergeable": mergeable,
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "steps": steps,
    }


def save_adapter(model, folder):
    """As PEFT saves it, without the model card; lists that PEFT keeps as sets are sorted, to be the same each time."""
    model.save_pretrained(folder)
    os.remove(f"{folder}/README.md")
    with open(f"{folder}/adapter_config.json") as file:
        config = json.load(file)
    for key, value in config.items():
        if key.endswith("_modules") and isinstance(value, list):
            config[key] = sorted(value)
    write_json(f"{folder}/adapter_config.json", config)


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=2, sort_keys=True)
        file.write("\n")


def main():
    check = "--check" in sys.argv
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    os.makedirs(FIXTURES, exist_ok=True)
    # Relative paths, so that the files name the model and no machine.
    os.chdir(FIXTURES)
    write_json("rows.json", {"rows": ROWS, "padded": PADDED, "probe": PROBE})
    for name, config in model_configs().items():
        if wanted and name not in wanted:
            continue
        shutil.rmtree(name, ignore_errors=True)
        make_model(name, config)
        model = load_model(name)
        base = {"padded": real_logits(model, PADDED)}
        base.update({f"alone.{row}": real_logits(model, [row]) for row in PADDED})
        save_file(base, f"{name}/base.safetensors")
        cases = [run_case(name, case_name, case, check) for case_name, case in CASES.items() if name in case["models"]]
        write_json(f"{name}/expected.json", {"cases": cases})


if __name__ == "__main__":
    main()
