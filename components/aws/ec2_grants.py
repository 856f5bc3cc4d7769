"""What instances of EC2 may do beside reading releases and pulling the image."""

from __future__ import annotations

from components.aws.account import Account
from components.aws.ec2 import log_group
from components.aws.grants import Grant
from components.aws.network import write_logs
from components.aws.storage import Bucket
from components.aws.token import SecretToken


def server_grants(
    account: Account, service: str, *, captures: Bucket | None = None, token: SecretToken | None = None
) -> list[Grant]:
    """Write the log, let people in through Session Manager, and what is asked for beside it.

    The managed policy for Session Manager would also let an instance read every parameter of the account.
    """
    found = [
        write_logs(account.arn("logs", f"log-group:{log_group(service)}"), "WriteServerLogs"),
        Grant("Managed", ("ssm:UpdateInstanceInformation",), (account.arn("ec2", "instance/*"),)),
        Grant(
            "Sessions",
            tuple(
                f"ssmmessages:{action}"
                for action in ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")
            ),
        ),
    ]
    if captures is not None:
        found += captures.write("Captures", f"{service}/")
    if token is not None:
        found += token.read("ReadToken")
    return found
