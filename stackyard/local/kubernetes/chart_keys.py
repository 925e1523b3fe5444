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

# aws/karpenter-provider-aws, values.yaml and templates of charts/karpenter and charts/karpenter-crd at tag v1.14.1.
_KARPENTER = """
: nameOverride fullnameOverride additionalLabels* additionalAnnotations* imagePullPolicy imagePullSecrets service
: serviceAccount additionalClusterRoleRules serviceMonitor replicas revisionHistoryLimit strategy* podLabels*
: podAnnotations* podDisruptionBudget podSecurityContext* priorityClassName terminationGracePeriodSeconds hostNetwork
: schedulerName dnsPolicy dnsConfig* initContainers* nodeSelector* affinity* topologySpreadConstraints* tolerations*
: extraVolumes controller logLevel logOutputPaths logErrorOutputPaths settings
service: annotations*
serviceAccount: create name annotations*
serviceMonitor: enabled additionalLabels* relabelings metricRelabelings endpointConfig* sampleLimit
podDisruptionBudget: name maxUnavailable
controller: containerName image env* envFrom* securityContext resources* extraVolumeMounts* sidecarContainer*
controller: sidecarVolumeMounts* metrics healthProbe
controller.image: repository tag digest
controller.securityContext: appArmorProfile* seLinuxOptions* seccompProfile*
controller.metrics: port
controller.healthProbe: port
settings: batchMaxDuration batchIdleDuration preferencePolicy minValuesPolicy clusterCABundle clusterName
settings: clusterEndpoint isolatedVPC eksControlPlane vmMemoryOverheadPercent interruptionQueue enableZonalShift
settings: reservedENIs ignoreDRARequests disableClusterStateObservability disableDryRun amiRefreshInterval
settings: subnetRefreshInterval featureGates
settings.featureGates: nodeRepair nodeOverlay reservedCapacity spotToSpotConsolidation staticCapacity capacityBuffer
"""
_KARPENTER_CRD = """
: additionalAnnotations*
"""

# NVIDIA/k8s-device-plugin, deployments/helm/nvidia-device-plugin at tag v0.20.0, and its sub-chart
# node-feature-discovery 0.19.0 (the alias nfd).
_NVIDIA_DEVICE_PLUGIN = """
: config compatWithCPUManager migStrategy failOnInitError deviceListStrategy deviceIDStrategy nvidiaDriverRoot
: nvidiaDevRoot gdrcopyEnabled gdsEnabled mofedEnabled deviceDiscoveryStrategy nameOverride fullnameOverride
: namespaceOverride selectorLabelsOverride* allowDefaultNamespace imagePullSecrets* image updateStrategy*
: podAnnotations* podSecurityContext* securityContext* resources* nodeSelector* affinity* tolerations*
: priorityClassName runtimeClassName noTimestamp sleepInterval devicePlugin gfd nfd mps cdi
config: name map* default fallbackStrategies
image: repository pullPolicy tag
devicePlugin: enabled enableHostNetwork
gfd: enabled nameOverride namespaceOverride noTimestamp sleepInterval securityContext* enableHostNetwork
nfd: enabled image imagePullSecrets* nameOverride fullnameOverride namespaceOverride featureGates* checksumValuesOnly
nfd: priorityClassName postDeleteCleanup global* master worker topologyUpdater* gc prometheus*
nfd.image: repository pullPolicy tag
nfd.master: enable extraArgs extraEnvs* hostNetwork hostUsers dnsPolicy config* port instance resyncPeriod denyLabelNs
nfd.master: extraLabelNs enableTaints nfdApiParallelism deploymentAnnotations* replicaCount podSecurityContext*
nfd.master: initContainers* securityContext* serviceAccount revisionHistoryLimit rbac resources* nodeSelector*
nfd.master: tolerations* podDisruptionBudget* networkPolicy* annotations* labels* affinity* startupProbe* livenessProbe*
nfd.master: readinessProbe*
nfd.master.serviceAccount: create annotations* name
nfd.master.rbac: create
nfd.worker: enable ownerRefs extraArgs extraEnvs* hostNetwork hostUsers dnsPolicy config* port daemonsetAnnotations*
nfd.worker: podSecurityContext* initContainers* securityContext* livenessProbe* readinessProbe* serviceAccount
nfd.worker: revisionHistoryLimit rbac mountUsrSrc resources* nodeSelector* tolerations* annotations* labels* affinity*
nfd.worker: priorityClassName updateStrategy* networkPolicy*
nfd.worker.serviceAccount: create annotations* name
nfd.worker.rbac: create
nfd.gc: enable extraArgs extraEnvs* hostNetwork hostUsers replicaCount dnsPolicy serviceAccount rbac interval
nfd.gc: podSecurityContext* initContainers* livenessProbe* readinessProbe* resources* port nodeSelector* tolerations*
nfd.gc: annotations* labels* deploymentAnnotations* affinity* podDisruptionBudget* revisionHistoryLimit networkPolicy*
nfd.gc.serviceAccount: create annotations* name
nfd.gc.rbac: create
mps: root enableHostPID enableHostNetwork
cdi: nvidiaHookPath featureFlags
"""

