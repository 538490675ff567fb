package payment

// refusal is what it means that the fence refused a message (R6).
type refusal int

const (
	// refusedAfterAll: the message is in the log; only its confirmation was lost.
	refusedAfterAll refusal = iota + 1
	// refusedByOwner: another replica has a claim.
	refusedByOwner
	// refusedByOwn: the claim is still this replica's, and the log has a message
	// that it did not know of.
	refusedByOwn
	// refusedByLoss: the claim is gone, expired or deleted with its stream.
	refusedByLoss
)

// judgeRefusal compares the log with what this replica knows of it.
func judgeRefusal(l Ledger, log Log) refusal {
	claim, newest := log.Claim, log.Newest()
	own := claim != nil && claim.Owner == l.Claim.Owner && claim.Epoch == l.Epoch
	switch {
	case isStored(l, log, own):
		return refusedAfterAll
	case !own && claim != nil, newest != nil && newest.Epoch > l.Epoch:
		return refusedByOwner // also with a lower epoch: then the log was made anew
	case !own, log.Last < l.Last:
		return refusedByLoss
	}
	return refusedByOwn
}

// isStored reports whether the message in flight is in the log.
func isStored(l Ledger, log Log, own bool) bool {
	switch w := l.Writing.(type) {
	case claimWrite:
		return own && log.Claim.Phase == l.Claim.Phase && log.Claim.UpdatedAt.Equal(l.Claim.UpdatedAt)
	case statusWrite:
		for _, e := range log.Statuses {
			if e.Epoch == w.status.Epoch && e.Event.Sequence == w.status.Event.Sequence && e.Event.Status == w.status.Event.Status {
				return own
			}
		}
	case invalidWrite:
		return own && log.Last > l.Last && len(log.Statuses) == l.Seen.len()
	}
	return false
}
