// Package conditions makes the list of conditions that a status shows, and holds what must be true of every such
// list. It is pure: the time comes in as a value.
package conditions

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxMessage bounds a condition's message, in bytes: the API allows 32 KiB, which nobody reads and etcd keeps.
const maxMessage = 1024

// True makes a condition that is so.
func True(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message}
}

// False makes a condition that is not so.
func False(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// Merge makes the next list from the present one: every wanted condition is set, one that is owned and not wanted
// is deleted, and anybody else's stays. A condition keeps its transition time while its status stays.
func Merge(present []metav1.Condition, generation int64, now time.Time, owned []string, wanted ...metav1.Condition) []metav1.Condition {
	next := slices.DeleteFunc(slices.Clone(present), func(c metav1.Condition) bool {
		return slices.Contains(owned, c.Type) && meta.FindStatusCondition(wanted, c.Type) == nil
	})
	for _, condition := range wanted {
		condition.ObservedGeneration = generation
		condition.LastTransitionTime = metav1.NewTime(now.Truncate(time.Second))
		condition.Message = bound(condition.Message)
		meta.SetStatusCondition(&next, condition)
	}
	return next
}

// IsTrue says whether a list has a condition of this type that is True and speaks of this generation.
func IsTrue(list []metav1.Condition, kind string, generation int64) bool {
	condition := meta.FindStatusCondition(list, kind)
	return condition != nil && condition.Status == metav1.ConditionTrue && condition.ObservedGeneration == generation
}

// Join makes one message of several, without the empty ones.
func Join(messages ...string) string {
	return strings.Join(slices.DeleteFunc(messages, func(m string) bool { return m == "" }), "; ")
}

func bound(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	const more = " ..."
	cut := maxMessage - len(more)
	for cut > 0 && !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + more
}
