package browsertest

import (
	_ "embed"
	"encoding/json"
	"strings"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// axe is axe-core, a library that knows the rules of accessibility.
//
//go:embed testdata/axe.min.js
var axe string

// Unbound loads the page again without its policy: axe makes markup.
func (p *Tab) Unbound() {
	p.T.Helper()
	p.Do(Command(page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true}), chromedp.Reload())
}

// Accessible fails the test when the page, as it is now, breaks a rule of
// accessibility. Unbound must have been called before.
func (p *Tab) Accessible(when string) {
	p.T.Helper()
	if !Eval[bool](p, `"axe" in window`) {
		Eval[bool](p, axe+"; true")
	}
	found := Eval[string](p, `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v =>
		({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " " + (n.any[0]?.message ?? ""))}))))`)
	var violations []struct {
		ID, Impact, Help string
		Nodes            []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		p.T.Fatal(err)
	}
	for _, v := range violations {
		p.T.Errorf("%s: %s (%s): %s\n%s", when, v.ID, v.Impact, v.Help, strings.Join(v.Nodes, "\n"))
	}
}