# NVIDIA/dcgm-exporter, deployment at tag 4.5.3-4.8.2.
_DCGM_EXPORTER = """
: image arguments imagePullSecrets* nameOverride fullnameOverride namespaceOverride hostPID runtimeClassName
: priorityClassName hostNetwork serviceAccount rollingUpdate podLabels* podAnnotations* podSecurityContext*
: securityContext* service resources* serviceMonitor nodeSelector* tolerations* affinity* extraHostVolumes*
: extraConfigMapVolumes* extraVolumeMounts* extraEnv* kubeletPath tlsServerConfig basicAuth kubernetes debugDump
: kubernetesDRA customMetrics initContainers* livenessProbe readinessProbe
image: repository pullPolicy tag
serviceAccount: create annotations* name
rollingUpdate: maxUnavailable maxSurge
service: enable type internalTrafficPolicy clusterIP port address annotations*
serviceMonitor: apiVersion enabled interval scrapeTimeout honorLabels additionalLabels* relabelings* metricRelabelings*
tlsServerConfig: enabled autoGenerated existingSecret certFilename keyFilename caFilename clientAuthType key cert ca
basicAuth: users*
kubernetes: enablePodLabels enablePodUID podLabelAllowlistRegex rbac
kubernetes.rbac: create
debugDump: enabled directory retention compression
kubernetesDRA: enabled
livenessProbe: initialDelaySeconds periodSeconds
readinessProbe: initialDelaySeconds
"""

# aws/eks-charts, stable/aws-efa-k8s-device-plugin at bfe91c4 (2026-07-21).
_AWS_EFA_DEVICE_PLUGIN = """
: image securityContext* supportedInstanceLabels resources* nodeSelector* updateStrategy* tolerations*
: additionalPodAnnotations* additionalPodLabels* nameOverride fullnameOverride imagePullSecrets*
image: repository tag
supportedInstanceLabels: keys values
"""

# kubernetes-sigs/kueue, charts/kueue/values.yaml and templates at tag v0.19.2 (2026-08-20).
_KUEUE = """
: nameOverride fullnameOverride enablePrometheus enableCertManager certManager enableVisibilityAPF
: enableMutatingAdmissionPolicy enableVisibilityAuthReaderRoleBinding enableKueueViz kubernetesClusterDomain
: controllerManager managerConfig metricsService webhookService mutatingWebhook kueueViz metrics
certManager: issuerRef*
controllerManager: featureGates* strategy* hostNetwork dnsPolicy manager replicas imagePullSecrets* readinessProbe
controllerManager: livenessProbe nodeSelector* tolerations* topologySpreadConstraints* podDisruptionBudget
controllerManager.manager: priorityClassName image podAnnotations* logLevel resources* podSecurityContext*
controllerManager.manager: containerSecurityContext*
controllerManager.manager.image: repository tag pullPolicy
controllerManager.readinessProbe: initialDelaySeconds periodSeconds timeoutSeconds failureThreshold successThreshold
controllerManager.livenessProbe: initialDelaySeconds periodSeconds timeoutSeconds failureThreshold successThreshold
controllerManager.podDisruptionBudget: enabled minAvailable
managerConfig: controllerManagerConfigYaml
metricsService: ports* type labels* annotations*
webhookService: ipDualStack ports* type
webhookService.ipDualStack: enabled ipFamilies ipFamilyPolicy
mutatingWebhook: reinvocationPolicy
kueueViz: backend frontend
kueueViz.backend: nodeSelector* tolerations* imagePullSecrets* priorityClassName resources* podSecurityContext*
kueueViz.backend: containerSecurityContext* env* ingress auth image
kueueViz.backend.ingress: enabled annotations* ingressClassName host tlsEnabled tlsSecretName
kueueViz.backend.auth: mode tokenReviewConfig
kueueViz.backend.auth.tokenReviewConfig: audiences cacheTTL negativeCacheTTL
kueueViz.backend.image: repository tag pullPolicy
kueueViz.frontend: nodeSelector* tolerations* imagePullSecrets* priorityClassName resources* podSecurityContext*
kueueViz.frontend: containerSecurityContext* env* ingress image
kueueViz.frontend.ingress: enabled annotations* ingressClassName host tlsEnabled tlsSecretName
kueueViz.frontend.image: repository tag pullPolicy
metrics: prometheusNamespace serviceMonitor
metrics.serviceMonitor: tlsConfig*
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
        "aws-efa-k8s-device-plugin": ChartKeys(version="v0.5.30", keys=_parsed(_AWS_EFA_DEVICE_PLUGIN)),
        "dcgm-exporter": ChartKeys(version="4.8.2", keys=_parsed(_DCGM_EXPORTER)),
        "karpenter": ChartKeys(version="1.14.1", keys=_parsed(_KARPENTER)),
        "karpenter-crd": ChartKeys(version="1.14.1", keys=_parsed(_KARPENTER_CRD)),
        "nvidia-device-plugin": ChartKeys(version="0.20.0", keys=_parsed(_NVIDIA_DEVICE_PLUGIN)),
        "kueue": ChartKeys(version="0.19.2", keys=_parsed(_KUEUE)),
        "prometheus-operator-crds": ChartKeys(version="31.0.1", keys=_parsed(_PROMETHEUS_OPERATOR_CRDS)),
    }


def _parsed(table: str) -> dict[str, dict[str, bool]]:
    keys: dict[str, dict[str, bool]] = {}
    for line in table.strip().splitlines():
        path, _, names = line.partition(":")
        keys.setdefault(path, {}).update({name.rstrip("*"): name.endswith("*") for name in names.split()})
    return keys
