"""Controls 1 to 45: storage, keys, identity, network and nodes."""

from tools.controls_model import Control, Scanner

IAM_TABLE = "tools/test_iam_table.py"
BOOTSTRAP = "local/test_bootstrap.py"
DATA_BUCKET = "components/test_data_bucket.py"
NETWORK = "components/test_network.py"
NODES = "components/test_system_nodes.py"
POOLS = "components/test_node_pool.py"
GUARD = "components/test_account_guard.py"
CI = "components/test_ci_access.py"
ACCOUNT = "stacks/test_account_layer.py"
CONTRACTS = "test_contracts.py"
STATEFUL = "golden/test_stateful_types.py"

KEYS = "components/test_encryption_keys.py"
POLICIES = "components/test_iam_policies.py"

STORAGE = (
    Control(
        number=1,
        ids="FSBP S3.8, S3.1; CIS 2.1.4",
        asks="public access block, all four flags",
        tests=(f"{DATA_BUCKET}: all_four_flags_of_the_public_access_block_are_set",),
    ),
    Control(
        number=2,
        ids="S3.2, S3.3",
        asks="no bucket policy allows everyone",
        tests=(f"{DATA_BUCKET}: the_policy_denies_and_allows_nobody", f"{CONTRACTS}: every_stack_keeps"),
    ),
    Control(
        number=3,
        ids="S3.5; CIS 2.1.1",
        asks="TLS only",
        tests=(
            "components/test_bucket_policies.py: nothing_is_read_or_written_without_tls",
            f"{IAM_TABLE}: nobody_reaches_data_without_tls",
        ),
    ),
    Control(
        number=4,
        ids="S3.6",
        asks="no other account configures a bucket",
        tests=("components/test_bucket_policies.py: no_other_account_changes_policy_acl_or_encryption",),
    ),
    Control(
        number=5,
        ids="S3.17",
        asks="KMS with a key of its own, bucket keys",
        tests=(f"{DATA_BUCKET}: what_is_written_is_encrypted_with_the_buckets_own_key",),
    ),
    Control(
        number=6,
        ids="S3.14",
        asks="versioning",
        tests=(f"{DATA_BUCKET}: versions_are_kept_owners_enforced_and_events_sent",),
    ),
    Control(
        number=7,
        ids="S3.10, S3.13",
        asks="old versions and abandoned uploads expire",
        tests=(f"{DATA_BUCKET}: old_versions_and_abandoned_uploads_are_removed_but_no_current_object",),
    ),
    Control(
        number=8,
        ids="S3.12",
        asks="owner enforced, no ACLs",
        tests=(f"{DATA_BUCKET}: versions_are_kept_owners_enforced_and_events_sent",),
    ),
    Control(
        number=9,
        ids="S3.9",
        asks="access logs in a separate bucket",
        tests=(f"{DATA_BUCKET}: accesses_are_logged_to_the_log_bucket_once_it_lets_them_in",),
    ),
    Control(
        number=10,
        ids="S3.11",
        asks="events to EventBridge",
        tests=(
            f"{DATA_BUCKET}: versions_are_kept_owners_enforced_and_events_sent",
            f"{BOOTSTRAP}: the_state_bucket_is_closed_versioned_locked_encrypted_with_the_stores_key_and_logged",
        ),
    ),
    Control(
        number=11,
        ids="S3.15",
        asks="object lock for model, audit and state buckets",
        tests=(
            "stacks/test_base_layer.py: prod_locks_what_models_are_made_of",
            "components/test_audit_bucket.py: a_lock_keeps_everybody_from_deleting",
            f"{BOOTSTRAP}: the_state_bucket_is_closed_versioned_locked_encrypted_with_the_stores_key_and_logged",
        ),
    ),
    Control(
        number=12,
        ids="S3.7",
        asks="replication for disaster recovery",
        excepted="opt-in: it doubles the price of storage",
    ),
    Control(
        number=13,
        ids="S3.20; CIS 2.1.2",
        asks="MFA delete",
        scanner=Scanner.NOBODY,
        excepted="needs the device of the account's root user: no program can set it",
    ),
    Control(
        number=14,
        ids="CIS 3.8, 3.9",
        asks="data events of data and model buckets in CloudTrail",
        tests=(f"{GUARD}: accesses_to_objects_of_the_listed_buckets_are_recorded",),
    ),
    Control(
        number=15,
        ids="–",
        asks="data is never deleted with its stack",
        tests=(
            f"{DATA_BUCKET}: data_key_and_all_that_closes_the_bucket_survive_a_destroy",
            f"{STATEFUL}: every_type_that_is_registered_has_been_classified",
        ),
    ),
)

