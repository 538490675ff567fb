package simulator_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/posbridge/bridge/internal/simulator"
)

// browserLimit is how long one browser test may take on a busy machine.
const browserLimit = 2 * time.Minute

// findBrowser returns the path of a Chromium, or skips the test.
func findBrowser(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("left out with -short: the virtual terminal in a real browser")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("left out: the virtual terminal in a real browser (payments by click and by keyboard, lost connection, accessibility); install chromium to run it")
	return ""
}

// tab is a page of the virtual terminal in a browser of its own.
type tab struct {
	*bundle
	ctx context.Context

	mu      sync.Mutex
	console []chromedp.ConsoleMessage
}

// size of a window.
type size struct{ width, height int64 }

var (
	desk  = size{1440, 900}
	wall  = size{1920, 1080}
	phone = size{390, 844}
)

// browse opens the virtual terminal of b.
func browse(t *testing.T, b *bundle, window size, dark bool) *tab {
	t.Helper()
	path := findBrowser(t)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("headless", true), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WindowSize(int(window.width), int(window.height)),
	)
	limited, cancelLimit := context.WithTimeout(context.Background(), browserLimit)
	allocated, cancelAllocator := chromedp.NewExecAllocator(limited, options...)
	ctx, cancel := chromedp.NewContext(allocated)
	p := &tab{bundle: b, ctx: ctx}
	stop := sync.OnceFunc(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Logf("close the browser: %v", err)
		}
		cancel()
		cancelAllocator()
		cancelLimit()
	})
	t.Cleanup(stop)
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p.do(
		chromedp.EmulateViewport(window.width, window.height),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
		command(emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: "en-IE"}),
		command(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Europe/Amsterdam"}),
	)
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
	t.Cleanup(listening.Wait)
	t.Cleanup(stop)
	p.do(chromedp.Navigate(b.URL + "/"))
	p.sees(`#connection[data-state="live"]`)
	return p
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatalf("browser: %v", err)
	}
}

// get does an action and returns its value.
func get[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, action)
	if err != nil {
		p.t.Fatalf("browser: %v", err)
	}
	return value
}

// command is a command of the protocol as an action.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// sees waits until something that matches the selector is visible.
func (p *tab) sees(selector string) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.WaitVisible(chromedp.CSS(selector))); err != nil {
		p.t.Fatalf("wait for %s: %v", selector, err)
	}
}

// until waits until an expression of JavaScript is true.
func (p *tab) until(expression string) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(time.Minute))); err != nil {
		p.t.Fatalf("wait for %s: %v", expression, err)
	}
}

// click presses something with the mouse.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.ScrollIntoView(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// key types one key, wherever the focus is.
func (p *tab) key(key string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(key))
}

// screen waits until a terminal shows a screen.
func (p *tab) screen(terminal string, screen simulator.Screen) {
	p.t.Helper()
	p.sees(fmt.Sprintf(`#terminal-%s[data-screen=%q]`, terminal, screen))
}

// act clicks a button of a terminal.
func (p *tab) act(terminal string, action simulator.Action) {
	p.t.Helper()
	p.click(fmt.Sprintf(`#terminal-%s [data-act=%q]:not([aria-disabled])`, terminal, action))
}

// quiet fails the test when the page's console complained.
func (p *tab) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.console {
		if m.IsException() || m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning {
			p.t.Errorf("the page's console complains: %s", m)
		}
	}
}
