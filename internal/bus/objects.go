package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/subjects"
)

// consumerName is the one durable consumer that all replicas share.
const consumerName = "bridge"

// dedupeWindow is how long the status stream knows a message id.
const dedupeWindow = 2 * time.Minute

// maxMessage bounds one message of the bridge's own streams, in bytes.
const maxMessage = 64 << 10

// Made says which objects are not those that this replica knew before: it or
// another one has made them anew.
type Made struct {
	// Statuses is true when the status stream was made: nothing stands in it.
	Statuses bool
	// Sessions is true when the queue was made: nobody holds a lock.
	Sessions bool
	// Records is true when the bucket was made: nothing is known of any session.
	Records bool
}

// Ensure makes the JetStream objects that are missing and checks those that are
// there. It fails with *UnfitError when waiting does not help; every other
// error may pass, and Ensure may be called again. What it has made stays, and is
// told even with an error.
func (b *Bus) Ensure(ctx context.Context) (made Made, err error) {
	if err := b.ensureJetStream(ctx); err != nil {
		return made, err
	}
	if made.Statuses, err = b.ensureStream(ctx, b.statusStream()); err != nil {
		return made, err
	}
	if made.Sessions, err = b.ensureStream(ctx, b.sessionStream()); err != nil {
		return made, err
	}
	if made.Records, err = b.ensureStream(ctx, b.recordStream()); err != nil {
		return made, err
	}
	return made, b.ensureConsumer(ctx)
}

// Remade reports whether the queue was made after a place in it was given away:
// whatever stood there is lost.
func (b *Bus) Remade(ctx context.Context, seq uint64) (bool, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, b.space.SessionStream())
	if err != nil {
		return false, fmt.Errorf("look at queue: %w", err)
	}
	return s.CachedInfo().Config.FirstSeq > seq, nil
}

// firstSeq is where the sequences of a new stream begin. What a replica
// remembers of a stream that was deleted must never fit the one made after it.
func firstSeq() uint64 { return uint64(time.Now().UnixMilli()) } //nolint:gosec // not before 1970

// Warnings lists what of the existing objects differs from what this replica
// would have made, without being unfit: kept for fewer days, fewer copies.
// Nothing is changed: an operator may have wanted it so.
func (b *Bus) Warnings(ctx context.Context) ([]string, error) {
	var warnings []string
	for _, want := range []jetstream.StreamConfig{b.statusStream(), b.sessionStream(), b.recordStream()} {
		ctx, cancel := limit(ctx)
		s, err := b.js.Stream(ctx, want.Name)
		cancel()
		if err != nil {
			return warnings, fmt.Errorf("look at stream %s: %w", want.Name, err)
		}
		for _, d := range differences(want, s.CachedInfo().Config) {
			warnings = append(warnings, fmt.Sprintf("stream %s: %s; %s", want.Name, d.Problem, d.Hint))
		}
	}
	return warnings, nil
}

func (b *Bus) ensureJetStream(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	_, err := b.js.AccountInfo(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return &UnfitError{"JetStream", "it is switched off for this account", "enable JetStream for the account that the bridge connects with"}
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled) && b.conn.IsConnected():
		return &UnfitError{"JetStream", "it is switched off at the NATS server", "start nats-server with --jetstream, or a configuration with jetstream {}"}
	}
	return b.explain("ask for JetStream", err)
}

func (b *Bus) ensureStream(ctx context.Context, want jetstream.StreamConfig) (made bool, err error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	asked := time.Now()
	s, err := b.js.Stream(ctx, want.Name)
	if err == nil {
		b.clock.observe(asked, time.Now(), s.CachedInfo().TimeStamp)
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = b.js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another replica was faster
			s, err = b.js.Stream(ctx, want.Name)
		}
		made = err == nil
	}
	if err != nil {
		return made, b.explainStream(want, err)
	}
	b.mu.Lock()
	before, known := b.created[want.Name]
	b.created[want.Name] = s.CachedInfo().Created
	b.mu.Unlock()
	return made || known && !before.Equal(s.CachedInfo().Created), fits(want, s.CachedInfo().Config)
}

// Codes of API errors that waiting does not mend when a stream is made.
const (
	codeSubjectOverlap   = 10065
	codeReplicasTooMany  = 10074
	codeNoMemory         = 10028
	codeStorageExceeded  = 10047
	codeMaxStreams       = 10027
	codeMaxBytesRequired = 10113
	codeInsufficientRes  = 10023
	codeStreamCreateFail = 10049
)

