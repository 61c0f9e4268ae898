"""Trains a run of Tunewright on a Ray cluster, with Ray Train, PyTorch, Transformers and PEFT.

`tunewright train` sends this file as a Ray job, with job.json beside it: what is trained, on which rows, from which values. The
program prints lines that begin with `TUNEWRIGHT `, each a JSON object, which `tunewright train` reads from the job's log:
what it needs, what happens, and the files of its checkpoints. All other lines are for people.

    python train_on_ray.py                the job
    python train_on_ray.py RUN COMMAND    a command to a job that runs: pause, resume, save, stop, or `sent`, after an upload

Three kinds of processes work together: this one (the driver), the workers, which hold the model and train it, and between them
the courier, an actor that carries messages and files.
"""

import base64
import fcntl
import hashlib
import json
import math
import os
import sys
import threading
import time
from pathlib import Path

import ray

NAMESPACE = "tunewright"
PACKAGE_FOLDER = "tunewright_parts"
CACHE = Path(os.environ.get("TUNEWRIGHT_RAY_CACHE") or Path.home() / ".cache" / "tunewright" / "ray")
PIECE_BYTES = 48 * 1024
# How often a run goes on after workers were lost.
MAX_RESTARTS = 3


# --- Courier ---------------------------------------------------------------------------------------------------------------


@ray.remote(num_cpus=0, max_concurrency=8)
class Courier:
    """Carries messages between driver and workers, and holds what a restarted worker goes on from."""

    def __init__(self):
        self.messages = []
        self.commands = []
        self.sent = 0
        self.groups = 0
        self.parts = {}
        self.kept = None
        self.best = None
        self.failure = None

    def say(self, message):
        self.messages.append(message)

    def heard(self):
        messages, self.messages = self.messages, []
        return messages

    def order(self, command):
        if command == "sent":
            self.sent += 1
        else:
            self.commands.append(command)

    def orders(self):
        commands, self.commands = self.commands, []
        return commands

    def is_stopped(self):
        """Before there are workers, which carry out all other commands once they are there."""
        return "stop" in self.commands

    def sent_so_far(self):
        return self.sent

    def offer(self, parts):
        """Parts of files, by hash, as references to objects of the cluster."""
        self.parts.update(parts)

    def part(self, sha256):
        return self.parts[sha256]

    def keep(self, checkpoint):
        """By value: an object of a worker is lost with it."""
        self.kept = checkpoint
        step = checkpoint["state"]["step"]
        if step == checkpoint["state"]["best_step"]:
            self.best = (step, checkpoint["files"]["trainable.safetensors"])
        self.messages.append({"type": "checkpoint", "checkpoint": checkpoint})

    def begin(self):
        """Called once by each group of workers. Returns how many there have been before."""
        self.groups += 1
        return self.groups - 1

    def last_kept(self):
        return self.kept

    def last_best(self, step):
        """Trained values of the best step; None if this courier never had them."""
        return self.best[1] if self.best is not None and self.best[0] == step else None

    def fail(self, failure):
        self.failure = self.failure or failure

    def why_failed(self):
        return self.failure


def courier_of(run):
    return ray.get_actor(f"courier-{run}", namespace=NAMESPACE)


# --- Driver ----------------------------------------------------------------------------------------------------------------


class Log:
    """The lines that `tunewright train` reads. `n` counts them, so that a reader that reconnects knows what it has read."""

    def __init__(self):
        self.count = 0

    def write(self, message):
        line = json.dumps({"n": self.count, **message}, separators=(",", ":"))
        sys.stdout.write(f"TUNEWRIGHT {line}\n")
        sys.stdout.flush()
        self.count += 1

    def send(self, path, data):
        """A file, in pieces that a log can hold."""
        for offset in range(0, len(data), PIECE_BYTES):
            piece = base64.b64encode(data[offset : offset + PIECE_BYTES]).decode("ascii")
            self.write({"type": "piece", "path": path, "offset": offset, "data": piece})


def main():
    job = json.loads(Path("job.json").read_text(encoding="utf-8"))
    log = Log()
    try:
        ray.init(namespace=NAMESPACE, log_to_driver=True)
        drive(job, log)
    except BaseException as error:  # also SystemExit: the reader must learn why the job ended
        log.write({"type": "failed", **failure_of(error)})
        raise


