"""Controls 46 to 95: the cluster, services, machine learning."""

from tools.controls_model import Control, Scanner

IAM_TABLE = "tools/test_iam_table.py"
DATA_BUCKET = "components/test_data_bucket.py"
CLUSTER = "components/test_cluster.py"
NODES = "components/test_system_nodes.py"
GPU_POOLS = "components/test_gpu_node_pool.py"
DATABASE = "components/test_tracking_database.py"
GUARD = "components/test_account_guard.py"
NAMESPACES = "components/test_namespaces.py"
PODS = "pipelines/test_compile_pods.py"
STATEFUL = "golden/test_stateful_types.py"

UNUSED = f"{STATEFUL}: no_service_is_used_whose_controls_nobody_has_met"

CLUSTER_CONTROLS = (
    Control(
        number=46,
        ids="FSBP EKS.1; CIS-EKS 5.4.1, 5.4.2",
        asks="private endpoint, or listed addresses",
        tests=(
            f"{CLUSTER}: the_endpoint_is_private_unless_blocks_are_listed",
            f"{CLUSTER}: the_endpoint_is_never_open_to_everyone_not_even_in_two_halves",
        ),
    ),
    Control(
        number=47,
        ids="EKS.2",
        asks="a version in support, upgrade policy STANDARD",
        tests=(f"{CLUSTER}: the_cluster_stays_in_standard_support_and_installs_nothing_by_itself",),
    ),
    Control(
        number=48,
        ids="EKS.3; CIS-EKS 5.3.1",
        asks="secrets encrypted with a key of its own",
        tests=(f"{CLUSTER}: secrets_are_encrypted_with_the_clusters_own_key",),
    ),
    Control(
        number=49,
        ids="EKS.8; CIS-EKS 2.1",
        asks="all five control-plane logs, encrypted, kept",
        tests=(f"{CLUSTER}: all_five_logs_go_to_an_encrypted_group_that_is_there_first",),
    ),
    Control(
        number=50,
        ids="CIS-EKS 4.1.7; BPG cam",
        asks="access entries only, the creator is no administrator",
        tests=(f"{CLUSTER}: nobody_administers_by_having_created_it",),
    ),
    Control(
        number=51,
        ids="–",
        asks="deletion protection",
        tests=(
            f"{CLUSTER}: a_protected_cluster_is_neither_deleted_nor_replaced",
            f"{STATEFUL}: strict_and_standard_environments_protect_their_cluster",
        ),
        excepted="not under protection `none`",
    ),
    Control(
        number=52,
        ids="CIS-EKS 5.4.3",
        asks="nodes in private subnets",
        tests=(f"{NODES}: nodes_stand_in_the_given_subnets_on_demand_two_at_least",),
    ),
    Control(
        number=53,
        ids="CIS-EKS 5.2.1; BPG iam",
        asks="one role a service account, none on the node",
        scanner=Scanner.IAM,
        tests=(f"{IAM_TABLE}: only_deployments_administrators_of_the_cluster_and_nodes_act_as_another_role",),
    ),
    Control(
        number=54,
        ids="CIS-EKS 5.1.3",
        asks="nodes only pull images",
        scanner=Scanner.IAM,
        tests=(f"{IAM_TABLE}: nodes_only_pull_images",),
    ),
    Control(
        number=55,
        ids="CIS-EKS 4.3.1, 4.3.2, 5.4.4; NSA 2.0",
        asks="network policies enforced, default deny",
        tests=(
            f"{NAMESPACES}: nothing_comes_in_or_goes_out_by_default",
            "components/test_cluster_addons.py: the_cni_enforces_network_policies_and_says_so_in_texts",
        ),
    ),
    Control(number=56, ids="CIS-EKS 5.4.5", asks="TLS on load balancers, internal", later="ModelService"),
    Control(
        number=57,
        ids="CIS-EKS 4.1.1–4.1.4, 4.1.8",
        asks="no wildcard rights in the cluster, few readers of secrets",
        tests=(
            "components/test_pipeline_deployment.py: the_account_mounts_no_token_and_may_only_report_results",
            "components/test_cluster_access.py: administrators_administer_and_viewers_see_all_but_secrets",
        ),
    ),
    Control(
        number=58,
        ids="CIS-EKS 4.1.5, 4.1.6; NSA 1.11",
        asks="own service accounts, no token unless needed",
        tests=(f"{PODS}: only_argos_own_containers_get_the_api_token",),
    ),
    Control(
        number=59,
        ids="CIS-EKS 4.2.1–4.2.5; NSA 1.2–1.5, 1.7",
        asks="namespaces enforce the restricted profile",
        tests=(f"{NAMESPACES}: every_namespace_of_every_stack_is_closed_bounded_and_restricted",),
    ),
    Control(
        number=60,
        ids="NSA 1.0, 1.1, 1.6, 1.10",
        asks="non-root, read-only root, seccomp, no capabilities",
        tests=(f"{PODS}: every_pod_passes_the_restricted_profile", f"{PODS}: the_checker_sees_a_bad_twin"),
    ),
    Control(
        number=61,
        ids="NSA 4.0, 4.1; BPG multi-tenancy",
        asks="quotas, GPUs included, and default requests",
        tests=(f"{NAMESPACES}: a_quota_names_gpus_even_when_there_are_none",),
    ),
    Control(
        number=62,
        ids="CIS-EKS 4.4.1, 4.4.2",
        asks="secrets as files from an external store",
        tests=(
            "components/test_secret_delivery.py: files_come_with_the_pods_own_role_and_no_kubernetes_secret_is_made",
        ),
    ),
    Control(
        number=63,
        ids="CIS-EKS 4.5.2; NSA 1.12",
        asks="nothing in `default` or `kube-system`",
        tests=(f"{NAMESPACES}: every_namespace_of_every_stack_is_closed_bounded_and_restricted",),
    ),
    Control(
        number=64,
        ids="CIS-EKS 5.1.4",
        asks="only approved registries, images by digest",
        later="the admission policy of the workloads",
    ),
    Control(
        number=65,
        ids="BPG reliability",
        asks="two replicas, disruption budgets, probes",
        tests=(
            "components/test_pipeline_engine.py: "
            "a_single_controller_has_no_disruption_budget_that_would_block_its_node",
        ),
    ),
    Control(
        number=66,
        ids="BPG aiml_compute",
        asks="GPU pools: taints, repair, checkpoints, capacity blocks",
        tests=(
            f"{NODES}: only_what_tolerates_the_taint_runs_there",
            f"{GPU_POOLS}: pods_that_ask_for_no_gpu_stay_away",
            f"{GPU_POOLS}: nodes_go_when_they_are_empty_and_at_no_other_time",
            f"{GPU_POOLS}: drift_never_begins_under_a_running_job",
            "policies/test_spot_checkpoints.py: a_gpu_step_without_a_checkpoint_is_found_wherever_spot_may_run_it",
        ),
    ),
)

