"""Which values each chart reads, for the charts that the stacks install. A key that no chart reads does nothing there.

One line per map: its dotted path, a colon, the keys in it. `key*` may hold anything (free-form map, list or scalar that
ends up in a pod or a config file); any other key without a line of its own takes a scalar or a list.
"""

import functools
from dataclasses import dataclass

# argoproj/argo-helm, charts/argo-workflows/values.yaml and templates at af0a931 (2026-07-02).
_ARGO_WORKFLOWS = """
: images crds createAggregateRoles nameOverride fullnameOverride namespaceOverride commonLabels* kubeVersionOverride
: apiVersionOverrides singleNamespace workflow controller mainContainer executor server extraObjects*
: useStaticCredentials artifactRepository customArtifactRepository* artifactRepositoryRef* emissary
images: tag pullPolicy pullSecrets
crds: install keep full annotations* upgradeJob
crds.upgradeJob: image crdBaseURL hostPath resources* nodeSelector* podSecurityContext* tolerations* imagePullSecrets
crds.upgradeJob: securityContext* extraEnv*
crds.upgradeJob.image: repository tag
apiVersionOverrides: autoscaling cloudgoogle monitoring
workflow: namespace serviceAccount rbac
workflow.serviceAccount: create createSecret labels* annotations* name pullSecrets
workflow.rbac: create agentPermissions artifactGC serviceAccounts rules*
controller: image parallelism resourceRateLimit* rbac configMap namespaceParallelism initialDelay deploymentAnnotations*
controller: podAnnotations* podLabels* podSecurityContext* podPortName metricsConfig securityContext* persistence*
controller: workflowDefaults* workflowWorkers workflowTTLWorkers podCleanupWorkers cronWorkflowWorkers
controller: workflowRestrictions* telemetryConfig serviceMonitor serviceAccount name workflowNamespaces instanceID
controller: logging serviceType serviceAnnotations* serviceLabels* loadBalancerClass loadBalancerSourceRanges
controller: resources*
controller: livenessProbe* extraEnv* extraArgs volumeMounts* volumes* replicas revisionHistoryLimit pdb nodeSelector*
controller: tolerations* affinity* topologySpreadConstraints* priorityClassName links* columns* navColor
controller: clusterWorkflowTemplates extraContainers* extraInitContainers* retentionPolicy* nodeEvents workflowEvents
controller: kubeConfig* podGCGracePeriodSeconds podGCDeleteDelayDuration synchronization* failedPodRestart
controller.image: registry repository tag
controller.rbac: create secretWhitelist accessAllSecrets writeConfigMaps
controller.configMap: create name annotations*
controller.metricsConfig: enabled path interval port metricsTTL ignoreErrors secure portName servicePort servicePortName
controller.metricsConfig: scheme headlessService honorLabels relabelings* metricRelabelings* targetLabels modifiers*
controller.telemetryConfig: enabled path interval port metricsTTL ignoreErrors secure servicePort servicePortName scheme
controller.serviceMonitor: enabled additionalLabels* namespace
controller.serviceAccount: create name labels* annotations*
controller.instanceID: enabled useReleaseName explicitID
controller.logging: level globallevel format
controller.pdb: enabled minAvailable maxUnavailable
controller.clusterWorkflowTemplates: enabled serviceAccounts
controller.nodeEvents: enabled
controller.workflowEvents: enabled
controller.failedPodRestart: enabled maxRestarts
mainContainer: imagePullPolicy resources* env* envFrom* securityContext*
executor: image resources* args env* securityContext*
executor.image: registry repository tag pullPolicy
server: enabled baseHref image deploymentAnnotations* podAnnotations* podLabels* podSecurityContext* rbac
server: securityContext* name serviceType servicePort serviceTargetPort serviceNodePort servicePortName hostAliases*
server: serviceAccount serviceAnnotations* serviceLabels* loadBalancerClass loadBalancerIP loadBalancerSourceRanges
server: resources* replicas revisionHistoryLimit autoscaling pdb nodeSelector* tolerations* affinity*
server: topologySpreadConstraints* priorityClassName secure extraEnv* authMode authModes extraArgs logging tmpVolume*
server: volumeMounts* volumes* ingress GKEbackendConfig GKEmanagedCertificate GKEfrontendConfig httproute
server: backendTLSPolicy clusterWorkflowTemplates sso extraContainers* extraInitContainers* lifecycle*
server: terminationGracePeriodSeconds livenessProbe*
server.image: registry repository tag
server.rbac: create
server.serviceAccount: create name labels* annotations*
server.autoscaling: enabled minReplicas maxReplicas targetCPUUtilizationPercentage targetMemoryUtilizationPercentage
server.autoscaling: behavior*
server.pdb: enabled minAvailable maxUnavailable
server.logging: level globallevel format
server.ingress: enabled annotations* labels* ingressClassName hosts paths pathType extraPaths* tls*
server.GKEbackendConfig: enabled spec*
server.GKEmanagedCertificate: enabled domains
server.GKEfrontendConfig: enabled spec*
server.httproute: enabled labels* annotations* parentRefs* hostnames rules*
server.backendTLSPolicy: enabled labels* annotations* targetRefs* validation*
server.clusterWorkflowTemplates: enabled enableEditing
server.sso: enabled issuer clientId clientSecret redirectUrl rbac scopes sessionExpiry issuerAlias customGroupClaimName
server.sso: userInfoPath insecureSkipVerify filterGroupsRegex
server.sso.clientId: name key
server.sso.clientSecret: name key
server.sso.rbac: enabled secretWhitelist
artifactRepository: archiveLogs s3* gcs* azure*
emissary: images*
"""

# prometheus-community/helm-charts, charts/prometheus-operator-crds/values.yaml at cf408a2 (2026-08-22).
_PROMETHEUS_OPERATOR_CRDS = """
: crds
crds: annotations* alertmanagerconfigs alertmanagers podmonitors probes prometheusagents prometheuses prometheusrules
crds: scrapeconfigs servicemonitors thanosrulers
crds.alertmanagerconfigs: enabled
crds.alertmanagers: enabled
crds.podmonitors: enabled
crds.probes: enabled
crds.prometheusagents: enabled
crds.prometheuses: enabled
crds.prometheusrules: enabled
crds.scrapeconfigs: enabled
crds.servicemonitors: enabled
crds.thanosrulers: enabled
"""


@dataclass(frozen=True, kw_only=True)
class ChartKeys:
    version: str
    """Version of the chart whose values were read."""
    keys: dict[str, dict[str, bool]]
    """Known keys by the path of the map they stand in (`` for the top); True where a key's value is free-form."""


@functools.cache
def known_charts() -> dict[str, ChartKeys]:
    """The charts whose values are known, by the chart's own name (without repository)."""
    return {
        "argo-workflows": ChartKeys(version="1.0.18", keys=_parsed(_ARGO_WORKFLOWS)),
        "prometheus-operator-crds": ChartKeys(version="31.0.1", keys=_parsed(_PROMETHEUS_OPERATOR_CRDS)),
    }


def _parsed(table: str) -> dict[str, dict[str, bool]]:
    keys: dict[str, dict[str, bool]] = {}
    for line in table.strip().splitlines():
        path, _, names = line.partition(":")
        keys.setdefault(path, {}).update({name.rstrip("*"): name.endswith("*") for name in names.split()})
    return keys