def drive(job, log):
    log.write({"type": "hello", "ray": ray.__version__, "python": sys.version.split()[0], **packages(), "cluster": cluster()})
    check_packages()
    storage = Storage.open(job)
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    courier = Courier.options(name=f"courier-{job['run']}", namespace=NAMESPACE, scheduling_strategy=here).remote()
    stopped = receive_files(job, log, courier, here)
    if stopped:
        log.write({"type": "cancelled"})
        return
    found = storage.latest(job) if job["resume"] is not None else None
    if found is not None:
        ray.get(courier.keep.remote(found))

    result = {}

    def train():
        try:
            fit(job)
        except BaseException as error:  # handed to the main thread
            result["error"] = error

    thread = threading.Thread(target=train, daemon=True)
    thread.start()
    queue = Queue(job, log)
    delivered = Delivery(job, log, storage)
    while True:
        ended = not thread.is_alive()
        for message in ray.get(courier.heard.remote()):
            queue.saw(message)
            delivered.write(message)
        if ended:
            break
        if queue.waits() and ray.get(courier.is_stopped.remote()):
            log.write({"type": "cancelled"})
            return
        time.sleep(0.2)
    failure = ray.get(courier.why_failed.remote())
    if failure is not None:
        raise Refusal(**failure)
    if "error" in result:
        raise result["error"]
    if not delivered.completed:
        raise RuntimeError("the workers ended without a result")


def packages():
    import importlib.metadata as metadata

    def version(name):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None

    return {"packages": {name: version(name) for name in ("torch", "transformers", "peft", "safetensors")}}


def check_packages():
    missing = [name for name, version in packages()["packages"].items() if version is None]
    if missing:
        raise Refusal(
            "packages_missing",
            f"the cluster has no Python package {', '.join(missing)}",
            "Install it on all nodes, or name it in pip of engine.runtime_env.",
        )


class Refusal(Exception):
    def __init__(self, code, message, hint=None, **more):
        super().__init__(message)
        self.record = {"code": code, "message": message, "hint": hint, **more}


def failure_of(error):
    """What a person has to know of an error."""
    if isinstance(error, Refusal):
        return error.record
    worker_failures = getattr(error, "worker_failures", None)
    if worker_failures:
        error = next(iter(worker_failures.values()))
    text = str(error).strip() or type(error).__name__
    if is_out_of_memory(error, text):
        return {"code": "out_of_memory", "message": f"a worker ran out of memory: {first_lines(text)}"}
    if isinstance(error, ray.exceptions.RayActorError) or "ActorDiedError" in text:
        return {"code": "worker_lost", "message": f"workers were lost more than {MAX_RESTARTS} times: {first_lines(text)}"}
    return {"code": "internal", "message": f"{type(error).__name__}: {first_lines(text)}"}


def is_out_of_memory(error, text):
    names = {each.__name__ for each in type(error).__mro__}
    said = ("OutOfMemoryError", "out of memory", "can't allocate memory")
    return "OutOfMemoryError" in names or any(each in text for each in said)


def first_lines(text, count=3, characters=600):
    return " ".join(text.split("\n")[:count])[:characters]


def cluster():
    nodes = [node for node in ray.nodes() if node["Alive"]]
    return {"nodes": len(nodes), "total": countable(ray.cluster_resources()), "available": countable(ray.available_resources())}


def countable(resources):
    return {key: value for key, value in resources.items() if key in ("CPU", "GPU", "memory")}


class Queue:
    """Says what the job waits for, until its workers have begun."""

    def __init__(self, job, log):
        self.log = log
        self.wanted = {"CPU": job["num_workers"] * job["cpus_per_worker"]}
        if job["use_gpu"]:
            self.wanted["GPU"] = job["num_workers"]
        self.said = None
        self.next = 0.0
        self.begun = False

    def saw(self, message):
        self.begun = self.begun or message["type"] == "workers"

    def waits(self):
        if self.begun:
            return False
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + 2
            now = {"wanted": self.wanted, **cluster()}
            if now != self.said:
                self.said = now
                self.log.write({"type": "queued", **now})
        return True


class Storage:
    """Where checkpoints stay, apart from this job: a folder of a shared disk or of an object store."""

    def __init__(self, filesystem, path):
        self.filesystem = filesystem
        self.path = path

    @staticmethod
    def open(job):
        if job["storage_path"] is None:
            return Storage(None, None)
        import pyarrow.fs

        where = job["storage_path"]
        try:
            filesystem, path = pyarrow.fs.FileSystem.from_uri(where if "://" in where else Path(where).as_uri())
            path = f"{path.rstrip('/')}/{job['run']}"
            filesystem.create_dir(path, recursive=True)
        except Exception as error:
            raise Refusal(
                "storage_failed",
                f"the cluster can't use {where}: {first_lines(str(error))}",
                "Check engine.storage_path: all nodes need access to it.",
            ) from error
        return Storage(filesystem, path)

    def write(self, checkpoint):
        if self.filesystem is None:
            return
        folder = f"{self.path}/step-{checkpoint['state']['step']}"
        self.filesystem.create_dir(folder, recursive=True)
        state = json.dumps(checkpoint["state"]).encode()
        # The state is written last: a folder with it is complete.
        for name, data in [*checkpoint["files"].items(), ("state.json", state)]:
            with self.filesystem.open_output_stream(f"{folder}/{name}") as file:
                file.write(data)

    def knows(self, token):
        """Whether `tunewright train` can read here: it has left a file with this name."""
        import pyarrow.fs

        if self.filesystem is None or token is None:
            return False
        return self.filesystem.get_file_info(f"{self.path}/{token}").type == pyarrow.fs.FileType.File

    def latest(self, job):
        """The latest checkpoint that is here, if it is later than the one that the job came with."""
        import pyarrow.fs

        if self.filesystem is None:
            return None
        selector = pyarrow.fs.FileSelector(self.path, recursive=True)
        steps = [
            int(Path(info.path).parent.name[len("step-") :])
            for info in self.filesystem.get_file_info(selector)
            if info.path.endswith("/state.json")
        ]
        step = max(steps, default=-1)
        if step <= job["resume"]["step"]:
            return None

        def read(name):
            with self.filesystem.open_input_stream(f"{self.path}/step-{step}/{name}") as file:
                return file.read()

        return {"state": json.loads(read("state.json")), "files": {name: read(name) for name in CHECKPOINT_FILES}}


