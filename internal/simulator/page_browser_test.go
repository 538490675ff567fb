package simulator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/posbridge/bridge/internal/browsertest"
	"github.com/posbridge/bridge/internal/simulator"
	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// hand is a terminal that waits for a hand, in the page's own words.
func (p *tab) hand(terminal string) {
	p.t.Helper()
	p.Click(fmt.Sprintf(`#terminal-%s .mode input[value="manual"]`, terminal))
	p.Sees(fmt.Sprintf(`#terminal-%s[data-mode="manual"]`, terminal))
}

// A payment by clicks, soft decline included, while a client plays the bridge.
func TestPagePaymentByClicks(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 0.05}) // results stay on the screen for a minute
	p := browse(t, b, wall)
	p.screen("SIM00001", orders.ScreenIdle)
	p.hand("SIM00001")
	stream := b.open(b.create("order-1", "SIM00001", fields{"amount": 4250, "description": "Two lunches"}))
	p.screen("SIM00001", orders.ScreenAmountDue)
	if got, want := browsertest.Eval[string](p.Tab, `document.querySelector("#terminal-SIM00001 .amount").textContent`), "€42.50"; got != want {
		t.Errorf("amount: got %q, want %q", got, want)
	}
	p.press("SIM00001", scenario.ActTap)
	p.screen("SIM00001", orders.ScreenProcessing)
	p.press("SIM00001", scenario.ActDecline)
	p.screen("SIM00001", orders.ScreenDeclined)
	p.press("SIM00001", scenario.ActInsert)
	p.screen("SIM00001", orders.ScreenPIN)
	for range 4 {
		p.Click(`#terminal-SIM00001 [data-digit="7"]`)
	}
	p.Click(`#terminal-SIM00001 [data-digit="ok"]`)
	p.press("SIM00001", scenario.ActApprove)
	p.screen("SIM00001", orders.ScreenApproved)
	if got, want := stream.statuses(4), []string{"initialized", "declined", "initialized", "completed"}; !slices.Equal(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	p.press("SIM00001", scenario.ActReverse)
	if got := stream.statuses(1); got[0] != "reversed" {
		t.Errorf("after the reversal: got %v", got)
	}
	second := b.open(b.create("order-2", "SIM00001", nil))
	p.press("SIM00001", scenario.ActTap)
	p.press("SIM00001", scenario.ActApprove)
	p.press("SIM00001", scenario.ActRefund)
	if got, want := second.statuses(3), []string{"initialized", "completed", "refunded"}; !slices.Equal(got, want) {
		t.Errorf("statuses with a refund: got %v, want %v", got, want)
	}
	p.Quiet()
}

