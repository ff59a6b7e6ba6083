#!/usr/bin/env python3
"""Golden probabilities of a network by PyTorch in f32, on an input that is a formula and no patient.

    golden.py WEIGHTS.safetensors TO.json

The input is 256 x 320 pixels of whole HU: a skull, brain, and a bleed with a level. The test of
ichor-net that reads TO.json builds the same pixels from the same formula."""
import hashlib, json, sys
import numpy as np, torch
from safetensors.torch import load_file
from unet import UNet

N_Y, N_X = 256, 320


def pixels():
    """HU divided by 100; whole numbers only, so that every language makes the same."""
    y, x = np.mgrid[0:N_Y, 0:N_X].astype(np.int64)
    from_centre = (y - 128) ** 2 + (x - 160) ** 2
    bleed = (y - 110) ** 2 * 3 + (x - 195) ** 2 * 5
    hu = np.zeros((N_Y, N_X), np.int64)
    hu[from_centre < 112**2] = 100
    brain = from_centre < 104**2
    hu[brain] = (28 + (x * 7 + y * 13) % 11)[brain]
    hu[bleed < 2900] = (38 + (x * 5 + y * 3) % 7)[bleed < 2900]
    hu[bleed < 2000] = (56 + (x * 5 + y * 3) % 9 - 14 * (y > 118))[bleed < 2000]
    return (hu / np.float32(100)).astype(np.float32)


def main():
    torch.set_num_threads(1)
    weights = load_file(sys.argv[1])
    width, depth = weights["out.weight"].shape[1], sum(name.startswith("t.") and name.endswith(".bias") for name in weights)
    net = UNet(width, depth)
    net.load_state_dict({name: v.float() for name, v in weights.items()})
    with torch.inference_mode():
        p = net(torch.tensor(pixels())[None, None]).sigmoid()[0, 0].numpy()
    grid = [(y, x) for y in range(3, N_Y, 19) for x in range(3, N_X, 19)]
    edge = [(int(y), int(x)) for y, x in np.argwhere((p > 0.01) & (p < 0.99))][::5]
    points = [[y, x, float(p[y, x])] for y, x in grid + edge]
    said = {"weights_sha256": hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest(), "by": f"PyTorch {torch.__version__.split('+')[0]}, f32",
            "over_half": int((p >= 0.5).sum()), "mean": float(p.mean()), "points": points}
    with open(sys.argv[2], "w") as out:
        out.write(json.dumps(said).replace('"points": [', '"points": [\n').replace("], [", "],\n[").replace("]]", "]\n]") + "\n")


if __name__ == "__main__":
    main()
