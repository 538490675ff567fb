package redact

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Secret is an API key or an events token. Formatted, marshalled or logged in
// any way it reads "[redacted]"; only Reveal gives the value away. The zero
// value is no secret at all.
type Secret struct {
	// value is behind a pointer because fmt cannot call methods on unexported
	// fields of other structs: there it prints an address instead of the value.
	value *string
}

// NewSecret wraps value; an empty value gives the zero Secret.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal returns the value. Use it where the value is sent or sealed, nowhere else.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero tells whether there is no secret.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal compares two secrets in time that does not depend on where they
// differ. Two zero secrets are equal.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// In tells whether the secret stands in a text. One that is too short to be told
// from other text does not.
func (s Secret) In(text string) bool {
	return len(s.Reveal()) >= minExact && strings.Contains(text, s.Reveal())
}

// Format implements fmt.Formatter for every verb and flag, %#v and %x included.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// String implements fmt.Stringer.
func (s Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return redacted }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary implements encoding.BinaryMarshaler, which gob uses too.
func (s Secret) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }

// MarshalYAML is what the YAML libraries ask for.
func (s Secret) MarshalYAML() (any, error) { return redacted, nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
