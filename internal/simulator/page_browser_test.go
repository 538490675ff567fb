package simulator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/posbridge/bridge/internal/simulator"
)

// hand is a terminal that waits for a hand, in the page's own words.
func (p *tab) hand(terminal string) {
	p.t.Helper()
	p.click(fmt.Sprintf(`#terminal-%s .mode input[value="manual"]`, terminal))
	p.sees(fmt.Sprintf(`#terminal-%s[data-mode="manual"]`, terminal))
}

// A payment by clicks, soft decline included, while a client plays the bridge.
func TestPagePaymentByClicks(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 1})
	p := browse(t, b, wall, false)
	p.screen("SIM00001", simulator.ScreenIdle)
	p.hand("SIM00001")
	stream := b.open(b.create("order-1", "SIM00001", fields{"amount": 4250, "description": "Two lunches"}))
	p.screen("SIM00001", simulator.ScreenAmountDue)
	if got, want := get(p, chromedp.TextContent(chromedp.CSS("#terminal-SIM00001 .amount"))), "€42.50"; got != want {
		t.Errorf("amount: got %q, want %q", got, want)
	}
	p.act("SIM00001", simulator.ActTap)
	p.screen("SIM00001", simulator.ScreenProcessing)
	p.act("SIM00001", simulator.ActDecline)
	p.screen("SIM00001", simulator.ScreenDeclined)
	p.act("SIM00001", simulator.ActInsert)
	p.screen("SIM00001", simulator.ScreenPIN)
	for range 4 {
		p.click(`#terminal-SIM00001 [data-digit="7"]`)
	}
	p.click(`#terminal-SIM00001 [data-digit="ok"]`)
	p.act("SIM00001", simulator.ActApprove)
	p.screen("SIM00001", simulator.ScreenApproved)
	if got, want := stream.statuses(4), []string{"initialized", "declined", "initialized", "completed"}; !slices.Equal(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	p.act("SIM00001", simulator.ActReverse)
	if got := stream.statuses(1); got[0] != "reversed" {
		t.Errorf("after the reversal: got %v", got)
	}
	p.quiet()
}

