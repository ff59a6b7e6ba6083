#!/usr/bin/env python3
"""Times Ichor's network beside PyTorch, ONNX Runtime and OpenVINO: the same weights, the same machine, the same run.

    networks.py --engine target/release/ichor-engine --weights weights --network unet-w16 [--threads 2] [--runs 7]

Needs torch, openvino, onnxruntime, onnx, numpy and safetensors. Each peer is a process of its own that waits for
its turn; one run of each peer and one of each of our paths follow each other, and the median of each is printed.
core-ms is CPU time of all threads, wall is on --threads of them (a slice of ours takes one thread). The last
column is the largest difference of probabilities to PyTorch in f32 on the head of weights/recipes/golden.py, and
of our paths that to our own f32 on the heads of `ichor-engine bench`, whose f32 golden.py ties to PyTorch."""
import argparse, itertools, json, os, statistics, subprocess, sys, tempfile, time, tomllib

SIDE = 512
OURS = {"amx-bf16": ("bf16", "-"), "avx512-bf16": ("bf16", "-"), "avx512-f32": ("f32", "-"), "avx2-f32": ("f32", "AVX2")}
PEERS = [("openvino", "f32", "-"), ("openvino", "bf16", "-"), ("onnxruntime", "f32", "-"), ("torch", "f32", "-"), ("torch", "bf16", "-"),
         ("openvino", "f32", "AVX2"), ("torch", "f32", "AVX2")]
NO_SWITCH = "ONNX Runtime: limited to AVX2 not measured (MLAS picks its kernels by CPUID alone and has no switch)"


def torch_unet(width, depth):
    """The U-Net of weights/recipes/unet.py, with its tensors' names."""
    import torch, torch.nn as nn, torch.nn.functional as F

    class Block(nn.Module):
        def __init__(self, c_in, c_out, dilation):
            super().__init__()
            self.c1, self.c2 = nn.Conv2d(c_in, c_out, 3, padding=1), nn.Conv2d(c_out, c_out, 3, padding=dilation, dilation=dilation)

        def forward(self, x):
            return F.relu(self.c2(F.relu(self.c1(x))))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            c = [width << level for level in range(depth + 1)]
            self.d = nn.ModuleList(Block(c[i - 1] if i else 1, c[i], 2) for i in range(depth))
            self.bot, self.out = Block(c[depth - 1], c[depth], 1), nn.Conv2d(width, 1, 1)
            self.t = nn.ModuleList(nn.ConvTranspose2d(c[i + 1], c[i], 2, stride=2) for i in range(depth))
            self.u = nn.ModuleList(Block(2 * c[i], c[i], 1) for i in range(depth))

        def forward(self, x):
            skipped = []
            for block in self.d:
                skipped.append(block(x))
                x = F.max_pool2d(skipped[-1], 2)
            x = self.bot(x)
            for i in reversed(range(depth)):
                x = self.u[i](torch.cat([skipped[i], self.t[i](x)], 1))
            return self.out(x)

    return UNet()


def loaded(folder, name):
    """The network that the manifest in `folder` calls `name`, in PyTorch and f32."""
    from safetensors.torch import load_file
    with open(os.path.join(folder, "manifest.toml"), "rb") as file:
        entry = next((e for e in tomllib.load(file)["network"] if e["name"] == name), None)
    if entry is None:
        sys.exit(f"networks.py: no network {name!r} in {folder}/manifest.toml")
    net = torch_unet(entry["width"], entry["depth"])
    net.load_state_dict({key: value.float() for key, value in load_file(os.path.join(folder, entry["file"])).items()})
    return net.eval()


def drawn_head():
    """Skull, brain and a bleed: the formula of weights/recipes/golden.py in the middle of 512 x 512."""
    import numpy as np
    y, x = np.mgrid[0:256, 0:320].astype(np.int64)
    from_centre, bleed = (y - 128) ** 2 + (x - 160) ** 2, (y - 110) ** 2 * 3 + (x - 195) ** 2 * 5
    hu = np.where(from_centre < 112**2, 100, 0)
    hu = np.where(from_centre < 104**2, 28 + (x * 7 + y * 13) % 11, hu)
    hu = np.where(bleed < 2900, 38 + (x * 5 + y * 3) % 7, hu)
    hu = np.where(bleed < 2000, 56 + (x * 5 + y * 3) % 9 - 14 * (y > 118), hu)
    return np.pad(hu / np.float32(100), ((128, 128), (96, 96))).astype(np.float32)[None, None]


