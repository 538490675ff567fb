package console_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// screenshotsEnv names a folder for pictures of the page.
const screenshotsEnv = "SCREENSHOTS_DIR"

// browserLimit is how long one browser test may take on a busy machine.
const browserLimit = 2 * time.Minute

// findBrowser returns the path of a Chromium, or skips the test.
func findBrowser(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("left out with -short: the console in a real browser")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("left out: the console in a real browser (a live payment, a takeover, 5,000 sessions, lost connection, keyboard, accessibility); install chromium to run it")
	return ""
}

// tab is a page in a browser of its own.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu      sync.Mutex
	console []chromedp.ConsoleMessage
}

// size of a window.
type size struct{ width, height int64 }

var (
	desk  = size{1440, 900}
	wall  = size{2560, 1440}
	phone = size{390, 844}
)

// browse opens a page.
func browse(t *testing.T, url string, window size, dark bool) *tab {
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
	p := &tab{t: t, ctx: ctx}
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
	p.do(chromedp.Navigate(url + "/"))
	return p
}

// live opens a console and waits until it shows everything.
func live(t *testing.T, url string, window size, dark bool) *tab {
	t.Helper()
	p := browse(t, url, window, dark)
	p.sees(`body[data-link="live"]`)
	return p
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatalf("browser: %v", err)
	}
}

// eval evaluates JavaScript; a promise is waited for.
func eval[T any](p *tab, script string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("browser: evaluate %s: %v", script, err)
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
		p.t.Fatalf("wait for %s: %v\nthe page says:\n%s", expression, err, eval[string](p, "document.body.innerText"))
	}
}

// reads waits until what matches the selector reads as wanted.
func (p *tab) reads(selector, want string) {
	p.t.Helper()
	p.until("document.querySelector(" + quote(selector) + ")?.textContent.trim() === " + quote(want))
}

// click presses something with the mouse.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.ScrollIntoView(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// key types keys, wherever the focus is.
func (p *tab) key(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do(chromedp.KeyEvent(key))
	}
}

// picture takes a screenshot where somebody wants to see it.
func (p *tab) picture(name string) {
	p.t.Helper()
	folder := os.Getenv(screenshotsEnv)
	if folder == "" {
		return
	}
	content, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatalf("take picture: %v", err)
	}
	shot, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		p.t.Fatalf("read picture: %v", err)
	}
	bounds := shot.Bounds()
	coarse := image.NewNRGBA(bounds) // a repository keeps every byte for ever, and eyes do not see the lowest bits
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			r, g, b, _ := shot.At(x, y).RGBA()
			coarse.SetNRGBA(x, y, color.NRGBA{round(r), round(g), round(b), 255})
		}
	}
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, coarse); err != nil {
		p.t.Fatalf("write picture: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), small.Bytes(), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// round keeps five bits of a colour of 16.
func round(c uint32) uint8 { return uint8(c >> 11 * 255 / 31) }

// complaints is what the page's console complained of.
func (p *tab) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for _, m := range p.console {
		if m.IsException() || m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning {
			list = append(list, m.String())
		}
	}
	return list
}

// quiet fails the test when the page's console complained.
func (p *tab) quiet() {
	p.t.Helper()
	for _, c := range p.complaints() {
		p.t.Errorf("the page's console complains: %s", c)
	}
}
