package redact

import (
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxKeys bounds the secrets that a Keyring knows. It is far more than any
// installation has; beyond it the secret that was used least recently is forgotten.
const maxKeys = 1000

// Keyring knows every API key that was used, so that none of them passes where
// text of the provider's is shown: an event stream knows only its own token,
// but its text may contain a key. The zero value is ready for use, by several
// goroutines.
type Keyring struct {
	mu   sync.Mutex
	keys *simplelru.LRU[string, struct{}]
	// hide removes all keys. It is replaced, never changed.
	hide Scrubber
}

// Remember adds a key.
func (k *Keyring) Remember(key Secret) {
	if key.IsZero() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys, _ = simplelru.NewLRU[string, struct{}](maxKeys, nil) // fails for no size only
	}
	if _, known := k.keys.Get(key.Reveal()); known {
		return
	}
	if evicted := k.keys.Add(key.Reveal(), struct{}{}); evicted {
		k.hide = Scrubber{}
		for _, value := range k.keys.Keys() {
			k.hide.exact = append(k.hide.exact, NewScrubber(NewSecret(value)).exact...)
		}
		return
	}
	k.hide = Scrubber{exact: slices.Concat(k.hide.exact, NewScrubber(key).exact)}
}

// Scrubber removes all keys, and other secrets.
func (k *Keyring) Scrubber(others ...Secret) Scrubber {
	k.mu.Lock()
	hide := k.hide
	k.mu.Unlock()
	return hide.And(NewScrubber(others...))
}