// Pictures for docs and eyes, with something of everything on the page, which
// must fit its window.
func TestPagePictures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		window size
		dark   bool
		guide  bool
		view   string
	}{
		"light":       {size{1440, 1010}, false, false, "log"},
		"dark":        {size{1440, 1010}, true, false, "faults"},
		"guide":       {desk, false, true, "log"},
		"wall":        {wall, false, true, ""},
		"phone":       {phone, false, false, "terminals"},
		"phone-log":   {phone, true, false, "log"},
		"phone-guide": {size{320, 700}, true, true, "terminals"},
	} {
		if os.Getenv(screenshotsEnv) == "" && name != "light" && name != "phone-guide" {
			continue // nobody looks
		}
		t.Run(name, func(t *testing.T) {
			b := setup(t, simulator.Options{Pace: 0.01, Manual: true})
			p := browse(t, b, tc.window, tc.dark)
			pay := func(order, terminal string, over fields, actions ...simulator.Action) {
				b.open(b.create(order, terminal, over))
				b.act(terminal, actions...)
			}
			if _, err := b.SetFault(simulator.Fault{ID: "page-drop_stream", Name: simulator.FaultDropStream, Count: simulator.Always, After: 1, Terminal: "SIM00004"}); err != nil {
				t.Fatal(err)
			}
			pay("till7-0141", "SIM00001", fields{"amount": 4250, "description": "Two lunches"}, simulator.ActTap, simulator.ActDecline, simulator.ActInsert)
			pay("till2-0388", "SIM00002", fields{"amount": 1800, "currency": "JPY", "description": "Ramen"})
			pay("till3-0077", "SIM00003", fields{"amount": 995, "description": "Coffee, cake"}, simulator.ActTap, simulator.ActApprove)
			pay("till9-0012", "SIM00004", fields{"amount": 129900, "currency": "USD", "description": "Bicycle"}, simulator.ActTap)
			p.sees(`#terminal-SIM00001[data-screen="pin"], #log, #faults`)
			p.until(`document.querySelector("#terminal-SIM00003")?.dataset.screen === "approved"`)
			p.until(`document.querySelector("#terminal-SIM00004 .course").textContent === "initialized"`)
			if tc.view != "" {
				p.click(`nav [data-view="` + tc.view + `"]`)
			}
			if tc.window.width >= 900 {
				p.click(`#terminal-SIM00001 [data-digit="4"]`)
				p.click(`#terminal-SIM00001 [data-digit="2"]`)
				p.do(chromedp.MouseEvent("mouseMoved", 700, 20))
			}
			if tc.view == "log" {
				p.click(`.entry[data-kind="sent"] summary`)
			}
			p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.getElementById("guide").open = %t; document.activeElement.blur(); scrollTo(0, 0)`, tc.guide)))
			p.picture("terminal-" + name)
			if width := get(p, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); width > tc.window.width {
				t.Errorf("the page is %d wide in a window of %d", width, tc.window.width)
			}
			p.quiet()
		})
	}
}

// Everything by keyboard: no mouse, no focus that gets lost.
func TestPageKeyboardOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 1})
	p := browse(t, b, desk, true)
	p.screen("SIM00001", simulator.ScreenIdle)
	const mode = `document.activeElement?.name === "mode-SIM00001"`
	for range 60 {
		p.key(kb.Tab)
		if get(p, chromedp.Evaluate[bool](mode)) {
			break
		}
	}
	p.until(mode)
	p.key(kb.ArrowRight)
	p.sees(`#terminal-SIM00001[data-mode="manual"]`)
	stream := b.open(b.create("order-1", "SIM00001", nil))
	p.screen("SIM00001", simulator.ScreenAmountDue)
	p.until(`document.querySelector("#terminal-SIM00001 [role=status]").textContent.includes("€12.50")`)
	p.key("t")
	p.screen("SIM00001", simulator.ScreenProcessing)
	p.key("D")
	p.screen("SIM00001", simulator.ScreenDeclined)
	p.key("i")
	p.screen("SIM00001", simulator.ScreenPIN)
	p.key("12")
	p.key(kb.Enter)
	p.until(`document.querySelector("#terminal-SIM00001 .problem").textContent.includes("four digits")`)
	p.key("34")
	p.key(kb.Enter)
	p.screen("SIM00001", simulator.ScreenProcessing)
	p.key("a")
	p.screen("SIM00001", simulator.ScreenApproved)
	if got, want := stream.statuses(4), []string{"initialized", "declined", "initialized", "completed"}; !slices.Equal(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	b.create("order-2", "SIM00001", nil)
	p.screen("SIM00001", simulator.ScreenAmountDue)
	p.key("w")
	p.sees(`#terminal-SIM00001[data-customer="left"]`)
	p.key(kb.Escape)
	p.screen("SIM00001", simulator.ScreenCancelled)
	if !get(p, chromedp.Evaluate[bool](mode)) {
		t.Error("the focus got lost")
	}
	p.quiet()
}

// A payment with a finger, on a phone.
func TestPageByTouch(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 1, Manual: true})
	p := browse(t, b, phone, false)
	p.screen("SIM00001", simulator.ScreenIdle)
	stream := b.open(b.create("order-1", "SIM00001", nil))
	for _, action := range []simulator.Action{simulator.ActTap, simulator.ActApprove} {
		button := fmt.Sprintf(`#terminal-SIM00001 [data-act=%q]:not([aria-disabled])`, action)
		p.sees(button)
		p.do(chromedp.ScrollIntoView(chromedp.CSS(button)), chromedp.Tap(chromedp.CSS(button)))
	}
	p.screen("SIM00001", simulator.ScreenApproved)
	if got, want := stream.statuses(2), []string{"initialized", "completed"}; !slices.Equal(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	p.quiet()
}

// A terminal that acts by itself waits for the hand that touches it.
func TestPageHandTakesOver(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 0.01, StreamGrace: -1})
	p := browse(t, b, desk, false)
	b.create("order-1", "SIM00002", scenario(simulator.Approve))
	p.sees(`#terminal-SIM00002[data-customer="virtual"]`)
	p.act("SIM00002", simulator.ActTap)
	p.screen("SIM00002", simulator.ScreenProcessing)
	p.sees(`#terminal-SIM00002[data-mode="manual"][data-customer="hand"]`)
	p.quiet()
}

