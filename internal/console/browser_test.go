package console_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // of a viewer somewhere else

	"github.com/chromedp/chromedp/kb"

	"github.com/posbridge/bridge/internal/browsertest"
	"github.com/posbridge/bridge/internal/console"
)

var (
	desk     = browsertest.Look{Size: browsertest.Desk}
	darkDesk = browsertest.Look{Size: browsertest.Desk, Dark: true}
)

// browse opens a page of the console.
func browse(t *testing.T, url string, look browsertest.Look) *browsertest.Tab {
	t.Helper()
	return browsertest.Open(t, "the console (a live payment, a takeover, 5,000 sessions, lost connection, keyboard, accessibility)", url+"/", look)
}

// live opens a console and waits until it shows everything.
func live(t *testing.T, url string, look browsertest.Look) *browsertest.Tab {
	t.Helper()
	p := browse(t, url, look)
	p.Sees(`body[data-link="live"]`)
	return p
}

// A connection that is lost is said to be, with what is shown marked as old, and
// comes back by itself.
func TestLostConnectionAndBack(t *testing.T) {
	t.Parallel()
	source := shop()
	gate := newGate(t, source)
	p := live(t, gate.url, desk)
	p.Reads("#count-sessions", "9")
	p.Reads("#link-words", "Live")

	gate.shut()
	p.Sees(`body[data-link="lost"]`)
	p.Until(`document.body.classList.contains("stale")`)
	p.Until(`document.querySelector("#banner").textContent.includes("the state at")`)
	p.Until(`document.title.startsWith("⚠")`)
	if got := browsertest.Eval[int](p, `document.querySelectorAll("table.sessions tbody tr").length`); got != 9 {
		t.Errorf("%d sessions are shown while the connection is lost, want the 9 that were known", got)
	}
	p.Picture("console-lost")
	p.Resize(browsertest.Phone)
	p.Picture("console-phone-lost")
	p.Fits()
	p.Resize(browsertest.Desk)

	source.put(busy("AMS00999", "while-away", "initialized", time.Second))
	source.mu.Lock()
	delete(source.terminals, "LDN00022") // not told again: it goes
	source.mu.Unlock()
	gate.open()
	p.Sees(`body[data-link="live"]`)
	p.Reads("#count-sessions", "10")
	p.Sees(`tr[data-key="AMS00999"]`)
	p.Until(`document.querySelector("#banner").hidden && !document.body.classList.contains("stale")`)
	p.Reads("#count-terminals", "26")
}

// Everything by keyboard: no mouse, no focus that gets lost.
func TestKeyboardOnly(t *testing.T) {
	t.Parallel()
	source := shop()
	_, url := serve(t, source, "")
	p := live(t, url, darkDesk)
	p.Reads("#count-sessions", "9")
	focused := func() string {
		return browsertest.Eval[string](p, `(e => e.dataset.key ?? e.id ?? e.tagName)(document.activeElement)`)
	}
	expect := func(when, want string) {
		t.Helper()
		if got := focused(); got != want {
			t.Fatalf("%s: the focus is on %q, want %q", when, got, want)
		}
	}
	p.Key(kb.Tab)
	if got := browsertest.Eval[string](p, `document.activeElement.className`); got != "skip" {
		t.Errorf("the first stop is %q, want the way to the lists", got)
	}
	p.Key(kb.Tab)
	expect("after a tab", "tab-sessions")
	p.Key(kb.ArrowRight)
	expect("after →", "tab-payments")
	p.Sees(`.scroller.current table.payments`)
	p.Key(kb.ArrowLeft)
	p.Key("/")
	expect("after /", "search")
	p.Key("a", "m", "s")
	p.Until(`document.querySelectorAll(".scroller.current tbody tr").length === 3`)
	p.Reads("#found", "3 of 9 shown")
	p.Key(kb.Enter)
	expect("after enter", "AMS00104")
	p.Key(kb.ArrowDown, kb.ArrowDown)
	expect("after ↓ ↓", "AMS00107")
	p.Key(kb.Enter)
	p.Until(`document.querySelectorAll(".step").length === 11`)
	expect("with the course", "course-title")
	p.Key(kb.Escape)
	p.Until(`document.querySelector("#course").hidden`)
	expect("after escape", "AMS00107")
	p.Key(kb.Home)
	expect("after home", "AMS00104")

	// The row under the focus goes; the focus stays in the list.
	source.put(console.Terminal{ID: "AMS00104", Order: "AMS-2026-118205", Status: "completed"})
	p.Until(`!document.querySelector('tr[data-key="AMS00104"]')`)
	expect("when its row has gone", "AMS00101")
	p.Quiet()
}

