"""Where logs and metrics of the service's resources are kept and asked for: a Log Analytics workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as az

from components.azure.account import Account

#: What a workspace keeps logs for, in days, without the price of an archive
#: (https://learn.microsoft.com/azure/azure-monitor/logs/data-retention-configure).
RETENTION_DAYS = range(30, 731)


@dataclass(frozen=True)
class LogsArgs:
    """account: whose. retention_days: of everything in it; fewer than 30 are kept as 30, which Azure charges anyway."""

    account: Account
    retention_days: int = 30


class Logs(pulumi.ComponentResource):
    """A Log Analytics workspace that only Microsoft Entra identities write to and read from.

    id: of the resource, which diagnostic settings and queries name.
    """

    id: pulumi.Output[str]

    def __init__(self, name: str, args: LogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:azure:Logs", name, {}, opts)
        self.workspace = az.operationalinsights.Workspace(
            f"{name}-logs",
            resource_group_name=args.account.group,
            location=args.account.region,
            sku=az.operationalinsights.WorkspaceSkuArgs(name=az.operationalinsights.WorkspaceSkuNameEnum.PER_GB2018),
            retention_in_days=max(args.retention_days, RETENTION_DAYS[0]),
            features=az.operationalinsights.WorkspaceFeaturesArgs(
                disable_local_auth=True,
                # Who may read a resource may read its logs, and no others.
                enable_log_access_using_only_resource_permissions=True,
            ),
            tags=args.account.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.id = self.workspace.id
        self.register_outputs({"id": self.id})


def diagnostics(
    name: str,
    resource_id: pulumi.Input[str],
    logs: Logs,
    parent: pulumi.Resource,
    *,
    groups: Sequence[str] = ("allLogs",),
    categories: Sequence[str] = (),
) -> az.monitor.DiagnosticSetting:
    """Send what a resource logs to the workspace. groups, categories: which logs; Azure takes one of the two kinds.

    Which there are: https://learn.microsoft.com/azure/azure-monitor/reference/logs-index
    """
    log = az.monitor.DiagnosticsLogSettingsArgs
    chosen = [log(category=one, enabled=True) for one in categories] or [
        log(category_group=one, enabled=True) for one in groups
    ]
    return az.monitor.DiagnosticSetting(
        f"{name}-diagnostics",
        resource_uri=resource_id,
        workspace_id=logs.id,
        logs=chosen,
        opts=pulumi.ResourceOptions(parent=parent),
    )