// Faults are switches: what the page shows is what is set, whoever set it.
func TestPageFaults(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{})
	p := browse(t, b, wall, false)
	of := func(name simulator.FaultName) string {
		return fmt.Sprintf(`[role="switch"][aria-labelledby="fault-%s"]`, name)
	}
	p.click(of(simulator.FaultDropStream))
	p.sees(of(simulator.FaultDropStream) + `[aria-checked="true"]`)
	got := b.Faults()
	if len(got) != 1 || got[0].Name != simulator.FaultDropStream || got[0].Count != simulator.Always || got[0].After != 1 {
		t.Errorf("switched on: got %+v", got)
	}
	p.click(of(simulator.FaultDropStream))
	p.sees(of(simulator.FaultDropStream) + `[aria-checked="false"]`)
	if got := b.Faults(); len(got) != 0 {
		t.Errorf("switched off: got %+v", got)
	}
	if _, err := b.SetFault(simulator.Fault{ID: "mine", Name: simulator.FaultSlowAPI}); err != nil {
		t.Fatal(err)
	}
	p.sees("#fault-others")
	p.do(chromedp.SendKeys(chromedp.CSS("#fault-terminal"), "NOBODY"))
	p.click(of(simulator.FaultStaleGet))
	p.sees("#faults-problem")
	p.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("fault-terminal").value = ""; undefined`))
	p.click("#faults-off")
	p.until(`document.getElementById("fault-others").hidden`)
	for _, kind := range simulator.FaultKinds() {
		p.click(of(kind.Name))
		p.sees(of(kind.Name) + `[aria-checked="true"]`)
	}
	if got, want := len(b.Faults()), len(simulator.FaultKinds()); got != want {
		t.Errorf("every switch on: got %d faults, want %d", got, want)
	}
	p.quiet()
}

// gate is a server in front of a simulator, which can be away.
type gate struct {
	handler atomic.Pointer[http.Handler]
	server  *httptest.Server
}

func newGate(t *testing.T, b *bundle) *gate {
	g := &gate{}
	g.open(b)
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler := g.handler.Load()
		if handler == nil {
			panic(http.ErrAbortHandler)
		}
		(*handler).ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		g.shut()
		g.server.Close()
	})
	return g
}

func (g *gate) open(b *bundle) {
	handler := b.Handler()
	g.handler.Store(&handler)
}

func (g *gate) shut() {
	g.handler.Store(nil)
	g.server.CloseClientConnections()
}

// The page says that the connection is lost, and shows what happened meanwhile
// once it is back; also when another simulator is there then.
func TestPageConnectionLost(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Manual: true})
	g := newGate(t, b)
	direct := b.URL
	b.URL = g.server.URL
	p := browse(t, b, desk, false)
	b.URL = direct
	p.screen("SIM00001", simulator.ScreenIdle)
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#terminal-SIM00001 .device").marked = true; undefined`))
	g.shut()
	p.sees("#lost")
	p.sees(`#connection[data-state="lost"]`)
	p.picture("terminal-lost")
	b.create("order-1", "SIM00001", nil)
	b.act("SIM00001", simulator.ActTap, simulator.ActDecline, simulator.ActApprove)
	g.open(b)
	p.sees(`#connection[data-state="live"]`)
	p.until(`document.getElementById("lost").hidden`)
	p.until(`document.querySelector("#terminal-SIM00001 .course").textContent === "initializeddeclinedinitializedcompleted"`)
	p.until(`[...document.querySelectorAll('.entry[data-kind="status"]')].filter((row) => row.textContent.includes("order-1")).length === 4`)
	if !get(p, chromedp.Evaluate[bool](`document.querySelector("#terminal-SIM00001 .device").marked === true`)) {
		t.Error("the terminal was made anew: it flickers")
	}

	g.shut()
	other := setup(t, simulator.Options{Groups: []simulator.Group{{ID: "g", APIKey: "k", Terminals: []string{"OTHER"}}}})
	p.sees("#lost")
	g.open(other)
	p.screen("OTHER", simulator.ScreenIdle)
	p.until(`document.getElementById("terminal-SIM00001") === null`)
	p.sees(`.entry[data-kind="mark"]`)
}

