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
// The folder page is the virtual terminal, served at /: files that a browser
// takes as they are. It does everything by way of the control API.
package simulator
