package redact

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestKeyring(t *testing.T) {
	t.Parallel()
	var k Keyring
	if got := k.Scrubber().Text("key-0001"); got != "key-0001" {
		t.Errorf("an empty Keyring removes %q", got)
	}
	k.Remember(Secret{})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 50 {
				k.Remember(NewSecret(fmt.Sprintf("key-%d-%02d", i, n)))
				k.Remember(NewSecret("key-of-all"))
				_ = k.Scrubber(NewSecret("token")).Text("x")
			}
		})
	}
	all.Wait()
	text := "key-0-00 key-3-49 key-of-all token key-4-00"
	if got, want := k.Scrubber(NewSecret("token")).Text(text), "[redacted] [redacted] [redacted] [redacted] key-4-00"; got != want {
		t.Errorf("text = %q, want %q", got, want)
	}
	if got := k.Scrubber().Text(text); !strings.Contains(got, "token") {
		t.Errorf("text = %q: the token of one stream is known to all", got)
	}
	if k.keys.Len() != 201 {
		t.Errorf("%d keys, want 201", k.keys.Len())
	}
	for n := range maxKeys {
		k.Remember(NewSecret(fmt.Sprintf("other-%04d", n)))
		if k.keys.Len() > maxKeys {
			t.Fatalf("%d keys, want at most %d", k.keys.Len(), maxKeys)
		}
	}
	if got := k.Scrubber().Text("other-0999 other-0998"); strings.Contains(got, "other") {
		t.Errorf("text = %q: the latest keys are not known", got)
	}
}
