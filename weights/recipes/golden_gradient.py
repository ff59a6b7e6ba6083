#!/usr/bin/env python3
"""Golden gradients of a small U-Net by PyTorch in f64, all inputs a formula.

    golden_gradient.py TO.json

Width 5, depth 2, 8 x 12 pixels; the loss is the sum of the logits, each times its own number. The test of ichor-net
that reads TO.json builds the same numbers from the same formula. One line a tensor: name, norm, every 37th entry."""
import json, sys
import numpy as np, torch
from unet import UNet

N_Y, N_X, MASK = 8, 12, 2**64 - 1


def noise(i):
    """A number in -0.5..0.5 that only i decides."""
    mixed = (i + 1) * 0x9E3779B97F4A7C15 & MASK
    mixed = (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9 & MASK
    return np.float32(mixed >> 40) / np.float32(2**24) - np.float32(0.5)


def names(width, depth):
    """Order of the flat vector of parameters: that of ichor-net's `Shape::tensors`."""
    block = lambda name: [f"{name}.{part}.{what}" for part in ("c1", "c2") for what in ("weight", "bias")]
    down_and_up = [n for level in range(depth) for n in block(f"d.{level}") + block(f"u.{level}")]
    up = [f"t.{level}.{what}" for level in range(depth) for what in ("weight", "bias")]
    return down_and_up + block("bot") + up + ["out.weight", "out.bias"]


def main():
    net = UNet(5, 2).double()
    state, at = net.state_dict(), 0
    for name in names(5, 2):
        n = state[name].numel()
        values = [np.float32(noise(i)) * np.float32(0.6) for i in range(at, at + n)]
        state[name] = torch.tensor(np.array(values, np.float64)).reshape(state[name].shape)
        at += n
    net.load_state_dict(state)
    pixels = np.array([noise(i + 9000) + np.float32(0.5) for i in range(N_Y * N_X)], np.float32).astype(np.float64)
    by_logits = torch.tensor(np.array([noise(i + 5000) for i in range(N_Y * N_X)], np.float64))
    loss = (net(torch.tensor(pixels).reshape(1, 1, N_Y, N_X)).flatten() * by_logits).sum()
    loss.backward()
    found = dict(net.named_parameters())
    rows = [[name, float(found[name].grad.norm()), found[name].grad.flatten()[::37].tolist()] for name in names(5, 2)]
    said = {"by": f"PyTorch {torch.__version__.split('+')[0]}, f64", "loss": loss.item(), "tensors": rows}
    with open(sys.argv[1], "w") as out:
        out.write(json.dumps(said).replace('"tensors": [', '"tensors": [\n').replace("]], [", "]],\n[").replace("]]]", "]]\n]") + "\n")


if __name__ == "__main__":
    main()
