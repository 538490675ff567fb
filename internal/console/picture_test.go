package console_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/posbridge/bridge/internal/browsertest"
	"github.com/posbridge/bridge/internal/console"
)

// shop is a morning in some shops: something of everything.
func shop() *fake {
	f := newFake()
	now := time.Now().UTC()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	f.overview = console.Overview{
		Replica: "pos-bridge-0", Version: "v1.4.0", Open: 9,
		Health: []console.Health{
			{Name: "NATS", State: console.Good, Words: "Connected"},
			{Name: "JetStream", State: console.Good, Words: "Reads and writes succeed"},
			{Name: "MultiSafepay", State: console.Trouble, Words: "2 of 41 requests of the last minute failed"},
			{Name: "This replica", State: console.Good, Words: "Serves commands"},
		},
		Totals: []console.Total{
			{Name: "Followed here", Value: "5", Metric: "sessions_active"},
			{Name: "Streams connected", Value: "4", Metric: "streams_connected"},
			{Name: "Statuses published", Value: "18234", Metric: "status_published_total"},
			{Name: "Completed", Value: "8411", Metric: `status_published_total{status="completed"}`},
			{Name: "Declined", Value: "412", Metric: `status_published_total{status="declined"}`},
			{Name: "Cancelled", Value: "377", Metric: `status_published_total{status="cancelled"}`},
			{Name: "Unresolved", Value: "0", Metric: "sessions_unresolved_total"},
			{Name: "Commands", Value: "9102", Metric: "commands_total"},
			{Name: "Stream reconnects", Value: "23", Metric: "stream_reconnects_total"},
			{Name: "Reconciles", Value: "1204", Metric: "reconciles_total"},
			{Name: "Takeovers", Value: "2", Metric: "failovers_total"},
			{Name: "Provider requests", Value: "19877", Metric: "provider_requests_total"},
			{Name: "99 % delivered within", Value: "5 ms", Metric: "delivery_latency_seconds"},
		},
	}
	open := func(id, group, order, status string, amount int64, currency string, age time.Duration, replica, stream string) {
		f.terminals[id] = console.Terminal{
			ID: id, Group: group, Seen: ago(age / 3), Order: order, Status: status,
			Session: &console.Session{Order: order, Amount: amount, Currency: currency, Status: status, Started: ago(age), Replica: replica, Stream: stream},
		}
	}
	open("AMS00101", "amsterdam", "AMS-2026-118204", "initialized", 4250, "EUR", 8*time.Second, "pos-bridge-0", "connected")
	open("AMS00104", "amsterdam", "AMS-2026-118205", "created", 1295, "EUR", 3*time.Second, "pos-bridge-1", "connected")
	open("AMS00107", "amsterdam", "AMS-2026-118199", "declined", 18900, "EUR", 41*time.Second, "pos-bridge-0", "connected")
	open("RTM00012", "rotterdam", "RTM/7/5521", "initialized", 649, "EUR", 12*time.Second, "pos-bridge-1", "reconnecting")
	open("RTM00013", "rotterdam", "RTM/7/5522", "created", 99900, "EUR", 19*time.Second, "pos-bridge-0", "connected")
	open("TYO00003", "tokyo", "TYO-44871", "initialized", 1800, "JPY", 27*time.Second, "pos-bridge-2", "connected")
	open("TYO00009", "tokyo", "TYO-44869", "declined", 12400, "JPY", 64*time.Second, "pos-bridge-2", "polling")
	open("LDN00020", "london", "till20.8841", "initialized", 2375, "GBP", 33*time.Second, "pos-bridge-1", "connected")
	open("KWI00001", "kuwait", "KWI.10442", "created", 12750, "KWD", 15*time.Second, "pos-bridge-0", "connected")
	over := func(terminal, group, order, status string, amount int64, currency string, at, took time.Duration) {
		f.payments = append(f.payments, console.Payment{
			Revision: uint64(len(f.payments) + 1), Terminal: terminal, Order: order, Status: status,
			Amount: amount, Currency: currency, Started: ago(at + took), At: ago(at),
		})
		if _, known := f.terminals[terminal]; !known {
			f.terminals[terminal] = console.Terminal{ID: terminal, Group: group, Seen: ago(at), Order: order, Status: status}
		}
	}
	for i := range 14 {
		statuses := []string{"completed", "completed", "completed", "cancelled", "completed", "refunded", "completed"}
		over(fmt.Sprintf("AMS%05d", 110+i), "amsterdam", fmt.Sprintf("AMS-2026-%d", 118180+i), statuses[i%7], int64(995+i*731), "EUR",
			time.Duration(14-i)*23*time.Second, time.Duration(9+i*3)*time.Second)
	}
	over("RTM00010", "rotterdam", "RTM/7/5520", "expired", 2500, "EUR", 11*time.Second, 62*time.Second)
	over("LDN00021", "london", "till21.1180", "unresolved", 5000, "GBP", 6*time.Second, 30*time.Minute)
	f.terminals["LDN00022"] = console.Terminal{ID: "LDN00022", Group: "london"}

	ms := func(v float64) *float64 { return &v }
	started := ago(41 * time.Second)
	f.courses["AMS-2026-118199"] = console.Course{
		Terminal: "AMS00107", Order: "AMS-2026-118199", SessionID: "d5MrwfDyPY36t8XAb2aMh5s6nH1XHOwqrOA", TransactionID: "894400271",
		Status: "declined", Financial: "declined", Amount: 18900, Currency: "EUR", Started: started, Replica: "pos-bridge-0", Stream: "connected",
		Steps: []console.Step{
			{Kind: console.StepActivity, At: started, Text: "Start accepted"},
			{Kind: console.StepActivity, At: started.Add(3 * time.Millisecond), Text: "Taken from the queue; the terminal is locked"},
			{Kind: console.StepActivity, At: started.Add(212 * time.Millisecond), Text: "The order exists at the provider; the terminal shows it"},
			{Kind: console.StepActivity, At: started.Add(291 * time.Millisecond), Text: "Event stream connected"},
			{Kind: console.StepStatus, At: started.Add(6212 * time.Millisecond), Status: "initialized", Source: "stream", Sequence: 1, Replica: "pos-bridge-1", Latency: ms(2.1)},
			{Kind: console.StepTakeover, At: started.Add(16400 * time.Millisecond), Text: "Taken over from pos-bridge-1"},
			{Kind: console.StepActivity, At: started.Add(16480 * time.Millisecond), Text: "Event stream connected"},
			{Kind: console.StepStatus, At: started.Add(16610 * time.Millisecond), Status: "declined", Source: "reconcile", Sequence: 2, Replica: "pos-bridge-0", Latency: ms(3.4)},
			{Kind: console.StepTrouble, At: started.Add(24 * time.Second), Text: "The event stream sent nothing for too long; connecting again"},
			{Kind: console.StepActivity, At: started.Add(24600 * time.Millisecond), Text: "Event stream connected"},
			{Kind: console.StepActivity, At: started.Add(24800 * time.Millisecond), Text: "Asked the provider: nothing new", Count: 2, Until: started.Add(39800 * time.Millisecond)},
		},
	}
	return f
}

