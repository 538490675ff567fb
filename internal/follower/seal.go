package follower

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/redact"
)

// sealInfo binds the derived key to its one use; a change of the format needs
// another one.
const sealInfo = "pos-bridge events stream v1"

// errUnsealable is a sealed stream that this replica cannot open: the group's
// key was rotated, or the record was made for another session. The order is
// then followed by asking.
var errUnsealable = errors.New("sealed stream cannot be opened")

// sealedStream is what stands inside the sealed bytes.
type sealedStream struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// seal encrypts a stream's address and token with AES-256-GCM under a key that
// is derived (HKDF-SHA-256) from the terminal group's API key, so that every
// replica can open it and nobody else. owner binds it to one session.
func seal(key redact.Secret, owner string, s multisafepay.Stream) ([]byte, error) {
	if s.IsZero() {
		return nil, nil
	}
	aead, err := sealer(key)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(sealedStream{URL: s.URL, Token: s.Token.Reveal()})
	if err != nil {
		return nil, fmt.Errorf("write stream: %w", err)
	}
	return aead.Seal(nil, nil, plain, []byte(owner)), nil //nolint:gosec // the cipher itself makes the nonce
}

// unseal is the inverse of seal. It fails with errUnsealable only.
func unseal(key redact.Secret, owner string, sealed []byte) (multisafepay.Stream, error) {
	aead, err := sealer(key)
	var plain []byte
	if err == nil {
		plain, err = aead.Open(nil, nil, sealed, []byte(owner))
	}
	var s sealedStream
	if err != nil || json.Unmarshal(plain, &s) != nil {
		return multisafepay.Stream{}, errUnsealable
	}
	return multisafepay.Stream{URL: s.URL, Token: redact.NewSecret(s.Token)}, nil
}

// sealer puts a random nonce before what it encrypts.
func sealer(key redact.Secret) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, []byte(key.Reveal()), nil, sealInfo, 32)
	if err != nil {
		return nil, fmt.Errorf("derive sealing key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("make sealing cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make sealing cipher: %w", err)
	}
	return aead, nil
}

// sealedFor binds a sealed stream to one start of one order.
func sealedFor(s payment.Session) string { return s.Terminal() + "/" + s.Order() + "/" + s.Nonce }
