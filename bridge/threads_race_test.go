//go:build race

package bridge

// threadsSeeds is small under the race detector, which takes ten times as long.
const threadsSeeds = 300
