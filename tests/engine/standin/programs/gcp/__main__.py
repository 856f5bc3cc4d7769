"""A model behind Cloud Run or a Vertex AI endpoint, small: what the rehearsal's own tests run on Google Cloud."""

import pulumi
import pulumi_gcp as gcp

config = pulumi.Config()
release = config.require("release")
token = config.require_secret("token")
project = gcp.organizations.get_project()

ring = gcp.kms.KeyRing("ring", location="us-central1")
key = gcp.kms.CryptoKey(f"key-{config.require('key')}", key_ring=ring.id, rotation_period="7776000s")
account = gcp.serviceaccount.Account("server", account_id="standin-server", display_name=f"server in {project.number}")
secret = gcp.secretmanager.Secret("token", secret_id="standin-token", replication={"auto": {}})
gcp.secretmanager.SecretVersion("token", secret=secret.id, secret_data=token)

for region in config.require_object("regions"):
    store = gcp.storage.Bucket(
        f"store-{region}",
        location=region,
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        encryption={"default_kms_key_name": key.id},
        force_destroy=True,
    )
    reads = gcp.storage.BucketIAMMember(
        f"read-{region}", bucket=store.name, role="roles/storage.objectViewer", member=account.member
    )
    if "cloud_run" in config.require_object("targets"):
        service = gcp.cloudrunv2.Service(
            f"service-{region}",
            location=region,
            deletion_protection=False,
            template={
                "service_account": account.email,
                "scaling": {"max_instance_count": config.require_int("instances")},
                "containers": [
                    {
                        "image": "us-docker.pkg.dev/cloudrun/container/hello",
                        "envs": [
                            {"name": "MODEL_URI", "value": store.url.apply(lambda url: f"{url}/digits/{release}")},
                            {"name": "TOKEN", "value": token},
                        ],
                    }
                ],
            },
            opts=pulumi.ResourceOptions(depends_on=[reads]),
        )
        gcp.cloudrunv2.ServiceIamMember(
            f"invoke-{region}",
            location=region,
            name=service.name,
            role="roles/run.invoker",
            member=account.member,
        )
        pulumi.export(f"service-{region}", service.uri)
    if "vertex" in config.require_object("targets"):
        endpoint = gcp.vertex.AiEndpoint(
            f"endpoint-{region}", location=region, display_name="standin", encryption_spec={"kms_key_name": key.id}
        )
        pulumi.export(f"endpoint-{region}", endpoint.id)
