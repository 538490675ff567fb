package simulator_test

import (
	"fmt"
	"testing"

	"github.com/posbridge/bridge/internal/browsertest"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// tab is a page of the virtual terminal, and its simulator.
type tab struct {
	*bundle
	*browsertest.Tab
}

var (
	desk  = browsertest.Look{Size: browsertest.Desk}
	wall  = browsertest.Look{Size: browsertest.Size{Width: 1920, Height: 1080}}
	phone = browsertest.Look{Size: browsertest.Phone}
)

// dark is a look at night.
func dark(look browsertest.Look) browsertest.Look {
	look.Dark = true
	return look
}

// browse opens the virtual terminal of b.
func browse(t *testing.T, b *bundle, look browsertest.Look) *tab {
	t.Helper()
	const what = "the virtual terminal (payments by click, touch and keyboard, lost connection, faults, accessibility)"
	p := &tab{b, browsertest.Open(t, what, b.URL+"/", look)}
	p.Sees(`#connection[data-state="live"]`)
	return p
}

// screen waits until a terminal shows a screen.
func (p *tab) screen(terminal string, screen orders.Screen) {
	p.t.Helper()
	p.Sees(fmt.Sprintf(`#terminal-%s[data-screen=%q]`, terminal, screen))
}

// press clicks a button of a terminal.
func (p *tab) press(terminal string, action scenario.Action) {
	p.t.Helper()
	p.Click(fmt.Sprintf(`#terminal-%s [data-act=%q]:not([aria-disabled])`, terminal, action))
}
