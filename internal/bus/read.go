package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/subjects"
)

const (
	// page is how many messages one request reads.
	page = 1000
	// maxLog bounds how many messages of one order are read. An order has a handful;
	// a provider that sends nonsense may fill its log with invalid events.
	maxLog = 20 * page
	// kinds is more than the kinds of messages that an order has.
	kinds = 15
	// copyReads is how often a copy that lags is asked again.
	copyReads = 3
)

// ReadLog reads an order's log as the leader of the stream has it: the last claim
// and, with all, every status, otherwise the last one. A message that the bridge
// cannot have written is skipped, but counts for Log.Last. ErrNewer: a later
// release owns the order.
func (b *Bus) ReadLog(ctx context.Context, terminal, order string, all bool) (payment.Log, error) {
	now, err := b.statusInfo(ctx)
	if err != nil {
		return payment.Log{}, err
	}
	return b.readLog(ctx, terminal, order, all, now.Created, b.readLeader)
}

// ReadLogFast reads like ReadLog, in one request that any copy of the stream may
// answer. A copy may lag: a publish under its Log.Last may get ErrConflict.
// Log.Created is as of the last Ensure.
func (b *Bus) ReadLogFast(ctx context.Context, terminal, order string, all bool) (payment.Log, error) {
	return b.readLog(ctx, terminal, order, all, b.StatusCreated(), b.readCopy)
}

// reader returns an order's messages in the order of the stream: all, or the last
// one of each kind.
type reader func(ctx context.Context, filter string, all bool) ([]jetstream.RawStreamMsg, error)

func (b *Bus) readLog(ctx context.Context, terminal, order string, all bool, created time.Time, read reader) (payment.Log, error) {
	filter, err := b.space.Log(terminal, order)
	if err != nil {
		return payment.Log{}, err
	}
	messages, err := read(ctx, filter, all)
	if err != nil {
		return payment.Log{}, err
	}
	log, clean, err := newLog(messages)
	if err == nil && !clean && !all {
		// Somebody else wrote on the order's subjects: look behind it.
		if messages, err = read(ctx, filter, true); err == nil {
			log, _, err = newLog(messages)
		}
	}
	if err != nil {
		return payment.Log{}, err
	}
	if n := len(log.Statuses); !all && n > 1 {
		log.Statuses = log.Statuses[n-1:]
	}
	log.Created = created
	return log, nil
}

// newLog sorts the messages of one order. clean is false if it skipped one.
func newLog(messages []jetstream.RawStreamMsg) (log payment.Log, clean bool, err error) {
	clean = true
	for _, m := range messages {
		log.Last = max(log.Last, m.Sequence)
		claim, status, err := readRecord(m)
		switch {
		case errors.Is(err, ErrNewer):
			return payment.Log{}, false, err
		case err != nil:
			clean = false
		case claim != nil:
			log.Claim = claim
		case status != nil:
			log.Statuses = append(log.Statuses, *status)
		}
	}
	return log, clean, nil
}

// readLeader reads what readCopy reads, and makes certain that the leader of the
// stream has nothing else. A copy applies the leader's messages in their order, so
// a copy that has the leader's last message of an order has the whole order.
func (b *Bus) readLeader(ctx context.Context, filter string, all bool) ([]jetstream.RawStreamMsg, error) {
	for range copyReads {
		messages, copyErr := b.readCopy(ctx, filter, all)
		last, err := b.getMessage(ctx, b.space.StatusStream(), messageRequest{LastFor: filter})
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if copyErr != nil {
			break
		}
		if n := len(messages); n > 0 && messages[n-1].Sequence == last.Sequence {
			return messages, nil
		}
	}
	return b.readOneByOne(ctx, filter)
}

// readOneByOne reads all messages of an order from the leader of the stream.
func (b *Bus) readOneByOne(ctx context.Context, filter string) (messages []jetstream.RawStreamMsg, err error) {
	for seq := uint64(0); len(messages) < maxLog; {
		m, err := b.getMessage(ctx, b.space.StatusStream(), messageRequest{NextFor: filter, Seq: seq})
		if errors.Is(err, ErrNotFound) {
			return messages, nil
		}
		if err != nil {
			return nil, err
		}
		messages, seq = append(messages, m), m.Sequence+1
	}
	return nil, errTooLong
}

// errTooLong: nobody can write an order's log without having read it to its end.
var errTooLong = fmt.Errorf("the log of the order has more than %d messages", maxLog)

// messageRequest is a request to the message get and direct get APIs.
type messageRequest struct {
	LastFor string   `json:"last_by_subj,omitempty"`
	NextFor string   `json:"next_by_subj,omitempty"`
	Seq     uint64   `json:"seq,omitempty"`
	Multi   []string `json:"multi_last,omitempty"`
	Batch   int      `json:"batch,omitempty"`
}

