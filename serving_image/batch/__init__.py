"""Scores whole files: npz, CSV and JSON lines, from and to any object store, resumable. See `scoring`."""
