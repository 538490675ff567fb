// Package multisafepay talks to the payment provider: it creates, reads and
// cancels orders, lists terminals, reads receipts and an order's event stream,
// and checks the provider's notifications. It is the one place that knows HTTP,
// server-sent events and the provider's oddities.
//
// # What leaves this package
//
// Only fields that are named in its types. An answer of the provider carries
// card data, names and tokens; none of it is kept. Text of the provider's that
// people are meant to read (the info of an error, the data of an event that
// could not be understood) has secrets and card numbers removed, and is bounded.
//
// # Errors
//
// Every call fails with an *Error. Its Kind says what is known of the order now,
// which is what a payment depends on: KindUnreachable and KindTooLate mean that
// nothing was sent; KindLost, KindTimeout and KindUnavailable, and KindCancelled with
// Error.Sent, mean that the order may exist all the same, or come to exist.
//
// # Secrets
//
// API keys and events tokens are of type redact.Secret, which cannot be formatted,
// marshalled or logged. An events token is sent to the provider's hosts alone
// (see Options.EventsAllowedHosts); no redirect is ever followed.
package multisafepay
