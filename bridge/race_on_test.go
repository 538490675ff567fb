//go:build race

package bridge

// defaultSeeds is small under the race detector, which takes ten times as long.
const defaultSeeds = 300
