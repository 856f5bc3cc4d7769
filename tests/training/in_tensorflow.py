# Runs in .venv-tensorflow, where the type checker does not look.
# pyright: reportMissingImports=false, reportMissingModuleSource=false
"""Asked of TensorFlow itself: `python -m tests.training.in_tensorflow <SavedModel> <rows.npz> <answers.npy> <few.npz>`.

Writes the SavedModel's answers to the rows, loaded by TensorFlow alone. Prints what the trainer's
function gives for a few rows.
"""

import json
import sys

import numpy as np
import tensorflow as tf

from training.trainers.cnn_trainer import complex_deep_learning_algorithm

saved_model, rows, answers, few = sys.argv[1:]
loaded = tf.saved_model.load(saved_model)
serve = loaded.signatures["serving_default"]
[name] = serve.structured_input_signature[1]
[found] = serve(**{name: tf.constant(np.load(rows)["X"])}).values()
np.save(answers, found.numpy())

model, loss, accuracy = complex_deep_learning_algorithm(few)
layers = [
    [type(layer).__name__, layer.get_config().get("filters") or layer.get_config().get("units")]
    for layer in model.layers
]
optimizer, objective = type(model.optimizer).__name__, model.loss
sys.stdout.write(json.dumps([layers, optimizer, objective, loss, accuracy]) + "\n")
