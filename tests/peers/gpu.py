#!/usr/bin/env python3
"""Times Ichor's networks on a GPU beside PyTorch: the same weights, the same card, the same run.

    gpu.py --engine target/release/ichor-engine --weights weights --network unet-w32 [--device cuda:0] [--batch 30] [--runs 20]

A study is --batch slices of 512 x 512. PyTorch runs in bf16, channels_last, under torch.compile, and in f32 as the
reference; ours by `ichor-engine bench --device`, in bf16 and in f32, which also says how far it lies from our own f32 on
the CPU. A training step is AdamW on 8 slices of 256 x 256. Shares of the peak are of --peak-tflops, the card's dense bf16
figure. Needs torch, numpy and safetensors.

--rehearse runs every step on the CPU, on small frames, without torch.compile: it shows that this script works, and its
figures mean nothing."""
import argparse, json, os, statistics, subprocess, sys, tempfile, time

from networks import loaded, torch_unet, update

ALLOWED = {"f32": 1e-4, "bf16": 1e-2}


def flop(net, side):
    """Multiplications and additions of one slice, convolution by convolution."""
    import torch
    total = 0

    def count(layer, _, out):
        nonlocal total
        per_output = layer.weight.numel() // layer.out_channels if isinstance(layer, torch.nn.Conv2d) else layer.in_channels
        total += 2 * per_output * out.numel()
    layers = [m for m in net.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.ConvTranspose2d))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.inference_mode():
        net(torch.zeros(1, 1, side, side))
    for hook in hooks:
        hook.remove()
    return total


def timed(step, runs, cuda):
    """Median milliseconds of `runs` calls, each with the device's work at its end."""
    import torch
    wait = torch.cuda.synchronize if cuda else lambda: None
    for _ in range(3):
        step()
    times = []
    for _ in range(runs):
        wait()
        began = time.perf_counter()
        step()
        wait()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def torch_forward(a, cuda, precision):
    """ms a study from pixels in host memory to probabilities in host memory, as ours counts it."""
    import torch
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    device = "cuda" if cuda else "cpu"
    net = loaded(a.weights, a.network).to(device, kind).to(memory_format=torch.channels_last)
    net = net if a.rehearse else torch.compile(net)
    host = torch.rand(a.batch, 1, a.side, a.side)
    host = host.pin_memory() if cuda else host

    def study():
        with torch.inference_mode():
            x = host.to(device, non_blocking=True).to(kind).contiguous(memory_format=torch.channels_last)
            return net(x).float().sigmoid().cpu()
    return timed(study, a.runs, cuda)


def torch_step(a, cuda):
    """ms of one step of AdamW, in bf16 by autocast and channels_last."""
    import torch
    device = "cuda" if cuda else "cpu"
    net = torch_unet(a.train_width, 4).to(device).to(memory_format=torch.channels_last)
    run = net if a.rehearse else torch.compile(net)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=1e-4)
    x = torch.rand(a.train_batch, 1, a.train_side, a.train_side, device=device).to(memory_format=torch.channels_last)
    y = (x > 0.9).float()

    def step():
        with torch.autocast(device, torch.bfloat16):
            logits = run(x).float()
        update(net, optimizer, logits, y)
    return timed(step, a.runs, cuda)


def ours(a, *flags, precision=None):
    """What `ichor-engine bench --json` says."""
    line = [a.engine, "bench", "--json", "--runs", str(a.runs), *flags]
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(f'[score]\ngpu_precision = "{precision or "bf16"}"\n')
        config.flush()
        done = subprocess.run([*line, "--config", config.name], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"gpu.py: {' '.join(line)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def forward(a, precision):
    """ms a slice of ours, its device, and the largest difference to f32 on the CPU."""
    network = ["--network", a.network, "--weights", os.path.abspath(a.weights)]
    if a.rehearse:
        found = ours(a, "--whole", "--path", "portable-f32", *network, precision=precision)
        path = found["paths"][0]
        return path["whole"]["core_ms"], path["path"], path.get("largest_difference")
    found = ours(a, "--device", a.device, *network, precision=precision)
    return found["wall_ms_a_slice"], found["device"], found["largest_difference"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in [("engine", "target/release/ichor-engine"), ("weights", "weights"), ("network", "unet-w32"), ("device", "cuda:0")]:
        parser.add_argument(f"--{name}", default=default)
    for name, default in [("batch", 30), ("runs", 20), ("train-width", 32), ("train-batch", 8), ("train-side", 256)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--peak-tflops", type=float, default=989.0, help="dense bf16 of the card [default: an H100 SXM's]")
    parser.add_argument("--rehearse", action="store_true")
    a = parser.parse_args()
    a.side = 64 if a.rehearse else 512
    if a.rehearse:
        a.batch, a.runs, a.train_width, a.train_batch, a.train_side = 2, 1, 4, 2, 32
    import torch
    cuda = not a.rehearse
    if cuda and not torch.cuda.is_available():
        sys.exit("gpu.py: PyTorch finds no GPU here; --rehearse tries the script out on the CPU")
    card = torch.cuda.get_device_name() if cuda else "the CPU, rehearsed: the figures mean nothing"
    print(f"{card}; PyTorch {torch.__version__}; {a.network}, {a.batch} slices of {a.side} x {a.side}, median of {a.runs}")
    work = flop(loaded(a.weights, a.network), a.side) * a.batch
    print("| | precision | ms a study | share of the peak | off f32 on the CPU |\n|-|-|-|-|-|")
    found, missed = {}, []
    for precision in ("bf16", "f32"):
        ms = found["torch", precision] = torch_forward(a, cuda, precision)
        print(f"| PyTorch | {precision} | {ms:.2f} | {work / ms / 1e9 / a.peak_tflops:.1%} | - |")
        ms, device, apart = forward(a, precision)
        ms = found["ours", precision] = ms * a.batch
        print(f"| {device} | {precision} | {ms:.2f} | {work / ms / 1e9 / a.peak_tflops:.1%} | {apart if apart is not None else '-'} |")
        if apart is not None and not apart <= ALLOWED[precision]:
            missed.append(f"{precision} is {apart:.1e} off, {ALLOWED[precision]:.0e} is asked")
    print(f"ours against PyTorch, bf16: {found['torch', 'bf16'] / found['ours', 'bf16']:.2f} times as fast")
    flags = ["--train", "--width", str(a.train_width), "--size", str(a.train_side), "--batch", str(a.train_batch)]
    step = ours(a, *flags, *([] if a.rehearse else ["--device", a.device]))["training_step"]
    theirs = torch_step(a, cuda)
    print(f"a training step, width {a.train_width}, {a.train_batch} of {a.train_side} x {a.train_side}: "
          f"{step['device']} {step['wall_ms']:.1f} ms, PyTorch bf16 {theirs:.1f} ms: {theirs / step['wall_ms']:.2f} times as fast")
    if missed and not a.rehearse:
        sys.exit("gpu.py: " + "; ".join(missed))


if __name__ == "__main__":
    main()
