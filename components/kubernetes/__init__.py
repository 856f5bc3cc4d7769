"""The model service on a Kubernetes cluster: EKS, AKS, GKE, or one that somebody has already.

`args` says what is asked for, `runtimes` what each server needs, `manifests` writes the objects as plain mappings (all
three without Pulumi); `service` registers them.
"""