// Pictures for docs and eyes, with something of everything on the page, which
// must fit its window.
func TestPagePictures(t *testing.T) {
	t.Parallel()
	shot := browsertest.Look{Size: browsertest.Size{Width: 1440, Height: 900}}
	for name, tc := range map[string]struct {
		look  browsertest.Look
		guide bool
		view  string
	}{
		"light":       {shot, false, "log"},
		"dark":        {dark(shot), false, "faults"},
		"guide":       {desk, true, "log"},
		"wall":        {wall, true, ""},
		"wall-2560":   {dark(browsertest.Look{Size: browsertest.Wall}), false, ""},
		"tablet":      {browsertest.Look{Size: browsertest.Size{Width: 1024, Height: 768}}, false, "log"},
		"phone":       {phone, false, "terminals"},
		"phone-log":   {dark(phone), false, "log"},
		"phone-fault": {phone, false, "faults"},
		"phone-guide": {browsertest.Look{Size: browsertest.Size{Width: 320, Height: 700}, Dark: true}, true, "terminals"},
	} {
		if os.Getenv(browsertest.ScreenshotsEnv) == "" && name != "light" && name != "phone-guide" {
			continue // nobody looks
		}
		t.Run(name, func(t *testing.T) {
			b := setup(t, simulator.Options{Pace: 0.01, Manual: true})
			p := browse(t, b, tc.look)
			pay := func(order, terminal string, over fields, actions ...scenario.Action) {
				b.open(b.create(order, terminal, over))
				b.act(terminal, actions...)
			}
			if _, err := b.SetFault(fault.Fault{ID: "page-drop_stream", Name: fault.DropStream, Count: fault.Always, After: 1, Terminal: "SIM00004"}); err != nil {
				t.Fatal(err)
			}
			pay("till7-0141", "SIM00001", fields{"amount": 4250, "description": "Two lunches"}, scenario.ActTap, scenario.ActDecline, scenario.ActInsert)
			pay("till2-0388", "SIM00002", fields{"amount": 1800, "currency": "JPY", "description": "Ramen"})
			pay("till3-0077", "SIM00003", fields{"amount": 995, "description": "Coffee, cake"}, scenario.ActTap, scenario.ActApprove)
			pay("till9-0012", "SIM00004", fields{"amount": 129900, "currency": "USD", "description": "Bicycle"}, scenario.ActTap)
			p.Sees(`#terminal-SIM00001[data-screen="pin"], #log, #faults`)
			p.Until(`document.querySelector("#terminal-SIM00003")?.dataset.screen === "approved"`)
			p.Until(`document.querySelector("#terminal-SIM00004 .course").textContent === "initialized"`)
			if tc.view != "" {
				p.Click(`nav [data-view="` + tc.view + `"]`)
			}
			if tc.look.Width >= 900 {
				p.Click(`#terminal-SIM00001 [data-digit="4"]`)
				p.Click(`#terminal-SIM00001 [data-digit="2"]`)
				p.Do(chromedp.MouseEvent("mouseMoved", 700, 20))
			}
			if tc.view == "log" {
				p.Click(`.entry[data-kind="sent"] summary`)
			}
			p.Run(fmt.Sprintf(`document.getElementById("guide").open = %t; document.activeElement.blur(); scrollTo(0, 0)`, tc.guide))
			p.Picture("terminal-" + name)
			p.Fits()
			p.Quiet()
		})
	}
}

// Everything by keyboard: no mouse, no focus that gets lost.
func TestPageKeyboardOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 1})
	p := browse(t, b, dark(desk))
	p.screen("SIM00001", orders.ScreenIdle)
	const mode = `document.activeElement?.name === "mode-SIM00001"`
	for range 60 {
		p.Key(kb.Tab)
		if browsertest.Eval[bool](p.Tab, mode) {
			break
		}
	}
	p.Until(mode)
	p.Key(kb.ArrowRight)
	p.Sees(`#terminal-SIM00001[data-mode="manual"]`)
	stream := b.open(b.create("order-1", "SIM00001", nil))
	p.screen("SIM00001", orders.ScreenAmountDue)
	p.Until(`document.querySelector("#terminal-SIM00001 [role=status]").textContent.includes("€12.50")`)
	p.Key("t")
	p.screen("SIM00001", orders.ScreenProcessing)
	p.Key("D")
	p.screen("SIM00001", orders.ScreenDeclined)
	p.Key("i")
	p.screen("SIM00001", orders.ScreenPIN)
	p.Key("12")
	p.Key(kb.Enter)
	p.Until(`document.querySelector("#terminal-SIM00001 .problem").textContent.includes("four digits")`)
	p.Key("34")
	p.Key(kb.Enter)
	p.screen("SIM00001", orders.ScreenProcessing)
	p.Key("a")
	p.screen("SIM00001", orders.ScreenApproved)
	if got, want := stream.statuses(4), []string{"initialized", "declined", "initialized", "completed"}; !slices.Equal(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	b.create("order-2", "SIM00001", nil)
	p.screen("SIM00001", orders.ScreenAmountDue)
	p.Key("w")
	p.Sees(`#terminal-SIM00001[data-customer="left"]`)
	p.Key(kb.Escape)
	p.screen("SIM00001", orders.ScreenCancelled)
	if !browsertest.Eval[bool](p.Tab, mode) {
		t.Error("the focus got lost")
	}
	p.Quiet()
}