class Delivery:
    """Writes the workers' messages, and the files that belong to them."""

    def __init__(self, job, log, storage):
        self.log = log
        self.storage = storage
        self.shared = storage.knows(job["storage_token"])
        self.completed = False

    def write(self, message):
        if message["type"] != "checkpoint":
            self.completed = self.completed or message["type"] == "completed"
            self.log.write(message)
            return
        checkpoint = message["checkpoint"]
        self.storage.write(checkpoint)
        folder = f"step-{checkpoint['state']['step']}"
        files = checkpoint["files"]
        if not self.shared:
            for name, data in files.items():
                self.log.send(f"{folder}/{name}", data)
        described = {name: {"bytes": len(data), "sha256": sha256(data)} for name, data in files.items()}
        self.log.write({"type": "checkpoint", "state": checkpoint["state"], "shared": self.shared, "files": described})


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# --- Files of a run: the driver gets them from `tunewright train`, or has them from an earlier run ----------------------------


def all_parts(job):
    return {part["sha256"]: part for file in job["files"].values() for part in file["parts"]}


def receive_files(job, log, courier, here):
    """Puts all parts of all files into the cluster's object store. Returns whether the run was stopped meanwhile."""
    parts = all_parts(job)
    folder = CACHE / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [each for each in parts if not is_intact(folder / each)]
    if missing:
        log.write({"type": "wants", "parts": missing})
        while ray.get(courier.sent_so_far.remote()) == 0:
            if ray.get(courier.is_stopped.remote()):
                return True
            time.sleep(0.2)
        for i in range(0, len(missing), PARTS_AT_ONCE):
            some = missing[i : i + PARTS_AT_ONCE]
            packages = {"py_modules": [package_uri(each) for each in some]}
            ray.get(fetch_parts.options(runtime_env=packages, scheduling_strategy=here).remote(some, str(folder)))
    ray.get(courier.offer.remote({each: ray.put((folder / each).read_bytes()) for each in parts}))
    forget_old_files(folder)
    return False


def package_uri(part):
    return f"gcs://_ray_pkg_{part[:40]}.zip"


# Each group is unpacked for a process of its own.
PARTS_AT_ONCE = 8


@ray.remote(num_cpus=0)
def fetch_parts(parts, folder):
    """Ray unpacks packages into folders of Python's path; from there, into the cache of this node."""
    for part in parts:
        paths = [Path(each) / PACKAGE_FOLDER / part for each in sys.path]
        data = next((path.read_bytes() for path in paths if path.is_file()), b"")
        if sha256(data) != part:
            raise RuntimeError(f"part {part} didn't arrive as it was sent")
        write_whole(Path(folder) / part, data)


def is_intact(part):
    """A node that lost its power may have left something else under the name. Marks the file as used."""
    if not part.is_file() or sha256(part.read_bytes()) != part.name:
        return False
    os.utime(part)
    return True


def write_whole(path, data):
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(data)
    os.replace(partial, path)


MAX_CACHE_BYTES = int(os.environ.get("TUNEWRIGHT_RAY_CACHE_BYTES", 20 * 2**30))


def forget_old_files(folder):
    """Keeps the cache of a node below its limit; the files that were used last stay."""
    entries = sorted(((path.stat().st_mtime, path) for path in folder.iterdir()), reverse=True)
    total = 0
    for _, path in entries:
        total += path.stat().st_size
        if total > MAX_CACHE_BYTES:
            path.unlink(missing_ok=True)


def local_files(job, courier):
    """Folder with the files of a run on this node, without those of its base model. Workers of one node share it."""
    return local_folder({name: file for name, file in job["files"].items() if not is_of_model(name)}, courier)


def local_model(job, courier):
    """Folder with the base model. Runs share it."""
    return local_folder({name: file for name, file in job["files"].items() if is_of_model(name)}, courier) / "model"


def is_of_model(name):
    return name.startswith("model/")


