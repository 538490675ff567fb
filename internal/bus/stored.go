package bus

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/schema"
	"github.com/posbridge/bridge/subjects"
)

// Version is the format in which this release stores everything. A release also
// continues with what the next one writes, so that an update can be taken back:
// fields are only ever added, unknown ones are ignored. Anything newer gets ErrNewer.
// A release that adds a field counts Version up by one, see testdata.
const Version = 1

// readable reports whether this release may read what a version wrote.
func readable(version int) error {
	switch {
	case version > Version+1:
		return ErrNewer
	case version < 1:
		return errNoVersion
	}
	return nil
}

// Session is a start request in the work queue. The message is the lock of its
// terminal, and it never changes. Its NATS timestamp is when the request was
// accepted.
type Session struct {
	// Request is complete: every default is filled in.
	Request schema.StartRequest `json:"request"`
	// Hash of the request's content.
	Hash string `json:"hash"`
	// Nonce is unique, so that a publisher whose answer was lost recognises its own
	// session.
	Nonce string `json:"nonce"`
	// Group is the terminal group whose key is used for the whole payment.
	Group string `json:"group"`
	// Reply is the requester's inbox; empty: nobody waits.
	Reply string `json:"reply,omitempty"`
	// Deadline is until when the order may be put to the provider, by the server's
	// clock. It counts from the request, which may be long before the message.
	Deadline time.Time `json:"deadline,omitzero"`
	// StartedAt is when the request was queued for the first time, if this is not
	// the first time.
	StartedAt time.Time `json:"started_at,omitzero"`
	// Trace is the W3C trace context of the request.
	Trace map[string]string `json:"trace,omitempty"`
}

// Phase is how far the owner of a claim has come.
type Phase string

// The phases of a claim.
const (
	// PhaseCreating: the order may or may not exist at the provider.
	PhaseCreating Phase = "creating"
	// PhaseOpen: the order exists.
	PhaseOpen Phase = "open"
	// PhaseClosed: sessions up to Claim.QueueSeq are over without an order, and
	// Claim.Answer is why.
	PhaseClosed Phase = "closed"
)

// Claim is the record of an order by its owner. Only the last one is kept.
type Claim struct {
	// Replica is the owner's name for people.
	Replica string `json:"replica"`
	// Owner is the id of the owner's process, see AskReplica.
	Owner string `json:"owner"`
	// Epoch counts the owners of the order.
	Epoch uint64 `json:"epoch"`
	Phase Phase  `json:"phase"`
	// Group, Request, Hash, Nonce, Reply and Trace are those of the session: the
	// order can be created, and the session queued again, from the claim alone.
	Group   string              `json:"group"`
	Request schema.StartRequest `json:"request"`
	Hash    string              `json:"hash"`
	Nonce   string              `json:"nonce"`
	Reply   string              `json:"reply,omitempty"`
	Trace   map[string]string   `json:"trace,omitempty"`
	// SessionID and the sealed address of the event stream are the provider's;
	// empty until the order exists.
	SessionID string `json:"session_id,omitempty"`
	Sealed    []byte `json:"sealed,omitempty"`
	// QueueSeq is the session's sequence in the queue. Handle belongs to the
	// delivery of it, see InProgress; empty if the owner has none.
	QueueSeq  uint64    `json:"queue_seq"`
	Handle    string    `json:"handle,omitempty"`
	Amount    int64     `json:"amount"`
	Currency  string    `json:"currency"`
	StartedAt time.Time `json:"started_at"`
	Deadline  time.Time `json:"deadline"`
	UpdatedAt time.Time `json:"updated_at"`
	// Answer is what the requester is told, on a closed claim.
	Answer *schema.Error `json:"answer,omitempty"`
	// Ended are the nonces of earlier sessions of the order that ended without it:
	// a publish of one of them may still arrive.
	Ended []string `json:"ended,omitempty"`
}

// Status is a status event with its headers.
type Status struct {
	Event schema.StatusEvent
	// Hash of the start request, and the terminal group.
	Hash, Group string
	// Replica and Epoch of the owner that published it.
	Replica string
	Epoch   uint64
	// EventID is the id of the provider's event, empty when it had none.
	EventID string
	// StartedAt is when the start request was accepted.
	StartedAt time.Time
	// Trace is sent as the message's trace context; it is not read back.
	Trace map[string]string
	// Seq and At are the place in the stream and when it was stored. They are set
	// on what was read, and ignored on what is written.
	Seq uint64
	At  time.Time
}

