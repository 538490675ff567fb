package multisafepay

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/posbridge/bridge/internal/redact"
)

// Bounds of a stream's URL and token, in bytes; longer ones are not usable.
const (
	maxToken     = 8 << 10
	maxStreamURL = 2 << 10
)

// Stream is where an order's events come from. The zero value is no stream.
type Stream struct {
	// URL is the same for every order.
	URL string
	// Token says whose events come. It expires, see Expires.
	Token redact.Secret
}

// IsZero tells whether there is no stream to follow.
func (s Stream) IsZero() bool { return s.URL == "" || s.Token.IsZero() }

// Expires returns when the token says that it expires; zero when it does not say.
// While it is valid, a refusal may pass. Nobody has verified the token: this is
// good for deciding how long to try, for nothing else.
func (s Stream) Expires() time.Time {
	parts := strings.Split(strings.Join(strings.Fields(s.Token.Reveal()), ""), ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var raw struct {
		Exp json.RawMessage `json:"exp"`
	}
	if err != nil || json.Unmarshal(claims, &raw) != nil {
		return time.Time{}
	}
	seconds, ok := integer(raw.Exp)
	if !ok || seconds <= 0 || seconds > maxExpiry {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// maxExpiry is the last second of the year 9999.
const maxExpiry = 253402300799

// newStream returns the zero Stream when URL or token cannot be used. White space
// around them is none of theirs; within the token it may be, as in the one that
// the provider's page shows.
func newStream(rawURL, token string) Stream {
	rawURL, token = strings.Trim(rawURL, around), strings.Trim(token, around)
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || len(rawURL) > maxStreamURL || !sendable(token) {
		return Stream{}
	}
	return Stream{URL: rawURL, Token: redact.NewSecret(token)}
}

// around is the white space that is taken off a stream's URL and token.
const around = " \t\r\n"

// sendable tells whether a token can stand in a header: visible ASCII, blanks
// and tabs within, not too long.
func sendable(token string) bool {
	return token != "" && len(token) <= maxToken && strings.Trim(token, " \t") == token &&
		!strings.ContainsFunc(token, func(r rune) bool { return r != '\t' && (r < ' ' || r > '~') })
}