func (b *Bus) explainStream(want jetstream.StreamConfig, err error) error {
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return b.explain("make stream "+want.Name, err)
	}
	switch api.ErrorCode {
	case codeSubjectOverlap:
		return &UnfitError{
			"stream " + want.Name, fmt.Sprintf("its subjects %q overlap those of another stream", want.Subjects),
			"remove them from the other stream, or set BRIDGE_SUBJECT_PREFIX to a prefix that no other stream takes",
		}
	case codeReplicasTooMany:
		return &UnfitError{
			"stream " + want.Name, fmt.Sprintf("%d replicas are not possible on this server", want.Replicas),
			"set BRIDGE_JETSTREAM_REPLICAS to 1, or run NATS as a cluster",
		}
	case codeNoMemory, codeStorageExceeded, codeMaxStreams:
		return &UnfitError{
			"stream " + want.Name, "the account's JetStream limits do not allow it (" + api.Description + ")",
			"raise the account's limits for file storage and streams",
		}
	case codeMaxBytesRequired:
		return &UnfitError{
			"stream " + want.Name, "the account wants every stream to have max bytes, and a full stream would stop all payments",
			"take max_bytes_required from the account's JetStream limits",
		}
	}
	return b.explain("make stream "+want.Name, err)
}

// explain adds what the server refused, if it did: nats.go only sees a time-out.
func (b *Bus) explain(doing string, err error) error {
	// The refusal came while the call waited, which took all of callLimit.
	if refused := b.refusedWithin(2 * callLimit); refused != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)) {
		return &UnfitError{"NATS permissions", refused.Error(), "grant it to the bridge's user (deploy/nats shows the least rights)"}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// fits holds an existing stream to what the promises rest on. What is merely
// different is left alone, see Warnings.
func fits(want, got jetstream.StreamConfig) error {
	unfit := func(problem, hint string) error {
		return &UnfitError{"stream " + want.Name, problem, hint}
	}
	remake := "delete or rename that stream and let the bridge make its own, or set another BRIDGE_SUBJECT_PREFIX"
	switch {
	case got.Retention != want.Retention:
		return unfit(fmt.Sprintf("its retention is %s where %s is needed", got.Retention, want.Retention), remake)
	case got.Storage != jetstream.FileStorage:
		return unfit("it is stored in memory where file storage is needed", remake)
	case !sameSubjects(got.Subjects, want.Subjects):
		return unfit(fmt.Sprintf("it takes %q where %q is needed", got.Subjects, want.Subjects), remake)
	case !sameTransform(got.SubjectTransform, want.SubjectTransform):
		return unfit("it does not store the journal under the status subjects (subject transform)", remake)
	case !sameRePublish(got.RePublish, want.RePublish):
		return unfit("it does not republish what it stored (republish)", remake)
	case want.AllowDirect && !got.AllowDirect:
		return unfit("direct get is off", "nats stream edit "+want.Name+" --allow-direct")
	case got.Sealed:
		return unfit("it is sealed", remake)
	case got.Mirror != nil || len(got.Sources) > 0:
		return unfit("it mirrors or sources another stream", remake)
	case got.NoAck:
		return unfit("it does not acknowledge", "nats stream edit "+want.Name+" --ack")
	case isBucket(want) && got.MaxMsgsPerSubject < 1:
		return unfit("it is no bucket: it keeps any number of messages per key", "nats stream edit "+want.Name+" --max-msgs-per-subject 1")
	case isBucket(want) && got.MaxConsumers > 0:
		return unfit(fmt.Sprintf("it allows %d consumers, and every replica watches it", got.MaxConsumers), remake)
	case got.MaxMsgsPerSubject > 0 && got.MaxMsgsPerSubject != want.MaxMsgsPerSubject:
		return unfit(fmt.Sprintf("it keeps only %d messages per subject", got.MaxMsgsPerSubject), remake)
	case want.MaxAge == 0 && got.MaxAge > 0:
		return unfit(fmt.Sprintf("it forgets after %s", got.MaxAge), "nats stream edit "+want.Name+" --max-age 0")
	case want.Retention == jetstream.WorkQueuePolicy && got.Discard == jetstream.DiscardOld && (got.MaxMsgs > 0 || got.MaxBytes > 0):
		return unfit("it makes room by discarding open sessions", "nats stream edit "+want.Name+" --discard new")
	}
	return nil
}

func sameSubjects(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func sameTransform(a, b *jetstream.SubjectTransformConfig) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

func sameRePublish(a, b *jetstream.RePublish) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// statusStream is the truth: it listens on the journal, stores under the status
// subjects and republishes there what it stored. A refused or repeated publish
// therefore never reaches a subscriber.
func (b *Bus) statusStream() jetstream.StreamConfig {
	stored := b.space.Prefix() + ".{{wildcard(1)}}.{{wildcard(2)}}." + string(subjects.Status)
	return jetstream.StreamConfig{
		Name:             b.space.StatusStream(),
		Description:      "Every status change of every order, written by the bridge alone",
		Subjects:         []string{b.space.All(subjects.Journal), b.space.All(subjects.Invalid)},
		SubjectTransform: &jetstream.SubjectTransformConfig{Source: b.space.All(subjects.Journal), Destination: stored},
		RePublish:        &jetstream.RePublish{Source: b.space.All(subjects.Status), Destination: stored},
		Retention:        jetstream.LimitsPolicy,
		Storage:          jetstream.FileStorage,
		Replicas:         b.opts.Replicas,
		MaxAge:           b.opts.StatusMaxAge,
		MaxMsgSize:       maxMessage,
		FirstSeq:         firstSeq(),
		Duplicates:       min(dedupeWindow, b.opts.StatusMaxAge),
		AllowDirect:      true,
	}
}

func (b *Bus) sessionStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        b.space.SessionStream(),
		Description: "Open sessions, one per terminal: the bridge's own work queue",
		Subjects:    []string{b.space.AllSessions()},
		Retention:   jetstream.WorkQueuePolicy,
		Storage:     jetstream.FileStorage,
		Replicas:    b.opts.Replicas,
		MaxMsgSize:  maxMessage,
		FirstSeq:    firstSeq(),
		Duplicates:  dedupeWindow,
		AllowDirect: true,
	}
}