def local_folder(files, courier):
    """Folder with these files, by their content."""
    key = sha256(json.dumps(files, sort_keys=True).encode())
    runs = CACHE / "runs"
    folder = runs / key
    runs.mkdir(parents=True, exist_ok=True)
    with open(runs / f"{key}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(exist_ok=True)
        for name, file in files.items():
            path = folder / name
            if path.is_file() and path.stat().st_size == file["bytes"]:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f"{path.name}.partial")
            with open(partial, "wb") as out:
                for part in file["parts"]:
                    reference = ray.get(courier.part.remote(part["sha256"]))
                    out.write(ray.get(reference))
            os.replace(partial, path)
        os.utime(folder)
    forget_old_folders(runs, keep=time.time() - 3600)
    return folder


def forget_old_folders(runs, keep):
    """As above, for folders. One that was used after `keep` may be read just now."""
    import shutil

    total = 0
    for used, folder in sorted(((path.stat().st_mtime, path) for path in runs.iterdir() if path.is_dir()), reverse=True):
        total += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if total > MAX_CACHE_BYTES and used < keep:
            shutil.rmtree(folder, ignore_errors=True)


# --- Workers ---------------------------------------------------------------------------------------------------------------

CHECKPOINT_FILES = ("trainable.safetensors", "optimizer.safetensors")


def fit(job):
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    trainer = TorchTrainer(
        work,
        train_loop_config=job,
        scaling_config=ScalingConfig(
            num_workers=job["num_workers"],
            use_gpu=job["use_gpu"],
            resources_per_worker={"CPU": job["cpus_per_worker"], **({"GPU": 1} if job["use_gpu"] else {})},
        ),
        run_config=RunConfig(
            name=job["run"],
            storage_path=job["storage_path"],
            failure_config=FailureConfig(max_failures=MAX_RESTARTS),
        ),
    )
    trainer.fit()


def work(job):
    """What each worker does. An exception ends all of them, and Ray starts them again; a reported failure doesn't repeat."""
    import torch

    courier = courier_of(job["run"])
    if ray.get(courier.why_failed.remote()) is not None:
        return
    try:
        Worker(job, courier).run()
    except Diverged as error:
        ray.get(courier.fail.remote({"code": "diverged", "message": str(error), "step": error.step}))
    except torch.cuda.OutOfMemoryError as error:
        ray.get(courier.fail.remote({"code": "out_of_memory", "message": f"a worker's GPU ran out of memory: {first_lines(str(error))}"}))
        raise
    except Refusal as error:
        ray.get(courier.fail.remote(error.record))
        raise


class Diverged(Exception):
    def __init__(self, step, message):
        super().__init__(message)
        self.step = step


