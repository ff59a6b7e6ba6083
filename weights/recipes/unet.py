#!/usr/bin/env python3
"""Trains and measures the U-Net that ships. Numbers come from unet.toml; README.md says how to run it.

    unet.py train   --phe DIR --phantoms DIR [DIR ...] --init FROM.safetensors --out TO.safetensors
    unet.py measure WEIGHTS.safetensors --phe DIR --phantoms DIR [DIR ...]

Fold 3 is never trained on. Blood in the ventricles is not hematoma: the real set does not label it,
and phantoms label it apart; unet.toml says what it weighs. `train` goes on from --checkpoint where that exists."""
import argparse, csv, glob, json, math, os, time, tomllib
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from scipy import ndimage

HERE = os.path.dirname(os.path.abspath(__file__))
CRUMB_ML, SMALLEST_ML = 0.2, 3.0


class Block(nn.Module):
    """Two 3x3 convolutions with ReLU, the second dilated."""

    def __init__(self, c_in, c_out, dilation):
        super().__init__()
        self.c1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.c2 = nn.Conv2d(c_out, c_out, 3, padding=dilation, dilation=dilation)

    def forward(self, x):
        return F.relu(self.c2(F.relu(self.c1(x))))


class UNet(nn.Module):
    """(batch, 1, y, x) in 0..1 to logits of the same shape. Tensor names are the file's."""

    def __init__(self, width, depth):
        super().__init__()
        c = [width << level for level in range(depth + 1)]
        levels = range(depth)
        self.d = nn.ModuleList(Block(1 if i == 0 else c[i - 1], c[i], 2) for i in levels)
        self.bot = Block(c[depth - 1], c[depth], 1)
        self.t = nn.ModuleList(nn.ConvTranspose2d(c[i + 1], c[i], 2, stride=2) for i in levels)
        self.u = nn.ModuleList(Block(2 * c[i], c[i], 1) for i in levels)
        self.out = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        skipped = []
        for block in self.d:
            x = block(x)
            skipped.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bot(x)
        for i in reversed(range(len(self.d))):
            x = self.u[i](torch.cat([skipped[i], self.t[i](x)], 1))
        return self.out(x)


class Study:
    """Slices of one patient or phantom: windowed pixels, hematoma, and blood in the ventricles."""

    def __init__(self, name, pixels, blood, ivh, voxel_ml):
        self.name, self.pixels, self.blood, self.ivh = name, pixels, blood, ivh
        self.voxel_ml = voxel_ml


def real_studies(folder, folds):
    """PHE-SICH patients; nominal spacing 0.5078125 x 0.5078125 x 5 mm. Grey values stay unrounded."""
    for row in csv.DictReader(open(f"{folder}/patients.csv")):
        if int(row["fold"]) not in folds:
            continue
        pixels, blood = [], []
        for path in sorted(glob.glob(f"{folder}/images/{row['patient']}/*.webp")):
            grey = np.array(Image.open(path).convert("L"), np.float32)
            hu = grey / 255 * float(row["hu_width"]) + float(row["hu_low"])
            pixels.append(np.clip(hu / 100, 0, 1).astype(np.float16))
            mask = f"{folder}/hematoma/{row['patient']}/{os.path.basename(path)[:2]}.png"
            blood.append(np.array(Image.open(mask)) > 0 if os.path.exists(mask) else np.zeros((512, 512), bool))
        pixels, blood = np.stack(pixels), np.stack(blood)
        yield Study(row["patient"], pixels, blood, None, 0.5078125**2 * 5 / 1000)


def phantom_studies(folders):
    """What render_cohort writes: case_NNNN_hu.i16, _mask.u8 (1 hematoma, 2 ventricles), .json."""
    for folder in folders:
        for path in sorted(glob.glob(f"{folder}/case_*.json")):
            said = json.load(open(path))
            shape = tuple(said["shape"])
            hu = np.fromfile(path[:-5] + "_hu.i16", "<i2").reshape(shape)
            mask = np.fromfile(path[:-5] + "_mask.u8", np.uint8).reshape(shape)
            pixels = (np.clip(hu, 0, 100) / np.float32(100)).astype(np.float16)
            name = f"{os.path.basename(folder.rstrip('/'))}/{os.path.basename(path)[:-5]}"
            yield Study(name, pixels, mask == 1, mask == 2, math.prod(said["spacing_mm"]) / 1000)


