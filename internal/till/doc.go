// Package till is a person's hand on the bus: what the commands "pos-bridge pay",
// "cancel", "watch" and "sessions" are made of.
//
// A Till is one connection to NATS. It asks the bridge's commands (Start,
// Cancel, Get, List) and follows status events. Following is where the care is:
//
//	core subscription            stream POS_STATUS
//	(live, may miss one)         (durable, read when needed)
//	         │                          │
//	         ▼                          ▼
//	    ┌──────────────────────────────────┐
//	    │ ledger: last sequence per order  │  a repeat is dropped,
//	    └──────────────────────────────────┘  a gap is read from the stream
//	                    │
//	                    ▼
//	      Updates: each once, in order
//
// The stream is read at the start of a replay, after a reconnect, when a
// sequence number is missing, and every now and then in between. A NATS user
// that may not read the stream still sees every live event; of an order that it
// follows it asks the bridge (Get) instead.
//
// Payment, Watch and Sessions put that on a terminal window or, for scripts, out
// as JSON lines. Nothing from the bus reaches a terminal window unless it has
// gone through Printable.
package till
