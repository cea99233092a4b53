"""Loads published models with Python's safetensors: python3 check_safetensors.py FILE... (needs safetensors and numpy)."""

import sys

import numpy as np
from safetensors.numpy import load_file

PARAMETERS = 199_210  # 784-200-200-10

models = [load_file(path) for path in sys.argv[1:]]
for path, tensors in zip(sys.argv[1:], models):
    total = sum(tensor.size for tensor in tensors.values())
    finite = all(np.isfinite(tensor).all() for tensor in tensors.values())
    assert total == PARAMETERS, f"{path}: {total} parameters, not {PARAMETERS}"
    assert finite, f"{path}: not finite"
    assert all(tensor.dtype == np.float32 for tensor in tensors.values()), path
assert len(models) >= 2, "expected the initial model and at least one published one"
shapes = {name: tensor.shape for name, tensor in models[0].items()}
assert all({name: tensor.shape for name, tensor in model.items()} == shapes for model in models)
print(f"{len(models)} models of {PARAMETERS} parameters: {shapes}")