// Money has the digits of its currency, and times are the viewer's, with the whole
// truth on hover.
func TestMoneyAndTimes(t *testing.T) {
	t.Parallel()
	source := newFake()
	for currency, amount := range map[string]int64{"EUR": 123456, "JPY": 1800, "KWD": 12750, "USD": 5} {
		terminal := busy("T-"+currency, "order-"+currency, "initialized", time.Minute)
		terminal.Session.Amount, terminal.Session.Currency = amount, currency
		source.put(terminal)
	}
	at := time.Now().UTC().Truncate(time.Millisecond)
	source.pay(console.Payment{Terminal: "T-OVER", Order: "order-over", Status: "completed", Amount: 100, Currency: "EUR", Started: at.Add(-90 * time.Second), At: at})
	_, url := serve(t, source, "")
	p := live(t, url, desk)
	for currency, want := range map[string]string{"EUR": "€1,234.56", "JPY": "JP¥1,800", "KWD": "KWD\u00a012.750", "USD": "US$0.05"} {
		p.Reads(`tr[data-key="T-`+currency+`"] .c-amount`, want)
	}
	age := browsertest.Eval[string](p, `document.querySelector('tr[data-key="T-EUR"] .c-age time').title`)
	if started := source.Terminals([]string{"T-EUR"})[0].Session.Started.Format("2006-01-02T15:04:05.000Z"); !strings.HasSuffix(age, "\n"+started) {
		t.Errorf("on hover an age says %q, want the start %s", age, started)
	}
	p.Click("#tab-payments")
	amsterdam, err := time.LoadLocation("Europe/Amsterdam") // as the browser has been told
	if err != nil {
		t.Fatal(err)
	}
	p.Reads(".scroller.current td.c-at", at.In(amsterdam).Format("15:04:05"))
	p.Reads(".scroller.current td.c-took", "1 min 30 s")
	if got := browsertest.Eval[string](p, `document.querySelector(".scroller.current td.c-at time").title`); !strings.HasSuffix(got, "\n"+at.Format(time.RFC3339Nano)) || !strings.Contains(got, at.In(amsterdam).Format("2006")) {
		t.Errorf("on hover a time says %q, want the date and %s", got, at.Format(time.RFC3339Nano))
	}
	p.Quiet()
}

// Rows stay the same elements while their content changes.
func TestNoFlicker(t *testing.T) {
	t.Parallel()
	source := shop()
	_, url := serve(t, source, "")
	p := live(t, url, desk)
	p.Reads("#count-sessions", "9")
	p.Click(`tr[data-key="AMS00101"]`)
	p.Sees("#course .problem")
	browsertest.Eval[bool](p, `window.before = [...document.querySelectorAll("table.sessions tbody tr")], window.added = 0, `+
		`new MutationObserver(m => window.added += m.reduce((n, r) => n + r.addedNodes.length, 0)).observe(document.querySelector("table.sessions tbody"), {childList: true}), true`)
	for _, status := range []string{"declined", "initialized", "declined"} {
		source.status("AMS00101", status)
		p.Reads(`tr[data-key="AMS00101"] .chip`, status)
	}
	if browsertest.Eval[int](p, `window.added`) != 0 || !browsertest.Eval[bool](p, `window.before.every(tr => tr.isConnected)`) {
		t.Error("rows were made anew for a change of content")
	}
	// What has ended says so.
	source.pay(console.Payment{Terminal: "AMS00101", Order: "AMS-2026-118204", Status: "completed", Amount: 1250, Currency: "EUR", At: time.Now().UTC()})
	p.Reads(`tr[data-key="AMS00101"].over .chip`, "completed")
	p.Reads("#count-sessions", "8")
	p.Reads("#count-payments", "17")
}

