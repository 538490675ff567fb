// Package payment decides everything about one payment: creating its order,
// doubt, following, statuses, takeover, hand-over and end.
//
// A Payment is a value. Step takes an Input (what happened) and returns the next
// Payment and the Effects (what to do). It is pure: no clock, no I/O, no
// goroutine, no logger. Whoever executes the effects is the only one that waits
// and retries.
//
// Session, Claim, Status and Log are also what the streams store, and what everybody
// who reads a log gets.
//
// A payment is in one Phase at a time:
//
//	arriving ─────▶ claiming      inquiring     connecting     unlocking     left
//	inquiring ────▶ claiming      connecting    left
//	connecting ───▶ claiming      left
//	claiming ─────▶ arriving      creating      following      giving up     watching      left
//	creating ─────▶ opening       closing       ending         giving up     left
//	opening ──────▶ following     withdrawing   left
//	following ────▶ settling      handing over  giving up      left
//	handing over ─▶ settling      left
//	giving up ────▶ settling      ending        left
//	ending ───────▶ settling      left
//	settling ─────▶ watching      left
//	watching ─────▶ left
//	closing ──────▶ ending        unlocking     left
//	unlocking ────▶ left
//	withdrawing ──▶ left
//
// The usual course is claiming, creating, opening, following, settling, left.
// A successor comes by way of arriving, inquiring, connecting and claiming.
//
// Rules that a comment names R1 to R17 came out of a model check of two
// replicas, a stream that loses confirmations and a provider that is not
// fenced; docs/guarantees.md lists them.
package payment
