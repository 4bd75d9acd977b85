// Package configfile follows a file that is replaced while it is in use: written anew, renamed over, or behind the
// symbolic links of a mounted ConfigMap, which are swapped.
package configfile
