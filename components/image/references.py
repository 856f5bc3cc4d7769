"""Names of images: references by digest, and tags that belong to one digest. No Pulumi in here."""

from __future__ import annotations

import re

_REFERENCE = re.compile(r"(?P<repository>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})")


def split_reference(reference: str) -> tuple[str, str]:
    """Repository and digest of `repository@sha256:…`. Raises ValueError for a tag, which somebody may move."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ValueError(
            f"image.ref is {reference!r}; allowed: an image by digest (registry/name@sha256: and 64 hexadecimal "
            "digits), as a tag may name another image tomorrow. `docker buildx imagetools inspect` shows the digest."
        )
    return found["repository"], found["digest"]


def tag_of(digest: str) -> str:
    """The tag that belongs to this digest (or hash) and to no other.

    Every image that is live or could be rolled back to keeps a tag of its own, so a registry's clean-up of untagged
    images never takes it.
    """
    return digest.replace(":", "-")[:71]


def moved(reference: str, repository: str) -> str:
    """The same image in another repository. Raises ValueError where the reference is no digest."""
    return f"{repository}@{split_reference(reference)[1]}"
