package stream

// LoadState is how a load goes, or went.
type LoadState struct {
	// Running until its time is over, it is stopped or every order is over.
	Running bool `json:"running"`
	// Orders that take part, and are still open.
	Orders int `json:"orders"`
	// Rate in statuses per second, of all orders together.
	Rate int `json:"rate"`
	// Emitted statuses so far.
	Emitted int64 `json:"emitted"`
	// Behind is how often an order was left out for once because its client was
	// too slow.
	Behind int64 `json:"behind"`
}

// loading is a load that runs or did. The state's lock guards it.
type loading struct {
	state   LoadState
	stopped chan struct{} // closed when it shall end
}

// stop ends a load; l may be nil. The caller holds the state's lock.
func (l *loading) stop() {
	if l != nil && l.state.Running {
		l.state.Running = false
		close(l.stopped)
	}
}