def dense_slice():
    """Neither air nor constant anywhere: the slice of `ichor-engine bench`."""
    import numpy as np
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    return (((y * 7 + x * 13) % 100 + 1) / np.float32(101)).astype(np.float32)[None, None]


def peer(a):
    """A function from one slice to its probabilities, and what the peer says it runs on."""
    if a.child == "torch":
        import torch
        torch.set_num_threads(a.threads)
        kind = torch.bfloat16 if a.precision == "bf16" else torch.float32
        net = loaded(a.weights, a.network).to(kind).to(memory_format=torch.channels_last)

        def infer(slice_):
            with torch.inference_mode():
                x = torch.from_numpy(slice_).to(kind).contiguous(memory_format=torch.channels_last)
                return net(x).float().sigmoid().numpy()
        return infer, f"{torch.__version__}, channels_last, {torch.backends.cpu.get_cpu_capability()}"
    if a.child == "onnxruntime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = a.threads, 1
        session = onnxruntime.InferenceSession(a.onnx, options, providers=["CPUExecutionProvider"])
        return lambda slice_: sigmoid(session.run(None, {"x": slice_})[0]), onnxruntime.__version__
    import openvino
    hints = {"INFERENCE_NUM_THREADS": a.threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": a.precision, "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(a.onnx, "CPU", hints)
    kinds = {op.get_rt_info()["primitiveType"].astype(str) for op in compiled.get_runtime_model().get_ops() if "primitiveType" in op.get_rt_info()}
    kernels = sorted({kind for kind in kinds if "conv" in kind or "jit" in kind or "brg" in kind})
    request = compiled.create_infer_request()
    return lambda slice_: sigmoid(request.infer([slice_])[0]), f"{openvino.__version__.split('-')[0]}: {', '.join(kernels)}"


def sigmoid(logits):
    import numpy as np
    return 1 / (1 + np.exp(-logits.astype(np.float32)))


def update(net, optimizer, logits, y):
    """Loss, gradient and update as weights/recipes/unet.py has them."""
    import torch, torch.nn.functional as F
    p = logits.sigmoid()
    loss = 2 * F.binary_cross_entropy_with_logits(logits, y) + 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()


def training(a):
    """One step of AdamW on a batch, in bf16 and channels_last: what weights/recipes/unet.py does."""
    import torch
    torch.set_num_threads(a.threads)
    net = torch_unet(a.train_width, 4).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=1e-4)
    x = torch.rand(a.train_batch, 1, a.train_size, a.train_size).to(memory_format=torch.channels_last)
    y = (x > 0.9).float()

    def step(_):
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x).float()
        update(net, optimizer, logits, y)
        return x.numpy()
    return step, torch.__version__


def child(a):
    """Warms up, says what it runs on, then runs once for each line of stdin."""
    import numpy as np
    infer, about = training(a) if a.child == "training" else peer(a)
    if a.child != "training":
        np.save(a.out, infer(drawn_head()))
    slice_ = dense_slice()
    for _ in range(2):
        infer(slice_)
    print(json.dumps({"about": about}), flush=True)
    for _ in sys.stdin:
        wall, core = time.perf_counter(), time.process_time()
        infer(slice_)
        print(json.dumps({"core_ms": (time.process_time() - core) * 1e3, "wall_ms": (time.perf_counter() - wall) * 1e3}), flush=True)


class Peer:
    """A child process, and the times of its runs."""

    def __init__(self, a, folder, name, precision, limit):
        self.name, self.precision, self.limit, self.times, self.failed = name, precision, limit, [], None
        self.out = os.path.join(folder, f"{name}-{precision}-{limit}.npy")
        line = [sys.executable, os.path.abspath(__file__), "--child", name, "--precision", precision, "--out", self.out, "--onnx", os.path.join(folder, "unet.onnx")]
        for key in ("engine", "weights", "network", "threads", "train_width", "train_size", "train_batch"):
            line += [f"--{key.replace('_', '-')}", str(getattr(a, key))]
        limits = {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"} if limit == "AVX2" else {}
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=os.environ | limits)
        self.about = (self.answer() or {}).get("about", "")

    def answer(self):
        for text in self.process.stdout:
            if text.startswith("{"):
                return json.loads(text)
        self.errors.seek(0)
        self.failed = (self.errors.read().strip().splitlines() or ["ended without a word"])[-1]
        return None

    def run(self):
        if self.failed is None:
            self.process.stdin.write("run\n")
            self.process.stdin.flush()
            self.times += filter(None, [self.answer()])

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def ours(a, *flags):
    """What `ichor-engine bench` measures; none where this CPU lacks the path."""
    line = [a.engine, "bench", "--json", *flags]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout)
    if "cannot run the path" in done.stderr:
        return None
    sys.exit(f"networks.py: {' '.join(line)}: {done.stderr.strip()}")


