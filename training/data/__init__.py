"""Training data: one npz with `X` (rows first) and `y` (one label a row), built here or brought, always checked."""
