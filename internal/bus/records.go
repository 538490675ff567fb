package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/schema"
)

// Phase is how far a session has come.
type Phase string

// The phases of a session.
const (
	// Creating: a replica may have asked the provider for the order.
	Creating Phase = "creating"
	// Open: the order exists at the provider.
	Open Phase = "open"
	// Refused: a definite no; nothing exists. The session is about to go.
	Refused Phase = "refused"
)

// Record is what is known of a terminal's open session beyond its immutable
// message: who follows it and how far it has come. Writing it with the revision
// that was read is how a replica claims a session.
type Record struct {
	// Seq is the session's place in the queue; a record with another Seq
	// belongs to a session that is gone.
	Seq   uint64 `json:"seq"`
	Order string `json:"order_id"`
	Hash  string `json:"hash"`
	Phase Phase  `json:"phase"`
	// Replica follows the session, since its Epoch-th claim.
	Replica string `json:"replica"`
	Epoch   uint64 `json:"epoch"`
	// Answered is set once the requester has been sent an answer.
	Answered bool `json:"answered,omitempty"`
	// Error is the answer of a refused session.
	Error *schema.Error `json:"error,omitempty"`
	// SessionID is the provider's, empty while unknown.
	SessionID string `json:"session_id,omitempty"`
	// Group is the terminal group whose key made the order and sealed the stream.
	Group string `json:"group,omitempty"`
	// Sealed holds the event stream's address and token, encrypted.
	Sealed []byte `json:"sealed,omitempty"`
	// Amount and Currency of the request, for those who look.
	Amount    int64     `json:"amount"`
	Currency  string    `json:"currency"`
	StartedAt time.Time `json:"started_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Status and the next fields repeat the last status event for those who
	// look. Nothing is decided by them.
	Status          string `json:"status,omitempty"`
	FinancialStatus string `json:"financial_status,omitempty"`
	TransactionID   string `json:"transaction_id,omitempty"`
	Final           bool   `json:"final,omitempty"`
	Sequence        uint64 `json:"sequence,omitempty"`
	// Stream is connected, reconnecting or polling.
	Stream string `json:"stream,omitempty"`
	// CancelAskedAt is set by the replica that put a cancel to the provider;
	// the follower then asks for the order instead of waiting for silence.
	CancelAskedAt time.Time `json:"cancel_asked_at,omitzero"`
	// Seen is what the follower was shown while it holds back for the replica before,
	// in order: it is published by nobody yet, and whoever takes the session over
	// goes on with it. Empty at all other times.
	Seen []Seen `json:"seen,omitempty"`
	// SeenAfter is the place in the status stream of the order's last status as the
	// follower knew it then, 0 when there was none.
	SeenAfter uint64 `json:"seen_after,omitempty"`
	// Format is 0 unless a newer version has written it, see Newer.
	Format int `json:"format,omitempty"`

	rest rest
}

// Newer reports whether the record is of a format that this version does not
// know: what was read of it may be anything.
func (r Record) Newer() bool { return r.Format > format }

// UnmarshalJSON keeps what this version does not know.
func (r *Record) UnmarshalJSON(data []byte) (err error) {
	type plain Record
	r.rest, err = readWithRest(data, (*plain)(r))
	return err
}

// MarshalJSON writes what a newer version wrote, too.
func (r Record) MarshalJSON() ([]byte, error) {
	type plain Record
	return writeWithRest(plain(r), r.rest)
}

// Seen is a status that the event stream showed to a follower.
type Seen struct {
	Status          string `json:"status"`
	FinancialStatus string `json:"financial_status,omitempty"`
	TransactionID   string `json:"transaction_id,omitempty"`
	SessionID       string `json:"session_id,omitempty"`
	// At is when it was read, NotBefore the earliest time at which it can have
	// been shown, by the bus's clock.
	At        time.Time `json:"at"`
	NotBefore time.Time `json:"not_before"`
	// Opening is true when it may be what the server sent on connecting.
	Opening bool `json:"opening,omitempty"`
}

// RecordChange is one step of a terminal's record.
type RecordChange struct {
	Terminal string
	// Record is nil when it was deleted.
	Record *Record
	// Revision counts all writes of the bucket.
	Revision uint64
}

// Record reads a terminal's record from the bucket's leader. ErrNotFound: there
// is none, or one that no bridge has written; revision is then what PutRecord
// wants for the first write. One that is Newer is told as far as it can be read.
func (b *Bus) Record(ctx context.Context, terminal string) (r Record, revision uint64, err error) {
	msg, header, err := b.lastOf(ctx, b.bucketStream(), b.recordSubject(terminal))
	if err != nil {
		return Record{}, 0, err
	}
	if header.Get(jetstreamKVOperation) != "" {
		return Record{}, msg.Seq, ErrNotFound
	}
	if err := json.Unmarshal(msg.Data, &r); err != nil && !r.Newer() {
		return Record{}, msg.Seq, fmt.Errorf("read record of terminal %s: %w: %w", terminal, ErrNotFound, err)
	}
	return r, msg.Seq, nil
}

// jetstreamKVOperation marks a deleted key's last message.
const jetstreamKVOperation = "KV-Operation"

// PutRecord writes a terminal's record if its revision is still the one given.
// ErrConflict: it is not, or this very write arrived before. Any other error
// leaves it unknown whether it was written; ErrNewer: it is not this version's to
// change.
func (b *Bus) PutRecord(ctx context.Context, terminal string, r Record, revision uint64) (uint64, error) {
	if r.Newer() {
		return 0, ErrNewer
	}
	body, err := json.Marshal(r)
	if err != nil {
		return 0, fmt.Errorf("write record: %w", err)
	}
	return b.writeRecord(ctx, terminal, nil, body, revision)
}

// DeleteRecord removes a terminal's record if its revision is still the one
// given. Its errors are those of PutRecord.
func (b *Bus) DeleteRecord(ctx context.Context, terminal string, revision uint64) error {
	_, err := b.writeRecord(ctx, terminal, nats.Header{jetstreamKVOperation: {"DEL"}}, nil, revision)
	return err
}

func (b *Bus) writeRecord(ctx context.Context, terminal string, header nats.Header, body []byte, revision uint64) (uint64, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	msg := &nats.Msg{Subject: b.recordSubject(terminal), Header: header, Data: body}
	ack, err := b.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(revision))
	if isConflict(err) {
		return 0, ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("write record of terminal %s: %w", terminal, err)
	}
	return ack.Sequence, nil
}

// WatchRecords tells every change of every record, beginning with what is
// there, until ctx is over or the watch breaks. ready is called once, after
// what was there has been told. It may lag seconds behind in bad weather: it is
// for looking and for hints, not for deciding.
func (b *Bus) WatchRecords(ctx context.Context, change func(RecordChange), ready func()) error {
	kv, err := b.js.KeyValue(ctx, b.space.SessionBucket())
	if err != nil {
		return fmt.Errorf("watch records: %w", err)
	}
	watcher, err := kv.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch records: %w", err)
	}
	defer func() { _ = watcher.Stop() }() // fails only when it has stopped already
	for {
		select {
		case <-ctx.Done():
			return nil
		case entry, open := <-watcher.Updates():
			if !open {
				return fmt.Errorf("watch records: %w", errWatchEnded)
			}
			if entry == nil {
				ready()
				continue
			}
			c := RecordChange{Terminal: entry.Key(), Revision: entry.Revision()}
			if entry.Operation() == jetstream.KeyValuePut {
				var r Record
				if json.Unmarshal(entry.Value(), &r) == nil || r.Newer() { // else not written by a bridge: there is no record
					c.Record = &r
				}
			}
			change(c)
		}
	}
}

var errWatchEnded = errors.New("the watch ended")

// RecordsRevision returns the revision of the latest write of any record, as
// the bucket's leader has it. A watcher that has seen it has seen everything
// written before.
func (b *Bus) RecordsRevision(ctx context.Context) (uint64, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, b.bucketStream())
	if err != nil {
		return 0, fmt.Errorf("look at bucket %s: %w", b.space.SessionBucket(), err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

func (b *Bus) recordSubject(terminal string) string {
	return "$KV." + b.space.SessionBucket() + "." + terminal
}

func isGone(err error) bool {
	return errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) ||
		errors.Is(err, jetstream.ErrStreamNotFound)
}