// Hundreds of terminals: those of one page are drawn, and any can be found.
func TestPageManyTerminals(t *testing.T) {
	t.Parallel()
	const many = 200
	ids := make([]string, many)
	for i := range ids {
		ids[i] = fmt.Sprintf("T%03d", i+1)
	}
	b := setup(t, simulator.Options{Pace: 3, StreamGrace: -1, Groups: []simulator.Group{{ID: "1", APIKey: "demo-key", Terminals: ids}}})
	p := browse(t, b, desk, false)
	p.screen("T001", simulator.ScreenIdle)
	p.do(chromedp.Evaluate[chromedp.Void](`
		window.longest = 0;
		new PerformanceObserver((list) => { for (const e of list.getEntries()) longest = Math.max(longest, e.duration); }).observe({ entryTypes: ["longtask"] });
		undefined`))
	for round := range 3 {
		for _, id := range ids {
			b.create(fmt.Sprintf("order-%s-%d", id, round), id, nil)
		}
		last := fmt.Sprintf("order-%s-%d", ids[many-1], round)
		if _, err := b.WaitStatus(b.ctx, last, "completed"); err != nil {
			t.Fatal(err)
		}
	}
	p.until(`document.getElementById("counts").textContent.startsWith("200 terminals, no payment open")`)
	longest := get(p, chromedp.Evaluate[float64](`longest`))
	t.Logf("600 payments on 200 terminals: the longest task of the page took %.0f ms", longest)
	if longest > 3000 { // a tenth of it on a machine with nothing else to do
		t.Errorf("the page stutters: a task took %.0f ms", longest)
	}
	if cards := get(p, chromedp.Evaluate[int](`document.querySelectorAll(".terminal").length`)); cards != 12 {
		t.Errorf("cards on a page: got %d, want 12", cards)
	}
	p.click("#next")
	p.screen("T013", simulator.ScreenIdle)
	p.do(chromedp.SendKeys(chromedp.CSS("#find"), "t199"))
	p.screen("T199", simulator.ScreenIdle)
	p.until(`document.querySelectorAll(".terminal").length === 1`)
	p.do(chromedp.SendKeys(chromedp.CSS("#find"), "x"))
	p.sees("#no-terminal")
	p.quiet()
}

// axe finds nothing, in light and dark, with every part of the page in use.
func TestPageAccessibility(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile("../console/testdata/axe.min.js")
	if err != nil {
		axe, err = os.ReadFile("testdata/axe.min.js")
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, dark := range map[string]bool{"light": false, "dark": true} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, simulator.Options{Pace: 0.01, Manual: true})
			p := browse(t, b, wall, dark)
			for i, actions := range [][]simulator.Action{
				{simulator.ActTap, simulator.ActDecline, simulator.ActInsert},
				{simulator.ActWalkAway},
				{simulator.ActTap, simulator.ActApprove},
				{simulator.ActTap, simulator.ActDecline},
			} {
				terminal := fmt.Sprintf("SIM0000%d", i+1)
				b.open(b.create("order-"+terminal, terminal, nil))
				b.act(terminal, actions...)
			}
			for _, f := range []simulator.Fault{{ID: "page-drop_stream", Name: simulator.FaultDropStream, After: 3}, {Name: simulator.FaultSlowAPI}} {
				if _, err := b.SetFault(f); err != nil {
					t.Fatal(err)
				}
			}
			p.screen("SIM00004", simulator.ScreenDeclined)
			p.sees("#fault-others li")
			p.click(".endings summary")
			p.do(command(page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})) // for axe, which makes markup
			p.do(chromedp.Evaluate[chromedp.Void](string(axe) + "; undefined"))
			found := get(p, chromedp.Evaluate[string](`axe.run(document, {resultTypes: ["violations"]}).then((r) =>
				r.violations.map((v) => v.id + ": " + v.help + "\n" + v.nodes.map((n) => "  " + n.target + " " + n.failureSummary).join("\n")).join("\n"))`,
				chromedp.EvalAwaitPromise))
			if found != "" {
				t.Errorf("axe finds:\n%s", found)
			}
		})
	}
}
