package v1alpha1

// Condition types of a RegistryHub. The polarity is said of each; kstatus reads Ready, Reconciling and Stalled.
const (
	// ConditionReady is the summary: True when nodes pull through the hub as the spec says. Always present.
	ConditionReady = "Ready"
	// ConditionReconciling is abnormal-true: present and True while the hub is on its way to what the spec
	// says, absent otherwise.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is abnormal-true: present and True while the hub cannot get on without a person, absent
	// otherwise. A Stalled hub is not Ready and not Reconciling.
	ConditionStalled = "Stalled"
	// ConditionSuspended is abnormal-true: present and True while spec.suspend is, absent otherwise. A suspended hub is neither
	// Reconciling nor Stalled, whether it is Ready or not.
	ConditionSuspended = "Suspended"
	// ConditionStorageReady is True when the cache's storage is there and takes what is new. It gates Ready, save for
	// those of its reasons that say so: the hub serves on.
	ConditionStorageReady = "StorageReady"
	// ConditionProxyAvailable is True when the proxy serves with the wanted configuration. It gates Ready.
	ConditionProxyAvailable = "ProxyAvailable"
	// ConditionCertificateReady is True when the hub has the certificate that its endpoint needs. It gates Ready.
	ConditionCertificateReady = "CertificateReady"
	// ConditionNodesWired is True when every desired node has the hub's wiring in force. It gates Ready.
	ConditionNodesWired = "NodesWired"
	// ConditionUpstreamReachable is True when every upstream that was asked for something answers. Absent until one was
	// asked. It does not gate Ready: what is cached is served.
	ConditionUpstreamReachable = "UpstreamReachable"
	// ConditionIdentitiesKnown is True when the proxy of a hub with spec.access.kubernetes can ask the API server whose a token
	// is. Absent until it was asked, and for all other hubs. It does not gate Ready: nodes show a certificate.
	ConditionIdentitiesKnown = "IdentitiesKnown"
)

