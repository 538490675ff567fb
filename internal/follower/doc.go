// Package follower follows payments: it receives sessions from the work queue,
// executes what package payment decides, and is the only place that waits and
// retries.
//
// One goroutine, the loop, owns every payment of the replica. It takes inputs
// from a channel, calls payment.Step, and starts the effects. An effect runs in
// a goroutine of its own, repeats what may be repeated, and sends the outcome
// back to the loop. The order log, the queue, the provider and the event stream
// of a payment are separate lanes: none of them waits for another.
//
// The follower also keeps sessions alive in the queue (beat.go), notices when
// the process of another replica is gone (peers.go), compares queue and logs
// (sweep.go), answers other replicas (replica.go) and keeps the provider's
// budget (budget.go).
package follower