// What comes from the bus is text, whatever it is.
func TestNothingBecomesMarkup(t *testing.T) {
	t.Parallel()
	source := newFake()
	const hostile = `<img src=x onerror="document.body.dataset.hacked=1">`
	source.overview.Replica = hostile
	source.put(console.Terminal{ID: "T1", Group: hostile, Order: hostile, Status: hostile, Session: &console.Session{
		Order: hostile, Amount: 1, Currency: "<b>", Status: hostile, Started: time.Now(), Replica: hostile, Stream: `x" onclick="y`,
	}})
	source.courses[hostile] = console.Course{Terminal: "T1", Order: hostile, Status: hostile}
	_, url := serve(t, source, "")
	p := live(t, url, desk)
	p.Reads(`tr[data-key="T1"] .c-order`, hostile)
	p.Reads("#replica", hostile)
	p.Click(`tr[data-key="T1"]`)
	p.Until(`document.querySelector("#course .problem").textContent.includes("not a valid order id")`)
	if browsertest.Eval[bool](p, `Boolean(document.body.dataset.hacked) || document.querySelectorAll("img").length !== 1`) {
		t.Error("text from outside became markup")
	}
}

// 5,000 open sessions: scrolled through, searched and changing all the time.
func TestFiveThousandSessions(t *testing.T) {
	t.Parallel()
	source := newFake()
	source.crowd(5000)
	_, url := serve(t, source, "")
	p := live(t, url, desk)
	p.Reads("#count-sessions", "5,000")
	p.Picture("console-5000")

	ctx, stop := context.WithCancel(context.Background())
	changed := make(chan struct{})
	go func() { // a hundred changes a second
		defer close(changed)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			source.status(source.name(i*37%5000), []string{"initialized", "declined"}[i%2])
		}
	}()
	defer func() { stop(); <-changed }()

	// smooth counts frames while something is done with each, and the browser's own
	// long tasks, which take more than 50 ms.
	type smooth struct {
		Frames, Rows, LongTasks        int
		Mean, Worst95, Worst, LongTask float64
	}
	measure := func(what, step string) {
		t.Helper()
		m := browsertest.Eval[smooth](p, `(async () => {
			const scroller = document.querySelector(".scroller.current"), room = scroller.scrollHeight - scroller.clientHeight
			const times = [], long = []
			const watch = new PerformanceObserver(list => long.push(...list.getEntries().map(e => e.duration)))
			watch.observe({entryTypes: ["longtask"]})
			let rows = 0, last = performance.now()
			for (let i = 0; i < 60; i++) {
				`+step+`
				await new Promise(requestAnimationFrame)
				const now = performance.now()
				times.push(now - last)
				last = now
				rows = Math.max(rows, scroller.querySelectorAll("tbody tr").length)
			}
			long.push(...watch.takeRecords().map(e => e.duration))
			watch.disconnect()
			const sorted = times.toSorted((a, b) => a - b)
			return {Frames: times.length, Mean: times.reduce((a, b) => a + b) / times.length, Worst95: sorted[Math.floor(sorted.length * .95)],
				Worst: sorted.at(-1), Rows: rows, LongTasks: long.length, LongTask: Math.max(0, ...long)}
		})()`)
		t.Logf("%s, 100 changes a second: %d frames of %.1f ms on average, 95 %% within %.1f ms, the longest %.1f ms; %d long tasks, the longest %.0f ms; %d rows in the document",
			what, m.Frames, m.Mean, m.Worst95, m.Worst, m.LongTasks, m.LongTask, m.Rows)
		if m.Rows == 0 || m.Rows > 60 {
			t.Errorf("%s: %d rows are in the document; want a few", what, m.Rows)
		}
		if m.Mean > 1000 { // 20 ms on an idle machine; a busy one is given much
			t.Errorf("%s: a frame takes %.1f ms on average", what, m.Mean)
		}
	}
	measure("looking at 5,000 sessions", "")
	measure("scrolling three rows with each frame", "scroller.scrollTop = i * 120")
	measure("tearing through all of them in a second", "scroller.scrollTop = i / 60 * room")
	p.Click("#search")
	p.Key("t", "0", "4", "9", "9", "9")
	p.Reads(`.scroller.current tbody tr .c-terminal`, "T04999")
	p.Reads("#found", "1 of 5,000 shown")
	p.Quiet()
}

