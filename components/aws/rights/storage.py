"""S3 and ECR: buckets, releases, images."""

from __future__ import annotations

from collections.abc import Sequence

from components.aws.rights.right import Right, actions

STORAGE: Sequence[Right] = (
    # Tags by their older actions: the provider falls back to them, and IAM's linters do not know the newer for buckets
    # (https://github.com/hashicorp/terraform-provider-aws/pull/45251).
    Right(
        "Buckets",
        ("s3:::{service}-*",),
        see=actions(
            "s3",
            "GetAccelerateConfiguration GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging "
            "GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPublicAccessBlock "
            "GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration "
            "GetLifecycleConfiguration GetReplicationConfiguration ListBucket",
        ),
        change=actions(
            "s3",
            "CreateBucket DeleteBucket DeleteBucketPolicy ListBucketVersions PutBucketLogging "
            "PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock PutBucketTagging "
            "PutBucketVersioning PutEncryptionConfiguration PutLifecycleConfiguration",
        ),
        everywhere=True,  # a bucket's ARN has no region, and its API is asked in the bucket's own
    ),
    # Not those of captures and data: a preview has nothing to read there.
    Right(
        "Releases",
        ("s3:::{service}-*-releases-*/*",),
        see=actions("s3", "GetObject GetObjectTagging"),
        everywhere=True,
    ),
    # All buckets: who sets a bucket's policy could let himself in, so nothing is kept from him by leaving one out.
    Right(
        "Objects",
        ("s3:::{service}-*/*",),
        change=actions("s3", "AbortMultipartUpload DeleteObject DeleteObjectVersion GetObject PutObject ")
        + actions("s3", "PutObjectTagging"),
        everywhere=True,
    ),
    Right(
        "Images",
        ("ecr:*:{account}:repository/{service}-*",),
        see=actions("ecr", "DescribeImages DescribeRepositories GetLifecyclePolicy GetRepositoryPolicy ")
        + actions("ecr", "ListTagsForResource"),
        change=actions(
            "ecr",
            "BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload CreateRepository DeleteRepository "
            "GetDownloadUrlForLayer InitiateLayerUpload PutImage PutImageScanningConfiguration PutImageTagMutability "
            "TagResource UntagResource UploadLayerPart",
        ),
    ),
    # An image may be copied from another repository.
    Right(
        "PullImages",
        ("ecr:*:{account}:repository/*",),
        change=actions("ecr", "BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer"),
    ),
    # A preview's program asks for the token as well; with it one may do what one may do in any case.
    Right("RegistryLogin", see=("ecr:GetAuthorizationToken",)),
)