class Batches:
    """Batch number n is a function of the seed and n, so that training resumes where it stopped."""

    def __init__(self, config, real, phantoms):
        self.config = config
        split = lambda studies: tuple(
            [(s, z) for s in studies for z in range(len(s.pixels)) if s.blood[z].any() == shows] for shows in (True, False))
        self.pools = {"real": split(real), "phantom": split(phantoms)}

    def draw(self, step):
        rng = np.random.default_rng([self.config["seed"], step])
        slices = [self.slice(rng) for _ in range(self.config["batch"])]
        x, y, ivh = (torch.tensor(np.stack(part), dtype=torch.float32)[:, None] for part in zip(*slices))
        grid = F.affine_grid(self.affine(rng), x.shape, align_corners=False)
        warp = lambda v: F.grid_sample(v, grid, align_corners=False)
        return warp(x).clamp(0, 1).to(memory_format=torch.channels_last), warp(y), torch.where(warp(ivh) < 0.01, 1.0, self.config["ivh"])

    def slice(self, rng):
        c = self.config
        source = "phantom" if rng.random() < c["phantom"] and self.pools["phantom"][0] else "real"
        pool = self.pools[source][0 if rng.random() < c["blood"] else 1]
        study, z = pool[rng.integers(len(pool))]
        x, y = study.pixels[z].astype(np.float32), study.blood[z].astype(np.float32)
        # Blood in the ventricles with its rim of partial volume, which is a mixture of labels too.
        ivh = np.zeros_like(x) if study.ivh is None else ndimage.binary_dilation(study.ivh[z], iterations=2) * (1 - y)
        if rng.random() < 0.5:
            x, y, ivh = x[:, ::-1], y[:, ::-1], ivh[:, ::-1]
        noise = rng.normal(0, c["noise"] * rng.random(), x.shape)
        x = x * (1 + rng.normal(0, c["contrast"])) + (rng.normal(0, c["offset"]) + noise) * (x > 0)
        return x, y, ivh

    def affine(self, rng):
        c, n = self.config, self.config["batch"]
        angle, scale = rng.normal(0, c["rotation"], n), np.exp(rng.normal(0, c["scale"], n))
        matrix = np.zeros((n, 2, 3), np.float32)
        matrix[:, 0, 0], matrix[:, 0, 1] = scale * np.cos(angle), -scale * np.sin(angle)
        matrix[:, 1, 0], matrix[:, 1, 1] = scale * np.sin(angle), scale * np.cos(angle)
        matrix[:, :, 2] = rng.normal(0, c["shift"], (n, 2))
        return torch.tensor(matrix)


def loss_of(logits, y, keep):
    """Twice the cross-entropy plus one minus Dice over the pixels that count."""
    p = logits.sigmoid() * keep
    y = y * keep
    entropy = (F.binary_cross_entropy_with_logits(logits, y, reduction="none") * keep).sum() / keep.sum()
    return 2 * entropy + 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)


def train(a, config):
    torch.manual_seed(config["seed"])
    batches = Batches(config, list(real_studies(a.phe, config["train_folds"])), list(phantom_studies(a.phantoms)))
    counts = {source: [len(pool) for pool in pools] for source, pools in batches.pools.items()}
    say(a, f"slices with and without blood: {counts}; from {os.path.basename(a.init)}")
    net = UNet(config["width"], config["depth"])
    net.load_state_dict({name: v.float() for name, v in load_file(a.init).items()})
    net = net.to(memory_format=torch.channels_last)
    ema = {name: v.clone() for name, v in net.state_dict().items()}
    optimizer = torch.optim.AdamW(net.parameters(), config["rate"], weight_decay=config["weight_decay"])
    step, losses, started = 0, [], time.time()
    if os.path.exists(a.checkpoint):
        saved = torch.load(a.checkpoint)
        net.load_state_dict(saved["net"]); optimizer.load_state_dict(saved["optimizer"]); ema, step = saved["ema"], saved["step"]
        say(a, f"goes on after step {step}")
    first = step
    while step < config["steps"]:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, config)
        x, y, keep = batches.draw(step)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(x)
        loss = loss_of(logits.float(), y, keep)
        optimizer.zero_grad(); loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), config["clip"]); optimizer.step()
        step += 1; losses.append(loss.item())
        with torch.no_grad():
            for name, v in net.state_dict().items():
                ema[name].lerp_(v, 1 - config["ema"])
        if step % 50 == 0 or step == config["steps"]:
            say(a, f"step {step} of {config['steps']} ({(time.time() - started) / (step - first):.2f} s a step): loss {np.mean(losses[-50:]):.4f}")
            os.makedirs(os.path.dirname(a.checkpoint), exist_ok=True)
            torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema, "step": step}, a.checkpoint)
    save_file({name: v.half().contiguous() for name, v in ema.items()}, a.out)


def rate_at(step, config):
    warm = min(1, (step + 1) / config["warm_up"])
    return config["rate"] * warm * (0.01 + 0.495 * (1 + math.cos(math.pi * step / config["steps"])))


def measure(a, config):
    """Prints the table of the test fold by patient, then of the phantoms. Masks as the product makes them."""
    net = UNet(config["width"], config["depth"])
    net.load_state_dict({name: v.float() for name, v in load_file(a.weights).items()})
    net = net.to(memory_format=torch.channels_last).eval()
    if a.phe:
        report_real(a, config["test_fold"], [scores(net, s) for s in real_studies(a.phe, [config["test_fold"]])])
    if a.phantoms:
        report_phantoms(a, [scores(net, s) for s in phantom_studies(a.phantoms)])