// The page holds to the rules of accessibility, in light and dark, with and
// without a course, large and small.
func TestAccessibility(t *testing.T) {
	t.Parallel()
	_, url := serve(t, shop(), "")
	p := live(t, url, desk)
	p.Unbound()
	for name, look := range map[string]browsertest.Look{
		"light": desk, "dark": darkDesk,
		"phone": {Size: browsertest.Phone}, "phone-dark": {Size: browsertest.Phone, Dark: true},
	} {
		t.Run(name, func(t *testing.T) {
			p.Look(t, look)
			p.Reads("#count-sessions", "9")
			p.Accessible("sessions")
			p.Click("#tab-payments")
			p.Until(`document.querySelectorAll("table.payments tbody tr").length > 3`)
			p.Accessible("payments")
			p.Click("#tab-terminals")
			p.Accessible("terminals")
			p.Click("#tab-sessions")
			p.Click(`tr[data-key="AMS00107"]`)
			p.Until(`document.querySelectorAll(".step").length === 11`)
			p.Accessible("course")
		})
	}
	t.Run("login", func(t *testing.T) {
		_, url := serve(t, newFake(), "open sesame")
		p := browse(t, url, desk)
		p.Unbound()
		p.Sees("#token")
		p.Accessible("login")
	})
}

// tryToken types a token into the form, which has the focus.
func tryToken(p *browsertest.Tab, token string) {
	p.T.Helper()
	p.Until(`document.activeElement?.id === "token"`)
	p.Key(token, kb.Enter)
}

// Somebody who knows the token gets in, and out again, without a mouse; somebody
// who does not is told so, and why it takes a while.
func TestLoginInBrowser(t *testing.T) {
	t.Parallel()
	_, url := serve(t, shop(), "open sesame")
	p := browse(t, url, darkDesk)
	p.Sees("#token")
	p.Picture("console-login")
	tryToken(p, "open barley")
	p.Sees("#wrong")
	p.Reads("#wrong", "That was not the token.")
	p.Picture("console-login-wrong")
	tryToken(p, "open sesame")
	p.Sees(`body[data-link="live"]`)
	p.Reads("#count-sessions", "9")
	if got := browsertest.Eval[string](p, "document.cookie"); got != "" {
		t.Errorf("scripts see the cookie: %s", got)
	}
	p.Picture("console-protected")
	p.Resize(browsertest.Phone)
	p.Picture("console-phone-protected")
	p.Fits()
	p.Click("#leave button")
	p.Sees("#token")

	// On a slow machine the console may allow tokens again before the browser tries one.
	for slow := false; !slow; {
		for guessed := ""; guessed != "../?slow"; {
			guessed = login(t, url, "open rye").Header.Get("Location")
		}
		tryToken(p, "open sesame")
		p.Sees(`#wrong, body[data-link="live"]`)
		if slow = browsertest.Eval[bool](p, `!!document.querySelector("#wrong")`); !slow {
			p.Click("#leave button")
			p.Sees("#token")
		}
	}
	p.Until(`document.querySelector("#wrong")?.textContent.startsWith("Too many wrong tokens.")`)
	p.Until(`document.activeElement?.id === "token"`)
}

// An ingress shows the console under a path of its own, which it takes off.
func TestBehindAPath(t *testing.T) {
	t.Parallel()
	source := shop()
	source.courses["behind"] = console.Course{Terminal: "AMS00001", Order: "behind"}
	_, url := serve(t, source, "open sesame")
	there, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	ingress := http.NewServeMux()
	ingress.Handle("/shops/pos/", http.StripPrefix("/shops/pos", httputil.NewSingleHostReverseProxy(there)))
	server := httptest.NewServer(ingress)
	t.Cleanup(server.Close)

	p := browse(t, server.URL+"/shops/pos", desk)
	p.Sees("#token")
	tryToken(p, "open barley")
	p.Sees("#wrong")
	p.Reads("#wrong", "That was not the token.")
	tryToken(p, "open sesame")
	p.Sees(`body[data-link="live"]`)
	p.Reads("#count-sessions", "9")
	p.Until(`getComputedStyle(document.querySelector(".top")).display !== "block"`) // the style sheet is there
	if got, want := browsertest.Eval[string](p, `document.querySelector("p.hint a").href`), server.URL+"/shops/pos/metrics"; got != want {
		t.Errorf("the link to the metrics leads to %s, want %s", got, want)
	}
	if got := browsertest.Eval[int](p, `fetch("console/order?terminal=AMS00001&order=behind").then(a => a.status)`); got != http.StatusOK {
		t.Errorf("the course of a payment: got %d", got)
	}
	p.Click("#leave button")
	p.Sees("#token")
	if got, want := browsertest.Eval[string](p, "location.pathname"), "/shops/pos/"; got != want {
		t.Errorf("after signing out at %s, want %s", got, want)
	}
}