// isBucket tells whether a stream of the bridge's is its bucket.
func isBucket(want jetstream.StreamConfig) bool { return strings.HasPrefix(want.Name, "KV_") }

func (b *Bus) bucketStream() string { return "KV_" + b.space.SessionBucket() }

// recordStream is the key-value bucket as the stream that it is: the key-value
// API cannot say where its sequences begin.
func (b *Bus) recordStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              b.bucketStream(),
		Description:       "What is known of the open sessions; the bridge's own",
		Subjects:          []string{"$KV." + b.space.SessionBucket() + ".>"},
		Retention:         jetstream.LimitsPolicy,
		Storage:           jetstream.FileStorage,
		Replicas:          b.opts.Replicas,
		MaxMsgsPerSubject: 1,
		MaxMsgSize:        maxMessage,
		FirstSeq:          firstSeq(),
		Discard:           jetstream.DiscardNew,
		Duplicates:        dedupeWindow,
		AllowRollup:       true,
		DenyDelete:        true,
		AllowDirect:       true,
	}
}

func (b *Bus) ensureConsumer(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	name := b.consumerTitle()
	want := jetstream.ConsumerConfig{
		Durable:       consumerName,
		Description:   "Hands each open session to one replica",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       b.opts.AckWait,
		MaxDeliver:    -1,
		MaxAckPending: -1,
	}
	c, err := b.js.Consumer(ctx, b.space.SessionStream(), consumerName)
	switch {
	case err == nil:
		got := c.CachedInfo()
		if unfit := b.consumerFits(got); unfit != nil {
			return unfit
		}
		if len(wrongSettings(got.Config)) == 0 &&
			(b.consumerMade.Load() || got.Config.AckWait == want.AckWait && got.Config.MaxAckPending == want.MaxAckPending) {
			// Two replicas with different settings must not change it back and
			// forth: each sets it once, when it starts.
			b.consumerMade.Store(true)
			return nil
		}
	case errors.Is(err, jetstream.ErrNotPullConsumer):
		return b.pushConsumer()
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return b.explain("look at "+name, err)
	}
	c, err = b.js.CreateOrUpdateConsumer(ctx, b.space.SessionStream(), want)
	if err != nil {
		if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.Code == 400 {
			return &UnfitError{name, api.Description, "remove other consumers from the stream, and let the bridge make its own"}
		}
		return b.explain("make "+name, err)
	}
	if wrong := wrongSettings(c.CachedInfo().Config); len(wrong) > 0 {
		return &UnfitError{name, "it keeps " + strings.Join(wrong, ", "), remakeConsumer}
	}
	b.consumerMade.Store(true)
	return nil
}