// ID is the Nats-Msg-Id of the event.
func (s Status) ID() string {
	return s.Event.TerminalID + "." + subjects.OrderToken(s.Event.OrderID) + "." + strconv.FormatUint(s.Event.Sequence, 10)
}

// Headers of a status message besides those of the contract.
const (
	headerVersion   = "Bridge-Version"
	headerHash      = "Bridge-Request-Hash"
	headerGroup     = "Bridge-Group"
	headerReplica   = "Bridge-Replica"
	headerEpoch     = "Bridge-Epoch"
	headerStartedAt = "Bridge-Started-At"
	headerEventID   = "Bridge-Event-Id"
)

// writtenVersion is Version as a header has it.
var writtenVersion = strconv.Itoa(Version)

// versionOf is the version of a message that carries it in its header. Statuses had
// none before version 1, and are read like those of version 1.
func versionOf(h nats.Header) (int, error) {
	text := h.Get(headerVersion)
	if text == "" {
		return 1, nil
	}
	version, err := strconv.Atoi(text)
	if err != nil {
		return 0, errNoVersion
	}
	return version, nil
}

// headers builds a message header with few allocations.
type headers struct {
	header nats.Header
	values []string
}

// statusHeaders is about how many headers a status message has.
const statusHeaders = 20

func newHeaders() headers {
	return headers{make(nats.Header, statusHeaders), make([]string, 0, statusHeaders)}
}

func (h *headers) set(key, value string) {
	h.values = append(h.values, value)
	n := len(h.values)
	h.header[key] = h.values[n-1 : n : n]
}

// statusMessage is a status without subject and expectation.
func statusMessage(source string, s Status) (*nats.Msg, headers, error) {
	body, err := json.Marshal(s.Event)
	if err != nil {
		return nil, headers{}, fmt.Errorf("write status event: %w", err)
	}
	h, id := newHeaders(), s.ID()
	for k, v := range s.Trace {
		h.set(strings.ToLower(k), v)
	}
	h.set(jetstream.MsgIDHeader, id)
	h.set("ce-specversion", "1.0")
	h.set("ce-id", id)
	h.set("ce-source", source+s.Event.TerminalID)
	h.set("ce-type", schema.CloudEventType)
	h.set("ce-subject", s.Event.OrderID)
	h.set("ce-time", s.Event.ObservedAt.Format(time.RFC3339Nano))
	h.set("content-type", "application/json")
	h.set(headerVersion, writtenVersion)
	h.set(headerHash, s.Hash)
	h.set(headerGroup, s.Group)
	h.set(headerReplica, s.Replica)
	h.set(headerEpoch, strconv.FormatUint(s.Epoch, 10))
	h.set(headerStartedAt, s.StartedAt.Format(time.RFC3339Nano))
	if s.EventID != "" {
		h.set(headerEventID, s.EventID)
	}
	return &nats.Msg{Header: h.header, Data: body}, h, nil
}

func readStatus(m stored) (Status, error) {
	s := Status{
		Hash: m.Header.Get(headerHash), Group: m.Header.Get(headerGroup), Replica: m.Header.Get(headerReplica),
		EventID: m.Header.Get(headerEventID), Seq: m.Seq, At: m.At,
	}
	version, err := versionOf(m.Header)
	if err == nil {
		err = readable(version)
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &s.Event)
	}
	if err != nil {
		return Status{}, fmt.Errorf("read status %d on %s: %w", m.Seq, m.Subject, err)
	}
	if s.Epoch, err = strconv.ParseUint(m.Header.Get(headerEpoch), 10, 64); err == nil {
		s.StartedAt, err = time.Parse(time.RFC3339Nano, m.Header.Get(headerStartedAt))
	}
	if err != nil {
		return Status{}, fmt.Errorf("read headers of status %d on %s: %w", m.Seq, m.Subject, err)
	}
	return s, nil
}

// readVersioned reads a session or a claim.
func readVersioned[T any](m stored) (T, error) {
	var (
		content T
		version struct {
			V int `json:"v"`
		}
	)
	err := json.Unmarshal(m.Data, &version)
	if err == nil {
		err = readable(version.V)
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &content)
	}
	if err != nil {
		return content, fmt.Errorf("read message %d on %s: %w", m.Seq, m.Subject, err)
	}
	return content, nil
}

// stored is a message as a stream has it.
type stored struct {
	Subject string
	Seq     uint64
	Header  nats.Header
	Data    []byte
	At      time.Time
}
