// Package bridge is the daemon: configuration, wiring, lifecycle and readiness.
//
// What happens to a payment is decided in internal/payment and executed in
// internal/follower; commands are answered in internal/commands. This package
// reads the configuration (config*.go), connects to NATS and keeps the JetStream
// objects (nats.go, objects.go), starts and stops the parts in order
// (lifecycle.go, daemon.go), and says whether the replica serves (readiness.go).
package bridge
