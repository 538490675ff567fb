// Package browsertest shows tests a page in a real browser: Debian's Chromium,
// or whichever is installed. Without one, tests are left out with a word.
package browsertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

const (
	// limit is how long one page may be open on a busy machine.
	limit = 3 * time.Minute
	// patience is how long a page may take to become as a test wants it.
	patience = time.Minute
)

// Size of a window.
type Size struct{ Width, Height int64 }

// Windows that people look through.
var (
	Phone = Size{375, 812}
	Desk  = Size{1440, 900}
	Wall  = Size{2560, 1440}
)

// Look is how a page is looked at.
type Look struct {
	Size
	Dark bool
	// Locale of the browser, such as en-US; empty is en-IE.
	Locale string
}

// Tab is a page in a window of its own. Its methods fail the test when the
// browser does not do what they say.
type Tab struct {
	T   testing.TB
	ctx context.Context

	mu      sync.Mutex
	console []chromedp.ConsoleMessage
}

// Find returns the path of a browser, or skips the test and says what was left out.
func Find(t testing.TB, what string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("left out with -short: " + what + ", in a real browser")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("left out: " + what + ", in a real browser; install chromium to run it")
	return ""
}

// browser is the one browser of this process. It runs while any test has a page open.
var browser struct {
	mu    sync.Mutex
	pages int
	ctx   context.Context
	stop  func()
}

// use returns the browser, which runs at least until the test ends.
func use(t testing.TB, path string) context.Context {
	t.Helper()
	browser.mu.Lock()
	defer browser.mu.Unlock()
	if browser.pages == 0 {
		options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
			chromedp.ExecPath(path),
			chromedp.Flag("headless", true), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
			chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
			chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
			chromedp.Flag("disable-dev-shm-usage", true),
		)
		allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, cancel := chromedp.NewContext(allocated)
		if err := chromedp.Do(ctx); err != nil {
			cancel()
			stop()
			t.Fatalf("start the browser: %v", err)
		}
		browser.ctx = ctx
		browser.stop = func() {
			_ = chromedp.Cancel(ctx)
			cancel()
			stop()
		}
	}
	browser.pages++
	t.Cleanup(func() {
		browser.mu.Lock()
		defer browser.mu.Unlock()
		if browser.pages--; browser.pages == 0 {
			browser.stop()
		}
	})
	return browser.ctx
}

// Open opens a page in a window of its own, which shares no cookies with another and
// is closed with the test. what is said when there is no browser.
func Open(t testing.TB, what, url string, look Look) *Tab {
	t.Helper()
	limited, cancel := context.WithTimeout(use(t, Find(t, what)), limit)
	t.Cleanup(cancel)
	return open(limited, t, url, look, chromedp.WithNewBrowserContext())
}

// Beside opens another page in another window of the same browser.
func (p *Tab) Beside(url string, look Look) *Tab {
	p.T.Helper()
	return open(p.ctx, p.T, url, look)
}

func open(parent context.Context, t testing.TB, url string, look Look, options ...chromedp.ContextOption) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	p := &Tab{T: t, ctx: ctx}
	stop := sync.OnceFunc(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Logf("close the browser: %v", err)
		}
		cancel()
	})
	t.Cleanup(stop)
	p.Do(
		Command(emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: cmp.Or(look.Locale, "en-IE")}),
		Command(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Europe/Amsterdam"}),
	)
	p.show(look)
	messages := chromedp.Console(ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		for message, err := range messages {
			if err != nil {
				return // the browser is closed
			}
			p.mu.Lock()
			p.console = append(p.console, message)
			p.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		stop()
		listening.Wait()
	})
	p.Do(chromedp.Navigate(url))
	return p
}

// Do does things in the browser.
func (p *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.T.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.T.Fatalf("browser: %v", err)
	}
}