class Worker:
    def __init__(self, job, courier):
        import torch
        import torch.distributed as dist

        self.job = job
        self.courier = courier
        context = ray.train.get_context()
        self.rank = context.get_world_rank()
        self.world = context.get_world_size()
        self.device = ray.train.torch.get_device()
        torch.set_num_threads(max(1, int(job["cpus_per_worker"])))
        self.restart = ray.get(courier.last_kept.remote())
        self.files = local_files(job, courier)
        self.rows = self.read_lines("train.jsonl")
        self.steps = self.read_lines("order.jsonl")
        self.validation_rows = self.read_lines("validation.jsonl") if job["evaluation"] else []
        self.state = dict((self.restart or {}).get("state") or job["resume"] or FIRST_STATE)
        self.model = self.make_model()
        self.strategy = self.choose_strategy()
        self.trained = self.trained_parameters()
        self.load_start()
        self.wrapped = self.distribute()
        self.optimizer = self.make_optimizer()
        self.rate_factor = self.schedule()
        self.announce(torch, dist)

    def say(self, message):
        if self.rank == 0:
            ray.get(self.courier.say.remote(message))

    def read_lines(self, name):
        with open(self.files / name, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    # The model, as `tunewright eject` writes it.

    def make_model(self):
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        job = self.job
        source = job["model"] or str(local_model(job, self.courier))
        torch.manual_seed(job["seed"])
        try:
            config = AutoConfig.from_pretrained(source)
            for key in config.to_dict():
                if key.endswith(("dropout", "pdrop")):  # the run has no dropout in the base model
                    setattr(config, key, 0.0)
            model = AutoModelForCausalLM.from_pretrained(source, config=config, dtype=torch.float32)
        except (OSError, ValueError) as error:
            hint = "Check that the cluster's nodes reach the Hugging Face Hub, or name a folder as the model, which is then sent."
            raise Refusal("model_not_found", f"a worker can't load the model: {first_lines(str(error))}", hint) from error
        if job["resized_to"] is not None:
            model.resize_token_embeddings(job["resized_to"])
        if job["peft"] is not None:
            import peft

            settings = {key: value for key, value in job["peft"]["config"].items() if value not in (None, {}, [])}
            make_config = getattr(peft, job["peft"]["configClass"])
            model = peft.get_peft_model(model, make_config(task_type="CAUSAL_LM", **settings))
        elif job["trained"] is not None:
            names = set(job["trained"])
            for name, parameter in model.named_parameters():
                parameter.requires_grad = name in names
        if job["gradient_checkpointing"]:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        return model.train()

    def load_start(self):
        """The values before the first step: those of the run, or of the checkpoint that it goes on from."""
        from safetensors.torch import load, load_file

        start = self.job["start"]
        if start is not None:
            path = self.files / "start" / start["file"]
            if start["kind"] == "adapter":
                from peft import set_peft_model_state_dict

                set_peft_model_state_dict(self.model, load_file(path))
            elif start["kind"] == "encoder":
                self.model.prompt_encoder["default"].load_state_dict(load_file(path))
            else:
                self.model.load_state_dict(load_file(path), strict=False)
        if self.restart is not None:
            self.assign(load(self.restart["files"]["trainable.safetensors"]))
        elif self.job["resume"] is not None:
            self.assign(load_file(self.files / "resume" / "trainable.safetensors"))

    def assign(self, values):
        import torch

        with torch.no_grad():
            for key, parameter in self.trained.items():
                parameter.copy_(distributed_like(values[key].reshape(parameter.shape), parameter))

    def trained_parameters(self):
        """Trained parameters by the keys of adapter files: PEFT's for adapters, else the model's own."""
        trained = {name: parameter for name, parameter in self.model.named_parameters() if parameter.requires_grad}
        if self.job["peft"] is None:
            return trained
        if self.model.peft_config["default"].is_prompt_learning:
            encoder = dict(self.model.prompt_encoder["default"].named_parameters())
            if list(encoder) == ["embedding.weight"] and len(trained) == 1:
                return {"prompt_embeddings": encoder["embedding.weight"]}
            return {name: parameter for name, parameter in encoder.items() if parameter.requires_grad}
        from peft import get_peft_model_state_dict

        saved = get_peft_model_state_dict(self.model)
        keys = {tensor.data_ptr(): key for key, tensor in saved.items()}
        return {keys[parameter.data_ptr()]: parameter for parameter in trained.values()}

    # Distribution.

    def choose_strategy(self):
        """DDP, or FSDP if the model doesn't fit a worker."""
        if self.job["strategy"] != "auto":
            return self.job["strategy"]
        size = sum(parameter.numel() * parameter.element_size() for parameter in self.model.parameters())
        return "fsdp" if self.world > 1 and size > 0.6 * self.memory() else "ddp"

    def memory(self):
        """Bytes that this worker may use."""
        import torch

        if self.device.type == "cuda":
            return torch.cuda.get_device_properties(self.device).total_memory
        local = ray.train.get_context().get_local_world_size()
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / local

    def distribute(self):
        if self.strategy == "fsdp" and self.world > 1:
            from torch.distributed.fsdp import fully_shard

            keys = {id(parameter): key for key, parameter in self.trained.items()}
            names = {name: keys[id(parameter)] for name, parameter in self.model.named_parameters() if id(parameter) in keys}
            self.model.to(self.device)
            for module in self.model.modules():
                if is_layer(module):
                    fully_shard(module)
            fully_shard(self.model)
            # Sharding replaces the parameters.
            self.trained = {names[name]: parameter for name, parameter in self.model.named_parameters() if name in names}
            return self.model
        wrapped = ray.train.torch.prepare_model(self.model, move_to_device=True)
        return wrapped

    def make_optimizer(self):
        import torch

        settings = self.job["optimizer"]
        optimizer = torch.optim.AdamW(
            list(self.trained.values()),
            lr=settings["learning_rate"],
            betas=tuple(settings["betas"]),
            eps=settings["epsilon"],
            weight_decay=settings["weight_decay"],
        )
        moments = self.saved_moments()
        if moments is not None:
            for key, parameter in self.trained.items():
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(self.state["step"])),
                    **{
                        name: distributed_like(moments[f"{key}.{name}"].reshape(parameter.shape), parameter)
                        for name in ("exp_avg", "exp_avg_sq")
                    },
                }
        return optimizer

    def saved_moments(self):
        from safetensors.torch import load, load_file

        if self.restart is not None:
            return load(self.restart["files"]["optimizer.safetensors"])
        if self.job["resume"] is not None:
            return load_file(self.files / "resume" / "optimizer.safetensors")
        return None

    def schedule(self):
        """The factor of the learning rate by step, of Transformers."""
        from transformers import get_scheduler

        settings = self.job["schedule"]
        scheduler = get_scheduler(
            settings["type"],
            self.optimizer,
            num_warmup_steps=settings["warmup_steps"],
            num_training_steps=len(self.steps),
        )
        return scheduler.lr_lambdas[0]

    def announce(self, torch, dist):
        own = {
            "rank": self.rank,
            "node": ray.util.get_node_ip_address(),
            "device": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU",
            "threads": torch.get_num_threads(),
        }
        workers = gathered(own, self.world)
        parameters = list(self.model.parameters())
        self.say(
            {
                "type": "workers",
                "workers": workers,
                "strategy": self.strategy if self.world > 1 else None,
                "step": self.state["step"],
                "restarts": ray.get(self.courier.begin.remote()) if self.rank == 0 else 0,
                "trainable_parameters": sum(each.numel() for each in self.trained.values()),
                "total_parameters": sum(each.numel() for each in parameters),
                "torch": torch.__version__,
            }
        )

    # Steps.

    def run(self):
        evaluation, training = self.job["evaluation"], self.job["training"]
        if self.state["step"] == 0:
            self.sample()
            if evaluation:
                self.evaluate()
        reason = "finished"
        while self.state["step"] < len(self.steps):
            if self.obey() == "stop":
                reason = "stopped"
                break
            if self.share_of_time() >= 1:
                reason = "time_limit"
                break
            self.step()
            step = self.state["step"]
            is_over = self.share_of_time() >= 1
            best = False
            if evaluation and (is_over or step in Due(evaluation["at"])):
                best = self.evaluate()
                if training["sample_steps"] is None:
                    self.sample()
            if training["sample_steps"] is not None and step % training["sample_steps"] == 0:
                self.sample()
            if best or is_over or step in Due(training["save_at"]):
                self.save()
            patience = training["early_stopping_patience"]
            if patience is not None and self.state["evaluations_without_improvement"] >= patience:
                reason = "early_stopping"
                break
        if self.state["step"] > 0 and self.saved_step != self.state["step"]:
            self.save()
        kept = self.state["step"] if reason == "stopped" else self.restore_best()
        # The last samples must come from the weights that are kept.
        if kept is not None and self.sampled_step != kept:
            self.sample(kept)
        self.say({"type": "completed", "reason": reason, "state": self.state})

    saved_step = None
    sampled_step = None

    def restore_best(self):
        """The step whose weights are the result, and are loaded; None: an earlier job had them."""
        step, best = self.state["step"], self.state["best_step"]
        if not self.job["training"]["load_best"] or best is None or best == step:
            return step
        if self.sampled_step == best or not self.job["samples"]["prompts"]:
            return None
        values = broadcast(ray.get(self.courier.last_best.remote(best)) if self.rank == 0 else None, self.world)
        if values is None:
            return None
        from safetensors.torch import load

        self.assign(load(values))
        return best

    def obey(self):
        """Carries out commands; doesn't return while paused. Rank 0 decides for all."""
        paused = False
        while True:
            commands = ray.get(self.courier.orders.remote()) if self.rank == 0 else []
            commands = broadcast(commands, self.world)
            for command in commands:
                if command == "stop":
                    return "stop"
                if command == "save":
                    self.save()
                elif (command == "pause") != paused:
                    paused = command == "pause"
                    self.say({"type": "paused" if paused else "resumed", "step": self.state["step"]})
            if not paused:
                return "continue"
            time.sleep(0.2)

    def share_of_time(self):
        minutes = self.job["training"]["max_minutes"]
        return 0 if minutes is None else self.state["train_seconds"] / (60 * minutes)

    def step(self):
        import torch

        job, index = self.job, self.state["step"]
        began = time.perf_counter()
        # A resumed run draws what it would have drawn.
        torch.manual_seed(((job["seed"] * 1_000_003 + index) * 4096 + self.rank) % 2**63)
        batches = self.steps[index]
        label_tokens = sum(self.count(sequences, "labels") for sequences in batches)
        scheduled = max(index, min(len(self.steps) - 1, math.floor(self.share_of_time() * len(self.steps))))
        rate = job["optimizer"]["learning_rate"] * self.rate_factor(scheduled)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        own_loss = 0.0
        for number, sequences in enumerate(batches):
            batch = self.make_batch([self.rows_of(each) for each in sequences[self.rank :: self.world]], sequences)
            with self.synchronized(number == len(batches) - 1):
                part = self.wrapped(**batch, num_items_in_batch=torch.tensor(label_tokens, device=self.device)).loss
                # DDP and FSDP take the mean over the workers; the loss is a sum over their rows.
                (part * self.world).backward()
            own_loss += part.item()
        maximum = job["optimizer"]["max_grad_norm"]
        norm = torch.nn.utils.clip_grad_norm_(list(self.trained.values()), maximum if maximum > 0 else math.inf)
        grad_norm = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
        seconds = time.perf_counter() - began
        own_tokens = sum(self.count(sequences[self.rank :: self.world], "input_ids") for sequences in batches)
        loss, seconds, tokens = self.together(own_loss, seconds, own_tokens)
        self.check_finite(loss, grad_norm, index + 1)
        self.optimizer.step()
        self.optimizer.zero_grad()
        step = index + 1
        state = self.state
        self.state = {
            **state,
            "step": step,
            "evaluated": None,
            "initial_loss": loss if state["initial_loss"] is None and step == 1 else state["initial_loss"],
            "num_tokens": state["num_tokens"] + tokens,
            "train_seconds": state["train_seconds"] + seconds,
        }
        if step % job["training"]["logging_steps"] == 0 or step == len(self.steps):
            workers = gathered({"tokens_per_second": own_tokens / seconds, **memory_used(self.device)}, self.world)
            self.say(
                {
                    "type": "step",
                    "step": step,
                    "loss": loss,
                    "grad_norm": grad_norm,
                    "learning_rate": rate,
                    "num_tokens": self.state["num_tokens"],
                    "tokens_per_second": tokens / seconds,
                    "step_ms": seconds * 1000,
                    "workers": workers,
                }
            )

    def together(self, loss, seconds, tokens):
        """Sums over all workers; of the seconds, the longest."""
        every = gathered((loss, seconds, tokens), self.world)
        return sum(each[0] for each in every), max(each[1] for each in every), sum(each[2] for each in every)

    def check_finite(self, loss, grad_norm, step):
        if not math.isfinite(loss) or not math.isfinite(grad_norm):
            what = "gradient" if math.isfinite(loss) else "loss"
            raise Diverged(step, f"the {what} of step {step} is non-finite")

    def synchronized(self, is_last):
        """Gradients are exchanged with the last batch of a step only."""
        import contextlib

        if self.world == 1 or is_last:
            if hasattr(self.wrapped, "set_requires_gradient_sync"):
                self.wrapped.set_requires_gradient_sync(True)
            return contextlib.nullcontext()
        if hasattr(self.wrapped, "set_requires_gradient_sync"):
            self.wrapped.set_requires_gradient_sync(False)
            return contextlib.nullcontext()
        return self.wrapped.no_sync()

    # Batches. A sequence is a list of rows: one, if rows aren't packed.

    def rows_of(self, sequence):
        return [self.rows[i] for i in (sequence if isinstance(sequence, list) else [sequence])]

    def count(self, sequences, kind):
        rows = (row for each in sequences for row in self.rows_of(each))
        if kind == "labels":
            return sum(label != -100 for row in rows for label in row["labels"])
        return sum(len(row["input_ids"]) for row in rows)

    def make_batch(self, sequences, of_all=()):
        """A worker that has no row of a batch computes one that isn't trained on, so that all exchange gradients."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        if not sequences:
            (row, *_) = self.rows_of(of_all[0]) if of_all else [self.rows[0]]
            sequences = [[{"input_ids": row["input_ids"], "labels": [-100] * len(row["labels"])}]]

        def padded(values, padding):
            return pad_sequence([torch.tensor(each) for each in values], batch_first=True, padding_value=padding).to(self.device)

        def joined(values):
            return [[each for row in rows for each in values(row)] for rows in sequences]

        batch = {
            "input_ids": padded(joined(lambda row: row["input_ids"]), 0),
            "labels": padded(joined(lambda row: row["labels"]), -100),
            "use_cache": False,
        }
        if self.job["packed"]:
            # Positions begin at 0 with each row; Transformers keeps rows apart by them.
            batch["position_ids"] = padded(joined(lambda row: range(len(row["input_ids"]))), 0)
        else:
            batch["attention_mask"] = padded(joined(lambda row: [1] * len(row["input_ids"])), 0)
        if self.job["peft"] is not None and self.model.peft_config["default"].is_prompt_learning:
            del batch["use_cache"]
        return batch

    # Evaluation.

    def evaluate(self):
        """Returns whether it is the best so far, by the metric of the run. The untrained model never is."""
        import torch

        evaluation = self.job["evaluation"]
        began = time.perf_counter()
        self.wrapped.eval()
        loss_sum, correct, count = 0.0, 0, 0
        size = evaluation["batch_size"]
        with torch.no_grad():
            for i in range(0, len(self.validation_rows), size):
                rows = self.validation_rows[i : i + size][self.rank :: self.world]
                batch = self.make_batch([[row] for row in rows])
                labels = batch.pop("labels")
                if not rows:
                    labels = torch.full_like(labels, -100)
                losses, right, tokens = scores(self.wrapped(**batch).logits, labels)
                loss_sum, correct, count = loss_sum + losses, correct + right, count + tokens
        self.wrapped.train()
        every = gathered((loss_sum, correct, count), self.world)
        loss_sum, correct, count = (sum(each[i] for each in every) for i in range(3))
        loss, step, state = loss_sum / count, self.state["step"], self.state
        if not math.isfinite(loss):
            raise Diverged(step, f"the validation loss after step {step} is non-finite")
        # Beyond e^709 it would be infinite, which JSON doesn't have.
        metrics = {"perplexity": math.exp(min(loss, 709)), "token_accuracy": correct / count}
        best_metric = evaluation["best"]
        value = {"loss": loss, **metrics}[best_metric["name"]]
        sign = 1 if best_metric["better"] == "higher" else -1
        so_far = state["best_metric"]
        evaluated = {"loss": loss, "metric": value}
        changes = {"evaluated": evaluated}
        if step == 0:
            changes |= {"initial_loss": loss, "initial_metric": value}
        best = step > 0 and (so_far is None or sign * (value - so_far) > 0)
        if best:
            changes |= {"best_step": step, "best_loss": loss, "best_metric": value}
        if step > 0:
            improved = so_far is None or sign * (value - so_far) > self.job["training"]["early_stopping_threshold"]
            changes["evaluations_without_improvement"] = 0 if improved else state["evaluations_without_improvement"] + 1
        self.state = {**state, **changes}
        self.say(
            {
                "type": "evaluated",
                "step": step,
                "loss": loss,
                "metrics": metrics,
                "num_label_tokens": count,
                "best": best,
                "eval_ms": (time.perf_counter() - began) * 1000,
            }
        )
        return best

    def sample(self, step=None):
        """Answers the run's prompts, always with the most likely token. Token ids: their texts are for `tunewright train`."""
        import torch

        step = self.state["step"] if step is None else step

        self.wrapped.eval()
        for prompt in self.job["samples"]["prompts"]:
            ids = torch.tensor([prompt["ids"]], device=self.device)
            with torch.no_grad():
                answer = self.answer(ids)
            self.say({"type": "sample", "step": step, "prompt": prompt["prompt"], "ids": answer})
        self.wrapped.train()
        self.sampled_step = step

    def answer(self, ids):
        import torch

        samples = self.job["samples"]
        answer = []
        while len(answer) < samples["max_new_tokens"]:
            inputs = torch.cat([ids, torch.tensor([answer], dtype=ids.dtype, device=ids.device)], dim=1)
            logits = self.wrapped(input_ids=inputs, attention_mask=torch.ones_like(inputs)).logits
            # Of the first worker: the others may have other GPUs, which round differently, and must compute as many.
            token = broadcast(int(logits[0, -1].argmax()), self.world)
            if token in samples["end_ids"]:
                break
            answer.append(token)
        return answer

    # Checkpoints.

    def save(self):
        import torch
        from safetensors.torch import save

        # All workers take part: with FSDP, each has a part of every tensor.
        values = {key: whole(parameter) for key, parameter in self.trained.items()}
        moments = {
            f"{key}.{name}": whole(self.optimizer.state[parameter][name])
            for key, parameter in self.trained.items()
            for name in ("exp_avg", "exp_avg_sq")
        }
        step = self.state["step"]
        # By all workers: the others would wait for one that ends alone.
        if not all(bool(torch.isfinite(tensor).all()) for tensor in values.values()):
            raise Diverged(step, f"weights are non-finite after step {step}")
        if self.rank == 0:
            checkpoint = {"state": self.state, "files": dict(zip(CHECKPOINT_FILES, (save(values), save(moments))))}
            ray.get(self.courier.keep.remote(checkpoint))
        self.saved_step = step


