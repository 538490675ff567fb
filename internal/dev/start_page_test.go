package dev_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/posbridge/bridge/internal/browsertest"
)

// A visitor starts a payment on the page and needs no shell. The terminal that is
// to be paid at comes first on a phone, and is seen whole enough to pay on a desk.
// From there the visitor goes to the console, and back.
func TestStartOnThePage(t *testing.T) {
	t.Parallel()
	const what = "a payment that is started on the page of the virtual terminals"
	browsertest.Find(t, what)
	console, terminals := addresses(t, run(t))
	phone, desk := browsertest.Size{Width: 360, Height: 800}, browsertest.Size{Width: 1280, Height: 900}
	for i, tc := range []struct {
		name string
		look browsertest.Look
	}{
		{"phone-light", browsertest.Look{Size: phone}},
		{"phone-dark", browsertest.Look{Size: phone, Dark: true}},
		{"desk-light", browsertest.Look{Size: desk}},
		{"desk-dark", browsertest.Look{Size: desk, Dark: true, Locale: "en-US"}},
	} {
		id := fmt.Sprintf("SIM0000%d", 4-i) // not the first one if it can be helped
		page := browsertest.Open(t, what, terminals, tc.look)
		page.Sees(`#connection[data-state="live"]`)
		page.Sees("#pay")
		page.Run(`document.getElementById("pay-terminal").value = "` + id + `"; document.getElementById("pay-amount").value = ""`)
		page.Click("#pay button")
		page.Reads("#pay-problem", "Give an amount such as 12.50")
		page.Do(chromedp.SendKeys(chromedp.CSS("#pay-amount"), "7,5"))
		page.Picture("start-" + tc.name + "-form")
		page.Click("#pay button")
		page.Sees(`#terminal-` + id + `[data-screen="amount_due"]`)
		page.Reads(`#terminal-`+id+` .amount`, "€7.50")
		page.Do(chromedp.MouseEvent("mouseMoved", 5, 5))
		if tc.look.Size == phone {
			page.Until(`document.querySelector(".terminal").id === "terminal-` + id + `"`)
		}
		for _, part := range []string{`.screen`, `[data-act="tap"]`, `[data-act="approve"]`} {
			page.Until(fmt.Sprintf(`(() => { const r = document.querySelector('#terminal-%s %s').getBoundingClientRect();
				return r.top >= document.querySelector("header").getBoundingClientRect().bottom && r.bottom <= innerHeight })()`, id, part))
		}
		page.Picture("start-" + tc.name)
		page.Fits()
		page.Until(`document.querySelector("h1").getBoundingClientRect().left + document.querySelector("h1").scrollWidth <= document.getElementById("connection").getBoundingClientRect().left`)
		for _, action := range []string{"tap", "approve"} {
			page.Click(`#terminal-` + id + ` [data-act="` + action + `"]:not([aria-disabled])`)
		}
		page.Until(`document.querySelector("#terminal-` + id + ` .course").textContent.includes("completed")`)
		page.Quiet()

		other := page.Beside(console, tc.look)
		other.Sees(`body[data-link="live"]`)
		for _, link := range []struct {
			on        *browsertest.Tab
			id, leads string
		}{{page, "to-console", console}, {other, "to-terminals", terminals}} {
			link.on.Sees("#" + link.id)
			if got := browsertest.Eval[string](link.on, `document.getElementById("`+link.id+`").href`); got != link.leads {
				t.Errorf("%s: %s leads to %q, want %q", tc.name, link.id, got, link.leads)
			}
		}
		other.Click("#tab-payments")
		other.Click(`.scroller.current tbody tr[data-key*="` + id + `"]`)
		other.Until(`document.querySelectorAll(".step.status").length >= 2`)
		other.Picture("start-" + tc.name + "-console")
		other.Fits()
		other.Quiet()
	}
}
