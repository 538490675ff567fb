package bridge

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/terminalgroups"
	"github.com/posbridge/bridge/schema"
)

// What each outcome of a create means: whether the order exists, and what to
// answer if it ends there.
func TestJudgeCreate(t *testing.T) {
	t.Parallel()
	kind := func(k multisafepay.Kind) error {
		return &multisafepay.Error{Op: multisafepay.OpCreate, Kind: k, Status: 418, Code: 7, Info: "why"}
	}
	for _, tt := range []struct {
		name  string
		err   error
		tried bool
		want  finding
		code  schema.Code
	}{
		{"made", nil, false, exists, ""},
		{"made at last", nil, true, exists, ""},
		{"nothing was sent", kind(multisafepay.KindUnreachable), false, absent, schema.ProviderUnavailable},
		{"wait", kind(multisafepay.KindLimited), false, absent, schema.ProviderUnavailable},
		{"5xx", kind(multisafepay.KindUnavailable), false, doubtful, schema.ProviderUnavailable},
		{"answer lost", kind(multisafepay.KindLost), false, doubtful, schema.ProviderUnavailable},
		{"timed out", kind(multisafepay.KindTimeout), false, doubtful, schema.ProviderUnavailable},
		{"cut by us", kind(multisafepay.KindCancelled), false, doubtful, schema.ProviderUnavailable},
		{"an unknown kind", kind(99), false, doubtful, schema.ProviderUnavailable},
		{"an error of another kind", errors.New("?"), false, doubtful, schema.ProviderUnavailable},
		{"used", kind(multisafepay.KindUsed), false, refused, schema.ProviderRejected},
		{"used, perhaps by us", kind(multisafepay.KindUsed), true, doubtful, schema.ProviderRejected},
		{"no", kind(multisafepay.KindRejected), false, refused, schema.ProviderRejected},
		{"no, after a try", kind(multisafepay.KindRejected), true, refused, schema.ProviderRejected},
		{"not found", kind(multisafepay.KindNotFound), false, refused, schema.ProviderRejected},
		{"key refused", kind(multisafepay.KindKey), false, refused, schema.ProviderError},
		{"nonsense", kind(multisafepay.KindNonsense), false, refused, schema.ProviderError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, answer := judgeCreate(tt.err, tt.tried)
			if got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
			checkAnswer(t, tt.err, answer, tt.code)
		})
	}
}

func checkAnswer(t *testing.T, err error, answer *schema.Error, code schema.Code) {
	t.Helper()
	if code == "" {
		if answer != nil {
			t.Errorf("got answer %+v", answer)
		}
		return
	}
	if answer == nil || answer.Code != code || answer.Retryable != code.Retryable() || answer.Message == "" {
		t.Fatalf("got answer %+v, want %s", answer, code)
	}
	failure, ok := errors.AsType[*multisafepay.Error](err)
	if shown := ok && failure.Status > 0; shown != (answer.Provider != nil) {
		t.Fatalf("the provider's answer is %+v, for %v", answer.Provider, err)
	}
	if answer.Provider != nil && *answer.Provider != (schema.ProviderAnswer{HTTPStatus: failure.Status, ErrorCode: failure.Code, ErrorInfo: failure.Info}) {
		t.Errorf("the provider's answer is %+v", answer.Provider)
	}
}

