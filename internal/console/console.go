package console

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/posbridge/bridge/subjects"
)

// Options of a console.
type Options struct {
	Source Source
	// Token protects the page. It is a secret. Without one the console answers this
	// machine only.
	Token string
	// Terminals is the address of a page of simulated terminals; empty if there is none.
	Terminals string
}

// Console serves the operator's page.
type Console struct {
	source    Source
	guard     *guard
	terminals string
	// handler answers what is asked, if the asker may be here at all.
	handler http.Handler

	// viewers bounds how many streams are open.
	viewers chan struct{}
	closed  chan struct{}
	once    sync.Once
}

// maxViewers is how many people may look at one replica at once.
const maxViewers = 64

// New returns a console. Close ends its streams.
func New(o Options) *Console {
	mux := http.NewServeMux()
	c := &Console{
		source: o.Source, guard: newGuard(o.Token), terminals: o.Terminals, handler: mux,
		viewers: make(chan struct{}, maxViewers), closed: make(chan struct{}),
	}
	files := pages()
	for name, content := range files {
		if name != "index.html" && name != "login.html" {
			mux.Handle("GET "+filePath+name, file(name, content)) // no file tells anything; the question for the token needs some
		}
	}
	c.guard.question = string(files["login.html"])
	mux.Handle("GET /{$}", c.guard.page(file("index.html", files["index.html"])))
	mux.Handle("GET "+filePath+"events", c.guard.only(http.HandlerFunc(c.events)))
	mux.Handle("GET "+filePath+"order", c.guard.only(http.HandlerFunc(c.order)))
	mux.HandleFunc("POST "+filePath+"login", c.guard.login)
	mux.HandleFunc("POST "+filePath+"logout", c.guard.logout)
	if o.Token == "" {
		c.handler = localOnly(mux)
	}
	return c
}

// Close ends the streams of all who look. It may be called more than once.
func (c *Console) Close() { c.once.Do(func() { close(c.closed) }) }

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	c.handler.ServeHTTP(w, r)
}

// order answers with the course of one order.
func (c *Console) order(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	terminal, order := query.Get("terminal"), query.Get("order")
	if subjects.CheckOrder(order) != nil || terminal != "" && subjects.CheckTerminal(terminal) != nil {
		answer(w, http.StatusBadRequest, problem{"This is not a valid order id or terminal."})
		return
	}
	course, err := c.source.Course(r.Context(), terminal, order)
	switch {
	case errors.Is(err, ErrNotFound):
		answer(w, http.StatusNotFound, problem{"This order is not known: no session is open for it, and no status of it is stored."})
	case err != nil: // the source's errors are for logs
		answer(w, http.StatusServiceUnavailable, problem{"The course cannot be read now. Is NATS available?"})
	default:
		answer(w, http.StatusOK, course)
	}
}

// clock is the time as it goes into a stream.
func clock() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
