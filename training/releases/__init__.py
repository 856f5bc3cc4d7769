"""The life of a release: written once, listed, compared, published to a store, fetched from it, promoted to a stack."""