// A payment with a finger, on a phone.
func TestPageByTouch(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 1, Manual: true})
	p := browse(t, b, phone)
	p.screen("SIM00001", orders.ScreenIdle)
	stream := b.open(b.create("order-1", "SIM00001", nil))
	for _, action := range []scenario.Action{scenario.ActTap, scenario.ActApprove} {
		button := fmt.Sprintf(`#terminal-SIM00001 [data-act=%q]:not([aria-disabled])`, action)
		p.Sees(button)
		p.Do(chromedp.ScrollIntoView(chromedp.CSS(button)), chromedp.Tap(chromedp.CSS(button)))
	}
	p.screen("SIM00001", orders.ScreenApproved)
	if got, want := stream.statuses(2), []string{"initialized", "completed"}; !slices.Equal(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	p.Quiet()
}

// A terminal that acts by itself waits for the hand that touches it.
func TestPageHandTakesOver(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{Pace: 0.01, StreamGrace: -1})
	p := browse(t, b, desk)
	b.create("order-1", "SIM00002", inScenario(scenario.Approve))
	p.Sees(`#terminal-SIM00002[data-customer="virtual"]`)
	p.press("SIM00002", scenario.ActTap)
	p.screen("SIM00002", orders.ScreenProcessing)
	p.Sees(`#terminal-SIM00002[data-mode="manual"][data-customer="hand"]`)
	p.Quiet()
}

// Faults are switches: what the page shows is what is set, whoever set it.
func TestPageFaults(t *testing.T) {
	t.Parallel()
	b := setup(t, simulator.Options{})
	p := browse(t, b, wall)
	of := func(name fault.Name) string {
		return fmt.Sprintf(`[role="switch"][aria-labelledby="fault-%s"]`, name)
	}
	p.Click(of(fault.DropStream))
	p.Sees(of(fault.DropStream) + `[aria-checked="true"]`)
	got := b.Faults()
	if len(got) != 1 || got[0].Name != fault.DropStream || got[0].Count != fault.Always || got[0].After != 1 {
		t.Errorf("switched on: got %+v", got)
	}
	p.Click(of(fault.DropStream))
	p.Sees(of(fault.DropStream) + `[aria-checked="false"]`)
	if got := b.Faults(); len(got) != 0 {
		t.Errorf("switched off: got %+v", got)
	}
	if _, err := b.SetFault(fault.Fault{ID: "mine", Name: fault.SlowAPI}); err != nil {
		t.Fatal(err)
	}
	p.Sees("#fault-others")
	p.Do(chromedp.SendKeys(chromedp.CSS("#fault-terminal"), "NOBODY"))
	p.Click(of(fault.StaleGet))
	p.Sees("#faults-problem")
	p.Run(`document.getElementById("fault-terminal").value = ""`)
	p.Click("#faults-off")
	p.Until(`document.getElementById("fault-others").hidden`)
	for _, kind := range fault.Kinds() {
		p.Click(of(kind.Name))
		p.Sees(of(kind.Name) + `[aria-checked="true"]`)
	}
	if got, want := len(b.Faults()), len(fault.Kinds()); got != want {
		t.Errorf("every switch on: got %d faults, want %d", got, want)
	}
	p.Quiet()
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
	p := browse(t, b, desk)
	b.URL = direct
	p.screen("SIM00001", orders.ScreenIdle)
	p.Run(`document.querySelector("#terminal-SIM00001 .device").marked = true`)
	g.shut()
	p.Sees("#lost")
	p.Sees(`#connection[data-state="lost"]`)
	p.Picture("terminal-lost")
	b.create("order-1", "SIM00001", nil)
	b.act("SIM00001", scenario.ActTap, scenario.ActDecline, scenario.ActApprove)
	g.open(b)
	p.Sees(`#connection[data-state="live"]`)
	p.Until(`document.getElementById("lost").hidden`)
	p.Until(`document.querySelector("#terminal-SIM00001 .course").textContent === "initializeddeclinedinitializedcompleted"`)
	p.Until(`[...document.querySelectorAll('.entry[data-kind="status"]')].filter((row) => row.textContent.includes("order-1")).length === 4`)
	if !browsertest.Eval[bool](p.Tab, `document.querySelector("#terminal-SIM00001 .device").marked === true`) {
		t.Error("the terminal was made anew: it flickers")
	}

	g.shut()
	other := setup(t, simulator.Options{Groups: []orders.GroupOptions{{ID: "g", APIKey: "k", Terminals: []string{"OTHER"}}}})
	p.Sees("#lost")
	g.open(other)
	p.screen("OTHER", orders.ScreenIdle)
	p.Until(`document.getElementById("terminal-SIM00001") === null`)
	p.Sees(`.entry[data-kind="mark"]`)
}