// Look loads the page anew in a window of another look, without what its address
// remembers. What follows is reported to t.
func (p *Tab) Look(t testing.TB, look Look) {
	t.Helper()
	p.T = t
	p.show(look)
	p.Run(`history.replaceState(null, "", location.pathname)`)
	p.Do(chromedp.Reload())
}

// show changes size and colours.
func (p *Tab) show(look Look) {
	p.T.Helper()
	p.Do(chromedp.EmulateViewport(look.Width, look.Height))
	p.Dark(look.Dark)
}

// Dark changes the colours that the page is asked for.
func (p *Tab) Dark(dark bool) {
	p.T.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p.Do(Command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}))
}

// Resize changes the size of the window.
func (p *Tab) Resize(size Size) {
	p.T.Helper()
	p.Do(chromedp.EmulateViewport(size.Width, size.Height))
	p.Until(fmt.Sprintf("innerWidth === %d", size.Width))
}

// Command is a command of the browser's protocol as an action.
func Command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// Eval evaluates JavaScript; a promise is waited for.
func Eval[T any](p *Tab, script string) T {
	p.T.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.T.Fatalf("browser: evaluate %s: %v", script, err)
	}
	return value
}

// Run runs statements of JavaScript.
func (p *Tab) Run(script string) {
	p.T.Helper()
	Eval[bool](p, "(() => {"+script+"})(), true")
}

// Sees waits until something that matches the selector is visible.
func (p *Tab) Sees(selector string) {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.WaitVisible(chromedp.CSS(selector))); err != nil {
		p.T.Fatalf("wait for %s: %v\nthe page says:\n%s", selector, err, Eval[string](p, "document.body.innerText"))
	}
}

// Until waits until an expression of JavaScript is true.
func (p *Tab) Until(expression string) {
	p.T.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(patience))); err != nil {
		p.T.Fatalf("wait for %s: %v\nthe page says:\n%s", expression, err, Eval[string](p, "document.body.innerText"))
	}
}

// Reads waits until what matches the selector reads as wanted.
func (p *Tab) Reads(selector, want string) {
	p.T.Helper()
	p.Until("document.querySelector(" + strconv.Quote(selector) + ")?.textContent.trim() === " + strconv.Quote(want))
}

// Click presses something with the mouse.
func (p *Tab) Click(selector string) {
	p.T.Helper()
	p.Do(chromedp.ScrollIntoView(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// Key types keys, wherever the focus is.
func (p *Tab) Key(keys ...string) {
	p.T.Helper()
	for _, key := range keys {
		p.Do(chromedp.KeyEvent(key))
	}
}

// Quiet fails the test when the browser complained of the page: of an error in a
// script, or of something that its policy forbids. It fails as well when the page
// took anything from another server.
func (p *Tab) Quiet() {
	p.T.Helper()
	p.mu.Lock()
	messages := slices.Clone(p.console)
	p.mu.Unlock()
	for _, m := range messages {
		if m.IsException() || m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning {
			p.T.Errorf("the page's console complains: %s", m)
		}
	}
	for _, foreign := range Eval[[]string](p, `performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith(location.origin + "/"))`) {
		p.T.Errorf("the page took %s", foreign)
	}
}

// Fits fails the test when the page, or a part of it that is not made to scroll,
// is wider than the room it has.
func (p *Tab) Fits() {
	p.T.Helper()
	wide := Eval[[]string](p, `[document.documentElement, ...document.querySelectorAll("body *")].filter(e => {
		if (e.scrollWidth <= e.clientWidth + 1 || e.clientWidth <= 1) return false
		const style = getComputedStyle(e)
		if (style.display === "inline" || style.textOverflow === "ellipsis" || style.clipPath !== "none") return false
		return e === document.documentElement || style.overflowX === "hidden" || style.overflowX === "clip"
	}).map(e => e.tagName + "#" + e.id + "." + e.className + " holds " + e.scrollWidth + " in " + e.clientWidth)`)
	for _, w := range wide {
		p.T.Errorf("something is cut off: %s", w)
	}
}
