// Package oracles asks containerd's own code what it makes of the files that the node agent writes, and holds the
// facts about containerd that the agent is built on. Version 1.7 stands for 1.6 too, whose parser is the same; 2.4 is
// the newest.
package oracles
