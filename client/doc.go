// Package client starts payments on a bridge and follows them, over a NATS connection
// of the caller's. It is what a till needs, and what the commands "pos-bridge pay",
// "cancel", "get" and "watch" are made of.
//
//	bridge, err := client.New(nc, client.Options{})
//	payment, err := bridge.Start(ctx, schema.StartRequest{…})
//	for status, err := range payment.Statuses(ctx) { … }
//	result, err := payment.Wait(ctx)
//
// # What an error means
//
// An error of Start means that this request started no payment. Everything else,
// doubt too, is in the Payment that Start returns: a request whose answer got lost may
// have been carried out, so the payment is followed until it is known what became of
// it. Store the request before you call Start. After a restart of your program, call
// Resume with the stored terminal and order.
//
// Errors of the bridge are of type *Error. Decide by their code:
//
//	if errors.Is(err, client.ErrTerminalBusy) { … }
//
// # What a Payment sees
//
// A Payment subscribes before the request is sent. Each status arrives once and in
// order:
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
//	         each once, in order
//
// The stream is read after a reconnect, when a sequence number is missing, and every
// Options.Every. A NATS user who may not read the stream needs no further right: the
// bridge is asked for the order instead.
//
// # Rights
//
// The rights of a till in deploy/nats suffice: to publish the four commands of its
// terminal, and to subscribe to its statuses and to its own inboxes. If the inboxes
// have a prefix of their own, connect with nats.CustomInboxPrefix.
//
// Connect with nats.MaxReconnects(-1), or the connection is given up after two
// minutes, and with nats.ReconnectBufSize(-1), or what is sent while the connection
// is lost is sent later, behind the back of whoever waits for it.
package client
