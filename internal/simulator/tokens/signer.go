// Package tokens makes and checks the tokens that open event streams.
package tokens

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

var (
	// ErrToken is the error of a token that is forged, spoilt or another simulator's.
	ErrToken        = errors.New("not an events token of this simulator")
	errTokenExpired = errors.New("events token has expired")
)

// claims of an events token, as the provider's carry them.
type claims struct {
	Exp int64    `json:"exp"` // seconds since 1970
	Grt []string `json:"grt"`
	Pid string   `json:"pid"` // session id
	Sub string   `json:"sub"`
}

const tokenHeader = `{"alg":"HS256"}`

// Signer makes events tokens and knows its own again.
type Signer struct {
	// Secret is the key that tokens are signed with.
	Secret []byte
	now    func() time.Time
}

// New returns a signer with a key of its own. now is the clock that tokens
// expire by.
func New(now func() time.Time) *Signer {
	s := &Signer{Secret: make([]byte, 32), now: now}
	rand.Read(s.Secret) // never fails, see crypto/rand
	return s
}

// Sign makes the events token of a session.
func (s *Signer) Sign(session string, expires time.Time) string {
	payload, err := json.Marshal(claims{
		Exp: expires.Unix(),
		Grt: []string{"mbus:session.order", "mbus:session.qr"},
		Pid: session,
		Sub: "pr",
	})
	if err != nil { // strings and a number
		panic(err)
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(tokenHeader)) + "." + enc.EncodeToString(payload)
	return signed + "." + enc.EncodeToString(s.mac(signed))
}

func (s *Signer) mac(signed string) []byte {
	h := hmac.New(sha256.New, s.Secret)
	h.Write([]byte(signed))
	return h.Sum(nil)
}

// Verify returns the session that a token was made for.
func (s *Signer) Verify(token string) (session string, err error) {
	cut := strings.LastIndexByte(token, '.')
	if cut < 0 {
		return "", ErrToken
	}
	enc := base64.RawURLEncoding
	sum, err := enc.DecodeString(token[cut+1:])
	if err != nil || !hmac.Equal(sum, s.mac(token[:cut])) {
		return "", ErrToken
	}
	_, payload, _ := strings.Cut(token[:cut], ".")
	b, err := enc.DecodeString(payload)
	if err != nil {
		return "", ErrToken
	}
	var c claims
	if err := json.Unmarshal(b, &c); err != nil {
		return "", ErrToken
	}
	if !s.now().Before(time.Unix(c.Exp, 0)) {
		return "", errTokenExpired
	}
	return c.Pid, nil
}
