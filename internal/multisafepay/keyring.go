package multisafepay

import (
	"slices"
	"sync"
)

// maxKeys bounds the keys that are known by heart.
const maxKeys = 1000

// keyring knows every API key that was used, so that none of them passes where
// text of the provider's is shown: an event stream knows only its own token,
// but may tell of a key. The zero value is ready for use.
type keyring struct {
	mu   sync.Mutex
	keys []Secret // the least recently added first
	// hide removes all keys. It is replaced, never changed.
	hide scrubber
}

// remember adds a key.
func (k *keyring) remember(key Secret) {
	if key.IsZero() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, known := range k.keys {
		if known.Equal(key) {
			return
		}
	}
	if len(k.keys) == maxKeys {
		// Far more than anybody has: forget half of them.
		k.keys = append([]Secret(nil), k.keys[maxKeys/2:]...)
		k.hide = newScrubber(k.keys...)
	}
	k.keys = append(k.keys, key)
	k.hide = scrubber{exact: slices.Concat(k.hide.exact, newScrubber(key).exact)}
}

// scrubber removes all keys, and other secrets.
func (k *keyring) scrubber(others ...Secret) scrubber {
	k.mu.Lock()
	hide := k.hide
	k.mu.Unlock()
	return hide.and(newScrubber(others...))
}
