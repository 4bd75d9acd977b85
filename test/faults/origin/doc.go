// Package origin is an upstream registry that fails as it is told to. The content is that of a real registry; between
// it and the wire lies a layer that bends answers: a fault is a value with a name, a rule says for what and how often
// it acts. All servers listen on loopback.
package origin
