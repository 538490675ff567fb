package bus

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/payment"
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

// sessionMessage is a session as the work queue stores it. The message is the lock of
// its terminal, and it never changes. Its NATS timestamp is when it was queued.
type sessionMessage struct {
	V int `json:"v"`
	payment.Session
}

// claimMessage is a claim as the log stores it: flat, with amount and currency on its own
// level.
type claimMessage struct {
	V int `json:"v"`
	payment.Claim
	payment.Session
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// messageID is the Nats-Msg-Id of a status.
func messageID(s payment.Status) string {
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
func statusMessage(source string, s payment.Status) (*nats.Msg, headers, error) {
	body, err := json.Marshal(s.Event)
	if err != nil {
		return nil, headers{}, fmt.Errorf("write status event: %w", err)
	}
	h, id := newHeaders(), messageID(s)
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

func readStatus(m jetstream.RawStreamMsg) (*payment.Status, error) {
	s := &payment.Status{
		Hash: m.Header.Get(headerHash), Group: m.Header.Get(headerGroup), Replica: m.Header.Get(headerReplica),
		EventID: m.Header.Get(headerEventID), Seq: m.Sequence, At: m.Time,
	}
	version, err := versionOf(m.Header)
	if err == nil {
		err = readable(version)
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &s.Event)
	}
	if err != nil {
		return nil, fmt.Errorf("read status %d on %s: %w", m.Sequence, m.Subject, err)
	}
	if s.Epoch, err = strconv.ParseUint(m.Header.Get(headerEpoch), 10, 64); err == nil {
		s.StartedAt, err = time.Parse(time.RFC3339Nano, m.Header.Get(headerStartedAt))
	}
	if err != nil {
		return nil, fmt.Errorf("read headers of status %d on %s: %w", m.Sequence, m.Subject, err)
	}
	return s, nil
}

// readRecord reads a message of an order's log. An invalid event is none of the two.
func readRecord(m jetstream.RawStreamMsg) (claim *payment.Claim, status *payment.Status, err error) {
	switch kind := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]; subjects.Kind(kind) {
	case subjects.Claim:
		claim, err = readClaim(m)
	case subjects.Status:
		status, err = readStatus(m)
	}
	return claim, status, err
}

func readClaim(m jetstream.RawStreamMsg) (*payment.Claim, error) {
	content, err := readVersioned[claimMessage](m)
	if err != nil {
		return nil, err
	}
	content.Claim.Session = content.Session
	return &content.Claim, nil
}

// readVersioned reads a message that has its version in its body.
func readVersioned[T any](m jetstream.RawStreamMsg) (content T, err error) {
	var version struct {
		V int `json:"v"`
	}
	if err = json.Unmarshal(m.Data, &version); err == nil {
		err = readable(version.V)
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &content)
	}
	if err != nil {
		return content, fmt.Errorf("read message %d on %s: %w", m.Sequence, m.Subject, err)
	}
	return content, nil
}