def export(a, folder):
    import torch, warnings
    # The exporter that traces is deprecated; the other one needs a further package.
    warnings.simplefilter("ignore", DeprecationWarning)
    torch.onnx.export(loaded(a.weights, a.network), torch.zeros(1, 1, SIDE, SIDE), os.path.join(folder, "unet.onnx"), dynamo=False,
                      input_names=["x"], output_names=["logits"], opset_version=17)


def median(times, key):
    return statistics.median(t[key] for t in times) if times else None


def cell(value, form):
    return "-" if value is None else format(value, form)


def slices(a, folder):
    import numpy as np
    network = ["--weights", a.weights, "--network", a.network]
    one = lambda path: ours(a, *network, "--path", path, "--whole", "--runs", "1")
    paths = {path: [] for path in OURS if one(path)}
    peers = [Peer(a, folder, *kind) for kind in PEERS]
    for _ in range(a.runs):
        for each, path in itertools.zip_longest(peers, paths):
            if each:
                each.run()
            if path:
                paths[path].append(one(path)["paths"][0]["whole"])
    for each in peers:
        each.end()
    rows = [("Ichor " + path, *OURS[path], median(times, "core_ms"), median(times, "wall_ms")) for path, times in paths.items()]
    rows += [(p.name, p.precision, p.limit, median(p.times, "core_ms"), median(p.times, "wall_ms")) for p in peers]
    openvino = {row[1:3]: row[3] for row in rows if row[0] == "openvino"}
    expected = np.load(next(p.out for p in peers if (p.name, p.precision, p.limit) == ("torch", "f32", "-")))
    off = {"Ichor " + path: ours(a, *network, "--path", path, "--runs", "1")["paths"][0]["heads"]["largest_difference"] for path in paths}
    off |= {(p.name, p.precision, p.limit): float(abs(np.load(p.out) - expected).max()) for p in peers if p.failed is None}
    print(f"one dense slice of {SIDE} x {SIDE}, {a.network}; median of {a.runs}, one after the other")
    print(f"{'':20}{'precision':>10}{'limit':>7}{'core-ms':>10}{'wall ms':>10}{'of OpenVINO':>13}{'largest difference':>20}")
    for name, precision, limit, core, wall in sorted(rows, key=lambda row: (row[1], row[2], row[3] or 0)):
        base, far = openvino.get((precision, limit)), off.get(name, off.get((name, precision, limit)))
        print(f"{name:20}{precision:>10}{limit:>7}{cell(core, '.1f'):>10}{cell(wall, '.1f'):>10}{cell(core / base if core and base else None, '.2f'):>13}{cell(far, '.1e'):>20}")
    print(NO_SWITCH)
    for each in peers:
        print(f"{each.name} {each.precision} {each.limit}: {'failed: ' + each.failed if each.failed else each.about}")


def steps(a, folder):
    step, mine = Peer(a, folder, "training", "bf16", "-"), []
    flags = ["--train", "--width", a.train_width, "--size", a.train_size, "--batch", a.train_batch, "--runs", 1]
    for _ in range(a.runs):
        step.run()
        mine.append(ours(a, *map(str, flags))["training_step"])
    step.end()
    print(f"\none step of a training: {a.train_batch} slices of {a.train_size} x {a.train_size}, width {a.train_width}; median of {a.runs}")
    print(f"{'':34}{'core-ms':>10}{'wall ms':>10}")
    for name, times in (("Ichor f32, with its batch", mine), (f"torch bf16 {step.failed or ''}", step.times)):
        print(f"{name:34}{cell(median(times, 'core_ms'), '.0f'):>10}{cell(median(times, 'wall_ms'), '.0f'):>10}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True, help="the program ichor-engine")
    parser.add_argument("--weights", required=True, help="folder with manifest.toml")
    parser.add_argument("--network", required=True, help="a name in the manifest")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=7)
    for key, value in (("width", 16), ("size", 256), ("batch", 8)):
        parser.add_argument(f"--train-{key}", type=int, default=value, help=f"of the step of a training; default {value}")
    for key in ("child", "precision", "onnx", "out"):
        parser.add_argument(f"--{key}", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.child:
        return child(a)
    with tempfile.TemporaryDirectory() as folder:
        with open("/proc/cpuinfo") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown CPU")
        print(f"{model}, {a.threads} threads", flush=True)
        export(a, folder)
        slices(a, folder)
        steps(a, folder)


if __name__ == "__main__":
    main()
