package processtest_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/posbridge/bridge/internal/processtest"
	"github.com/posbridge/bridge/internal/simulator"
)

// Keys that nothing else can look like.
const (
	sweptKey      = "sk-live-Q7f3RECOGNISABLE9c0dONE"
	sweptOtherKey = "sk-live-X1b8RECOGNISABLE4e2fTWO"
)

// place is somewhere a secret was looked for.
type place struct{ name, text string }

// sweep gathers everything that a bridge says to anybody.
type sweep struct {
	mu     sync.Mutex
	places []place
}

func (s *sweep) add(name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places = append(s.places, place{name, text})
}

// spellings are the forms in which a secret could show itself.
func spellings(secret string) []string {
	raw := []byte(secret)
	return []string{
		secret, url.QueryEscape(secret), hex.EncodeToString(raw),
		strings.TrimRight(base64.StdEncoding.EncodeToString(raw), "="), strings.TrimRight(base64.URLEncoding.EncodeToString(raw), "="),
	}
}

// find reports each secret at the first place where it shows.
func (s *sweep) find(t *testing.T, secrets map[string]string) {
	t.Helper()
	size := 0
	for _, p := range s.places {
		size += len(p.text)
	}
	for what, secret := range secrets {
		for _, spelling := range spellings(secret) {
			for _, p := range s.places {
				if at := strings.Index(p.text, spelling); at >= 0 {
					t.Errorf("%s shows in %s: …%q…", what, p.name, p.text[max(0, at-120):min(len(p.text), at+len(spelling)+20)])
					break
				}
			}
		}
	}
	t.Logf("%d secrets were looked for in %d places, %d KiB", len(secrets), len(s.places), size/1024)
}

