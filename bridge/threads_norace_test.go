//go:build !race

package bridge

// threadsSeeds is how many seeds run on threads in a plain test run.
const threadsSeeds = 3000
