"""Decodes greedily with llama.cpp and prints the moment of each token in ms. Started by decode.mjs with a job (JSON)."""
import json
import os
import sys
import time

import numpy as np
from llama_cpp import Llama


def main():
    job = json.loads(sys.argv[1])
    ids = job["prompt_ids"]
    threads = os.cpu_count()
    room = len(ids) + job["tokens"] + 1
    llama = Llama(job["model"], n_ctx=room, n_threads=threads, n_threads_batch=threads, verbose=False)
    llama.eval(ids)
    llama.reset()
    moments = []
    began = time.perf_counter()
    for _ in range(job["tokens"]):
        llama.eval(ids)
        logits = np.ctypeslib.as_array(llama._ctx.get_logits_ith(-1), shape=(llama.n_vocab(),))
        ids = [int(np.argmax(logits))]
        moments.append(1000 * (time.perf_counter() - began))
    print(json.dumps(moments))


main()
