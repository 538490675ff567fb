package dev_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/internal/browsertest"
)

// Somebody has the two pages that are printed first next to each other, pays with
// the command that one of them shows, and is customer and issuer by clicks: a tap,
// a soft decline, the card and its PIN, a stream that is cut, the approval. The
// other page shows each step as it happens.
func TestTwoPagesSideBySide(t *testing.T) {
	t.Parallel()
	const what = "a payment by clicks on the virtual terminal, seen live on the console"
	browsertest.Find(t, what)
	at, hands := addresses(t, run(t))
	streams := []func() string{overhear(t, at+"console/events"), overhear(t, hands+"simulator/events")}
	for _, stream := range streams {
		t.Cleanup(func() { stream() })
	}
	terminal := browsertest.Open(t, what, hands, browsertest.Look{Size: browsertest.Desk})
	console := terminal.Beside(at, browsertest.Look{Size: browsertest.Desk})
	terminal.Sees(`#connection[data-state="live"]`)
	console.Sees(`body[data-link="live"]`)
	if got := browsertest.Eval[string](terminal, `document.getElementById("to-console").href`); got != at {
		t.Errorf("the virtual terminal says that the console is at %q, not at %q", got, at)
	}
	terminal.Picture("both-terminal-idle")

	const order = "2026/till-7.1"
	id := pay(t, browsertest.Eval[string](terminal, `document.getElementById("command").textContent`), order)
	row := `table.sessions tr[data-key="` + id + `"]`
	console.Reads(row+" .c-order", order)
	console.Reads(row+" .c-amount", "€77.99")
	console.Reads(row+" .c-stream", "connected")
	console.Click(row)
	console.Reads("#course-title", order)

	press := func(action string) {
		t.Helper()
		terminal.Click(`#terminal-` + id + ` [data-act="` + action + `"]:not([aria-disabled])`)
	}
	shows := func(status string, all ...string) {
		t.Helper()
		terminal.Reads(`#terminal-`+id+` .course`, strings.Join(all, ""))
		if status != "completed" { // then it leaves the list soon
			console.Reads(row+" .chip", status)
		}
		console.Until(`[...document.querySelectorAll(".step.status .chip")].map(e => e.textContent).join() === "` + strings.Join(all, ",") + `"`)
	}
	terminal.Sees(`#terminal-` + id + `[data-screen="amount_due"]`)
	press("tap")
	shows("initialized", "initialized")
	press("decline")
	shows("declined", "initialized", "declined")
	terminal.Picture("both-terminal-declined")
	console.Picture("both-console-declined")
	press("insert")
	terminal.Sees(`#terminal-` + id + `[data-screen="pin"]`)
	for range 4 {
		terminal.Click(`#terminal-` + id + ` [data-digit="7"]`)
	}
	terminal.Click(`#terminal-` + id + ` [data-digit="ok"]`)
	terminal.Sees(`#terminal-` + id + `[data-screen="processing"]`)
	shows("initialized", "initialized", "declined", "initialized")

	terminal.Click(`nav [data-view="faults"]`)
	terminal.Click("#drop")
	console.Until(`[...document.querySelectorAll(".step.trouble .what")].some(e => e.textContent === "The connection of the event stream broke; connecting again")`)
	console.Reads(row+" .c-stream", "connected")
	terminal.Click(`nav [data-view="log"]`)
	press("approve")
	shows("completed", "initialized", "declined", "initialized", "completed")
	terminal.Picture("both-terminal-approved")
	console.Picture("both-console-approved")

	// Every status with its time, source, sequence and latency, and what was between.
	for i, step := range browsertest.Eval[[]struct{ Number, How, Title string }](console, `[...document.querySelectorAll(".step.status")].map(e =>
		({Number: e.querySelector(".number").textContent, How: e.querySelector(".how").textContent, Title: e.querySelector("time").title}))`) {
		if step.Number != "no. "+string(rune('1'+i)) || !strings.Contains(step.How, "on the bus in ") || !strings.HasSuffix(step.Title, "Z") ||
			!strings.HasPrefix(step.How, "event stream") && !strings.HasPrefix(step.How, "asked the provider") {
			t.Errorf("status %d: %+v", i+1, step)
		}
	}
	console.Until(`!document.querySelector('` + row + `')`)
	console.Click("#tab-payments")
	console.Reads(".scroller.current tbody tr .c-order", order)
	console.Reads(".scroller.current tbody tr .chip", "completed")
	console.Click("#tab-terminals")
	console.Reads(`.scroller.current tr[data-key="`+id+`"] .c-state`, "free")
	console.Reads("#count-terminals", "4")

	// The numbers become those of the metrics, once nothing moves any more.
	differ := func() (names []string) {
		shown := browsertest.Eval[map[string]string](console, `Object.fromEntries([...document.querySelectorAll("#totals div")].map(e => [e.title, e.lastChild.textContent]))`)
		metrics := read(t, at+"metrics")
		if shown[`pos_bridge_status_published_total{status="completed"}`] != "2" { // with the sample
			names = append(names, "completed")
		}
		for name, value := range shown {
			if want := sum(metrics, name); name != "pos_bridge_delivery_latency_seconds" && value != want {
				names = append(names, name+" is shown as "+value+" and is "+want)
			}
		}
		return names
	}
	late := time.After(patience)
	for names := differ(); len(names) > 0; names = differ() {
		select {
		case <-late:
			t.Fatalf("the console's numbers are not those of the metrics: %q", names)
		case <-time.After(50 * time.Millisecond):
		}
	}

	told := map[string]string{
		"the console's page":          browsertest.Eval[string](console, `document.documentElement.outerHTML`),
		"the virtual terminal's page": browsertest.Eval[string](terminal, `document.documentElement.outerHTML`),
		"the console's stream":        streams[0](),
		"the simulator's stream":      streams[1](),
		"the course":                  read(t, at+"console/order?"+url.Values{"order": {order}}.Encode()),
		"the simulator's state":       read(t, hands+"simulator/state"),
	}
	for where, text := range told {
		if !strings.Contains(text, order) {
			t.Errorf("%s does not tell of the order: %.300s", where, text)
		}
		for _, secret := range []string{"demo-key", "eyJ", "541333", "CARDHOLDER", "events_token"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s tells %s", where, secret)
			}
		}
	}
	terminal.Quiet()
	console.Quiet()
}
