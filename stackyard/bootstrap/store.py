"""What an environment's state store consists of: names, policies and settings, all of them from its stack files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from stackyard.errors import InvalidInput
from stackyard.program.capture import parse_settings
from stackyard.program.stackfiles import StackConfig, read_stack, stack_names

if TYPE_CHECKING:
    from components.aws_location import AwsLocation
    from components.iam_policies import Statement

"""Nouns of the two buckets in their physical names; stacks/rules.py keeps data buckets from taking them."""
STORE_TAG = "state-store"
"""Marks the key from the moment that it exists: a run that is killed before the alias is there finds it by this."""

# Long enough to notice that a state is gone, short enough that a dismantled environment can be cleared away.
LOCK_DAYS = 14
ROTATION_DAYS = 365
MULTIPART_ABORT_DAYS = 7
LOGS_EXPIRE_DAYS = 365
LOGS_NONCURRENT_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One stack of the environment, as far as deploying it is concerned."""

    name: str
    layers: tuple[str, ...]
    private_cluster: bool = False
    """Whether its Kubernetes API answers inside the VPC only."""


@dataclass(frozen=True, kw_only=True)
class StateStore:
    """Where the states of one environment's stacks live. The same stack files give the same store."""

    environment: str
    account_id: str
    region: str
    partition: str
    bucket: str
    log_bucket: str
    noncurrent_days: int
    """Days that overwritten states can be brought back; `environment.protection` decides."""
    tags: Mapping[str, str]
    stacks: tuple[Stack, ...]
    """Base before platform."""

    @property
    def alias(self) -> str:
        return f"alias/{self.bucket}"

    @property
    def key_tags(self) -> dict[str, str]:
        return {**self.tags, STORE_TAG: self.bucket}

    @property
    def backend_url(self) -> str:
        """For `pulumi login`. The region is named, since the caller's own may be another.

        Source: https://www.pulumi.com/docs/iac/concepts/state-and-backends/#aws-s3
        """
        return f"s3://{self.bucket}?region={self.region}"

    @property
    def secrets_provider(self) -> str:
        """For `pulumi stack init --secrets-provider`.

        Source: https://www.pulumi.com/docs/iac/cli/commands/pulumi_stack_init/
        """
        return f"awskms://{self.alias}?region={self.region}"

    @property
    def location(self) -> "AwsLocation":
        from components.aws_location import AwsLocation

        return AwsLocation(account_id=self.account_id, region=self.region, partition=self.partition)

    def key_policy(self) -> dict[str, Any]:
        """The account administers, and its IAM policies decide who uses the key."""
        from components.iam_policies import Statement

        return _document(
            [
                Statement(
                    sid="Administer",
                    actions=["kms:*"],
                    resources=["*"],
                    principals={"AWS": [self.location.root_arn]},
                )
            ]
        )

    def bucket_policy(self, key_arn: str) -> dict[str, Any]:
        """TLS only, configured by its own account only, objects encrypted with the store's key only."""
        from components.bucket_policies import configured_by_own_account_only, encrypted_with, tls_only

        arn = self.location.bucket_arn(self.bucket)
        own = configured_by_own_account_only(arn, self.location)
        return _document([tls_only(arn), own, *encrypted_with(arn, key_arn)])

    def log_bucket_policy(self) -> dict[str, Any]:
        """As above, and open to S3's delivery of the state bucket's access logs."""
        from components.bucket_policies import configured_by_own_account_only, receives_access_logs, tls_only

        arn, source = (self.location.bucket_arn(name) for name in (self.log_bucket, self.bucket))
        own = configured_by_own_account_only(arn, self.location)
        return _document([tls_only(arn), own, receives_access_logs(arn, [source], self.location)])


def state_store(root: Path, environment: str) -> StateStore:
    """The store of an environment of the checkout.

    Raises InvalidInput for an unknown environment, for `local`, and where its stacks disagree about the account.
    """
    found = _settings_of(root, environment)
    if environment == "local":
        raise InvalidInput(
            "the environment 'local' has no account: `stackyard local up` provisions it on an emulator. "
            "Name one that lives on AWS, for example --env dev"
        )
    homes = {(one.environment.account_id, one.environment.region) for one in found.values()}
    if len(homes) > 1:
        raise InvalidInput(
            f"the stacks {', '.join(found)} of the environment {environment!r} name different accounts or regions "
            f"({', '.join(' '.join(home) for home in sorted(homes))}), but one environment lives in one place: "
            "make environment.accountId and environment.region the same in their files"
        )
    from stacks.naming import STATE, STATE_LOGS

    first = next(iter(found.values()))
    return StateStore(
        environment=environment,
        account_id=first.environment.account_id,
        region=first.environment.region,
        partition=first.partition,
        bucket=first.physical_name(STATE),
        log_bucket=first.physical_name(STATE_LOGS),
        noncurrent_days=max(first.profile.noncurrent_days, LOCK_DAYS),
        tags={**first.default_tags, "component": "bootstrap"},
        stacks=tuple(_stack(name, one) for name, one in found.items()),
    )


def account_environment(root: Path, account_id: str) -> str | None:
    """Name of the environment that holds what exists once in this account; None when no stack file describes it."""
    for config in (read_stack(root, name) for name in stack_names(root)):
        section = _environment_section(config)
        if section.get("layers") == ["account"] and section.get("accountId") == account_id:
            return str(section.get("name"))
    return None


def _settings_of(root: Path, environment: str) -> dict[str, Any]:
    configs = [read_stack(root, name) for name in stack_names(root)]
    # Only the stacks that are asked for: a mistake in another environment's file is no reason to stop here.
    names = {config.stack: str(_environment_section(config).get("name", "")) for config in configs}
    found = {config.stack: parse_settings(config) for config in configs if names[config.stack] == environment}
    if not found:
        known = sorted(name for name in set(names.values()) if name not in ("", "local"))
        raise InvalidInput(
            f"no stack file names the environment {environment!r}: environments are {', '.join(known)}, "
            f"for example --env {known[0] if known else 'dev'}"
        )
    return dict(sorted(found.items(), key=lambda item: "base" not in _layers(item[1])))


def _environment_section(config: StackConfig) -> Mapping[str, Any]:
    section = config.config.get(f"{config.project}:environment")
    return cast(Mapping[str, Any], section) if isinstance(section, Mapping) else {}


def _layers(settings: Any) -> tuple[str, ...]:
    return tuple(str(layer) for layer in settings.environment.layers)


def _stack(name: str, settings: Any) -> Stack:
    cluster = settings.cluster
    return Stack(
        name=name,
        layers=_layers(settings),
        private_cluster=cluster is not None and not cluster.public_access_cidrs,
    )


def _document(statements: "Sequence[Statement]") -> dict[str, Any]:
    # By way of JSON: tuples become lists, as AWS answers them.
    document = {"Version": "2012-10-17", "Statement": [statement.document() for statement in statements]}
    return json.loads(json.dumps(document, sort_keys=True))