// Pictures for docs and eyes, with something of everything on the page, which
// must fit its window.
func TestPictures(t *testing.T) {
	t.Parallel()
	shot := browsertest.Size{Width: 1440, Height: 900}
	_, url := serve(t, shop(), "")
	p := live(t, url, desk)
	for _, tc := range []struct {
		name   string
		look   browsertest.Look
		before string // clicked
		course bool
	}{
		{name: "console-light", look: browsertest.Look{Size: shot}, course: true},
		{name: "console-dark", look: browsertest.Look{Size: shot, Dark: true}},
		{name: "console-payments", look: desk, before: "#tab-payments"},
		{name: "console-terminals", look: darkDesk, before: "#tab-terminals"},
		{name: "console-wall", look: browsertest.Look{Size: browsertest.Wall, Dark: true}, course: true},
		{name: "console-wall-light", look: browsertest.Look{Size: browsertest.Wall}},
		{name: "console-tablet", look: browsertest.Look{Size: browsertest.Size{Width: 1024, Height: 768}}, course: true},
		{name: "console-phone", look: browsertest.Look{Size: browsertest.Phone}},
		{name: "console-phone-payments", look: browsertest.Look{Size: browsertest.Phone, Dark: true}, before: "#tab-payments"},
		{name: "console-phone-course", look: browsertest.Look{Size: browsertest.Phone, Dark: true}, course: true},
		{name: "console-phone-terminals", look: browsertest.Look{Size: browsertest.Size{Width: 320, Height: 640}, Dark: true}, before: "#tab-terminals"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p.Look(t, tc.look)
			p.Sees(`body[data-link="live"]`)
			p.Reads("#count-sessions", "9")
			if tc.before != "" {
				p.Click(tc.before)
			}
			if tc.course {
				p.Click(`tr[data-key="AMS00107"]`)
				p.Until(`document.querySelectorAll(".step").length === 11`)
			}
			p.Do(chromedp.MouseEvent("mouseMoved", 5, 5))
			p.Picture(tc.name)
			p.Fits()
			p.Quiet()
		})
	}
}
