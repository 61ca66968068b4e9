package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is one tab of Chromium, in a profile that no other test has.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu      sync.Mutex
	console []string
	loaded  int
}

// openTab opens a tab, and closes it when the test ends.
func openTab(t *testing.T) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(chromium(t), chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	do(b, chromedp.EmulateViewport(800, 460))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("console of the page:\n%s", strings.Join(b.said(), "\n"))
			b.shoot(strings.ReplaceAll(t.Name(), "/", "-"))
		}
	})
	return b
}

// listen keeps what stands on the console: what pages write there, and what the browser complains about. It hears of
// an event before an action returns that was called after it.
func (b *tab) listen(event any) {
	var line string
	switch e := event.(type) {
	case *log.EventEntryAdded:
		line = fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *runtime.EventExceptionThrown:
		line = fmt.Sprintf("exception: %s (%s)", e.ExceptionDetails.Text, e.ExceptionDetails.URL)
		if what := e.ExceptionDetails.Exception; what != nil {
			line += " " + what.Description
		}
	case *runtime.EventConsoleAPICalled:
		line = fmt.Sprintf("console.%s:", e.Type)
		for _, arg := range e.Args {
			line += " " + string(arg.Value) + arg.Description
		}
	case *page.EventFrameNavigated:
		if e.Frame.ParentID == "" {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.loaded++
		}
		return
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.console = append(b.console, line)
}

// loads returns how many pages the tab has shown, each reload counted.
func (b *tab) loads() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loaded
}

// said returns the lines of the console.
func (b *tab) said() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.console...)
}

// saidNothing fails the test if anything stands on the console.
func (b *tab) saidNothing() {
	b.t.Helper()
	if said := b.said(); len(said) > 0 {
		b.t.Errorf("on the console: %q", said)
	}
}

// do returns the value of an action of the tab.
func do[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// open shows a page, and returns when it is loaded.
func (b *tab) open(url string) {
	b.t.Helper()
	do(b, chromedp.Navigate(url))
}

// eval returns the value of a JavaScript expression in the page, as JSON.
func (b *tab) eval(expression string) string {
	b.t.Helper()
	return string(do(b, chromedp.Evaluate[[]byte](expression)))
}

// await waits until a JavaScript expression is true in the page, whatever is loaded into the tab meanwhile.
func (b *tab) await(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		// Fails where a page is being replaced by another.
		if is, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")")); err == nil && is {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.t.Fatalf("it was not so within %v: %s\nthe page: %s", limit, expression, b.eval("document.documentElement.outerHTML"))
		}
	}
}

// shoot writes what the tab shows to NAME.png, if screenshots are asked for.
func (b *tab) shoot(name string) {
	b.t.Helper()
	if *shots == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), do(b, chromedp.CaptureScreenshot()), 0o644); err != nil {
		b.t.Fatal(err)
	}
}
