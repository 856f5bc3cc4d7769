"""KMS: the services' keys."""

from __future__ import annotations

from collections.abc import Sequence

from components.aws.rights.right import BECOMES_OURS, OURS, SERVICES, Right, actions

KEYS: Sequence[Right] = (
    Right("ListKeys", see=("kms:ListAliases",)),
    Right("NewKey", change=("kms:CreateKey",), when=BECOMES_OURS),
    # A key has no tag yet when the tags of its creation are checked, so this asks what it gets.
    Right("TagKey", ("kms:*:{account}:key/*",), change=("kms:TagResource",), when=BECOMES_OURS),
    Right(
        "Keys",
        ("kms:*:{account}:key/*",),
        see=actions("kms", "DescribeKey GetKeyPolicy GetKeyRotationStatus ListResourceTags"),
        change=actions(
            "kms",
            "CancelKeyDeletion DisableKeyRotation EnableKeyRotation PutKeyPolicy RetireGrant ScheduleKeyDeletion "
            "UntagResource UpdateKeyDescription",
        ),
        when=OURS,
    ),
    # KMS asks for the alias, which has no tags, and for the key.
    Right(
        "KeyAliases",
        ("kms:*:{account}:alias/{service}-*", "kms:*:{account}:key/*"),
        change=actions("kms", "CreateAlias DeleteAlias UpdateAlias"),
        when={"StringEqualsIfExists": {"aws:ResourceTag/service": SERVICES}},
    ),
    # S3 encrypts a release for whoever uploads it; reading one back needs the other.
    Right("EncryptReleases", ("kms:*:{account}:key/*",), change=actions("kms", "Decrypt GenerateDataKey"), when=OURS),
    # SageMaker and ECR keep the use of a key for volumes and layers through grants.
    Right(
        "KeyForServices",
        ("kms:*:{account}:key/*",),
        change=("kms:CreateGrant",),
        when={**OURS, "Bool": {"kms:GrantIsForAWSResource": "true"}},
    ),
)