SERVICES = (
    Control(
        number=67,
        ids="FSBP ECR.1; CIS-EKS 5.1.1",
        asks="images scanned",
        tests=("components/test_container_registry.py: tags_never_move_and_every_push_is_scanned_and_encrypted",),
    ),
    Control(
        number=68,
        ids="ECR.2",
        asks="immutable tags",
        tests=("components/test_container_registry.py: tags_never_move_and_every_push_is_scanned_and_encrypted",),
    ),
    Control(
        number=69,
        ids="ECR.3",
        asks="a lifecycle policy",
        tests=("components/test_container_registry.py: every_image_has_a_repository_with_a_lifecycle",),
    ),
    Control(
        number=70,
        ids="CKV_AWS_136",
        asks="own key; never deleted with images in it",
        tests=("components/test_container_registry.py: images_and_their_key_survive_a_destroy",),
    ),
    Control(
        number=71,
        ids="FSBP RDS.2, .3, .5; CIS 2.2.1, 2.2.3, 2.2.4",
        asks="private, encrypted with a key of its own, two zones",
        tests=(f"{DATABASE}: it_is_private_encrypted_with_its_own_key_and_in_two_zones",),
    ),
    Control(
        number=72,
        ids="RDS.8, .11, .17, .26",
        asks="deletion protection, backups, final snapshot",
        tests=(f"{DATABASE}: it_survives_mistakes",),
    ),
    Control(
        number=73,
        ids="RDS.10, .38",
        asks="IAM authentication, TLS only",
        tests=(f"{DATABASE}: roles_connect_with_tokens_and_never_in_plain_text",),
    ),
    Control(
        number=74,
        ids="RDS.6, .9, .36, .13; CIS 2.2.2",
        asks="monitoring, logs, minor versions",
        tests=(f"{DATABASE}: it_is_watched_logged_and_patched",),
    ),
    Control(
        number=75,
        ids="RDS.18, .19–.22, .23, .25",
        asks="own subnets, events, other port and administrator",
        tests=(
            f"{DATABASE}: it_stands_apart_and_is_not_where_everybody_looks",
            f"{DATABASE}: people_are_told_what_happens_to_it",
        ),
    ),
    Control(number=76, ids="–", asks="no password in the state", tests=(f"{DATABASE}: no_password_is_in_the_state",)),
    Control(
        number=77,
        ids="FSBP SecretsManager.1, .3, .4",
        asks="secrets rotate, own key, not public",
        met="no component makes a secret; the database's own is RDS's: it rotates every seven days",
        tests=(f"{DATABASE}: no_password_is_in_the_state",),
    ),
    Control(
        number=78,
        ids="CloudTrail.1, .2, .4, .5, .7; CIS 3.1, 3.2, 3.4, 3.5",
        asks="a trail over all regions, encrypted, validated, logged",
        tests=(
            f"{GUARD}: the_trail_records_every_region_encrypted_and_validated",
            f"{GUARD}: the_trails_files_are_locked_and_its_accesses_logged",
        ),
    ),
    Control(
        number=79,
        ids="Config.1; CIS 3.3",
        asks="Config records everything with AWS's own role",
        tests=(f"{GUARD}: config_records_all_resources_with_awss_own_role",),
    ),
    Control(
        number=80,
        ids="GuardDuty.1, .10",
        asks="GuardDuty with S3 and EKS audit logs",
        tests=(f"{GUARD}: guardduty_looks_at_s3_and_at_eks_audit_logs",),
    ),
    Control(
        number=81,
        ids="CIS 4.1–4.16",
        asks="alarms of the benchmark",
        tests=(f"{GUARD}: the_table_has_all_fifteen_alarms_of_the_benchmark",),
        excepted="4.16, Security Hub, is left to the organisation",
    ),
    Control(
        number=82,
        ids="SNS.1, SNS.4, SQS.1",
        asks="topics and queues encrypted, not public",
        tests=("components/test_notifications.py: only_services_of_this_account_may_publish_and_only_by_tls",),
    ),
    Control(number=83, ids="DynamoDB.2, .6", asks="tables recoverable", met="not used", tests=(UNUSED,)),
    Control(number=84, ids="EFS.1–.4; FSx", asks="file systems encrypted", met="not used", tests=(UNUSED,)),
    Control(number=85, ids="ELB.4, .5, .6", asks="load balancers logged", met="not used", tests=(UNUSED,)),
    Control(
        number=86,
        ids="CodeBuild.2, .5",
        asks="no keys in variables; the deploying project not privileged",
        later="BuildRunner",
    ),
    Control(number=87, ids="SageMaker.1, .2, .3, .5; AISF-ML-01…03", asks="isolated", met="not used", tests=(UNUSED,)),
)

