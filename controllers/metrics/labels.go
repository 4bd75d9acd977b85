package metrics

import "github.com/registryhub/registryhub/api/v1alpha1"

// conditionTypes are those of a hub that the operator sets.
var conditionTypes = []string{
	v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionStorageReady,
	v1alpha1.ConditionProxyAvailable, v1alpha1.ConditionCertificateReady, v1alpha1.ConditionNodesWired, v1alpha1.ConditionUpstreamReachable,
	v1alpha1.ConditionIdentitiesKnown, v1alpha1.ConditionSuspended,
}

// nodeReasons are those that an agent can give for a host that it could not wire.
var nodeReasons = []string{
	v1alpha1.NodeReasonForeignHostsFile, v1alpha1.NodeReasonNoClientCertificate, v1alpha1.NodeReasonWriteFailed,
	v1alpha1.NodeReasonHubUnreachable, v1alpha1.NodeReasonFallbackRefused, v1alpha1.NodeReasonReadOnlyHost,
	v1alpha1.NodeReasonConfigPathUnset, v1alpha1.NodeReasonTransferServiceMultiRoot, v1alpha1.NodeReasonLegacyMirrorsPresent,
	v1alpha1.NodeReasonRestartPending, v1alpha1.NodeReasonRuntimeUnknown, v1alpha1.NodeReasonCanaryFailed,
}