// What there is to see when there is nothing to see, and when something is away.
func TestEmptyAndTrouble(t *testing.T) {
	t.Parallel()
	source := newFake()
	source.overview.Health = shop().overview.Health
	_, url := serve(t, source, "")
	p := live(t, url, desk)
	p.Unbound()
	look := func(at string) {
		t.Helper()
		for scheme, dark := range map[string]bool{"": false, "-dark": true} {
			p.Dark(dark)
			p.Picture("console-" + at + scheme)
			p.Accessible(at + scheme)
		}
	}
	p.Reads(".nothing .big", "No payment is open")
	for list, words := range map[string]string{"payments": "No payment has ended yet", "terminals": "No terminal is known yet"} {
		p.Click("#tab-" + list)
		p.Reads(".nothing .big", words)
	}
	p.Click("#tab-sessions")
	look("empty")
	p.Click("#search")
	p.Key("INV/7")
	p.Reads(".nothing .big", "Nothing here matches “INV/7”")
	look("no-match")
	p.Key(kb.Enter)
	p.Until(`document.querySelector("#course .problem").textContent.startsWith("This order is not known")`)
	if browsertest.Eval[bool](p, `Boolean(document.querySelector("#course .chip").offsetParent)`) {
		t.Error("an order of which nothing is known has a status")
	}
	look("unknown-order")

	source.mu.Lock()
	source.overview.Problem = "This replica is not connected to NATS: this page may show old data."
	source.overview.Health = []console.Health{
		{Name: "NATS", State: console.Bad, Words: "Not connected"},
		{Name: "JetStream", State: console.Bad, Words: "Not connected"},
		{Name: "MultiSafepay", State: console.Unknown, Words: "No requests in the last minute"},
		{Name: "This replica", State: console.Bad, Words: "Commands are not served"},
	}
	source.mu.Unlock()
	p.Until(`document.querySelector("#banner").textContent === "This replica is not connected to NATS: this page may show old data."`)
	p.Until(`document.body.classList.contains("stale")`)
	look("nats-away")
}

// A day that is not today's is written, and times with AM and PM fit their columns.
func TestOtherDays(t *testing.T) {
	t.Parallel()
	source := newFake()
	amsterdam, err := time.LoadLocation("Europe/Amsterdam") // as the browser has been told
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().In(amsterdam)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, amsterdam).AddDate(0, 0, -1)
	before, after := midnight.Add(-time.Second), midnight.Add(1500*time.Millisecond)
	source.pay(console.Payment{Terminal: "T-1", Order: "late", Status: "completed", Amount: 100, Currency: "EUR", Started: before, At: after})
	source.courses["late"] = console.Course{
		Terminal: "T-1", Order: "late", Status: "completed", Final: true, Amount: 100, Currency: "EUR", Started: before,
		Steps: []console.Step{
			{Kind: console.StepActivity, At: before, Text: "Start accepted"},
			{Kind: console.StepActivity, At: before.Add(time.Millisecond), Text: "The order exists at the provider"},
			{Kind: console.StepStatus, At: after, Status: "completed", Source: "stream", Sequence: 1},
		},
	}
	_, url := serve(t, source, "")
	p := live(t, url, browsertest.Look{Size: browsertest.Size{Width: 1280, Height: 900}, Locale: "en-US"})
	p.Click("#tab-payments")
	p.Reads(".scroller.current td.c-at", after.Format("Jan 2")+", 12:00 AM")
	p.Click(".scroller.current tbody tr")
	days, _ := json.Marshal([]string{before.Format("Mon, Jan 2"), "", after.Format("Mon, Jan 2")})
	p.Until(`JSON.stringify([...document.querySelectorAll(".step .day")].map(e => e.textContent)) === '` + string(days) + `'`)
	p.Reads(".step:first-child time", "11:59:59.000 PM")
	p.Picture("console-other-days")
	for _, cell := range []string{".scroller.current td.c-at", ".step:last-child .when"} {
		if cut := browsertest.Eval[bool](p, `(e => e.scrollWidth > e.clientWidth)(document.querySelector("`+cell+`"))`); cut {
			t.Errorf("%s is cut off", cell)
		}
	}
	p.Quiet()
}
