package terminalgroups

import (
	"errors"

	"github.com/posbridge/bridge/internal/redact"
)

// DefaultID is the id of the group that Single makes.
const DefaultID = "default"

// ErrUnknownTerminal means that no group's key serves the terminal, and that
// every group that had to be asked did answer.
var ErrUnknownTerminal = errors.New("no terminal group serves this terminal")

// Group is a terminal group: its terminals are served by its key.
type Group struct {
	// ID is the name that the file gives the group; it may be the provider's number.
	ID  string
	Key redact.Secret
}
