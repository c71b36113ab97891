"""The demo's three networks, small and unlike each other, and how each wants its pictures.

Input [N, 3, side, side] float32, output [N, 10]; BatchNormalization is folded into Conv on export.
"""
from torch import nn

# What the exported graphs may use, so that any runtime can run them.
OPERATORS = {
    "Conv", "Relu", "Add", "MaxPool", "AveragePool", "GlobalAveragePool", "Flatten", "Gemm", "Softmax",
}


def conv(inputs, outputs, kernel=3, stride=1, groups=1, relu=True):
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut, a 1x1 convolution where the shape changes (He et al. 2015)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(conv(inputs, outputs, stride=stride), conv(outputs, outputs, relu=False))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else conv(inputs, outputs, 1, stride, relu=False)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.body(x) + self.shortcut(x))


def separable(inputs, outputs, stride=1):
    """A depthwise 5x5 and a pointwise 1x1 convolution (Howard et al. 2017)."""
    return nn.Sequential(conv(inputs, inputs, 5, stride, groups=inputs), conv(inputs, outputs, 1))


def head(features, classes):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, classes)]


def plain(classes):
    return nn.Sequential(
        conv(3, 16), nn.MaxPool2d(2),
        conv(16, 32), conv(32, 32), nn.MaxPool2d(2),
        conv(32, 56), nn.MaxPool2d(2),
        conv(56, 56), *head(56, classes),
    )


def residual(classes):
    return nn.Sequential(
        conv(3, 16, stride=2), Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2), *head(64, classes)
    )


def separable_net(classes):
    return nn.Sequential(
        conv(3, 16, stride=2), separable(16, 32), nn.AvgPool2d(2), separable(32, 96), separable(96, 96),
        nn.AvgPool2d(2), separable(96, 160), *head(160, classes),
    )


IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
BILINEAR, BICUBIC = 2, 3

# What each folder's preprocessor_config.json says; `softmax` puts one at the end of the exported graph.
NETWORKS = {
    "shapes-plain": {
        "architecture": "PlainForImageClassification",
        "make": plain, "side": 32, "epochs": 14, "softmax": False,
        "preprocess": {
            "do_resize": True, "size": {"height": 32, "width": 32}, "resample": BILINEAR,
            "do_center_crop": False, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": False,
        },
    },
    "shapes-residual": {
        "architecture": "ResNetForImageClassification",
        "make": residual, "side": 48, "epochs": 14, "softmax": False,
        "preprocess": {
            "do_resize": True, "size": {"shortest_edge": 52}, "resample": BICUBIC,
            "do_center_crop": True, "crop_size": {"height": 48, "width": 48},
            "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, **IMAGENET,
        },
    },
    "shapes-separable": {
        "architecture": "SeparableForImageClassification",
        "make": separable_net, "side": 40, "epochs": 10, "softmax": True,
        "preprocess": {
            "do_resize": True, "size": {"height": 40, "width": 40}, "resample": BICUBIC,
            "do_center_crop": False, "do_rescale": True, "rescale_factor": 1 / 255,
            "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
        },
    },
}
