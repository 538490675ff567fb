// Package commands answers start, cancel, get, list and receipt on NATS, as the
// micro service "pos-bridge".
//
// A start is answered by whoever follows its session; this package locks the
// terminal, joins repeated starts, and answers when nobody else has by the
// deadline. A cancel goes to the owner of the payment. get reads the order's log,
// list the board.
//
// # Limits
//
// The framework calls the handler of an endpoint one request after the other, so
// each request gets a goroutine of its own. Every command has a limit in total and
// per terminal, so that one till cannot block the others and no command waits for
// another one. A request above a limit gets outcome_unknown: of all codes that ask
// for the same request again it is the only one that says nothing about the order,
// which may exist from an earlier request.
package commands
