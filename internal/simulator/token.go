package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

var (
	errToken        = errors.New("not an events token of this simulator")
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

// signer makes events tokens and knows its own again.
type signer struct {
	secret []byte
	now    func() time.Time
}

// sign makes the events token of a session.
func (s signer) sign(session string, expires time.Time) string {
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

func (s signer) mac(signed string) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte(signed))
	return h.Sum(nil)
}

// verify returns the session that a token was made for.
func (s signer) verify(token string) (session string, err error) {
	cut := strings.LastIndexByte(token, '.')
	if cut < 0 {
		return "", errToken
	}
	enc := base64.RawURLEncoding
	sum, err := enc.DecodeString(token[cut+1:])
	if err != nil || !hmac.Equal(sum, s.mac(token[:cut])) {
		return "", errToken
	}
	_, payload, _ := strings.Cut(token[:cut], ".")
	b, err := enc.DecodeString(payload)
	if err != nil {
		return "", errToken
	}
	var c claims
	if err := json.Unmarshal(b, &c); err != nil {
		return "", errToken
	}
	if !s.now().Before(time.Unix(c.Exp, 0)) {
		return "", errTokenExpired
	}
	return c.Pid, nil
}
