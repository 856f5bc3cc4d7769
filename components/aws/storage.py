"""Buckets for training data, releases and captured requests, and the release in its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.grants import Grant, document, service_principal
from spec import release as releases

#: Older versions of an object, and uploads that were never finished, go after this many days.
NONCURRENT_DAYS = 90
UNFINISHED_DAYS = 7
#: Access logs are kept this long.
ACCESS_LOG_DAYS = 90


@dataclass(frozen=True)
class BucketArgs:
    """One bucket.

    key_arn: encrypts the objects; None: a key of AWS's. expire_days: age at which objects go; None: never. logs: bucket
    that gets the access logs; None for that bucket itself. logs_of: the account whose buckets log into this one.
    protect: keep the bucket when the stack goes; else it goes
    with everything in it.
    """

    key_arn: pulumi.Input[str] | None
    expire_days: int | None = None
    logs: Bucket | None = None
    logs_of: Account | None = None
    protect: bool = True


class Bucket(pulumi.ComponentResource):
    """An S3 bucket: private, versioned, encrypted, TLS only, owned by its account alone, with access logs.

    name, arn: of the bucket.
    """

    name: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Bucket", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.bucket = aws.s3.Bucket(
            name,
            force_destroy=not args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.name = self.bucket.bucket
        self.arn = self.bucket.arn
        bucket = self.name
        aws.s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=bucket,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=child,
        )
        block = aws.s3.BucketPublicAccessBlock(
            f"{name}-private",
            bucket=bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        versioning = aws.s3.BucketVersioning(
            f"{name}-versioning",
            bucket=bucket,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=child,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption", bucket=bucket, rules=[_encryption(args.key_arn)], opts=child
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=bucket,
            rules=[_lifecycle(args.expire_days)],
            # Rules about older versions mean nothing before there are versions.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
        # S3 refuses two changes of a bucket's policies at once.
        aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket,
            policy=document(*self._statements(args.logs_of)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[block]),
        )
        if args.logs is not None:
            aws.s3.BucketLogging(
                f"{name}-logging",
                bucket=bucket,
                target_bucket=args.logs.name,
                target_prefix=f"{name}/",
                opts=pulumi.ResourceOptions(parent=self, depends_on=[args.logs]),
            )
        self.register_outputs({"name": self.name, "arn": self.arn})

    def _statements(self, logs_of: Account | None) -> list[dict[str, Any]]:
        objects = pulumi.Output.concat(self.arn, "/*")
        everyone = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [self.arn, objects]}
        statements: list[dict[str, Any]] = [
            {**everyone, "Sid": "TlsOnly", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            {**everyone, "Sid": "Tls12", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
        ]
        if logs_of is not None:
            statements.append(
                {
                    "Sid": "AccessLogs",
                    "Effect": "Allow",
                    "Principal": service_principal("logging.s3.amazonaws.com"),
                    "Action": "s3:PutObject",
                    "Resource": objects,
                    "Condition": {"StringEquals": {"aws:SourceAccount": logs_of.id}},
                }
            )
        return statements

    def read(self, sid: str, prefix: str = "") -> tuple[Grant, ...]:
        """Permission to read objects below a prefix, and to list them."""
        listing = {"StringLike": {"s3:prefix": [f"{prefix}*"]}} if prefix else {}
        return (
            Grant(f"{sid}Objects", ("s3:GetObject",), (pulumi.Output.concat(self.arn, f"/{prefix}*"),)),
            Grant(f"{sid}Listing", ("s3:ListBucket",), (self.arn,), listing),
        )

    def write(self, sid: str, prefix: str = "") -> tuple[Grant, ...]:
        """Permission to add objects below a prefix."""
        return (Grant(f"{sid}Objects", ("s3:PutObject",), (pulumi.Output.concat(self.arn, f"/{prefix}*"),)),)


def _encryption(key_arn: pulumi.Input[str] | None) -> aws.s3.BucketServerSideEncryptionConfigurationRuleArgs:
    default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs
    return aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
        apply_server_side_encryption_by_default=default(
            sse_algorithm="AES256" if key_arn is None else "aws:kms", kms_master_key_id=key_arn
        ),
        # One call to KMS for many objects, not one for each.
        bucket_key_enabled=key_arn is not None,
    )


def _lifecycle(expire_days: int | None) -> aws.s3.BucketLifecycleConfigurationRuleArgs:
    expiration = aws.s3.BucketLifecycleConfigurationRuleExpirationArgs
    older = aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs
    unfinished = aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs
    return aws.s3.BucketLifecycleConfigurationRuleArgs(
        id="tidy",
        status="Enabled",
        filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
        expiration=None if expire_days is None else expiration(days=expire_days),
        noncurrent_version_expiration=older(
            noncurrent_days=NONCURRENT_DAYS if expire_days is None else min(NONCURRENT_DAYS, expire_days)
        ),
        abort_incomplete_multipart_upload=unfinished(days_after_initiation=UNFINISHED_DAYS),
    )


@dataclass(frozen=True)
class StorageArgs:
    """What to keep, and for how long.

    account: whose buckets. key_arn: encrypts; None: keys of AWS's. capture_days: age at which captured requests go;
    None: nothing is captured. protect: keep all of it when the stack goes.
    """

    account: Account
    key_arn: pulumi.Input[str] | None
    capture_days: int | None = None
    protect: bool = True


class Storage(pulumi.ComponentResource):
    """The buckets of a service.

    data: what models are trained on. releases: each under `<model>/v<version>/`. captures: None without capture.
    logs: access logs of the others.
    """

    data: Bucket
    releases: Bucket
    captures: Bucket | None
    logs: Bucket

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Storage", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)

        def bucket(purpose: str, expire_days: int | None = None) -> Bucket:
            kept = BucketArgs(args.key_arn, expire_days=expire_days, logs=self.logs, protect=args.protect)
            return Bucket(f"{name}-{purpose}", kept, child)

        # Access logs cannot be delivered to a bucket with a KMS key
        # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html).
        logs = BucketArgs(None, expire_days=ACCESS_LOG_DAYS, logs_of=args.account, protect=args.protect)
        self.logs = Bucket(f"{name}-access-logs", logs, child)
        self.data = bucket("data")
        self.releases = bucket("releases")
        self.captures = None if args.capture_days is None else bucket("captures", args.capture_days)
        self.register_outputs({"data": self.data.name, "releases": self.releases.name, "logs": self.logs.name})


@dataclass(frozen=True)
class ReleaseArgs:
    """release: a verified release on this machine. bucket: the bucket of releases. key_arn: encrypts."""

    release: releases.Release
    bucket: Bucket
    key_arn: pulumi.Input[str] | None


class ReleaseUpload(pulumi.ComponentResource):
    """A release in the bucket, under its version: `s3://<bucket>/<model>/v<version>/`.

    Its objects are never edited: another version is another folder, and one that a service no longer uses stays, since
    a rollback is a plain change of the release's number.
    uri: what a server fetches; ends in a slash. Known to what depends on every object. reference: such as digits@3.
    digest: sha256 of the metadata, which names the hash of every other file.
    """

    uri: pulumi.Output[str]
    reference: str
    digest: str

    def __init__(self, name: str, args: ReleaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:ReleaseUpload", name, {}, opts)
        self.reference = str(args.release)
        self.digest = releases.digest(args.release.path)
        self._bucket = args.bucket
        self._number = args.release.version
        self.prefix = f"{args.release.model}/v{args.release.version}/"
        hashes = {**releases.read_metadata(args.release.path)["files"], releases.METADATA_FILE: self.digest}
        self.objects = [
            aws.s3.BucketObjectv2(
                # The version is part of the name: a new release adds objects, and none is replaced.
                f"{name}-v{args.release.version}-{file}",
                bucket=args.bucket.name,
                key=f"{self.prefix}{file}",
                source=pulumi.FileAsset(str(args.release.path / file)),
                source_hash=sha256,
                checksum_algorithm="SHA256",
                server_side_encryption=None if args.key_arn is None else "aws:kms",
                kms_key_id=args.key_arn,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[args.bucket], retain_on_delete=True),
            )
            for file, sha256 in sorted(hashes.items())
        ]
        arrived = pulumi.Output.all(args.bucket.name, *(one.key for one in self.objects))
        self.uri = arrived.apply(lambda known: f"s3://{known[0]}/{self.prefix}")
        self.register_outputs({"uri": self.uri, "reference": self.reference, "digest": self.digest})

    @property
    def grants(self) -> tuple[Grant, ...]:
        """Permission to read this release, and no other."""
        return self._bucket.read(f"Release{self._number}", self.prefix)
