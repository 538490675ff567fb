package orders

import "errors"

// Errors of what is asked of a simulator by hand.
var (
	// ErrClosed is returned by everything that is asked of a closed simulator.
	ErrClosed          = errors.New("simulator is closed")
	ErrUnknownTerminal = errors.New("unknown terminal")
	ErrUnknownOrder    = errors.New("unknown order")
	ErrUnknownAction   = errors.New("unknown action")
	// ErrNoPayment: nothing is open on the terminal that the action could be done to.
	ErrNoPayment = errors.New("no such payment on the terminal")
	// ErrOrderFull: the order has had more status changes than the simulator keeps.
	ErrOrderFull = errors.New("order has too many status changes")
)
