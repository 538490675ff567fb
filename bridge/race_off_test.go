//go:build !race

package bridge

// defaultSeeds is how many seeds of the simulation a plain test run takes.
const defaultSeeds = 3000
