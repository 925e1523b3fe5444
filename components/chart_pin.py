"""A Helm chart at one version, as components take it; stacks/versions.py says which."""

from dataclasses import dataclass

from pulumi_kubernetes.helm.v3 import RepositoryOptsArgs


@dataclass(frozen=True, kw_only=True)
class ChartPin:
    chart: str
    """Name inside `repository`, or an `oci://` address."""

    version: str
    """Exact version of the chart."""

    repository: str = ""
    """Address of the chart repository. Default: none, for `oci://` charts."""

    def repository_opts(self) -> RepositoryOptsArgs | None:
        return RepositoryOptsArgs(repo=self.repository) if self.repository else None
