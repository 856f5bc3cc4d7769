# Runs in .venv-torch, where the type checker does not look.
# pyright: reportMissingImports=false, reportMissingModuleSource=false
"""Asked of PyTorch itself: `python -m tests.training.in_torch <archive.mar> <rows.npz> <answers.npy> <few.npz>`.

Writes the answers of the TorchScript in the archive to the rows. Prints what the trainer's function gives for few rows.
"""

import io
import json
import sys
import zipfile

import numpy as np
import torch

from training.trainers.torch_trainer import small_network

archive, rows, answers, few = sys.argv[1:]
with zipfile.ZipFile(archive) as file:
    manifest = json.loads(file.read("MAR-INF/MANIFEST.json"))["model"]
    script = torch.jit.load(io.BytesIO(file.read(manifest["serializedFile"])))
with torch.no_grad():
    np.save(answers, script(torch.from_numpy(np.load(rows)["X"])).numpy())

model, loss, accuracy = small_network(few)
sys.stdout.write(json.dumps([manifest, isinstance(model, torch.nn.Module), loss, accuracy]) + "\n")
