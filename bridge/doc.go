// Package bridge is the daemon: it takes payment commands from NATS, follows
// each payment at MultiSafepay and publishes every change of its status.
//
// A session is one payment. It is queued under its terminal, which locks the
// terminal, and handed to one replica:
//
//	             ┌─────────── redelivered: a follower died, or was too slow ──────────┐
//	             ▼                                                                    │
//	queued ──▶ claim ──▶ creating ──▶ open ──▶ (statuses) ──▶ final ──▶ unlocked ──▶ settled
//	             │           │          │                       ▲
//	             │           ▼          └── SESSION_TIMEOUT: ───┘
//	             │        refused           unresolved
//	             │      (nothing exists)
//	             ├──▶ final already, or refused: unlocked at once
//	             └──▶ another replica has it: left, and never acknowledged
//
// From claim to final the session may be lost to another replica (the record
// names it, or a publish is refused), handed over (this replica drains) or
// stopped (the process ends); all three leave the message in the queue.
//
// What is decided about statuses is decided in Fold and State.CatchUp, which
// are pure. Everything that happens to a session happens in one goroutine.
package bridge
