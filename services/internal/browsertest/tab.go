package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Tab is a page that is open, without the cookies, credentials and cache of others.
type Tab struct {
	t       testing.TB
	browser *Browser
	ctx     context.Context
	// at is the last URL.
	at string
	// answering are the functions that send commands when the page does something.
	answering sync.WaitGroup

	mu       sync.Mutex
	origin   string // scheme and host of the first URL
	document string // URL of what was navigated to: its status is for the test to judge
	status   int    // of the last document
	problems []string
}

// Option changes a tab.
type Option func(*Tab) []chromedp.Action[chromedp.Void]

func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

// Phone is a window of 390 by 844 that is touched. Default: a desktop's, 1280 by 800.
func Phone(*Tab) []chromedp.Action[chromedp.Void] {
	return []chromedp.Action[chromedp.Void]{chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulatePortrait, chromedp.EmulateTouch)}
}

// Dark prefers dark colours. Default: light ones.
func Dark(*Tab) []chromedp.Action[chromedp.Void] { return scheme("dark") }

func scheme(name string) []chromedp.Action[chromedp.Void] {
	return []chromedp.Action[chromedp.Void]{command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})}
}

// WithoutScript runs no script of the page.
func WithoutScript(*Tab) []chromedp.Action[chromedp.Void] {
	return []chromedp.Action[chromedp.Void]{command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})}
}

// Language is what the browser prefers. Default: English.
func Language(tag string) Option {
	return func(*Tab) []chromedp.Action[chromedp.Void] {
		return []chromedp.Action[chromedp.Void]{command(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": tag}})}
	}
}

// Password is what is typed when the browser asks for one, once; an empty one cancels.
func Password(text string) Option {
	return func(tab *Tab) []chromedp.Action[chromedp.Void] {
		asked := false
		answer := func(ctx context.Context, e any) {
			switch e := e.(type) {
			case *fetch.EventRequestPaused:
				_, _ = chromedp.Call(ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: e.RequestID})
			case *fetch.EventAuthRequired:
				r := &fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseProvideCredentials, Username: "key", Password: text}
				if asked || text == "" {
					r = &fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseCancelAuth}
				}
				asked = true
				_, _ = chromedp.Call(ctx, fetch.ContinueWithAuth, fetch.ContinueWithAuthParams{RequestID: e.RequestID, AuthChallengeResponse: r})
			}
		}
		return []chromedp.Action[chromedp.Void]{
			chromedp.Func(func(context.Context, *chromedp.Target) error { return tab.answer(answer) }),
			command(fetch.Enable, fetch.EnableParams{HandleAuthRequests: new(true)}),
		}
	}
}

// Open opens an empty tab until the test ends, which fails by what its pages did wrong and Problems didn't return.
func (b *Browser) Open(t testing.TB, options ...Option) *Tab {
	t.Helper()
	tab := &Tab{t: t, browser: b}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	tab.ctx = ctx
	if err := chromedp.Listen(ctx, tab.see); err != nil {
		cancel()
		t.Fatalf("open a tab: %v", err)
	}
	t.Cleanup(func() {
		for _, p := range tab.Problems() {
			t.Errorf("%s: %s", tab.at, p)
		}
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close a tab: %v", err)
		}
		cancel()
		tab.answering.Wait()
	})
	setup := slices.Concat([]chromedp.Action[chromedp.Void]{chromedp.EmulateViewport(1280, 800)}, scheme("light"), Language("en")(tab))
	for _, option := range options {
		setup = append(setup, option(tab)...)
	}
	tab.Do(append(setup, chromedp.Func(func(context.Context, *chromedp.Target) error {
		return tab.answer(func(ctx context.Context, e any) {
			if _, ok := e.(*page.EventJavascriptDialogOpening); ok {
				_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: false})
			}
		})
	}))...)
	return tab
}

// answer calls a function that may send commands for each event, in their order, until the tab is closed.
func (tab *Tab) answer(f func(context.Context, any)) error {
	events := make(chan any, 1024)
	tab.answering.Go(func() {
		for {
			select {
			case e := <-events:
				f(tab.ctx, e)
			case <-tab.ctx.Done():
				return
			}
		}
	})
	return chromedp.Listen(tab.ctx, func(e any) {
		select {
		case events <- e:
		case <-tab.ctx.Done():
		}
	})
}

