package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	key := redact.NewSecret("the group's key")
	stream := multisafepay.Stream{URL: "https://events.example/stream", Token: redact.NewSecret("eyJ-token")}
	sealed, err := seal(key, "T/o/1", stream)
	if err != nil {
		t.Fatal(err)
	}
	got, err := unseal(key, "T/o/1", sealed)
	if err != nil || got.URL != stream.URL || !got.Token.Equal(stream.Token) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, part := range []string{stream.URL, stream.Token.Reveal(), "token", "events"} {
		if bytes.Contains(sealed, []byte(part)) {
			t.Errorf("%q can be read", part)
		}
	}
	again, err := seal(key, "T/o/1", stream)
	if err != nil || bytes.Equal(sealed, again) {
		t.Errorf("sealed twice, it looks the same (%v)", err)
	}

	changed := slices.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, try := range map[string]func() (multisafepay.Stream, error){
		"another key":      func() (multisafepay.Stream, error) { return unseal(redact.NewSecret("rotated"), "T/o/1", sealed) },
		"another session":  func() (multisafepay.Stream, error) { return unseal(key, "T/o/2", sealed) },
		"another terminal": func() (multisafepay.Stream, error) { return unseal(key, "U/o/1", sealed) },
		"one bit changed":  func() (multisafepay.Stream, error) { return unseal(key, "T/o/1", changed) },
		"cut":              func() (multisafepay.Stream, error) { return unseal(key, "T/o/1", sealed[:len(sealed)-1]) },
		"very short":       func() (multisafepay.Stream, error) { return unseal(key, "T/o/1", sealed[:5]) },
		"nothing":          func() (multisafepay.Stream, error) { return unseal(key, "T/o/1", nil) },
	} {
		if got, err := try(); !errors.Is(err, errUnsealable) || !got.IsZero() {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestSealNothing(t *testing.T) {
	t.Parallel()
	sealed, err := seal(redact.NewSecret("key"), "T/o/1", multisafepay.Stream{URL: "https://events.example/stream"})
	if err != nil || sealed != nil {
		t.Errorf("got %x, %v, want nothing for a stream without a token", sealed, err)
	}
}

// What earlier versions have sealed is opened, for ever, and what they took for
// the same request is the same: testdata/stored of package bus has it.
func TestStoredBefore(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../internal/bus/testdata/stored/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stored messages: %v", err)
	}
	for _, file := range files {
		var stored struct{ Session, Record struct{ Data string } }
		var s bus.Session
		var r bus.Record
		text, err := os.ReadFile(file)
		if err := errors.Join(err, json.Unmarshal(text, &stored), json.Unmarshal([]byte(stored.Session.Data), &s), json.Unmarshal([]byte(stored.Record.Data), &r)); err != nil {
			t.Fatal(err)
		}
		opener := &session{msg: s, terminal: s.Terminal(), order: s.Order()}
		got, err := unseal(redact.NewSecret("process-test-key"), opener.sealedFor(), r.Sealed)
		if err != nil || !strings.HasSuffix(got.URL, "/events/stream/") || got.Token.IsZero() {
			t.Errorf("%s: unsealed %s, %v", file, got.URL, err)
		}
		if got := contentHash(complete(s.Request)); got != s.Hash {
			t.Errorf("%s: the request's hash is now %s, it was %s: a start that is sent again would be another one", file, got, s.Hash)
		}
	}
}
