package follower

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// finding is something that should not be.
type finding struct {
	ref  Ref
	what string
	seq  uint64
}

// What a sweep finds.
const (
	// unfollowed: a claimed session in the queue, or an open order, that nobody follows.
	unfollowed = "unfollowed"
	// undelivered: a session in the queue that no replica has ever claimed.
	undelivered = "undelivered"
	// unqueued: an open order whose session is not in the queue.
	unqueued = "unqueued"
	// unreadable: a session in the queue that nobody can follow.
	unreadable = "unreadable"
	// ended: a session in the queue whose order is over.
	ended = "ended"
	// unwatched: an order that is over, and that its owner may have had to ask for again.
	unwatched = "unwatched"
)

// faultsOf says what JetStream has done wrong, by what a sweep finds. What a replica
// that died may leave, too, is none.
var faultsOf = map[string]string{
	undelivered: "no replica received some sessions",
	unqueued:    "the queue did not have some open payments",
	unreadable:  "some sessions in the queue could not be read",
	ended:       "the queue still had sessions that were over",
}

// faultsIn says what a sweep has repaired that JetStream had done wrong, "" for nothing.
func faultsIn(repairs []finding) string {
	count := map[string]int{}
	for _, at := range repairs {
		count[at.what]++
	}
	var said []string
	for _, what := range slices.Sorted(maps.Keys(faultsOf)) {
		if n := count[what]; n > 0 {
			said = append(said, fmt.Sprintf("%d %s", n, faultsOf[what]))
		}
	}
	return strings.Join(said, ", ")
}