// see notes what goes wrong.
func (tab *Tab) see(event any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		tab.problems = append(tab.problems, "uncaught "+(&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			tab.problems = append(tab.problems, fmt.Sprintf("console.%s of a script", e.Type))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && (e.Entry.Source != log.EntrySourceNetwork || !tab.forgives(e.Entry.URL)) {
			tab.problems = append(tab.problems, strings.TrimSpace(e.Entry.Text+" "+e.Entry.URL))
		}
	case *page.EventJavascriptDialogOpening:
		tab.problems = append(tab.problems, "a dialog: "+e.Message)
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument {
			tab.document = e.Request.URL
		}
		if inside := strings.HasPrefix(e.Request.URL, "data:") || e.Request.URL == "about:blank"; tab.origin != "" && !inside && originOf(e.Request.URL) != tab.origin {
			tab.problems = append(tab.problems, "a request to elsewhere: "+e.Request.URL)
		}
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			tab.status = int(e.Response.Status)
		}
	}
}

// forgives reports whether an answer that is an error is for the test to judge: the document, or the icon that the browser
// asks for itself where there is no page.
func (tab *Tab) forgives(target string) bool {
	return target == tab.document || target == tab.origin+"/favicon.ico"
}

func originOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	return u.Scheme + "://" + u.Host
}

// Problems returns what went wrong since the last call.
func (tab *Tab) Problems() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	found := tab.problems
	tab.problems = nil
	return found
}

// Status is that of the last document.
func (tab *Tab) Status() int {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return tab.status
}

// Go loads a URL and returns the answer's status.
func (tab *Tab) Go(target string) (status int) {
	tab.t.Helper()
	tab.at = target
	tab.mu.Lock()
	if tab.origin == "" {
		tab.origin = originOf(target)
	}
	tab.mu.Unlock()
	tab.Do(chromedp.Navigate(target))
	return tab.Status()
}

// ask runs an action for a while.
func ask[T any](tab *Tab, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(tab.ctx, within)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// Do runs actions.
func (tab *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	if _, err := ask(tab, chromedp.Steps(actions...)); err != nil {
		tab.t.Fatalf("%s: %v\n%s", tab.at, err, strings.Join(tab.Problems(), "\n"))
	}
}

// Press presses keys, as chromedp/kb names those that are no letters.
func (tab *Tab) Press(keys string) {
	tab.t.Helper()
	tab.Do(chromedp.KeyEvent(keys))
}

// Text is what a script's expression evaluates to.
func (tab *Tab) Text(script string) string {
	tab.t.Helper()
	return value[string](tab, "String("+script+")")
}

// Texts is a list that a script's expression evaluates to.
func (tab *Tab) Texts(script string) []string {
	tab.t.Helper()
	return value[[]string](tab, "Array.from("+script+", String)")
}

// Await waits until a script's expression is true, over navigations too.
func (tab *Tab) Await(what, script string) {
	tab.t.Helper()
	var err error
	for start := time.Now(); time.Since(start) < within; time.Sleep(50 * time.Millisecond) {
		var done bool
		if done, err = ask(tab, chromedp.Evaluate[bool]("!!("+script+")")); done {
			return
		}
	}
	tab.t.Fatalf("%s: %s: not within %s: %s: %v", tab.at, what, within, script, err)
}

// Hide minimizes the tab's window, or shows it again.
func (tab *Tab) Hide(hidden bool) {
	tab.t.Helper()
	state := browser.WindowStateNormal
	if hidden {
		state = browser.WindowStateMinimized
	}
	tab.Do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		w, err := chromedp.CallBrowser(ctx, browser.GetWindowForTarget, browser.GetWindowForTargetParams{TargetID: target.TargetID})
		if err != nil {
			return err
		}
		_, err = chromedp.CallBrowser(ctx, browser.SetWindowBounds, browser.SetWindowBoundsParams{WindowID: w.WindowID, Bounds: &browser.Bounds{WindowState: state}})
		return err
	}))
}

// Screenshot is the window as a PNG.
func (tab *Tab) Screenshot() []byte {
	tab.t.Helper()
	png, err := ask(tab, chromedp.CaptureScreenshot())
	if err != nil {
		tab.t.Fatalf("%s: take a screenshot: %v", tab.at, err)
	}
	return png
}
