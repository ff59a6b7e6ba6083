#!/usr/bin/env python3
"""Times Ichor's network on a GPU beside PyTorch on the same one: the same weights and batch, the same run.

    gpu.py --engine target/release/ichor-engine --weights weights [--network unet-w32] [--device cuda:0] [--rounds 3] [--runs 7]
    gpu.py --rehearse --engine ... --weights ...     every step of it on a CPU, small: what it prints is of no GPU

Needs libichor_cuda.so beside the engine (docs/cuda.md) and torch, numpy, safetensors. A study is 30 slices of 512 x 512 of which
nothing can be left out; its time is that of a warm process from pixels in host memory to probabilities there. PyTorch runs in bf16,
channels_last, page-locked memory, as it is and through torch.compile, the whole study as one batch. A step of a training is batch
to update; ours is in f32 and makes its batch in that time, PyTorch's is in bf16 by autocast on one that is there. Rounds alternate;
medians are printed. How far ours is from f32 on the CPU is seen on the head of `bench`, how far PyTorch in bf16 is from its f32 on the
drawn head of weights/recipes/golden.py. GFLOP are those of plain convolutions; the peak is what the largest product of matrices here reaches in bf16.

Ends with 1 where ours is farther from f32 on the CPU than 1e-4 in f32 at any pixel, or than 1e-2 in bf16 at more than one in a
thousand or farther at its worst pixel than PyTorch in bf16 at its own against its f32."""
import argparse, json, os, statistics, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from networks import cell, drawn_head, loaded, torch_unet, update

SLICES, SIDE = 30, 512
SMALL = 2, 64
STEPS = [(16, 256, 8), (32, 512, 8)]
SMALL_STEPS = [(4, 32, 2)]
ALLOWED = {"f32": 1e-4, "bf16": 1e-2}


def study(n, side):
    """The slices of `ichor-engine bench --whole`."""
    import numpy as np
    y, x = np.mgrid[0:side, 0:side]
    return np.stack([((y * 7 + x * 13 + i) % 100 + 1) / np.float32(101) for i in range(n)]).astype(np.float32)[:, None]


class Torch:
    """PyTorch on the device that is measured."""

    def __init__(self, a):
        import torch
        self.a, self.torch = a, torch
        self.device = torch.device("cpu" if a.rehearse else a.device)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        pixels = torch.from_numpy(study(*(SMALL if a.rehearse else (SLICES, SIDE))))
        self.pixels = pixels if a.rehearse else pixels.pin_memory()

    def wait(self):
        if self.device.type == "cuda":
            self.torch.cuda.synchronize(self.device)

    def timed(self, work):
        """Wall milliseconds of `work`, all of it done."""
        self.wait()
        began = time.perf_counter()
        work()
        self.wait()
        return (time.perf_counter() - began) * 1e3

    def study(self, kind, compiled):
        """A function from pixels on the host, those of the study, to their probabilities there."""
        torch = self.torch
        net = loaded(self.a.weights, self.a.network).to(self.device, kind).to(memory_format=torch.channels_last)
        net = torch.compile(net, dynamic=False) if compiled else net

        def infer(pixels=self.pixels):
            with torch.inference_mode():
                x = pixels.to(self.device, non_blocking=True).to(kind).contiguous(memory_format=torch.channels_last)
                return net(x).float().sigmoid().cpu()
        return infer

    def step(self, width, size, batch):
        """A function that takes one step of AdamW, compiled, in bf16: what weights/recipes/unet.py does."""
        torch = self.torch
        net = torch_unet(width, 4).to(self.device).to(memory_format=torch.channels_last)
        compiled, optimizer = torch.compile(net, dynamic=False), torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=1e-4)
        x = torch.rand(batch, 1, size, size, device=self.device).to(memory_format=torch.channels_last)
        y = (x > 0.9).float()

        def step():
            with torch.autocast(self.device.type, torch.bfloat16):
                logits = compiled(x).float()
            update(net, optimizer, logits, y)
        return step

    def peak(self):
        """FLOP/s of a product of matrices in bf16, the best of ten."""
        torch, n = self.torch, 256 if self.a.rehearse else 8192
        left, right = (torch.randn(n, n, device=self.device).to(torch.bfloat16) for _ in range(2))
        for _ in range(3):
            left @ right
        return 2 * n**3 / min(self.timed(lambda: left @ right) for _ in range(10)) * 1e3


class Ours:
    """`ichor-engine bench` on the device that is measured; in a rehearsal on the CPU."""

    def __init__(self, a, folder):
        self.a, self.configs = a, {}
        for precision in ALLOWED:
            self.configs[precision] = os.path.join(folder, f"{precision}.toml")
            with open(self.configs[precision], "w") as file:
                file.write(f'[score]\ngpu_precision = "{precision}"\n')

    def bench(self, precision, *flags):
        place = [] if self.a.rehearse else ["--device", self.a.device]
        line = [self.a.engine, "--config", self.configs[precision], "bench", "--json", *place, *map(str, flags)]
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"gpu.py: {' '.join(line)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def study(self, precision, runs):
        """Milliseconds of a study, its GFLOP, the largest difference and that of 99.9 %, what computed."""
        network = ["--weights", self.a.weights, "--network", self.a.network]
        if self.a.rehearse:
            found = self.bench(precision, *network, "--path", "portable-f32", "--runs", 1)
            path, n = found["paths"][0], SMALL[0]
            heads = path["heads"]
            return path["whole"]["wall_ms"] * n, found["whole_gflop"] * n, heads["largest_difference"], heads["difference_p999"], path["path"]
        found, heads = self.bench(precision, *network, "--whole", "--runs", runs), self.bench(precision, *network, "--runs", 1)
        if found["slices"] != SLICES:
            sys.exit(f"gpu.py: the engine timed {found['slices']} slices, not {SLICES}; build it from this source")
        return found["wall_ms_a_slice"] * SLICES, found["whole_gflop"] * SLICES, heads["largest_difference"], heads["difference_p999"], found["device"]

    def step(self, width, size, batch, runs):
        found = self.bench("f32", "--train", "--width", width, "--size", size, "--batch", batch, "--runs", runs)["training_step"]
        if found["device"].startswith("cpu ") != self.a.rehearse:
            sys.exit(f"gpu.py: the step ran on {found['device']}")
        return found["wall_ms"]