// Hundreds of terminals: those of one page are drawn, and any can be found.
func TestPageManyTerminals(t *testing.T) {
	t.Parallel()
	const many = 200
	ids := make([]string, many)
	for i := range ids {
		ids[i] = fmt.Sprintf("T%03d", i+1)
	}
	b := setup(t, simulator.Options{Pace: 3, StreamGrace: -1, Groups: []orders.GroupOptions{{ID: "1", APIKey: "demo-key", Terminals: ids}}})
	p := browse(t, b, desk)
	p.screen("T001", orders.ScreenIdle)
	p.Run(`
		window.longest = 0;
		new PerformanceObserver((list) => { for (const e of list.getEntries()) longest = Math.max(longest, e.duration); }).observe({ entryTypes: ["longtask"] });
`)
	for round := range 3 {
		for _, id := range ids {
			b.create(fmt.Sprintf("order-%s-%d", id, round), id, nil)
		}
		last := fmt.Sprintf("order-%s-%d", ids[many-1], round)
		if _, err := b.WaitStatus(b.ctx, last, "completed"); err != nil {
			t.Fatal(err)
		}
	}
	p.Until(`document.getElementById("counts").textContent.startsWith("200 terminals, no payment open")`)
	longest := browsertest.Eval[float64](p.Tab, `longest`)
	t.Logf("600 payments on 200 terminals: the longest task of the page took %.0f ms", longest)
	if cards := browsertest.Eval[int](p.Tab, `document.querySelectorAll(".terminal").length`); cards != 12 {
		t.Errorf("cards on a page: got %d, want 12", cards)
	}
	p.Click("#next")
	p.screen("T013", orders.ScreenIdle)
	p.Do(chromedp.SendKeys(chromedp.CSS("#find"), "t199"))
	p.screen("T199", orders.ScreenIdle)
	p.Until(`document.querySelectorAll(".terminal").length === 1`)
	p.Do(chromedp.SendKeys(chromedp.CSS("#find"), "x"))
	p.Sees("#no-terminal")
	p.Quiet()
}

// axe finds nothing, in light and dark, with every part of the page in use.
func TestPageAccessibility(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]browsertest.Look{"light": wall, "dark": dark(wall), "phone": phone} {
		t.Run(name, func(t *testing.T) {
			b := setup(t, simulator.Options{Pace: 0.01, Manual: true})
			p := browse(t, b, look)
			for i, actions := range [][]scenario.Action{
				{scenario.ActTap, scenario.ActDecline, scenario.ActInsert},
				{scenario.ActWalkAway},
				{scenario.ActTap, scenario.ActApprove},
				{scenario.ActTap, scenario.ActDecline},
			} {
				terminal := fmt.Sprintf("SIM0000%d", i+1)
				b.open(b.create("order-"+terminal, terminal, nil))
				b.act(terminal, actions...)
			}
			for _, f := range []fault.Fault{{ID: "page-drop_stream", Name: fault.DropStream, After: 3}, {Name: fault.SlowAPI}} {
				if _, err := b.SetFault(f); err != nil {
					t.Fatal(err)
				}
			}
			p.Unbound()
			p.screen("SIM00004", orders.ScreenDeclined)
			p.Run(`document.getElementById("guide").open = true`)
			p.Click(".endings summary")
			p.Accessible("terminals")
			if look == phone {
				p.Click(`nav [data-view="log"]`)
				p.Accessible("log")
				p.Click(`nav [data-view="faults"]`)
				p.Sees("#fault-others li")
				p.Accessible("faults")
			}
		})
	}
}
