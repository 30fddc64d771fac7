"""Backbones beside ResNet: vision transformers and RegNet, under their published names.

Each takes (N, 3, H, W) and returns feature maps by name, and tells of them in ``channels`` (name to
channels) and ``strides`` (name to input pixels a cell), as ``FPN`` and the heads ask for them.
"""
