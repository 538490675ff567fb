package bus

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// consumerName is the one durable consumer that all replicas share.
const consumerName = "bridge"

// dedupeWindow is how long the streams know a message id.
const dedupeWindow = 2 * time.Minute

// maxMessage bounds one message of the bridge's own streams, in bytes.
const maxMessage = 64 << 10

// firstSeq is where the sequences of a new stream begin. Acknowledgements and
// expectations know a message by its sequence alone, so those of a stream that was
// deleted must never fit the one created after it. No stream gets a message per
// microsecond.
func firstSeq(now time.Time) uint64 { return uint64(now.UnixMicro()) } //nolint:gosec // not before 1970

// statusStream stores the logs of all orders. It listens on the journal subjects,
// stores under the orders' subjects, and republishes there what it has stored:
// nobody ever receives a message that was refused.
func (b *Bus) statusStream() jetstream.StreamConfig {
	stored := b.space.Prefix() + ".{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}"
	return jetstream.StreamConfig{
		Name:             b.space.StatusStream(),
		Description:      "Statuses and claims of every order, written by the bridge alone",
		Subjects:         []string{b.space.AllJournals()},
		SubjectTransform: &jetstream.SubjectTransformConfig{Source: b.space.AllJournals(), Destination: stored},
		RePublish:        &jetstream.RePublish{Source: b.space.AllLogs(), Destination: stored},
		Retention:        jetstream.LimitsPolicy,
		Storage:          jetstream.FileStorage,
		Replicas:         b.opts.Replicas,
		MaxAge:           b.opts.StatusMaxAge,
		MaxMsgSize:       maxMessage,
		FirstSeq:         firstSeq(b.Now()),
		Duplicates:       min(dedupeWindow, b.opts.StatusMaxAge),
		AllowDirect:      true,
		AllowRollup:      true,
		AllowMsgTTL:      true,
	}
}

// sessionStream is the work queue.
func (b *Bus) sessionStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        b.space.SessionStream(),
		Description: "Open sessions, one per terminal: the bridge's own work queue",
		Subjects:    []string{b.space.AllSessions()},
		Retention:   jetstream.WorkQueuePolicy,
		Storage:     jetstream.FileStorage,
		Replicas:    b.opts.Replicas,
		MaxMsgSize:  maxMessage,
		FirstSeq:    firstSeq(b.Now()),
		Duplicates:  dedupeWindow,
		AllowDirect: true,
	}
}

// consumerConfig is the one durable consumer that all replicas share.
func (b *Bus) consumerConfig() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       consumerName,
		Description:   "Hands each open session to one replica",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       b.opts.ReplicaTTL,
		MaxDeliver:    -1,
		MaxAckPending: -1,
	}
}