// Reasons of RegistryHub conditions. Each is used by the conditions its comment names.
const (
	// ReasonReady (Ready): all that gates Ready is True.
	ReasonReady = "Ready"
	// ReasonProgressing (Ready, Reconciling): the hub is on its way; the message says what is awaited.
	ReasonProgressing = "Progressing"
	// ReasonDeleting (Ready, Reconciling): the hub is being withdrawn from the nodes, and then removed.
	ReasonDeleting = "Deleting"

	// ReasonSuspended (Suspended; Ready, ProxyAvailable and NodesWired when they are not True): the hub is left as it is.
	ReasonSuspended = "Suspended"

	// ReasonHostConflict (Ready, Stalled; NodesWired when no host is left): an older hub claims one of the hosts on
	// a node that both select.
	ReasonHostConflict = "HostConflict"
	// ReasonFallbackRefused (Ready, Stalled): the hub's fallback is None, and images that a hub needs to start come from one of
	// its hosts; the message names them. Nodes pull past the hub while it does not answer, as with Upstream.
	ReasonFallbackRefused = "FallbackRefused"
	// ReasonInvalidSpec (Ready, Stalled, ProxyAvailable, CertificateReady): the spec holds something that cannot be checked when it is
	// applied, such as a regular expression that does not compile; the message names the field.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonRefused (Ready, Stalled): the API server forbids what the hub needs, by a quota or a policy; the message is its
	// own. It is tried again. A volume that may not grow is VolumeCannotGrow or VolumeGrowthFailed instead.
	ReasonRefused = "Refused"

	// ReasonReferenceNotFound (Ready, ProxyAvailable): a Secret or ConfigMap that the spec names is missing, or
	// lacks what is needed.
	ReasonReferenceNotFound = "ReferenceNotFound"

	// ReasonVolumeBound (StorageReady): the volume is bound.
	ReasonVolumeBound = "VolumeBound"
	// ReasonVolumePending (StorageReady): the claim is not bound yet.
	ReasonVolumePending = "VolumePending"
	// ReasonVolumeLost (Ready, Stalled, StorageReady): the claim has lost its volume.
	ReasonVolumeLost = "VolumeLost"
	// ReasonVolumeNotWritable (StorageReady): the volume is there and read-only, broken or gone. It does not gate Ready.
	ReasonVolumeNotWritable = "VolumeNotWritable"
	// ReasonVolumeFull (StorageReady): the volume has no room, and evicting all that can go does not help. It does not gate
	// Ready.
	ReasonVolumeFull = "VolumeFull"
	// ReasonVolumeGrowing (StorageReady, True): a larger volume was asked for, and the hub serves on meanwhile.
	ReasonVolumeGrowing = "VolumeGrowing"
	// ReasonVolumeCannotGrow (StorageReady): the spec asks for a larger volume, or lets it grow (maxSize), and its StorageClass does not
	// allow that. It does not gate Ready: the hub serves with the volume that it has.
	ReasonVolumeCannotGrow = "VolumeCannotGrow"
	// ReasonVolumeGrowthFailed (StorageReady): the storage driver, a node or the API server (a quota) failed to make the volume
	// larger; the message is theirs. It is tried again, and does not gate Ready.
	ReasonVolumeGrowthFailed = "VolumeGrowthFailed"
	// ReasonVolumeMismatch (Ready, Stalled, StorageReady): the claim that is there, which an earlier hub of the same name left,
	// has another StorageClass or other access modes than the spec. The hub serves from it.
	ReasonVolumeMismatch = "VolumeMismatch"
	// ReasonVolumeDeleting (StorageReady): somebody deleted the claim, which goes once no Pod uses it. It does not gate
	// Ready: the Pod that runs keeps its volume.
	ReasonVolumeDeleting = "VolumeDeleting"
	// ReasonStorageClassNotFound (Ready, StorageReady): the claim's StorageClass does not exist.
	ReasonStorageClassNotFound = "StorageClassNotFound"
	// ReasonNoDefaultStorageClass (Ready, StorageReady): the spec names no StorageClass, and none is the cluster's default.
	ReasonNoDefaultStorageClass = "NoDefaultStorageClass"
	// ReasonProvisioningFailed (Ready, StorageReady): the storage driver failed to make the volume; the message is its own, from
	// the claim's events. It is tried again.
	ReasonProvisioningFailed = "ProvisioningFailed"
	// ReasonEphemeral (StorageReady): the cache lives in the Pod, so there is nothing to wait for.
	ReasonEphemeral = "Ephemeral"
	// ReasonBucketReachable (StorageReady): no proxy says that it cannot write to the hub's bucket.
	ReasonBucketReachable = "BucketReachable"
	// ReasonBucketNotReachable (StorageReady; Ready of a hub of mode Local): a proxy cannot reach the bucket, or may not write to it. It
	// does not gate Ready of a mirror.
	ReasonBucketNotReachable = "BucketNotReachable"
	// ReasonBucketFull (StorageReady): the bucket has no room, and evicting all that can go does not help. It does not gate
	// Ready.
	ReasonBucketFull = "BucketFull"

	// ReasonIssued (CertificateReady): the hub's certificate is issued, and is renewed in time.
	ReasonIssued = "Issued"
	// ReasonPlainHTTP (CertificateReady): the endpoint is plain HTTP, which needs no certificate.
	ReasonPlainHTTP = "PlainHTTP"
	// ReasonAwaitingAuthority (CertificateReady): the operator's certificate authority is not there yet, or has lost its
	// key, and is being made.
	ReasonAwaitingAuthority = "AwaitingAuthority"
	// ReasonAwaitingAddress (CertificateReady): the hub's Service has no address yet for a certificate to name.
	ReasonAwaitingAddress = "AwaitingAddress"
	// ReasonCertManagerNotInstalled (Ready, CertificateReady): the API server does not know cert-manager's Certificates.
	ReasonCertManagerNotInstalled = "CertManagerNotInstalled"
	// ReasonCertManagerForbidden (Ready, CertificateReady): the operator lacks the rights of config/cert-manager.
	ReasonCertManagerForbidden = "CertManagerForbidden"
	// ReasonIssuerNotFound (Ready, CertificateReady): the issuer that the spec names does not exist.
	ReasonIssuerNotFound = "IssuerNotFound"
	// ReasonIssuerNotReady (Ready, CertificateReady): cert-manager says that the issuer cannot issue; the message is its own.
	ReasonIssuerNotReady = "IssuerNotReady"
	// ReasonIssuanceFailed (Ready, CertificateReady): the issuer, cert-manager or the API server refuses the certificate; the
	// message is theirs. cert-manager tries again.
	ReasonIssuanceFailed = "IssuanceFailed"
	// ReasonIssuedUnfit (Ready, CertificateReady): what was issued cannot be shown to nodes; the message says why.
	ReasonIssuedUnfit = "IssuedUnfit"
	// ReasonAwaitingIssuer (CertificateReady): the certificate has been asked for, and is not issued yet.
	ReasonAwaitingIssuer = "AwaitingIssuer"
	// ReasonAwaitingTrust (CertificateReady): the certificate is issued, and is shown once nodes trust who issued it.
	ReasonAwaitingTrust = "AwaitingTrust"
	// ReasonNotRenewed (CertificateReady): the issuer's certificate is shown and good, and should have been renewed; the message
	// says what is in the way. It does not gate Ready.
	ReasonNotRenewed = "NotRenewed"

	// ReasonAvailable (ProxyAvailable): the proxy serves with the wanted configuration.
	ReasonAvailable = "Available"
	// ReasonRollingOut (ProxyAvailable): the proxy's Pod is starting, or is being replaced.
	ReasonRollingOut = "RollingOut"
	// ReasonConfigurationPending (ProxyAvailable): a proxy that serves does not have the wanted configuration in force yet, or
	// cannot be asked.
	ReasonConfigurationPending = "ConfigurationPending"
	// ReasonConfigurationRefused (Ready, Stalled, ProxyAvailable): a proxy refuses the wanted configuration and serves with the
	// one before; the message is its own.
	ReasonConfigurationRefused = "ConfigurationRefused"
	// ReasonUnavailable (ProxyAvailable): the proxy was available and is not any more; of several Pods, none is.
	ReasonUnavailable = "Unavailable"
	// ReasonRollOutFailed (Ready, Stalled, ProxyAvailable): the Deployment made no progress within its deadline.
	ReasonRollOutFailed = "RollOutFailed"

	// ReasonNodesWired (NodesWired): every desired node has the hub's wiring in force.
	ReasonNodesWired = "NodesWired"
	// ReasonNoNodes (NodesWired): no node is desired, so none lacks anything.
	ReasonNoNodes = "NoNodes"
	// ReasonWiring (NodesWired): some nodes have not reported the present wiring yet.
	ReasonWiring = "Wiring"
	// ReasonNodesFailing (NodesWired): some nodes report an exception.
	ReasonNodesFailing = "NodesFailing"
	// ReasonAwaitingProxy (NodesWired): the hub is not written to the nodes before its proxy has served once.
	ReasonAwaitingProxy = "AwaitingProxy"

	// ReasonUpstreamsReachable (UpstreamReachable): every upstream that was asked for something answers.
	ReasonUpstreamsReachable = "UpstreamsReachable"
	// ReasonUpstreamsDown (UpstreamReachable): an upstream answers neither requests nor probes; the message names it.
	ReasonUpstreamsDown = "UpstreamsDown"

	// ReasonClusterAnswering (IdentitiesKnown): the API server answers the proxy's TokenReviews and SubjectAccessReviews.
	ReasonClusterAnswering = "ClusterAnswering"
	// ReasonClusterNotAnswering (IdentitiesKnown): it has not for half a minute and longer; the message has its words. Who shows a
	// token of the cluster is refused with 503.
	ReasonClusterNotAnswering = "ClusterNotAnswering"

	// ReasonNotWiredInTime (an event of a Node): the node was freed of its start-up taint without being wired.
	ReasonNotWiredInTime = "NotWiredInTime"
	// ReasonRemedyStarted (an event of a Node): a Job mends the configuration of the node's containerd.
	ReasonRemedyStarted = "RemedyStarted"
	// ReasonRemedyEnded (an event of a Node): the Job did what it should; the message says what.
	ReasonRemedyEnded = "RemedyEnded"
	// ReasonRemedyDeclined (an event of a Node): the Job changed nothing, since only a person can decide.
	ReasonRemedyDeclined = "RemedyDeclined"
	// ReasonRemedyFailed (an event of a Node): the Job failed, or did not help. No other node is mended meanwhile.
	ReasonRemedyFailed = "RemedyFailed"
)

