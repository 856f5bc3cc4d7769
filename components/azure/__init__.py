"""Azure: keys, storage, identity, registry, network, monitoring, and one module per product that runs a service."""