KEYS_AND_IDENTITY = (
    Control(
        number=16,
        ids="FSBP KMS.4; CIS 3.6",
        asks="keys rotate",
        tests=(f"{KEYS}: a_key_rotates_every_year_and_takes_a_month_to_delete",),
    ),
    Control(
        number=17,
        ids="KMS.3",
        asks="keys take 30 days to delete, are protected, cannot lock their owner out",
        tests=(
            f"{KEYS}: a_key_rotates_every_year_and_takes_a_month_to_delete",
            f"{CONTRACTS}: a_key_that_is_easier_to_lose_than_its_bucket_is_noticed",
        ),
    ),
    Control(
        number=18,
        ids="KMS.5",
        asks="key policies name the account and services on its behalf, never everyone",
        tests=(
            f"{KEYS}: the_account_always_administers_its_key",
            f"{KEYS}: data_is_decrypted_through_the_service_alone",
            f"{IAM_TABLE}: the_data_key_works_only_through_s3",
        ),
    ),
    Control(
        number=19,
        ids="KMS.1, KMS.2",
        asks="`kms:Decrypt` on named keys only",
        scanner=Scanner.IAM,
        tests=(
            f"{POLICIES}: a_role_is_never_granted_all_keys_or_all_buckets",
            f"{IAM_TABLE}: no_role_reaches_every_key_bucket_or_secret",
        ),
    ),
    Control(
        number=20,
        ids="CIS 4.7",
        asks="alarm when a key is disabled or scheduled for deletion",
        tests=(f"{GUARD}: a_deleted_key_and_a_stopped_trail_wake_somebody",),
    ),
    Control(
        number=21,
        ids="FSBP IAM.1; CIS 1.15",
        asks="no policy allows everything",
        scanner=Scanner.IAM,
        tests=(f"{IAM_TABLE}: no_role_reaches_every_key_bucket_or_secret",),
    ),
    Control(
        number=22,
        ids="IAM.21",
        asks="no policy allows a whole service",
        scanner=Scanner.IAM,
        tests=(f"{POLICIES}: a_role_is_never_granted_a_whole_service",),
    ),
    Control(
        number=23,
        ids="IAM.2, IAM.3, IAM.22; CIS 1.11–1.14",
        asks="no IAM users, no access keys",
        met="no component makes one; CI's boundary denies it",
        tests=(
            f"{CI}: ci_cannot_switch_off_what_watches_the_account_or_make_users",
            f"{STATEFUL}: every_type_that_is_registered_has_been_classified",
        ),
    ),
    Control(
        number=24,
        ids="CIS 1.19",
        asks="Access Analyzer",
        tests=(f"{GUARD}: access_analyzer_looks_at_the_account",),
    ),
    Control(
        number=25,
        ids="AISF-IAM-05",
        asks="services assume roles for this account and one source alone",
        tests=(f"{POLICIES}: a_service_assumes_a_role_for_this_account_and_source_alone",),
        excepted="node roles: EC2 sends neither key when an instance takes its role",
    ),
    Control(
        number=26,
        ids="–",
        asks="permissions boundary, sessions of an hour",
        tests=(
            f"{CI}: every_role_lasts_an_hour_and_has_the_boundary",
            f"{ACCOUNT}: where_ci_deploys_every_role_carries_its_boundary",
            f"{ACCOUNT}: the_boundary_takes_nothing_from_a_role_that_its_policies_give",
        ),
    ),
    Control(
        number=27,
        ids="cloudsplaining's classes",
        asks="no way to more privileges; PassRole names the service",
        scanner=Scanner.IAM,
        tests=(
            f"{POLICIES}: passing_a_role_needs_the_service_it_goes_to",
            f"{IAM_TABLE}: only_deployments_administrators_of_the_cluster_and_nodes_act_as_another_role",
            f"{CI}: ci_cannot_change_its_own_permissions_or_the_state_store",
            "components/test_ci_changes.py: no_other_role_is_passed_or_trusts_somebody_else_afterwards",
        ),
    ),
    Control(
        number=28,
        ids="GitHub OIDC",
        asks="trust by exact audience and environment-bound subject",
        tests=(
            f"{CI}: a_role_is_bound_to_one_environment_of_one_repository",
            f"{IAM_TABLE}: roles_of_ci_are_bound_to_an_environment_and_cannot_change_roles",
        ),
    ),
    Control(
        number=29,
        ids="GitHub OIDC",
        asks="separate preview and deploy roles",
        tests=(f"{CI}: each_stack_has_a_preview_role_and_another_deploy_role",),
    ),
    Control(number=30, ids="zizmor unpinned-uses", asks="actions pinned to a commit", later="the workflows"),
    Control(
        number=31,
        ids="zizmor dangerous-triggers, template-injection",
        asks="no `pull_request_target` on the head, no event text in scripts",
        later="the workflows",
    ),
    Control(
        number=32,
        ids="zizmor artipacked, excessive-permissions",
        asks="no persisted credentials, `id-token` on the deploying job only",
        later="the workflows",
    ),
    Control(
        number=33,
        ids="GitHub secure use",
        asks="ephemeral runners in a namespace of their own, not privileged",
        later="CiRunners",
    ),
)

