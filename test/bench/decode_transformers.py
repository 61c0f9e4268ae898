"""Decodes greedily with Transformers and prints the moment of each token in ms. Started by decode.mjs with a job (JSON)."""
import json
import os
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from transformers import AutoModelForCausalLM, StoppingCriteria, StoppingCriteriaList
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()


class Clock(StoppingCriteria):
    """Asked after every token."""

    def __init__(self):
        self.moments = []
        self.began = time.perf_counter()

    def __call__(self, input_ids, scores, **_):
        self.moments.append(1000 * (time.perf_counter() - self.began))
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


def main():
    job = json.loads(sys.argv[1])
    torch.set_num_threads(os.cpu_count())
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
    ids = torch.tensor([job["prompt_ids"]])
    with torch.inference_mode():
        model(ids)
        clock = Clock()
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=job["tokens"],
            max_new_tokens=job["tokens"],
            stopping_criteria=StoppingCriteriaList([clock]),
        )
    print(json.dumps(clock.moments))


main()
