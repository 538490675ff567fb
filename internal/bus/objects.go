package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Made says which streams were created since the last Ensure of this process, by
// it or by another replica: whatever was in them before is gone.
type Made struct {
	Statuses, Sessions bool
	// Reset is true if the consumer was ahead of the queue and was set back.
	Reset bool
}

// Ensure creates the JetStream objects that are missing and checks the others. It
// returns *UnfitError if waiting does not help; any other error may pass, and
// Ensure may be called again. What it has created stays, and Made is right even
// with an error.
func (b *Bus) Ensure(ctx context.Context) (made Made, err error) {
	b.ensuring.Lock()
	defer b.ensuring.Unlock()
	unfit := b.checkCaptures()
	if err := b.ensureJetStream(ctx); err != nil {
		return made, err
	}
	if made.Statuses, err = b.ensureStream(ctx, b.statusStream()); err != nil {
		return made, err
	}
	if made.Sessions, err = b.ensureStream(ctx, b.sessionStream()); err != nil {
		return made, err
	}
	if err = b.ensureConsumer(ctx); err != nil {
		return made, err
	}
	if made.Reset, err = b.keepConsumerBehind(ctx); err != nil {
		return made, err
	}
	b.findNested(ctx)
	if unfit == nil {
		unfit = b.captures.unfit()
	}
	return made, unfit
}

// ensureJetStream checks that JetStream is there. Nobody answers also while a
// cluster has trouble or the leaf connection to the domain is away, so this is only
// unfit before the first success and without a domain.
func (b *Bus) ensureJetStream(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	info, err := b.js.AccountInfo(ctx)
	switch {
	case err == nil:
		return b.checkDomain(info.Domain)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return &UnfitError{"JetStream", "it is switched off for this account", "enable JetStream for the account that the bridge connects with"}
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled) && b.conn.IsConnected() && b.opts.Domain == "" && b.StatusCreated().IsZero():
		return &UnfitError{"JetStream", "it is switched off at the NATS server", "start nats-server with --jetstream, or a configuration with jetstream {}"}
	}
	if b.opts.Domain != "" {
		return b.explain("ask for JetStream in domain "+b.opts.Domain, err)
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
	return made || known && !before.Equal(s.CachedInfo().Created), b.fits(want, s.CachedInfo().Config)
}

func (b *Bus) explainStream(want jetstream.StreamConfig, err error) error {
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return b.explain("make stream "+want.Name, err)
	}
	switch api.ErrorCode {
	case codeSubjectOverlap:
		return &UnfitError{
			"stream " + want.Name, fmt.Sprintf("its subjects %q overlap those of another stream", want.Subjects),
			"remove them from the other stream, or set BRIDGE_SUBJECT_PREFIX to a prefix that no other stream uses",
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
			"stream " + want.Name, "the account requires max bytes for every stream, and a full stream would stop all payments",
			"remove max_bytes_required from the account's JetStream limits",
		}
	}
	return b.explain("make stream "+want.Name, err)
}

// explain names the permission that the server refused, if it did: nats.go only
// sees a time-out.
func (b *Bus) explain(doing string, err error) error {
	// The refusal came while the call waited, which took all of callLimit.
	if refused := b.state.refusedWithin(2 * callLimit); refused != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)) {
		return &UnfitError{permissions, refused.Error(), grant}
	}
	return b.noted(fmt.Errorf("%s: %w", doing, err))
}

func (b *Bus) ensureConsumer(ctx context.Context) error {
	b.ahead.delivered = 0
	ctx, cancel := limit(ctx)
	defer cancel()
	name := b.consumerTitle()
	want := b.consumerConfig()
	c, err := b.js.Consumer(ctx, b.space.SessionStream(), consumerName)
	switch {
	case err == nil:
		got := c.CachedInfo()
		b.ahead.delivered = got.Delivered.Stream
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
			return &UnfitError{name, api.Description, "remove other consumers from the stream, and let the bridge create its own"}
		}
		return b.explain("make "+name, err)
	}
	if wrong := wrongSettings(c.CachedInfo().Config); len(wrong) > 0 {
		return &UnfitError{name, "it keeps " + strings.Join(wrong, ", "), remakeConsumer}
	}
	b.consumerMade.Store(true)
	return nil
}

// keepConsumerBehind sets a consumer that is ahead of the queue back to the first
// session. What some replica follows is delivered again, too, and left to its owner.
func (b *Bus) keepConsumerBehind(ctx context.Context) (reset bool, err error) {
	if b.ahead.delivered == 0 {
		return false, nil
	}
	ctx, cancel := limit(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, b.space.SessionStream()) // the consumer was asked before
	if err != nil {
		return false, b.explain("look at queue", err)
	}
	state := s.CachedInfo().State
	if b.ahead.delivered <= state.LastSeq {
		b.ahead.seen = 0
		return false, nil
	}
	if b.ahead.seen++; b.ahead.seen == 1 {
		return false, fmt.Errorf("%s: it is %d sessions ahead of its stream: new sessions are not delivered", b.consumerTitle(), b.ahead.delivered-state.LastSeq)
	}
	subject := b.apiSubject("CONSUMER.RESET", b.space.SessionStream(), consumerName)
	request := struct {
		Seq uint64 `json:"seq"`
	}{max(state.FirstSeq, 1)}
	if err := b.ask(ctx, subject, request, &struct{}{}); err != nil {
		return false, fmt.Errorf("%s: it is %d sessions ahead of its stream and cannot be reset (%w): new sessions are delivered late; %s",
			b.consumerTitle(), b.ahead.delivered-state.LastSeq, err, remakeConsumer)
	}
	b.ahead.seen = 0
	return true, nil
}

// StatusCreated is when the status stream was created, as of the last Ensure;
// the zero time before.
func (b *Bus) StatusCreated() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.created[b.space.StatusStream()]
}
