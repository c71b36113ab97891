"""Trains the demo's networks on pictures drawn for them, and lays each out as a Hugging Face folder.

    python3 demo/training/train.py [NAME...] [--epochs N] [--pictures FOLDER]

Run from the package's root after `npm install`, with PyTorch 1.13 or later, onnx and Pillow (on Debian:
python3-torch, python3-onnx, python3-pil). The demo draws its own pictures with other seeds than these.
"""
import argparse
import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import torch
from PIL import Image
from onnx import numpy_helper
from torch import nn

sys.dont_write_bytecode = True
from networks import NETWORKS, OPERATORS  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "demo" / "models"
SETS = {"train": (24_000, 90_001), "judge": (4_000, 90_002)}


def drawn(pictures, name):
    """The files and their classes of one set, drawn by the program itself unless they are there."""
    count, seed = SETS[name]
    folder = pathlib.Path(pictures) / name
    if not folder.exists():
        node = ROOT / "node_modules" / ".bin" / "node"
        subprocess.run([node, ROOT / "demo/training/draw.ts", folder, str(count), str(seed)], check=True)
    classes = sorted(entry.name for entry in folder.iterdir())
    return classes, [(file, label) for label, c in enumerate(classes) for file in sorted((folder / c).iterdir())]


def resized(image, config):
    """[H, W, 3] bytes after the configuration's resize and centre crop, by Pillow as Hugging Face does them."""
    size = config["size"]
    if "shortest_edge" in size:
        short, width, height = min(image.size), *image.size
        target = tuple(int(size["shortest_edge"] * side / short) for side in (width, height))
    else:
        target = (size["width"], size["height"])
    pixels = np.asarray(image.resize(target, config["resample"]))
    if config["do_center_crop"]:
        height, width = config["crop_size"]["height"], config["crop_size"]["width"]
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        pixels = pixels[top : top + height, left : left + width]
    return pixels


def load(files, names):
    """For each network [N, 3, side, side] bytes; and the labels [N]."""
    pixels = {name: [] for name in names}
    for file, _ in files:
        image = Image.open(file).convert("RGB")
        for name in names:
            pixels[name].append(resized(image, NETWORKS[name]["preprocess"]))
    stacked = {name: torch.from_numpy(np.stack(p).transpose(0, 3, 1, 2).copy()) for name, p in pixels.items()}
    return stacked, torch.tensor([label for _, label in files])


def scaled(batch, config):
    x = batch.float().contiguous(memory_format=torch.channels_last) * config["rescale_factor"]
    if not config["do_normalize"]:
        return x
    return (x - torch.tensor(config["image_mean"]).view(3, 1, 1)) / torch.tensor(config["image_std"]).view(3, 1, 1)


def turned(x):
    """One of the eight ways to lay down a square: every picture is as likely in each of them."""
    if torch.rand(()) < 0.5:
        x = x.flip(3)
    return torch.rot90(x, int(torch.randint(4, ())), (2, 3))


def scores(network, pixels, config):
    network.eval()
    with torch.no_grad():
        return torch.cat([network(scaled(batch, config)).softmax(1) for batch in pixels.split(500)])


def train(name, pixels, labels, epochs, classes):
    torch.manual_seed(7)
    config = NETWORKS[name]["preprocess"]
    network = NETWORKS[name]["make"](classes).to(memory_format=torch.channels_last)
    batch = 128
    steps = epochs * (len(labels) // batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=steps, pct_start=0.2)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    started = time.time()
    for epoch in range(epochs):
        network.train()
        total = 0.0
        order = torch.randperm(len(labels))[: len(labels) // batch * batch]
        for chosen in order.split(batch):
            loss = loss_of(network(scaled(turned(pixels[chosen]), config)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * batch
        print(f"{name} epoch {epoch + 1}/{epochs} loss {total / len(order):.3f} {time.time() - started:.0f} s", flush=True)
    return network


def export(name, network, classes):
    folder = MODELS / name
    folder.mkdir(parents=True, exist_ok=True)
    entry = NETWORKS[name]
    network = copy.deepcopy(network).to(memory_format=torch.contiguous_format).eval()
    if entry["softmax"]:
        network = nn.Sequential(network, nn.Softmax(1))
    output = "probabilities" if entry["softmax"] else "logits"
    file = folder / "model.onnx"
    torch.onnx.export(
        network, torch.zeros(1, 3, entry["side"], entry["side"]), str(file), opset_version=13,
        input_names=["pixel_values"], output_names=[output],
        dynamic_axes={"pixel_values": {0: "N"}, output: {0: "N"}},
    )
    tidy(file, name)
    labels = {str(i): c for i, c in enumerate(classes)}
    write(folder / "config.json", {
        "architectures": [entry["architecture"]], "num_channels": 3, "image_size": entry["side"],
        "id2label": labels, "label2id": {c: int(i) for i, c in labels.items()},
    })
    write(folder / "preprocessor_config.json", entry["preprocess"])


def tidy(file, name):
    """Leaves the network alone in its file: PyTorch pads by nothing before each average pool."""
    model = onnx.load(str(file))
    graph = model.graph
    graph.name = name
    constants = {n.output[0]: numpy_helper.to_array(n.attribute[0].t) for n in graph.node if n.op_type == "Constant"}
    padless = [n for n in graph.node if n.op_type == "Pad" and not constants[n.input[1]].any()]
    source = {n.output[0]: n.input[0] for n in padless}
    kept = [n for n in graph.node if n not in padless and n.op_type != "Constant"]
    for node in kept:
        node.doc_string = ""
        node.input[:] = [source.get(i, i) for i in node.input]
    del graph.node[:]
    graph.node.extend(kept)
    others = {n.op_type for n in kept} - OPERATORS
    assert not others, f"{name} needs {others}: keep to {OPERATORS}"
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(file))


def write(file, value):
    """JSON as the project's formatter has it: a list on one line."""
    text = json.dumps(value, indent=2)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: json.dumps(json.loads(found[0])), text)
    file.write_text(text + "\n")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("names", nargs="*", default=list(NETWORKS))
    arguments.add_argument("--epochs", type=int)
    arguments.add_argument("--pictures", default=str(pathlib.Path(tempfile.gettempdir()) / "shardmesh-training"))
    chosen = arguments.parse_args()
    torch.set_num_threads(os.cpu_count())
    classes, files = drawn(chosen.pictures, "train")
    _, judged = drawn(chosen.pictures, "judge")
    pixels, labels = load(files, chosen.names)
    judge_pixels, judge_labels = load(judged, chosen.names)
    merged = 0
    for name in chosen.names:
        network = train(name, pixels[name], labels, chosen.epochs or NETWORKS[name]["epochs"], len(classes))
        export(name, network, classes)
        each = scores(network, judge_pixels[name], NETWORKS[name]["preprocess"])
        merged = merged + each
        weights = sum(p.numel() for p in network.parameters())
        print(f"{name}: {100 * (each.argmax(1) == judge_labels).float().mean():.1f}% of {len(judged)}, {weights} weights")
    print(f"mean of {len(chosen.names)}: {100 * (merged.argmax(1) == judge_labels).float().mean():.1f}%")


if __name__ == "__main__":
    main()
