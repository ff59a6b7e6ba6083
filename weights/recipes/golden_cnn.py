#!/usr/bin/env python3
"""Golden numbers of a small CNN by PyTorch in f64, all inputs a formula.

    golden_cnn.py TO.json

Width 3, depth 2, three crops of 8 x 12 pixels of one hematoma; the loss is the cross-entropy of "expands". The test of
ichor-net that reads TO.json builds the same numbers from the same formula. One line a tensor: name, norm, every 7th entry."""
import json, sys
import numpy as np, torch
from torch import nn
from golden_gradient import noise

N_Y, N_X, WIDTH, DEPTH = 8, 12, 3, 2
BLOOD = [300.0, 500.0, 200.0]


class Cnn(nn.Module):
    """The way down of the U-Net; means over pixels; mean by blood and maximum over slices; one layer."""

    def __init__(self, width, depth):
        super().__init__()
        self.d = nn.ModuleList()
        for level in range(depth):
            c_in, c_out = 2 if level == 0 else width << level - 1, width << level
            block = nn.Module()
            block.c1 = nn.Conv2d(c_in, c_out, 3, padding=1)
            block.c2 = nn.Conv2d(c_out, c_out, 3, padding=2, dilation=2)
            self.d.append(block)
        self.fc = nn.Linear(2 * (width << depth - 1), 2)

    def features(self, crops, blood):
        x = crops
        for block in self.d:
            x = nn.functional.max_pool2d(block.c2(block.c1(x).relu()).relu(), 2)
        means = x.mean((2, 3))
        share = blood / blood.sum()
        return torch.cat([(share[:, None] * means).sum(0), means.amax(0)])


def names(depth):
    """Order of the flat vector of parameters: that of ichor-net's `CnnShape::tensors`."""
    down = [f"d.{level}.{part}.{what}" for level in range(depth) for part in ("c1", "c2") for what in ("weight", "bias")]
    return down + ["fc.weight", "fc.bias"]


def main():
    net = Cnn(WIDTH, DEPTH).double()
    state, at = net.state_dict(), 0
    for name in names(DEPTH):
        n = state[name].numel()
        values = [np.float32(noise(i)) * np.float32(0.8) for i in range(at, at + n)]
        state[name] = torch.tensor(np.array(values, np.float64)).reshape(state[name].shape)
        at += n
    net.load_state_dict(state)
    n = N_Y * N_X
    plane = lambda start: np.array([noise(i + start) + np.float32(0.5) for i in range(n)], np.float32).astype(np.float64).reshape(N_Y, N_X)
    crops = torch.tensor(np.stack([[plane(9000 + 2 * n * z), plane(9000 + 2 * n * z + n)] for z in range(len(BLOOD))]))
    features = net.features(crops, torch.tensor(BLOOD, dtype=torch.float64))
    logits = net.fc(features)
    loss = nn.functional.cross_entropy(logits[None], torch.tensor([1]))
    loss.backward()
    found = dict(net.named_parameters())
    rows = [[name, float(found[name].grad.norm()), found[name].grad.flatten()[::7].tolist()] for name in names(DEPTH)]
    said = {"by": f"PyTorch {torch.__version__.split('+')[0]}, f64", "loss": loss.item(), "probability": logits.softmax(0)[1].item(),
            "features": features.tolist(), "tensors": rows}
    with open(sys.argv[1], "w") as out:
        out.write(json.dumps(said).replace('"tensors": [', '"tensors": [\n').replace("]], [", "]],\n[").replace("]]]", "]]\n]") + "\n")


if __name__ == "__main__":
    main()
