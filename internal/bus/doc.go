// Package bus is the bridge's side of NATS: the connection, the JetStream
// objects, the queue of open sessions, the journal of statuses and the records
// of who follows which session.
//
// It moves bytes and names outcomes; it decides nothing about payments. Every
// call on JetStream has a short limit of its own, because a publish to a stream
// whose leader has just died waits out its whole context. A call that ran into
// that limit is unknown, not failed: its caller asks before it tries again.
package bus
