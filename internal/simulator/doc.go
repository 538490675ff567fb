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
// The packages build on each other, one way:
//
//	simulator               wiring; names.go has what tests of other packages need
//	control, page           the control API and the virtual terminal
//	operator, view          what people and programs do and see
//	api, stream, webhook,   what the provider does over HTTP,
//	  statefile             and what survives a kill
//	wire                    addresses, answers and what spoils them
//	orders                  the state: orders, terminals, customers, faults that are set
//	fault, scenario,        values: what can be asked for, and how it is written;
//	  journal, alarm,       leaves
//	  tokens, calls
package simulator
