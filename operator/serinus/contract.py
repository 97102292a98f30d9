"""Name every constant of the wire: what users, their tools and other controllers may rely on.

This module imports nothing. A name that stands here is a promise within ``v1alpha1``.
"""

GROUP = "serinus.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

KIND_MODEL_DEPLOYMENT = "ModelDeployment"
KIND_ROLLOUT_POLICY = "RolloutPolicy"
KIND_CLUSTER_ROLLOUT_POLICY = "ClusterRolloutPolicy"
KIND_ROLLOUT_REPORT = "RolloutReport"

PLURAL_MODEL_DEPLOYMENTS = "modeldeployments"
PLURAL_ROLLOUT_POLICIES = "rolloutpolicies"
PLURAL_CLUSTER_ROLLOUT_POLICIES = "clusterrolloutpolicies"
PLURAL_ROLLOUT_REPORTS = "rolloutreports"

FIELD_MANAGER = "serinus"
FIELD_MANAGER_CLI = "serinus-cli"

# Labels on every child.
LABEL_PREFIX = "serinus.dev/"
LABEL_MODEL_DEPLOYMENT = "serinus.dev/model-deployment"
LABEL_REVISION = "serinus.dev/revision"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "serinus"

# Annotations that a person or a tool sets on a ModelDeployment: commands, latched in status.commands.
ANNOTATION_PROMOTE = "serinus.dev/promote"
ANNOTATION_ABORT = "serinus.dev/abort"
ANNOTATION_PAUSE = "serinus.dev/pause"
ANNOTATION_RESUME = "serinus.dev/resume"
ANNOTATION_APPROVE = "serinus.dev/approve"
ANNOTATION_RETRY = "serinus.dev/retry"
ANNOTATION_PIN = "serinus.dev/pin"
COMMANDS = ("promote", "abort", "pause", "resume", "approve", "retry")

# On an object whose name we need and that nobody controls: its value names the ModelDeployment that may take it.
ANNOTATION_ADOPT = "serinus.dev/adopt"
# On a ControllerRevision and its Deployment: the whole SHA-256 behind the revision's short name.
ANNOTATION_HASH = "serinus.dev/revision-hash"
# On our Services: digest of all that we applied last, so that what is no longer intended is seen and taken away.
ANNOTATION_APPLIED = "serinus.dev/applied"
# On every pod and the objects behind it: the runtime preset it was rendered with.
ANNOTATION_RUNTIME = "serinus.dev/runtime"
# On the Job that looks a model's URI up: its number in a row of tries, and why the one before it failed.
ANNOTATION_LOOKUP_TRIES = "serinus.dev/lookup-tries"
ANNOTATION_LOOKUP_FAILURE = "serinus.dev/last-failure"
# And the generation of the spec that it was started for.
ANNOTATION_LOOKUP_GENERATION = "serinus.dev/generation"
# On its pods, which carry no other label of ours: the Services select by those.
LABEL_LOOKUP = "serinus.dev/lookup"
# Environment variables of the serving container: the revision's name, and that of the model as the server knows it.
VARIABLE_REVISION = "SERINUS_REVISION"
VARIABLE_MODEL = "SERINUS_MODEL"

# On every request of a gate: <revision>/<attempt>. Who counts requests leaves these out.
HEADER_GATE = "X-Serinus-Gate"

FINALIZER_ROUTE = "serinus.dev/route"

# Condition types.
READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
AVAILABLE = "Available"
CANARY_HEALTHY = "CanaryHealthy"
METRICS_AVAILABLE = "MetricsAvailable"
PAUSED = "Paused"
CONDITION_TYPES = (READY, RECONCILING, STALLED, AVAILABLE, CANARY_HEALTHY, METRICS_AVAILABLE, PAUSED)

# Phases: derived, for the printed column only.
PHASE_INITIALIZING = "Initializing"
PHASE_STABLE = "Stable"
PHASE_PROGRESSING = "Progressing"
PHASE_PAUSED = "Paused"
PHASE_PROMOTING = "Promoting"
PHASE_REJECTED = "Rejected"
PHASE_STALLED = "Stalled"

# Reasons: of conditions, rejections, decisions and Events. Each says what happened, in one CamelCase word.
REASON_INITIALIZING = "Initializing"  # the first revision is not up yet
REASON_STABLE = "Stable"  # what the spec asks for serves, nothing to do
REASON_PROGRESSING = "Progressing"  # a canary is under way
REASON_RESOLVING_MODEL = "ResolvingModel"  # what stands behind model.uri is being looked up
REASON_WAITING_FOR_PODS = "WaitingForPods"  # a step's canary pods are not ready yet
REASON_ANALYSING = "Analysing"  # the canary has its weight, evidence is gathered
REASON_WAITING_FOR_APPROVAL = "WaitingForApproval"
REASON_PROMOTING = "Promoting"
REASON_PROMOTED = "Promoted"
REASON_SUPERSEDED = "Superseded"  # a newer spec replaced the canary in mid-flight
REASON_RETURNED = "ReturnedToStable"  # the spec was set back to what stable serves
REASON_ABORTED = "Aborted"  # by a person
REASON_PAUSED = "Paused"  # by a person or by rollout.paused
REASON_NOT_PAUSED = "NotPaused"
REASON_INCONCLUSIVE = "Inconclusive"  # maxWait passed without a verdict
REASON_AVAILABLE = "PodsReady"
REASON_UNAVAILABLE = "NoPodsReady"
REASON_NO_CANARY = "NoCanary"
REASON_CANARY_PASSES = "NoWorseThanStable"
REASON_UNDECIDED = "NotDecidedYet"