// Names that the operator puts on objects.
const (
	// Finalizer holds a RegistryHub until it is withdrawn from the nodes.
	Finalizer = "registryhub.io/withdraw-from-nodes"
	// TaintNotWired is the taint, with the effect NoSchedule, that nodes can register with so that nothing is scheduled
	// to them before they pull through the hubs. The manager takes it off, where its configuration says so.
	TaintNotWired = "registryhub.io/not-wired"
	// AnnotationForceDelete, with the value "true" on a RegistryHub that is being deleted, removes it without
	// waiting for nodes that still report it.
	AnnotationForceDelete = "registryhub.io/force-delete"
	// AnnotationRotateBefore, on the Secret registryhub-ca, is a time (RFC 3339): a certificate authority that was made
	// before it is replaced, in steps without a pull that fails.
	AnnotationRotateBefore = "registryhub.io/rotate-before"
	// AnnotationChanged, on a Secret with a certificate, is when the operator last changed what is in it (RFC 3339).
	AnnotationChanged = "registryhub.io/changed"
	// AnnotationIssuer, on the Secret with a hub's certificate, is the issuer whose certificate it is. Absent for the operator's own.
	AnnotationIssuer = "registryhub.io/issuer"
	// AnnotationRestartHash, on the proxy's Pod template, is the hash of what the proxy reads only when it starts.
	AnnotationRestartHash = "registryhub.io/restart-hash"
	// AnnotationConfigHash, on a proxy's Pod, is the hash of the configuration that the Pod was told of last. It is set so that
	// the kubelet brings a changed ConfigMap at once.
	AnnotationConfigHash = "registryhub.io/config-hash"
	// AnnotationGrownAt, on a hub's volume claim, is when the operator last had it grow by itself (RFC 3339).
	AnnotationGrownAt = "registryhub.io/grown-at"
	// AnnotationRemedyCause, on a Job that mends a node, is the hash of what it is to mend, and how.
	AnnotationRemedyCause = "registryhub.io/remedy-cause"
	// LabelHub, on everything made for a hub, is the hub's name.
	LabelHub = "registryhub.io/hub"
)
