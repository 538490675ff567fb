package multisafepay

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestKeyring(t *testing.T) {
	t.Parallel()
	var k keyring
	if got := k.scrubber().text("key-0001"); got != "key-0001" {
		t.Errorf("an empty keyring removes %q", got)
	}
	k.remember(Secret{})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 50 {
				k.remember(NewSecret(fmt.Sprintf("key-%d-%02d", i, n)))
				k.remember(NewSecret("key-of-all"))
				_ = k.scrubber(NewSecret("token")).text("x")
			}
		})
	}
	all.Wait()
	text := "key-0-00 key-3-49 key-of-all token key-4-00"
	if got, want := k.scrubber(NewSecret("token")).text(text), "[redacted] [redacted] [redacted] [redacted] key-4-00"; got != want {
		t.Errorf("text = %q, want %q", got, want)
	}
	if got := k.scrubber().text(text); !strings.Contains(got, "token") {
		t.Errorf("text = %q: the token of one stream is known to all", got)
	}
	if len(k.keys) != 201 {
		t.Errorf("%d keys, want 201", len(k.keys))
	}
	for n := range maxKeys {
		k.remember(NewSecret(fmt.Sprintf("other-%04d", n)))
		if len(k.keys) > maxKeys {
			t.Fatalf("%d keys, want at most %d", len(k.keys), maxKeys)
		}
	}
	if got := k.scrubber().text("other-0999 other-0998"); strings.Contains(got, "other") {
		t.Errorf("text = %q: the latest keys are not known", got)
	}
}
