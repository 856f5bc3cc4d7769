"""One module per contract: how its requests are read and its answers written."""