# Verdicts of signals against the canary.
REASON_ERRORS_WORSE = "ErrorsWorse"
REASON_LATENCY_WORSE = "LatencyWorse"
REASON_QUERY_OUT_OF_BOUNDS = "QueryOutOfBounds"
REASON_CLIENT_ERRORS_WORSE = "ClientErrorsWorse"
REASON_IMPLAUSIBLE_WORSE = "ImplausibleWorse"
REASON_ACCURACY_WORSE = "AccuracyWorse"
REASON_PREDICTIONS_DRIFTED = "PredictionsDrifted"
REASON_FEATURES_DRIFTED = "FeaturesDrifted"
REASON_COMPARISON_WORSE = "ComparisonWorse"
REASON_SLO_MISSED = "SLOMissed"  # the canary's own share of bad requests is above the signal's slo
REASON_WORLD_CHANGED = "WorldChanged"  # canary and stable both moved away from the training reference

# Gates before the first percent of traffic.
REASON_SMOKE_FAILED = "SmokeFailed"  # a canary pod answered a request of the gate otherwise than expected
REASON_CONTRACT_BROKEN = "ContractBroken"  # the canary's inputs or outputs are not those of stable
REASON_GOLDEN_DIFFERS = "GoldenDiffers"  # the canary's outputs lie further from stable's than the tolerance
REASON_MODEL_NOT_READY = "ModelNotReady"  # the pod is ready, but its server does not serve the model
REASON_GATE_UNREACHABLE = "GateUnreachable"  # the gate's requests got no answer

# Facts about canary pods.
REASON_CRASH_LOOP = "CrashLoop"
REASON_IMAGE_PULL_FAILED = "ImagePullFailed"
REASON_OOM_KILLED = "OOMKilled"
REASON_UNSCHEDULABLE = "Unschedulable"
REASON_PODS_REFUSED = "PodsRefused"  # quota or admission refuses the pods
REASON_PROGRESS_DEADLINE = "ProgressDeadlineExceeded"
REASON_MODEL_FETCH_FAILED = "ModelFetchFailed"  # the model's files cannot be brought into the pod

# Configuration that a person has to mend: Stalled.
REASON_INVALID_SPEC = "InvalidSpec"
REASON_NOT_SUPPORTED_YET = "NotSupportedYet"
REASON_TEMPLATE_REFUSED = "TemplateRefused"
REASON_NAME_TAKEN = "NameTaken"
REASON_CONFIG_MAP_MISSING = "ConfigMapMissing"
REASON_SIGNAL_IMPOSSIBLE = "SignalImpossible"  # a signal of the plan cannot be measured: no attempt begins, or it holds
REASON_RUNTIME_MISMATCH = "RuntimeMismatch"  # stable exports another server's metrics than spec.runtime's
REASON_STATUS_UNREADABLE = "StatusUnreadable"
REASON_MODEL_UNRESOLVED = "ModelUnresolved"  # what stands behind model.uri cannot be found out
REASON_FETCH_IMAGE_MISSING = "FetchImageMissing"
REASON_REVISION_MISSING = "RevisionMissing"  # the ControllerRevision of a revision in use is gone

# Measurements.
REASON_METRICS_AVAILABLE = "MetricsAvailable"
REASON_PROMETHEUS_UNAVAILABLE = "PrometheusUnavailable"
REASON_BAD_QUERY = "BadQuery"
REASON_NO_SERIES = "NoSeries"  # Prometheus answers, but knows no series of these pods
REASON_NOT_RECOGNISED = "NotRecognised"  # requests should have come, and none of the known metrics is exported
REASON_NO_TRAFFIC = "NoTraffic"  # series, but no request
REASON_NO_BASELINE = "NoBaseline"  # the canary has data, stable has none
REASON_NOT_A_NUMBER = "NotANumber"
REASON_BUCKET_MISMATCH = "BucketMismatch"  # histograms that do not have the same buckets
REASON_TRAFFIC_SHARE_OFF = "TrafficShareOff"  # the canary does not get the share of traffic that was set
REASON_STALE_VALUE = "StaleValue"  # a query's value was computed longer ago than maxAge
REASON_NOT_MEASURED = "NotMeasured"  # nothing to measure now

# Events that are not a condition's reason.
REASON_COMMAND_OBEYED = "CommandObeyed"
REASON_COMMAND_IGNORED = "CommandIgnored"
REASON_STEP_STARTED = "StepStarted"
REASON_WEIGHT_UNREACHABLE = "WeightUnreachable"
REASON_SERVER_RECOGNISED = "ServerRecognised"  # by which preset a revision's metrics are read
REASON_ROLLOUT_STARTED = "RolloutStarted"
REASON_MODEL_RESOLVED = "ModelResolved"  # what stands behind model.uri, for all pods of a revision
REASON_WRITE_REFUSED = "WriteRefused"  # the API server refuses a child: quota, a webhook, or a right is missing

# Limits of status lists.
MAX_REJECTED = 20
MAX_COMMANDS = 20
MAX_DECISIONS = 200
MAX_SERIES_POINTS = 200

# Revision names: no vowels and no look-alikes, so that no word and no misreading comes out.
REVISION_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
REVISION_LENGTH = 10
HASH_VERSION = 1