// What the provider's answer about an order means for a session that may have
// made it.
func TestJudgeAsk(t *testing.T) {
	t.Parallel()
	want := schema.StartRequest{OrderID: "a", TerminalID: "T", Amount: 5, Currency: "EUR"}
	own := multisafepay.OrderState{OrderID: "a", TerminalID: "T", Status: "initialized", Amount: 5, Currency: "EUR"}
	with := func(change func(*multisafepay.OrderState)) multisafepay.OrderState {
		o := own
		change(&o)
		return o
	}
	for _, tt := range []struct {
		name string
		o    multisafepay.OrderState
		err  error
		want finding
		code schema.Code
	}{
		{"ours", own, nil, exists, ""},
		{"ours, and over", with(func(o *multisafepay.OrderState) { o.Status = "completed" }), nil, exists, ""},
		{"ours, though the answer has no terminal", with(func(o *multisafepay.OrderState) { o.TerminalID = "" }), nil, exists, ""},
		{"ours, though the answer has no currency", with(func(o *multisafepay.OrderState) { o.Currency = "" }), nil, exists, ""},
		{"ours, though the answer has no amount", with(func(o *multisafepay.OrderState) { o.Amount = 0 }), nil, exists, ""},
		{"ours, in small letters", with(func(o *multisafepay.OrderState) { o.Currency = "eur" }), nil, exists, ""},
		{"another amount", with(func(o *multisafepay.OrderState) { o.Amount = 6 }), nil, refused, schema.ProviderRejected},
		{"another currency", with(func(o *multisafepay.OrderState) { o.Currency = "USD" }), nil, refused, schema.ProviderRejected},
		{"another terminal", with(func(o *multisafepay.OrderState) { o.TerminalID = "U" }), nil, refused, schema.ProviderRejected},
		{"not there", multisafepay.OrderState{}, &multisafepay.Error{Kind: multisafepay.KindNotFound, Status: 404}, absent, ""},
		{"no answer", multisafepay.OrderState{}, &multisafepay.Error{Kind: multisafepay.KindLost}, doubtful, ""},
		{"5xx", multisafepay.OrderState{}, &multisafepay.Error{Kind: multisafepay.KindUnavailable, Status: 500}, doubtful, ""},
		{"key refused", multisafepay.OrderState{}, &multisafepay.Error{Kind: multisafepay.KindKey, Status: 401}, doubtful, ""},
		{"an error of another kind", multisafepay.OrderState{}, errors.New("?"), doubtful, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, answer := judgeAsk(tt.o, tt.err, want)
			if got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
			checkAnswer(t, tt.err, answer, tt.code)
		})
	}
}

func TestLookupError(t *testing.T) {
	t.Parallel()
	limited := &multisafepay.Error{Op: multisafepay.OpTerminals, Kind: multisafepay.KindLimited, Status: 429, RetryAfter: time.Second}
	for _, tt := range []struct {
		name string
		err  error
		code schema.Code
	}{
		{"nobody serves it", terminalgroups.ErrUnknownTerminal, schema.UnknownTerminal},
		{"several groups hold it", &terminalgroups.SharedError{Terminal: "T", Groups: []string{"a", "b"}}, schema.UnknownTerminal},
		{"the provider could not be asked", limited, schema.ProviderUnavailable},
		{"time is up", context.DeadlineExceeded, schema.ProviderUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			checkAnswer(t, tt.err, lookupError("T", tt.err), tt.code)
		})
	}
}

func TestContentHash(t *testing.T) {
	t.Parallel()
	base := schema.StartRequest{OrderID: "a", TerminalID: "T", Amount: 5, Currency: "EUR", Description: "a"}
	if same := base; contentHash(same) != contentHash(base) || len(contentHash(base)) != 64 {
		t.Errorf("got %q", contentHash(base))
	}
	seen := map[string]bool{contentHash(base): true}
	for _, change := range []func(*schema.StartRequest){
		func(r *schema.StartRequest) { r.OrderID = "b" },
		func(r *schema.StartRequest) { r.TerminalID = "U" },
		func(r *schema.StartRequest) { r.Amount = 6 },
		func(r *schema.StartRequest) { r.Currency = "USD" },
		func(r *schema.StartRequest) { r.Description = "b" },
		func(r *schema.StartRequest) { r.NotificationURL = "https://example.com" },
		func(r *schema.StartRequest) { r.Customer = &schema.Customer{Email: "a"} },
		func(r *schema.StartRequest) { r.CustomInfo = &schema.CustomInfo{Custom1: "a"} },
		func(r *schema.StartRequest) { r.CustomInfo = &schema.CustomInfo{Custom2: "a"} },
	} {
		other := base
		change(&other)
		if hash := contentHash(other); seen[hash] {
			t.Errorf("%+v has the hash of another content", other)
		} else {
			seen[hash] = true
		}
	}
}
