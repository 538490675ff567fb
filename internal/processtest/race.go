//go:build race

package processtest

// raceEnabled has the bridge built with the race detector when the tests are.
const raceEnabled = true