def studies(a, ours, torch):
    """Prints times of a study and their share of the peak, and how far all are from f32; gives the failures."""
    peers = {f"torch bf16{', compiled' if compiled else ''}": torch.study(torch.torch.bfloat16, compiled) for compiled in (False, True)}
    head = torch.torch.from_numpy(drawn_head())
    exact = torch.study(torch.torch.float32, False)(head)
    far = {}
    for name, infer in peers.items():
        off = (infer(head) - exact).abs().flatten()
        far[name] = off.max().item(), off.sort().values[int(0.999 * (off.numel() - 1))].item()
    for infer in peers.values():
        for _ in range(3):
            infer()
    times, gflop, on = {name: [] for name in ["Ichor bf16", *peers]}, 0, {}
    for _ in range(a.rounds):
        wall, gflop, *far["Ichor bf16"], on["bf16"] = ours.study("bf16", a.runs)
        times["Ichor bf16"].append(wall)
        for name, infer in peers.items():
            times[name].append(statistics.median(torch.timed(infer) for _ in range(a.runs)))
    wall, _, *far["Ichor f32"], on["f32"] = ours.study("f32", a.runs)
    times["Ichor f32"] = [wall]
    peak, base = torch.peak(), statistics.median(times["torch bf16, compiled"])
    n, side = SMALL if a.rehearse else (SLICES, SIDE)
    print(f"a study of {n} whole slices of {side} x {side}, {a.network}, {gflop:.0f} GFLOP; {a.rounds} rounds of {a.runs}; a product of matrices: {peak * 1e-12:.1f} TFLOP/s in bf16")
    print(f"{'':24}{'ms':>10}{'of compiled':>13}{'of the peak':>13}{'farthest':>11}{'99.9 %':>11}")
    for name, walls in times.items():
        ms, (most, nearly) = statistics.median(walls), far[name]
        share = None if a.rehearse else gflop * 1e12 / ms / peak
        print(f"{name:24}{ms:>10.2f}{ms / base:>13.2f}{cell(share, '.3f'):>13}{cell(most, '.1e'):>11}{cell(nearly, '.1e'):>11}")
    print("; ".join(f"ours in {precision} on {device}" for precision, device in on.items()))
    worst = max(ALLOWED["bf16"], *(most for name, (most, _) in far.items() if name in peers))
    judged = [
        ("f32", far["Ichor f32"][0], ALLOWED["f32"]),
        ("bf16, at 99.9 % of the pixels,", far["Ichor bf16"][1], ALLOWED["bf16"]),
        ("bf16, at the worst pixel,", far["Ichor bf16"][0], worst),
    ]
    return [f"{what} is {off:.1e} from f32 on the CPU, allowed are {allowed:.1e}" for what, off, allowed in judged if not off <= allowed]


def steps(a, ours, torch):
    print(f"\n{'a step of a training':40}{'Ichor f32, ms':>15}{'torch bf16, ms':>16}{'ratio':>8}")
    for width, size, batch in SMALL_STEPS if a.rehearse else STEPS:
        step, mine, theirs = torch.step(width, size, batch), [], []
        for _ in range(3):
            step()
        for _ in range(a.rounds):
            mine.append(ours.step(width, size, batch, a.runs))
            theirs.append(statistics.median(torch.timed(step) for _ in range(a.runs)))
        mine, theirs = statistics.median(mine), statistics.median(theirs)
        print(f"{f'width {width}, {batch} slices of {size} x {size}':40}{mine:>15.2f}{theirs:>16.2f}{mine / theirs:>8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True, help="the program ichor-engine")
    parser.add_argument("--weights", required=True, help="folder with manifest.toml")
    parser.add_argument("--network", help="a name in the manifest; default unet-w32, in a rehearsal unet-w16")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--rounds", type=int, help="default 3, in a rehearsal 1")
    parser.add_argument("--runs", type=int, help="of a round; default 7, in a rehearsal 1")
    parser.add_argument("--rehearse", action="store_true", help="every step on the CPU, small")
    a = parser.parse_args()
    for key, usual, small in (("network", "unet-w32", "unet-w16"), ("rounds", 3, 1), ("runs", 7, 1)):
        if getattr(a, key) is None:
            setattr(a, key, small if a.rehearse else usual)
    torch = Torch(a)
    named = "a rehearsal on the CPU: no GPU is measured here" if a.rehearse else torch.torch.cuda.get_device_name(torch.device)
    print(f"{named}; PyTorch {torch.torch.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(a, folder)
        failures = studies(a, ours, torch)
        steps(a, ours, torch)
    if failures:
        sys.exit("\n".join(f"gpu.py: {failure}" for failure in failures))


if __name__ == "__main__":
    main()
