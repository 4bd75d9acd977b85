package testbed

// HubManifest is a hub on a small volume, in front of one upstream, whose tags are hardly believed. It is formatted with the
// hub's name, its host, the upstream's host and the ConfigMap of the upstream's CA.
const HubManifest = `apiVersion: registryhub.io/v1alpha1
kind: RegistryHub
metadata: {name: %s}
spec:
  hosts: [%s]
  mode: Mirror
  mirror:
    upstreams:
    - name: upstream
      url: https://%s
      caBundleRef: {name: %s}
    tags: {revalidateAfter: 1s}
  storage:
    type: PersistentVolumeClaim
    persistentVolumeClaim: {size: 100Mi}
`
