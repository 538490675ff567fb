// Package till is what a person sees of a payment: what the commands "pos-bridge pay",
// "cancel", "watch", "sessions" and "receipt" are made of.
//
// A Till is one connection to NATS, made from Settings. What it asks and follows is
// package client's. Payment, Watch, Sessions, Receipt and Cancellation put that on a
// terminal window or, for scripts, out as JSON lines. Nothing from the bus reaches a
// terminal window unless it has gone through Printable.
package till