FIRST_STATE = {
    "step": 0,
    "num_tokens": 0,
    "best_step": None,
    "best_loss": None,
    "best_metric": None,
    "initial_loss": None,
    "initial_metric": None,
    "evaluated": None,
    "evaluations_without_improvement": 0,
    "train_seconds": 0.0,
}


class Due:
    """Steps after which something is done: every so many, or these."""

    def __init__(self, at):
        self.at = at

    def __contains__(self, step):
        return step % self.at == 0 if isinstance(self.at, int) else step in self.at


def scores(logits, labels):
    """Sum of the losses of all labels, how many of them are the most likely token, and their number."""
    import torch

    length = labels.shape[1]
    extra = logits.shape[1] - length  # virtual tokens before the rows
    if extra > 0:
        logits = logits[:, extra - 1 : -1]
    else:
        logits, labels = logits[:, :-1], labels[:, 1:]
    counts = labels != -100
    logits, labels = logits[counts].float(), labels[counts]
    loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item() if len(labels) > 0 else 0.0
    return loss, int((logits.argmax(-1) == labels).sum()), len(labels)


def gathered(value, world):
    """The values of all workers, in the order of their ranks."""
    if world == 1:
        return [value]
    import torch.distributed as dist

    values = [None] * world
    dist.all_gather_object(values, value)
    return values


def broadcast(value, world):
    """The value of the first worker."""
    if world == 1:
        return value
    import torch.distributed as dist

    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def is_layer(module):
    """A block of the model, as Transformers names them: the unit that FSDP gathers at a time."""
    return type(module).__name__.endswith(("DecoderLayer", "Block", "Layer")) and any(True for _ in module.children())


def distributed_like(tensor, parameter):
    if not hasattr(parameter, "device_mesh"):
        return tensor.to(parameter.device)
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(parameter.device), parameter.device_mesh, parameter.placements)


def whole(tensor):
    """On the CPU; with FSDP, put together from all workers."""
    tensor = tensor.detach()
    return (tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor).cpu().contiguous()


def memory_used(device):
    import resource

    used = {"rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            used["rss_bytes"] = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        pass  # not Linux: the peak instead
    if device.type == "cuda":
        import torch

        used["gpu_bytes"] = torch.cuda.memory_reserved(device)
    return used


def control(run, command):
    ray.init(namespace=NAMESPACE, log_to_driver=False)
    try:
        courier = courier_of(run)
    except ValueError:
        sys.exit("the job has no workers any more")
    ray.get(courier.order.remote(command))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        control(sys.argv[1], sys.argv[2])
    else:
        main()