// getMessage reads one message from the leader of a stream, or returns ErrNotFound.
func (b *Bus) getMessage(ctx context.Context, stream string, r messageRequest) (jetstream.RawStreamMsg, error) {
	var answer struct {
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := b.ask(ctx, b.apiSubject("STREAM.MSG.GET", stream), r, &answer); err != nil {
		return jetstream.RawStreamMsg{}, err
	}
	got := answer.Message
	m := jetstream.RawStreamMsg{Subject: got.Subject, Sequence: got.Seq, Data: got.Data, Time: got.Time}
	if len(got.Header) > 0 {
		var err error
		if m.Header, err = nats.DecodeHeadersMsg(got.Header); err != nil {
			return jetstream.RawStreamMsg{}, fmt.Errorf("read header of message %d on %s: %w", m.Sequence, m.Subject, err)
		}
	}
	return m, nil
}

// readCopy reads an order's messages from any copy of the stream, in the order of
// the stream: all of them, or the last one of each kind. github.com/synadia-io/orbit.go
// has these requests too, but does not send them to the right subject in a domain.
func (b *Bus) readCopy(ctx context.Context, filter string, all bool) (messages []jetstream.RawStreamMsg, err error) {
	if !all {
		return b.readDirect(ctx, messageRequest{Multi: []string{filter}})
	}
	for next := uint64(0); len(messages) < maxLog; {
		more, err := b.readDirect(ctx, messageRequest{NextFor: filter, Seq: next, Batch: page})
		messages = append(messages, more...)
		if err != nil || len(more) < page {
			return messages, err
		}
		next = more[page-1].Sequence + 1
	}
	return nil, errTooLong
}

// readDirect reads messages with the direct get API.
func (b *Bus) readDirect(ctx context.Context, request messageRequest) (messages []jetstream.RawStreamMsg, err error) {
	most := max(request.Batch, kinds) + 1 // and one that ends the answer
	err = b.askMany(ctx, b.apiSubject("DIRECT.GET", b.space.StatusStream()), request, most, func(msg *nats.Msg) (more bool, err error) {
		switch msg.Header.Get("Status") {
		case "204", "404": // the end; nothing at all
			return false, nil
		case "":
			m, err := directMessage(msg)
			messages = append(messages, m)
			return err == nil, err
		}
		return false, fmt.Errorf("%w %s %s", errAnswer, msg.Header.Get("Status"), msg.Header.Get("Description"))
	})
	return messages, err
}

// directMessage reads a message in the form of the direct get API.
func directMessage(msg *nats.Msg) (jetstream.RawStreamMsg, error) {
	m := jetstream.RawStreamMsg{Subject: msg.Header.Get(jetstream.SubjectHeader), Header: msg.Header, Data: msg.Data}
	var err error
	if m.Sequence, err = strconv.ParseUint(msg.Header.Get(jetstream.SequenceHeader), 10, 64); err == nil {
		m.Time, err = time.Parse(time.RFC3339Nano, msg.Header.Get(jetstream.TimeStampHeaer))
	}
	if err != nil {
		return m, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return m, nil
}

// errAnswer is an answer of JetStream that does not fit the request.
var errAnswer = errors.New("unexpected answer of JetStream")

// TerminalOf returns the terminal on which an order last had a status, or else a
// claim; ErrNotFound if it has neither.
func (b *Bus) TerminalOf(ctx context.Context, order string) (terminal string, err error) {
	if err := subjects.CheckOrder(order); err != nil {
		return "", err
	}
	for _, kind := range []subjects.Kind{subjects.Status, subjects.Claim} {
		filter := b.space.Prefix() + ".*." + subjects.OrderToken(order) + "." + string(kind)
		m, err := b.getMessage(ctx, b.space.StatusStream(), messageRequest{LastFor: filter})
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return "", err
		}
		terminal, _, _, err = b.space.Parse(m.Subject)
		return terminal, err
	}
	return "", ErrNotFound
}

// LastSeq is the sequence of the last message in the status stream.
func (b *Bus) LastSeq(ctx context.Context) (uint64, error) {
	now, err := b.statusInfo(ctx)
	if err != nil {
		return 0, err
	}
	return now.State.LastSeq, nil
}

// statusInfo asks how the status stream is.
func (b *Bus) statusInfo(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, b.space.StatusStream())
	if err != nil {
		return nil, b.noted(fmt.Errorf("look at stream %s: %w", b.space.StatusStream(), err))
	}
	return s.CachedInfo(), nil
}
