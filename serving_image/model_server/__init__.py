"""The model server: one app that answers every platform's contract over HTTP. Run it as `python -m model_server`."""