// fits checks that an existing stream has what the promises need. What is only
// different is left alone, see differences.
func (b *Bus) fits(want, got jetstream.StreamConfig) error {
	const remake = "delete or rename that stream and let the bridge create its own, or set another BRIDGE_SUBJECT_PREFIX"
	edit := "nats stream edit " + want.Name + " "
	limited := got.MaxMsgs > 0 || got.MaxBytes > 0
	for _, check := range []struct {
		wrong         bool
		problem, hint string
	}{
		{got.Retention != want.Retention, fmt.Sprintf("its retention is %s, but must be %s", got.Retention, want.Retention), remake},
		{got.Storage != jetstream.FileStorage, "it is stored in memory, but must be stored in files", remake},
		{!slices.Equal(got.Subjects, want.Subjects), fmt.Sprintf("its subjects are %q, but must be %q", got.Subjects, want.Subjects), remake},
		{!equal(got.SubjectTransform, want.SubjectTransform), "its subject transform is " + shown(got.SubjectTransform) + ", but must be " + shown(want.SubjectTransform), remake},
		{!equal(got.RePublish, want.RePublish), "its republish is " + shown(got.RePublish) + ", but must be " + shown(want.RePublish), remake},
		{want.AllowDirect && !got.AllowDirect, "direct get is off", edit + "--allow-direct"},
		{got.Sealed, "it is sealed", remake},
		{got.Mirror != nil || len(got.Sources) > 0, "it mirrors or sources another stream", remake},
		{got.NoAck, "it does not acknowledge", edit + "--ack"},
		{got.PersistMode != jetstream.DefaultPersistMode, "it acknowledges messages before it has stored them (persist mode)", remake},
		{
			got.MaxMsgSize > 0 && got.MaxMsgSize < want.MaxMsgSize,
			fmt.Sprintf("it stores messages of at most %d bytes, but the bridge's can have %d", got.MaxMsgSize, want.MaxMsgSize),
			edit + fmt.Sprintf("--max-msg-size %d", want.MaxMsgSize),
		},
		{want.Retention == jetstream.WorkQueuePolicy && got.DenyDelete, "no session can be removed from it (deny delete)", remake},
		{
			want.AllowRollup && (!got.AllowRollup || got.DenyPurge),
			"a new claim cannot replace the previous one in it (rollup)", edit + "--allow-rollup, without --deny-purge",
		},
		{want.AllowMsgTTL && !got.AllowMsgTTL, "claims cannot expire in it (message TTL)", edit + "--allow-msg-ttl"},
		{
			want.AllowMsgTTL && got.MaxAge > 0 && got.MaxAge <= b.opts.ClaimTTL,
			fmt.Sprintf("it deletes messages after %s, but must keep claims for %s", got.MaxAge, b.opts.ClaimTTL), edit + "--max-age " + want.MaxAge.String(),
		},
		{want.AllowRollup && got.MaxConsumers > 0, fmt.Sprintf("it allows %d consumers only", got.MaxConsumers), remake},
		{got.MaxMsgsPerSubject > 0, fmt.Sprintf("it keeps only %d messages per subject", got.MaxMsgsPerSubject), remake},
		{want.MaxAge == 0 && got.MaxAge > 0, fmt.Sprintf("it deletes messages after %s", got.MaxAge), edit + "--max-age 0"},
		{
			want.Retention == jetstream.WorkQueuePolicy && got.Discard == jetstream.DiscardOld && limited,
			"it discards open sessions when it is full", edit + "--discard new",
		},
	} {
		if check.wrong {
			return &UnfitError{"stream " + want.Name, check.problem, check.hint}
		}
	}
	return nil
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// shown returns a setting that may be absent, for an error.
func shown[T any](setting *T) string {
	if setting == nil {
		return "off"
	}
	return fmt.Sprintf("%+v", *setting)
}

// Difference is a setting of an object that weakens something, and what to do.
type Difference struct{ Problem, Hint string }

// differences lists the settings of an existing stream that weaken a promise
// without making the stream unfit.
func differences(want, got jetstream.StreamConfig) []Difference {
	var list []Difference
	differs := func(hint, problem string, args ...any) {
		list = append(list, Difference{fmt.Sprintf(problem, args...), hint})
	}
	edit := "nats stream edit " + want.Name
	if got.Replicas != want.Replicas {
		differs(fmt.Sprintf("%s --replicas %d, or change the variable", edit, want.Replicas),
			"%s, BRIDGE_JETSTREAM_REPLICAS asks for %d", copies(got.Replicas), want.Replicas)
	}
	if want.MaxAge > 0 && got.MaxAge != want.MaxAge {
		differs(fmt.Sprintf("%s --max-age %s, or change the variable", edit, want.MaxAge),
			"keeps events for %s, BRIDGE_STATUS_MAX_AGE asks for %s", got.MaxAge, want.MaxAge)
	}
	if got.Duplicates < want.Duplicates {
		differs(fmt.Sprintf("%s --dupe-window %s", edit, want.Duplicates),
			"recognises a repeated message for %s only, %s is better", got.Duplicates, want.Duplicates)
	}
	if got.MaxMsgs > 0 || got.MaxBytes > 0 {
		effect := "drops the oldest events when it is full"
		if got.Discard == jetstream.DiscardNew {
			effect = "refuses to store when it is full, and no payment can start"
		}
		differs(edit+" --max-msgs=-1 --max-bytes=-1", "is limited to %s: it %s", limits(got), effect)
	}
	return list
}

func copies(n int) string {
	if n == 1 {
		return "1 copy"
	}
	return fmt.Sprintf("%d copies", n)
}

func limits(c jetstream.StreamConfig) string {
	var parts []string
	if c.MaxMsgs > 0 {
		parts = append(parts, fmt.Sprintf("%d messages", c.MaxMsgs))
	}
	if c.MaxBytes > 0 {
		parts = append(parts, fmt.Sprintf("%d bytes", c.MaxBytes))
	}
	return strings.Join(parts, " and ")
}
