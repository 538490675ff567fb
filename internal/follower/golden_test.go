package follower

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/schema"
)

// golden reads a file of what a release has stored or sent. Files never change. With
// GOLDEN=new go test writes one that is missing.
func golden(t *testing.T, name, now string) string {
	t.Helper()
	path := filepath.Join("testdata", name)
	if _, err := os.Stat(path); err != nil && os.Getenv("GOLDEN") == "new" {
		if err := os.WriteFile(path, []byte(now+"\n"), 0o644); err != nil { //nolint:gosec // not secret
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

// A sealed stream of version 1 can be opened. It is part of a claim. A replica that
// cannot open one asks the provider instead.
func TestSealedStreamKeepsItsForm(t *testing.T) {
	t.Parallel()
	key, owner := redact.NewSecret("key of the group"), "T1/A/nonce"
	want := multisafepay.Stream{URL: "https://example.org/events", Token: redact.NewSecret("token")}
	now, err := seal(key, owner, want)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString(golden(t, "sealed.v1", hex.EncodeToString(now)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unseal(key, owner, sealed); err != nil || got.URL != want.URL || got.Token.Reveal() != want.Token.Reveal() {
		t.Errorf("got %+v, %v", got, err)
	}
	if len(now) != len(sealed) {
		t.Errorf("now %d bytes, before %d: a new form needs another sealInfo, and a golden file of its own", len(now), len(sealed))
	}
}

// Replicas of two releases ask each other while one replaces the other.
func TestQuestionsKeepTheirForm(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]any{
		"question.v1": &replicaQuestion{Op: opFollows, From: "ID", Ref: Ref{Terminal: "T1", Order: "A/1"}, Epoch: 2, Handle: "h", QueueSeq: 42},
		"answer.v1": &replicaAnswer{
			Elsewhere: true, Storing: true, Stopping: true, Status: "completed", Failure: schema.NewError(schema.OutcomeUnknown, "unknown"), Transaction: "t", Financial: "f",
		},
	} {
		now, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		before := golden(t, name, string(now))
		if before != string(now) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, now, before)
		}
		got := reflect.New(reflect.TypeOf(want).Elem())
		if err := json.Unmarshal([]byte(before), got.Interface()); err != nil || !reflect.DeepEqual(got.Interface(), want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		for i := range got.Elem().NumField() {
			if got.Elem().Field(i).IsZero() {
				t.Errorf("%s has no %s", name, got.Elem().Type().Field(i).Name)
			}
		}
	}
}
