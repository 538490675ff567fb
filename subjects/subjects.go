// Package subjects builds and parses the NATS subjects of the bridge.
//
// Ids from outside are checked before they become part of a subject, and an order
// is written as one token. The package is pure and uses the standard library only,
// so that any Go user of the bus can import it.
//
// # Ids that look like words of a subject
//
// A terminal may be called "payment" or "_replica", and an order may be called
// "payment" or "journal". Two subjects still never collide, because they differ in
// their number of tokens or in the last one:
//
//	pos.payment.start           a command; its last token is one of Commands
//	pos.payment.session         the queued session of terminal "payment"
//	pos._replica.f81d4fae       a process of the bridge; none is called "session"
//	pos._replica.session        the queued session of terminal "_replica"
//	pos.T1.payment.start        a command of terminal T1
//	pos.T1.payment.status       a status of order "payment"; no command is called so
//	pos.T1.A.journal.status     what the bridge publishes; five tokens
//
// NATS permissions must therefore name the last token. A client that may publish
// on pos.payment.* may write the session of terminal "payment", and one that may
// publish on pos.T1.payment.* may forge a status of order "payment". The users in
// deploy/nats name each command.
package subjects

import (
	"errors"
	"fmt"
	"strings"
)

// DefaultPrefix is the first token of every subject unless the bridge was
// started with another BRIDGE_SUBJECT_PREFIX.
const DefaultPrefix = "pos"

// Longest ids that are accepted, in characters. The order's limit is the
// provider's. The terminal's is the bridge's own: long enough for a UUID.
const (
	MaxTerminalLength = 36
	MaxOrderLength    = 50
)

// Kind is the last token of a subject that belongs to one order.
type Kind string

// The kinds of message that are published per order.
const (
	// Status is what everybody subscribes to.
	Status Kind = "status"
	// Invalid contains an event of the provider that the bridge could not understand.
	Invalid Kind = "invalid"
	// Claim is the bridge's own record of an order: which replica owns it.
	Claim Kind = "claim"
	// Journal is the token before the kind on the subjects that the bridge
	// publishes on, see Space.Journal. Nobody else may publish there, and nobody
	// needs to subscribe.
	Journal Kind = "journal"
)

// Command is the last token of a command's subject.
type Command string

// The commands of the bridge.
const (
	Start  Command = "start"
	Cancel Command = "cancel"
	Get    Command = "get"
	// List has no subject that is bound to a terminal.
	List Command = "list"
	// Receipt asks for what the provider has for a printed receipt.
	Receipt Command = "receipt"
)

// Commands lists every command.
func Commands() []Command { return []Command{Start, Cancel, Get, List, Receipt} }

// Errors of this package. They never contain the refused value, because it may be
// anything; some are wrapped with its length.
var (
	ErrTerminal = errors.New("terminal must be 1 to 36 characters of A-Z a-z 0-9 _ -")
	ErrOrder    = errors.New("order must be 1 to 50 characters of A-Z a-z 0-9 . _ / -")
	ErrPrefix   = errors.New("prefix must be tokens of A-Z a-z 0-9 _ - separated by single dots, at most 64 characters")
	ErrSubject  = errors.New("not a subject of the bridge")
	ErrReplica  = errors.New("replica must be 1 to 36 characters of A-Z a-z 0-9 _ -, and not \"session\"")
)

// CheckTerminal returns ErrTerminal unless id may be used as a terminal id.
func CheckTerminal(id string) error {
	if len(id) == 0 || len(id) > MaxTerminalLength || !all(id, isTokenByte) {
		return ErrTerminal
	}
	return nil
}

// CheckOrder returns ErrOrder unless id may be used as an order id.
func CheckOrder(id string) error {
	if len(id) == 0 || len(id) > MaxOrderLength || !all(id, isOrderByte) {
		return ErrOrder
	}
	return nil
}

// CheckPrefix returns ErrPrefix unless p can be the prefix of every subject.
func CheckPrefix(p string) error {
	if len(p) == 0 || len(p) > 64 {
		return ErrPrefix
	}
	for token := range strings.SplitSeq(p, ".") {
		if token == "" || !all(token, isTokenByte) {
			return ErrPrefix
		}
	}
	return nil
}

// OrderToken writes an order id as one subject token: letters, digits, "-" and
// "_" stand for themselves, "." is written "%2E" and "/" is written "%2F".
// The id must have passed CheckOrder.
func OrderToken(order string) string {
	return orderEscaper.Replace(order)
}

// ParseOrderToken is the inverse of OrderToken. It accepts nothing that
// OrderToken would not have written.
func ParseOrderToken(token string) (string, error) {
	order := orderUnescaper.Replace(token)
	if err := CheckOrder(order); err != nil {
		return "", fmt.Errorf("order token of %d bytes: %w", len(token), err)
	}
	if OrderToken(order) != token {
		return "", fmt.Errorf("order token of %d bytes is not in its one written form: %w", len(token), ErrOrder)
	}
	return order, nil
}

var (
	orderEscaper   = strings.NewReplacer(".", "%2E", "/", "%2F")
	orderUnescaper = strings.NewReplacer("%2E", ".", "%2F", "/")
)

// Space is the set of subjects below one prefix. The zero value is not usable;
// make one with New.
type Space struct{ prefix string }