NETWORK_AND_NODES = (
    Control(
        number=34,
        ids="FSBP EC2.2; CIS 5.5",
        asks="the default security group has no rule",
        tests=(f"{NETWORK}: the_default_security_group_has_no_rule",),
    ),
    Control(
        number=35,
        ids="EC2.6; CIS 3.7",
        asks="flow logs, encrypted",
        tests=(f"{NETWORK}: all_traffic_is_recorded_in_an_encrypted_log_group_with_a_retention",),
    ),
    Control(
        number=36,
        ids="EC2.7, EC2.3; CIS 5.1.1",
        asks="volumes are encrypted",
        tests=(
            f"{NODES}: volumes_are_encrypted_with_the_accounts_key_or_a_given_one",
            f"{POOLS}: volumes_are_encrypted_and_sized_in_gb",
        ),
    ),
    Control(
        number=37,
        ids="EC2.8, AutoScaling.3; CIS 5.7",
        asks="instance metadata by token",
        tests=(f"{NODES}: pods_cannot_reach_instance_metadata", f"{POOLS}: pods_cannot_reach_instance_metadata"),
    ),
    Control(
        number=38,
        ids="AutoScaling.4; BPG iam",
        asks="instance metadata one hop away",
        tests=(f"{NODES}: pods_cannot_reach_instance_metadata", f"{POOLS}: pods_cannot_reach_instance_metadata"),
    ),
    Control(
        number=39,
        ids="EC2.9, EC2.25, EC2.15",
        asks="no public addresses",
        tests=(
            f"{NETWORK}: no_subnet_gives_an_instance_a_public_address",
            f"{NODES}: the_template_makes_no_public_address",
            f"{POOLS}: nodes_stand_in_the_given_subnets_with_the_clusters_group_and_no_public_address",
        ),
    ),
    Control(
        number=40,
        ids="EC2.10",
        asks="VPC endpoints with policies",
        tests=(f"{NETWORK}: data_leaves_through_the_endpoint_to_this_accounts_buckets_alone",),
        excepted="protection `none` has the S3 endpoint alone: an interface endpoint costs about 7 $ a month and zone",
    ),
    Control(
        number=41,
        ids="EC2.13, 14, 18, 19; CIS 5.3, 5.4",
        asks="no port open to the world",
        tests=(f"{NETWORK}: no_security_group_or_network_acl_opens_a_port",),
    ),
    Control(
        number=42,
        ids="EC2.21; CIS 5.2",
        asks="no network ACL opens a port to the world",
        tests=(f"{NETWORK}: no_security_group_or_network_acl_opens_a_port",),
    ),
    Control(
        number=43,
        ids="EC2.1",
        asks="snapshots are never public",
        met="no component makes a snapshot of a volume; a new type has to be classified first",
        tests=(f"{STATEFUL}: every_type_that_is_registered_has_been_classified",),
    ),
    Control(
        number=44,
        ids="AutoScaling.2, .9",
        asks="nodes in several zones, from a launch template",
        tests=(f"{NODES}: nodes_stand_in_the_given_subnets_on_demand_two_at_least",),
    ),
    Control(
        number=45,
        ids="EC2.17",
        asks="one network interface an instance",
        scanner=Scanner.NOBODY,
        excepted="EFA nodes have several: that is what they are for",
    ),
)

INFRASTRUCTURE = (*STORAGE, *KEYS_AND_IDENTITY, *NETWORK_AND_NODES)
