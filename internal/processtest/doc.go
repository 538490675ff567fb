// Package processtest runs the built program as real processes against real
// nats-servers and breaks them: signals, kill -9, SIGSTOP, cut and half-open
// connections. An Auditor that shares no code with the bridge holds what came
// out on the bus against what the simulated provider showed.
//
// Everything listens on loopback and on free ports, and lives in folders of the
// test's own. Every process dies with its test, and with the test's process.
package processtest
