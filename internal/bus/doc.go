// Package bus is the bridge's side of NATS: the connection, the JetStream
// objects, the log of each order, the work queue of sessions, and the questions
// that replicas ask each other.
//
// The package stores, reads and delivers. It decides nothing about payments.
//
// # The log of an order
//
// The status stream holds everything that the bridge stores about an order on
// the subjects <prefix>.<terminal>.<order>.<kind>. Every publish expects the last
// sequence of the filter <prefix>.<terminal>.<order>.*, so an order has one writer
// at a time: whoever published last. A claim replaces the claim before it.
//
// # What an error means
//
// Every call has a short limit of its own (2 s), because a publish to a stream
// whose leader has just died waits for its whole context. ErrConflict, ErrBusy,
// *RefusedError and *UnfitError say that the call stored nothing. After any other
// error the outcome is unknown: the message may be stored. The caller reads the log
// or the queue before it tries again.
package bus