MACHINE_LEARNING = (
    Control(
        number=88,
        ids="AISF-INFRA-05…08, AISF-DATA-04",
        asks="rows 1 to 11 and 16 to 18 on data and models",
        met="`DataBucket` is the only bucket for both",
        tests=(f"{DATA_BUCKET}: a_bucket_has_exactly_its_parts",),
    ),
    Control(
        number=89,
        ids="ATLAS AML.T0010.002, T0020; LLM04:2025",
        asks="data sets versioned; who trains does not write sources; a manifest of versions and hashes",
        scanner=Scanner.IAM,
        met="`PipelineDeployment` grants sources for reading; the pipeline names its input by a manifest",
        tests=(
            f"{IAM_TABLE}: the_training_role_cannot_reach_the_prefix_of_another_team",
            "pipelines/training/test_manifest.py: a_manifest_that_was_changed_afterwards_is_refused",
        ),
    ),
    Control(
        number=90,
        ids="ATLAS AML.T0010.003, T0018; LLM03:2025",
        asks="models signed, verified before load or promotion",
        met="the hash of a model is recorded with it and compared before it is loaded; no signature yet",
        tests=("pipelines/training/test_register.py: an_artifact_that_was_replaced_is_not_loaded",),
    ),
    Control(
        number=91,
        ids="ATLAS AML.T0010.001, M0011, M0016, M0023",
        asks="training images by digest, scanned, with SBOM and provenance",
        met="images are named by digest and scanned by the registry; SBOM and provenance come with the workflows",
        tests=("stacks/test_images.py: an_image_is_named_by_repository_and_digest",),
    ),
    Control(
        number=92,
        ids="ATLAS AML.T0035, T0025, T0044",
        asks="models read by named roles only",
        scanner=Scanner.IAM,
        met="[iam.md](iam.md) lists every role that reads them",
        tests=(f"{IAM_TABLE}: the_training_role_reaches_its_declared_prefixes_and_nothing_else",),
    ),
    Control(
        number=93,
        ids="ATLAS AML.T0034",
        asks="budget alarms, GPU quota",
        tests=(
            "components/test_cost_guard.py: the_topic_is_told_at_half_at_four_fifths_at_all_and_when_more_is_forecast",
            f"{NAMESPACES}: a_quota_names_gpus_even_when_there_are_none",
        ),
    ),
    Control(
        number=94,
        ids="ATLAS M0024",
        asks="logs are kept",
        met="every log group has a retention by protection level",
        tests=("components/test_log_groups.py: what_cloudwatch_knows_is_accepted",),
    ),
    Control(
        number=95,
        ids="AISF-DATA-06",
        asks="opt out of the use of data by AWS's AI services",
        scanner=Scanner.OUTSIDE,
        excepted="a policy of the organisation, which its owner sets: no stack can",
    ),
)

WORKLOADS = (*CLUSTER_CONTROLS, *SERVICES, *MACHINE_LEARNING)