// Everything that can go wrong goes wrong at debug level, with keys, tokens and
// card data that can be recognised: none of them shows in a log, in a message, a
// stream, a file of NATS, a metric or a page.
func TestNoSecretShows(t *testing.T) {
	t.Parallel()
	groups := filepath.Join(t.TempDir(), "groups.yaml")
	keyFile := filepath.Join(t.TempDir(), "key")
	write(t, keyFile, sweptOtherKey+"\n")
	// The second group's terminals are asked of the provider.
	write(t, groups, fmt.Sprintf("groups:\n- {id: one, api_key: %s, terminals: [T00001, T00002]}\n- {id: two, api_key_file: %s}\n", sweptKey, keyFile))
	s := processtest.NewScene(t, processtest.SceneOptions{
		Terminals: 4,
		Provider: simulator.Options{Pace: 50, Groups: []simulator.Group{
			{ID: "1", APIKey: sweptKey, Terminals: []string{"T00001", "T00002"}},
			{ID: "2", APIKey: sweptOtherKey, Terminals: []string{"T00003", "T00004"}},
		}},
		Env: processtest.Env{
			"TERMINAL_GROUPS_FILE": groups, "LOG_LEVEL": "debug", "REQUEST_TIMEOUT": "1s", "IDLE_TIMEOUT": "1s",
			"BACKOFF_MAX": "200ms", "RECONCILE_INTERVAL": "500ms", "SETTLE_WINDOW": "200ms", "START_DEADLINE": "5s",
		},
	})
	var swept sweep
	listen(t, s, &swept)
	a, b := s.Serve(t, "a"), s.Serve(t, "b")
	printed := receipt(t, s)
	provoke(t, s)
	failures(t, s)

	// A session moves, with its sealed token, from a replica that is killed.
	order := processtest.NewStart("T00003", "moved", "wait")
	if reply, err := processtest.Insist(processtest.Context(t), s.Conn, "pos.payment.start", order); err != nil || reply.Error != nil {
		t.Fatalf("start: %+v, %v", reply.Error, err)
	}
	a.Kill()
	rest(t, s, b, order)

	c := s.Serve(t, "a")
	pages(t, &swept, b, c)
	stored(t, s, &swept)
	b.Drain(t)
	c.Drain(t)
	for _, r := range []*processtest.Replica{a, b, c} {
		swept.add("the log of replica "+r.ID, r.Output())
	}
	files(t, s, &swept)

	secrets := map[string]string{"an API key": sweptKey, "the other API key": sweptOtherKey}
	for _, datum := range simulator.CardData() {
		secrets["card data "+datum] = datum
	}
	for what, text := range printed {
		secrets[what] = text
	}
	for i, token := range tokens(t, s) {
		secrets[fmt.Sprintf("events token %d", i)] = token
		parts := strings.Split(token, ".")
		secrets[fmt.Sprintf("the signature of events token %d", i)] = parts[len(parts)-1]
	}
	swept.find(t, secrets)
	if n := s.Provider.Trapped(); n > 0 {
		t.Errorf("%d requests followed a redirect", n)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// listen takes down every message on NATS but the test's own requests: those
// hold what a requester put there.
func listen(t *testing.T, s *processtest.Scene, swept *sweep) {
	t.Helper()
	_, err := processtest.Connect(t, s.NATS[0].URL()).Subscribe(">", func(m *nats.Msg) {
		if m.Reply != "" && strings.Contains(m.Subject, ".payment.") || strings.HasPrefix(m.Subject, receiptInbox) {
			return
		}
		swept.add("a message on "+m.Subject, fmt.Sprintf("%s %v %s", m.Reply, m.Header, m.Data))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// receiptInbox is where the one receipt goes that somebody asks for.
const receiptInbox = "_INBOX_RECEIPT"

// receipt makes a payment, asks for its receipt, and returns what only the receipt
// may show.
func receipt(t *testing.T, s *processtest.Scene) map[string]string {
	t.Helper()
	ctx := processtest.Context(t)
	start := processtest.NewStart("T00001", "receipted", "approve")
	if _, err := processtest.Pay(ctx, s.Conn, start, false); err != nil {
		t.Fatal(err)
	}
	conn := processtest.Connect(t, s.NATS[0].URL(), nats.CustomInboxPrefix(receiptInbox))
	answer, err := conn.RequestWithContext(ctx, "pos.T00001.payment.receipt", []byte(`{"order_id":"receipted"}`))
	if err != nil {
		t.Fatal(err)
	}
	var reply struct {
		Receipt struct {
			Merchant struct{ Name, Address string }
			Payment  struct {
				Last4         string
				Authorization string `json:"authorization_code"`
			}
		}
	}
	if err := json.Unmarshal(answer.Data, &reply); err != nil {
		t.Fatal(err)
	}
	r := reply.Receipt
	if r.Payment.Last4 != simulator.CardLast4 || r.Payment.Authorization != simulator.CardAuthorizationCode || r.Merchant.Name == "" {
		t.Errorf("receipt: got %s", answer.Data)
	}
	for _, hidden := range []string{simulator.CardPAN, simulator.CardMaskedPAN, simulator.CardHolder, simulator.CardEMV, simulator.CardExpiry, "issuer_bin", sweptKey} {
		if strings.Contains(string(answer.Data), hidden) {
			t.Errorf("the receipt shows %s: %s", hidden, answer.Data)
		}
	}
	return map[string]string{"the merchant of a receipt": r.Merchant.Name, "the address of a receipt": r.Merchant.Address, "the authorization of a receipt": r.Payment.Authorization}
}

// provoke makes payments that meet every fault the simulator knows, most of them
// at once.
func provoke(t *testing.T, s *processtest.Scene) {
	t.Helper()
	faults := []string{
		"", "fault:drop_stream:after=1", "fault:refuse_stream:status=401,count=2", "fault:refuse_stream:status=503,retry_after=1", "fault:hang_stream", "fault:silent_stream",
		"fault:lose_events:count=2", "fault:duplicate_events:count=3", "fault:out_of_order_events", "fault:joined_events",
		"fault:other_order_event", "fault:other_event_type", "fault:garbage_event:count=2", "fault:huge_event",
		"fault:odd_framing", "fault:unterminated_event", "fault:expired_token", "fault:other_host_stream_url",
		"fault:lose_create_answer:mode=cut", "fault:lose_create_answer:mode=broken", "fault:lose_create_answer:mode=html",
		"fault:lose_create_answer:mode=huge", "fault:lose_create_answer:mode=status,status=500", "fault:lose_create_answer:mode=hang",
		"fault:fail_api:operation=get,status=500,count=2", "fault:fail_api:operation=create,status=503", "fault:redirect:operation=get",
		"fault:redirect:operation=create", "fault:redirect:operation=stream", "fault:stale_get:count=3", "fault:errors_with_200:operation=get fault:fail_api:operation=get",
		"fault:slow_api:operation=get,delay=1500ms", "fault:eager_terminal",
	}
	scenarios := []string{"soft_decline_then_approve", "approve", "decline_then_cancel", "reverse_after_completion"}
	work := make(chan int)
	var tills sync.WaitGroup
	for _, terminal := range s.Terminals {
		tills.Go(func() {
			for i := range work {
				start := processtest.NewStart(terminal, fmt.Sprintf("fault-%d", i), scenarios[i%len(scenarios)])
				start.CustomInfo["custom_2"] = faults[i]
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				_, err := processtest.Pay(ctx, s.Conn, start, i%7 == 3)
				cancel()
				if err != nil {
					t.Errorf("payment with %q: %v", faults[i], err)
				}
			}
		})
	}
	for i := range faults {
		work <- i
	}
	close(work)
	tills.Wait()
}

// failures sends requests that are refused, some with secrets where none belong,
// and has the provider put secrets into its errors.
func failures(t *testing.T, s *processtest.Scene) {
	t.Helper()
	ctx := processtest.Context(t)
	for _, body := range []string{
		`{`, `nonsense ` + sweptKey, `{"` + simulator.CardPAN + `":1}`, `{"order_id":"` + simulator.CardPAN + `x/*","terminal_id":"T00001"}`,
		`{"order_id":"o","terminal_id":"` + sweptKey + ` ","amount":1,"currency":"EUR"}`,
		`{"order_id":"o","terminal_id":"T00001","amount":"` + simulator.CardPAN + `","currency":"EUR"}`,
		`{"order_id":"o","terminal_id":"T00001","amount":1,"currency":"` + sweptKey + `"}`,
		`{"order_id":"o","terminal_id":"T00001","amount":1,"currency":"EUR","api_key":"` + sweptKey + `"}`,
	} {
		for _, command := range []string{"start", "cancel", "get", "list"} {
			answer, err := s.Conn.RequestWithContext(ctx, "pos.payment."+command, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			var reply processtest.Reply
			if err := json.Unmarshal(answer.Data, &reply); err != nil || reply.Error == nil {
				t.Errorf("%s was answered with %s, want an error", command, answer.Data)
			}
		}
	}
	info := "the key " + sweptKey + " may not use card " + simulator.CardPAN
	for i, status := range []int{400, 401, 403, 404, 422, 429} {
		if _, err := s.Provider.SetFault(simulator.Fault{
			Name: simulator.FaultFailAPI, Operation: simulator.OpCreate, Status: status, ErrorCode: 1001, ErrorInfo: info, RetryAfter: "60", Count: 1,
		}); err != nil {
			t.Fatal(err)
		}
		start := processtest.NewStart("T00002", fmt.Sprintf("refused-%d", i), "approve")
		reply, err := processtest.Ask(ctx, s.Conn, "pos.payment.start", start, 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("create refused with %d: answered %+v", status, reply.Error)
	}
}

// rest cancels the last payment, which another replica follows by now, and waits
// until every session has ended.
func rest(t *testing.T, s *processtest.Scene, r *processtest.Replica, start processtest.Start) {
	t.Helper()
	ctx := processtest.Context(t)
	processtest.Until(t, exitLimit, "the session has moved", func() bool {
		reply, err := processtest.Ask(ctx, s.Conn, "pos.payment.get", map[string]string{"terminal_id": start.TerminalID, "order_id": start.OrderID}, time.Second)
		return err == nil && reply.Replica == r.ID
	})
	if _, err := processtest.Insist(ctx, s.Conn, "pos.payment.cancel", map[string]string{"terminal_id": start.TerminalID, "order_id": start.OrderID}); err != nil {
		t.Fatal(err)
	}
	s.Auditor.WaitRest(t, time.Minute)
}

var link = regexp.MustCompile(`(?:href|src|action)="([^"#]+)"`)

// pages reads the pages of the replicas, and what they link to.
func pages(t *testing.T, swept *sweep, replicas ...*processtest.Replica) {
	t.Helper()
	for _, r := range replicas {
		seen := map[string]bool{}
		for queue := []string{"/", "/metrics", "/readyz", "/nothing-here", "/debug/pprof/"}; len(queue) > 0; queue = queue[1:] {
			path := "/" + strings.TrimLeft(queue[0], "./")
			if seen[path] || strings.Contains(path, "events") { // which does not end
				continue
			}
			seen[path] = true
			_, body, err := r.Get(path)
			if err != nil {
				t.Errorf("page %s: %v", path, err)
			}
			swept.add("page "+path+" of replica "+r.ID, body)
			for _, l := range link.FindAllStringSubmatch(body, -1) {
				queue = append(queue, l[1])
			}
		}
	}
}

// stored reads back every stream, claims included.
func stored(t *testing.T, s *processtest.Scene, swept *sweep) {
	t.Helper()
	ctx := processtest.Context(t)
	js, err := jetstream.New(s.Conn)
	if err != nil {
		t.Fatal(err)
	}
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		state := stream.CachedInfo().State
		for seq := state.FirstSeq; seq > 0 && seq <= state.LastSeq; seq++ {
			m, err := stream.GetMsg(ctx, seq)
			if err != nil {
				continue // deleted
			}
			swept.add("stream "+name+", "+m.Subject, fmt.Sprintf("%v %s", m.Header, m.Data))
		}
	}
	if err := names.Err(); err != nil {
		t.Fatal(err)
	}
}

// files reads what NATS has written to disk: also what is deleted by now.
func files(t *testing.T, s *processtest.Scene, swept *sweep) {
	t.Helper()
	s.NATS[0].Kill()
	err := filepath.WalkDir(s.NATS[0].Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		swept.add("file "+filepath.Base(path)+" of nats-server", string(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var tokenField = regexp.MustCompile(`"events_token":"([^"]+)"`)

// tokens are all that the provider has given out.
func tokens(t *testing.T, s *processtest.Scene) []string {
	t.Helper()
	var all []string
	for _, answer := range s.Provider.CreateAnswers() {
		if m := tokenField.FindStringSubmatch(answer); m != nil {
			all = append(all, m[1])
		}
	}
	if len(all) < 20 {
		t.Fatalf("%d events tokens were given out, want more: the sweep would say nothing", len(all))
	}
	return all
}