def scores(net, study):
    """What one study contributes, with components under 0.2 ml dropped."""
    called = np.zeros(study.blood.shape, bool)
    with torch.inference_mode():
        for z, pixels in enumerate(study.pixels):
            x = torch.tensor(pixels.astype(np.float32))[None, None].to(memory_format=torch.channels_last)
            called[z] = (net(x)[0, 0] >= 0).numpy()
    pieces, n = ndimage.label(called, np.ones((3, 3, 3)))
    size = np.bincount(pieces.ravel(), minlength=n + 1) * study.voxel_ml
    called &= (size >= CRUMB_ML)[pieces]
    ivh = np.zeros_like(called) if study.ivh is None else study.ivh
    ml = lambda voxels: float(voxels.sum() * study.voxel_ml)
    per_slice = [(c & b).sum() / (c | b).sum() for c, b in zip(called, study.blood) if b.any()]
    return {"name": study.name, "ml": ml(study.blood), "called_ml": ml(called), "outside_ivh_ml": ml(called & ~ivh), "ivh_ml": ml(ivh),
            "ivh_called_ml": ml(called & ivh), "intersection": int((called & study.blood & ~ivh).sum()), "slices": per_slice,
            "union": int(((called & ~ivh) | study.blood).sum()), "off_label_ml": ml(called[~study.blood.any((1, 2))])}


def iou(row):
    return row["intersection"] / row["union"] if row["union"] else 1.0


def report_real(a, fold, rows):
    say(a, "patient      ml  called    IoU  off-label ml (slices without a label)")
    for r in rows:
        say(a, f"{r['name']:>7} {r['ml']:7.1f} {r['called_ml']:7.1f} {iou(r):6.3f} {r['off_label_ml']:8.2f}")
    large = [r for r in rows if r["ml"] >= SMALLEST_ML]
    each, off = [iou(r) for r in large], [abs(r["called_ml"] - r["ml"]) / r["ml"] for r in large]
    say(a, f"fold {fold}: patients with >= 3 ml {len(large)}; IoU mean {np.mean(each):.4f}, median {np.median(each):.4f}, least {min(each):.4f}; "
           f"slices with blood {np.mean([v for r in rows for v in r['slices']]):.4f}; pooled {sum(r['intersection'] for r in rows) / sum(r['union'] for r in rows):.4f}; "
           f"volume error median {np.median(off):.4f}; patients with > 1 ml off label {sum(r['off_label_ml'] > 1 for r in rows)}")


def report_phantoms(a, rows):
    say(a, "phantom                     ml  called  called outside IVH    IoU     IVH  IVH called")
    for r in rows:
        say(a, f"{r['name']:>22} {r['ml']:7.1f} {r['called_ml']:7.1f} {r['outside_ivh_ml']:13.1f} {iou(r):12.3f} {r['ivh_ml']:7.1f} {r['ivh_called_ml']:7.1f}")
    bleeding, clean = [r for r in rows if r["ml"] > 0], [r for r in rows if r["ml"] == 0]
    large = [r for r in bleeding if r["ml"] >= SMALLEST_ML]
    off = [abs(r["outside_ivh_ml"] - r["ml"]) / r["ml"] for r in large]
    ivh = sum(r["ivh_ml"] for r in rows)
    say(a, f"phantoms with >= 3 ml {len(large)}: IoU mean {np.mean([iou(r) for r in large]):.4f}, least {min(iou(r) for r in large):.4f}; "
           f"volume error median {np.median(off):.4f}, largest {max(off):.4f}; share of IVH called blood {sum(r['ivh_called_ml'] for r in rows) / max(ivh, 1e-9):.4f}; "
           f"without a bleed {len(clean)}: called {', '.join(format(r['called_ml'], '.2f') for r in clean)} ml")


def say(a, text):
    print(text, flush=True)
    if a.log:
        with open(a.log, "a") as log:
            log.write(text + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("train", "measure"):
        p = verbs.add_parser(verb)
        p.add_argument("--phe"); p.add_argument("--phantoms", nargs="*", default=[]); p.add_argument("--log")
        if verb == "train":
            p.add_argument("--init", required=True); p.add_argument("--out", required=True)
            p.add_argument("--checkpoint", default=os.path.join(HERE, "..", "..", "checkpoints", "unet.pt"))
        else:
            p.add_argument("weights")
    a = parser.parse_args()
    with open(os.path.join(HERE, "unet.toml"), "rb") as f:
        config = tomllib.load(f)
    {"train": train, "measure": measure}[a.verb](a, config)


if __name__ == "__main__":
    main()
