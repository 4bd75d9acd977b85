// Package powerloss records the file operations of a proxy that pulls through its cache, with strace, and plays what a
// loss of power can leave of them: every beginning of the record, without what was not synced, or without some of it. On
// each the proxy must start, serve no wrong byte, and complete what was begun.
package powerloss