// New returns the subjects below prefix.
func New(prefix string) (Space, error) {
	if err := CheckPrefix(prefix); err != nil {
		return Space{}, err
	}
	return Space{prefix: prefix}, nil
}

// Default is the space below DefaultPrefix.
func Default() Space { return Space{prefix: DefaultPrefix} }

// Prefix returns the first token(s) of every subject of the space.
func (s Space) Prefix() string { return s.prefix }

// Of returns the subject of one order's messages of a kind, for example
// "pos.T1.INV%2F7.status". Terminal and order are checked.
func (s Space) Of(terminal, order string, kind Kind) (string, error) {
	if err := CheckTerminal(terminal); err != nil {
		return "", err
	}
	if err := CheckOrder(order); err != nil {
		return "", err
	}
	return s.prefix + "." + terminal + "." + OrderToken(order) + "." + string(kind), nil
}

// Parse takes a subject of one order apart. It fails with ErrSubject, ErrTerminal
// or ErrOrder for anything that Of would not have built.
func (s Space) Parse(subject string) (terminal, order string, kind Kind, err error) {
	rest, ok := strings.CutPrefix(subject, s.prefix+".")
	tokens := strings.Split(rest, ".")
	if !ok || len(tokens) != 3 {
		return "", "", "", ErrSubject
	}
	switch kind = Kind(tokens[2]); kind {
	case Status, Invalid, Claim, Journal:
	default:
		return "", "", "", ErrSubject
	}
	if err := CheckTerminal(tokens[0]); err != nil {
		return "", "", "", err
	}
	order, err = ParseOrderToken(tokens[1])
	if err != nil {
		return "", "", "", err
	}
	return tokens[0], order, kind, nil
}

// All returns the wildcard subject of every order's messages of a kind.
func (s Space) All(kind Kind) string { return s.prefix + ".*.*." + string(kind) }

// Journal returns the subject on which the bridge publishes an order's message of
// a kind. The status stream stores and republishes the message on the subject
// that Of returns.
func (s Space) Journal(terminal, order string, kind Kind) (string, error) {
	return s.Of(terminal, order, Journal+"."+kind)
}

// AllJournals returns the wildcard subject of everything that Journal returns.
func (s Space) AllJournals() string { return s.prefix + ".*.*." + string(Journal) + ".*" }

// Log returns the wildcard subject of everything that is stored about one order.
func (s Space) Log(terminal, order string) (string, error) { return s.Of(terminal, order, "*") }

// AllLogs returns the wildcard subject of everything that is stored about orders.
func (s Space) AllLogs() string { return s.All("*") }

// Replica returns the subject on which one process of the bridge answers the
// others. The id is checked like a terminal's and must not be "session", because
// the queue takes that token.
func (s Space) Replica(id string) (string, error) {
	if CheckTerminal(id) != nil || id == "session" {
		return "", ErrReplica
	}
	return s.prefix + "._replica." + id, nil
}

// OfTerminal returns the wildcard subject of one terminal's messages of a kind.
func (s Space) OfTerminal(terminal string, kind Kind) (string, error) {
	if err := CheckTerminal(terminal); err != nil {
		return "", err
	}
	return s.prefix + "." + terminal + ".*." + string(kind), nil
}

// Command returns the subject on which any replica answers a command.
func (s Space) Command(c Command) string { return s.prefix + ".payment." + string(c) }

// TerminalCommand returns the subject of a command that is bound to one terminal.
// List is not bound to one: nobody answers there.
func (s Space) TerminalCommand(terminal string, c Command) (string, error) {
	if err := CheckTerminal(terminal); err != nil {
		return "", err
	}
	return s.prefix + "." + terminal + ".payment." + string(c), nil
}

// AllTerminalCommands returns the wildcard subject of a command on every terminal,
// on which the bridge listens. There is none for List.
func (s Space) AllTerminalCommands(c Command) string { return s.prefix + ".*.payment." + string(c) }

// CommandTerminal returns the terminal that a command's subject is bound to;
// bound is false for the subjects of Command.
func (s Space) CommandTerminal(subject string) (terminal string, bound bool, err error) {
	rest, ok := strings.CutPrefix(subject, s.prefix+".")
	tokens := strings.Split(rest, ".")
	switch {
	case ok && len(tokens) == 2 && tokens[0] == "payment":
		return "", false, nil
	case ok && len(tokens) == 3 && tokens[1] == "payment":
		return tokens[0], true, CheckTerminal(tokens[0])
	}
	return "", false, ErrSubject
}

// Session returns the subject under which a terminal's open session is queued.
func (s Space) Session(terminal string) (string, error) {
	if err := CheckTerminal(terminal); err != nil {
		return "", err
	}
	return s.prefix + "." + terminal + ".session", nil
}

// AllSessions returns the wildcard subject of the session queue.
func (s Space) AllSessions() string { return s.prefix + ".*.session" }

// Names of the JetStream objects that belong to the space.

// StatusStream is the stream that stores every status, POS_STATUS by default.
func (s Space) StatusStream() string { return strings.ToUpper(s.flat()) + "_STATUS" }

// SessionStream is the work queue of open sessions, POS_SESSIONS by default.
func (s Space) SessionStream() string { return strings.ToUpper(s.flat()) + "_SESSIONS" }

func (s Space) flat() string { return strings.ReplaceAll(s.prefix, ".", "_") }

func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

func isOrderByte(c byte) bool { return isTokenByte(c) || c == '.' || c == '/' }

func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}
