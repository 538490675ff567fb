// Package simulator is the provider's side of a payment as an HTTP server: the
// order API, the event stream and the SmartPOS terminals in front of which
// customers tap their cards. The provider has no sandbox for terminals, so this
// package stands in for hardware: in the project's own tests, behind
// "pos-bridge dev", and in the continuous integration of whoever builds on the
// bridge ("pos-bridge simulate").
//
// What the provider documents is imitated letter by letter. What it does not
// document is decided here once and said in docs/simulator.md: a second payment
// on a busy terminal, an event stream that starts without the present state,
// the answer to the cancel of an order that is over.
//
// An order's life:
//
//	           tap                  approve
//	created ─────────▶ initialized ─────────▶ completed ──▶ reversed, refunded …
//	   │                 ▲    │
//	   │             tap │    │ decline
//	   │                 │    ▼
//	   │                declined
//	   │                    │  cancel on the terminal, cancel by API,
//	   └────────────────────┴─▶ cancelled   60 s without activity
//
// Everything that happens is decided under one lock, in memory, and written to a
// journal of fixed size; streams, the feed and waiting tests follow from there
// at their own speed. Timers drive the virtual customers, so an open order costs
// no goroutine; an open event stream costs the one of its connection.
//
// The files build on each other, one way:
//
//	new, serve            wiring
//	control, reply, feed  the control API, for programs and the page
//	api, create, orders,  the order API: calls, what befalls them, answers
//	  receipt, terminallist, mishap, loss, oddanswer
//	stream, connection,   event streams: HTTP, and what goes out on them
//	  framing, oddevent, load
//	webhook               notifications
//	statefile, recall     what survives a kill
//	hand, customer,       who acts at a terminal; what others see of it
//	  view, state, wait
//	simulator, order,     orders and terminals under the lock
//	  terminal, takefault
//	fault…, scenario,     values: what can be asked for, and how it is written
//	  request, answer, token, journal, alarm, facts, memory
//
// The package page is the virtual terminal, served at /: files that a browser
// takes as they are. It does everything by way of the control API.
package simulator
