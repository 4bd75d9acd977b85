package registryhub

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// resolveBucket reads the Secret and the bundle that the hub's bucket needs. What is missing is waited for.
func (r *Reconciler) resolveBucket(ctx context.Context, s *scope) error {
	s3 := s.hub.Spec.Storage.S3
	if s3 == nil {
		return nil
	}
	s.requeueIn(presentReferencePeriod)
	data, err := r.data(ctx, v1alpha1.CABundleSecret, s3.CredentialsSecretRef.Name)
	if err != nil {
		return err
	}
	if lack := lacksBucketKeys(data); lack != "" {
		s.missing = append(s.missing, fmt.Sprintf("credentialsSecretRef of the bucket: Secret %s in namespace %s %s",
			s3.CredentialsSecretRef.Name, r.Settings.Namespace, lack))
	}
	ref := s3.CABundleRef
	if ref == nil {
		return nil
	}
	if data, err = r.data(ctx, ref.Kind, ref.Name); err != nil {
		return err
	}
	if lack := lacksBundle(data, ref.Key); lack != "" {
		s.missing = append(s.missing, fmt.Sprintf("caBundleRef of the bucket: %s %s in namespace %s %s", ref.Kind, ref.Name, r.Settings.Namespace, lack))
	}
	return nil
}

// lacksBucketKeys says what is wrong with a Secret's data, without a word of what is in it.
func lacksBucketKeys(data map[string][]byte) string {
	if data == nil {
		return "does not exist"
	}
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if len(data[key]) == 0 {
			return "has no key " + key
		}
	}
	return ""
}

// bucketReady says whether the bucket takes what is new, as the proxies find.
func bucketReady(s *scope) metav1.Condition {
	if !s.answered() {
		if before := s.before(v1alpha1.ConditionStorageReady, v1alpha1.ReasonBucketNotReachable, v1alpha1.ReasonBucketFull); before != nil {
			return *before
		}
	}
	condition := volumeTaking(s, v1alpha1.ReasonBucketReachable, "the bucket can be reached")
	switch condition.Reason {
	case v1alpha1.ReasonVolumeNotWritable:
		return s.inTrouble(v1alpha1.ReasonBucketNotReachable)
	case v1alpha1.ReasonVolumeFull:
		return s.inTrouble(v1alpha1.ReasonBucketFull)
	}
	return condition
}
