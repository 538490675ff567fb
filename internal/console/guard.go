package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	cookieName = "pos_bridge_console"
	// cookieLife is how long a login lasts.
	cookieLife = 12 * time.Hour
	// maxLogin bounds the body of a login.
	maxLogin = 4 << 10
)

// guard lets in whoever knows the token. A cookie holds a time and what only the
// token's holder can compute from it, never the token: all replicas with the same
// token accept it, and it ends by itself.
type guard struct {
	// token is the token's SHA-256, nil when there is none.
	token []byte
	// question is the page that asks for the token.
	question string
	now      func() time.Time
	tries    *tries
	cross    *http.CrossOriginProtection
}

func newGuard(token string) *guard {
	g := &guard{now: time.Now, tries: newTries(), cross: http.NewCrossOriginProtection()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		g.token = sum[:]
	}
	return g
}

// knows compares a token in time that does not depend on where it differs.
func (g *guard) knows(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], g.token) == 1
}

// sign is the cookie's value for an end.
func (g *guard) sign(until string) string {
	mac := hmac.New(sha256.New, g.token)
	mac.Write([]byte(cookieName + " until " + until))
	return until + "." + hex.EncodeToString(mac.Sum(nil))
}

// admitted reports until when a request may see what it asks for; ok is false
// when it may not.
func (g *guard) admitted(r *http.Request) (until time.Time, ok bool) {
	now := g.now()
	if g.token == nil {
		return now.Add(cookieLife), true
	}
	if bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found {
		return now.Add(cookieLife), g.tried(r, bearer)
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return time.Time{}, false
	}
	end, _, _ := strings.Cut(cookie.Value, ".")
	if !hmac.Equal([]byte(cookie.Value), []byte(g.sign(end))) {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(end, 10, 64)
	until = time.Unix(seconds, 0)
	return until, err == nil && now.Before(until)
}

// tried reports whether a token is the right one. Wrong ones are counted by
// sender: after too many, no token of that sender is looked at for a moment, not
// even the right one. A sender that has a cookie does not notice.
func (g *guard) tried(r *http.Request, token string) bool {
	if g.tries.exhausted(r) {
		return false
	}
	if g.knows(strings.TrimSpace(token)) {
		return true
	}
	g.tries.wrong(r)
	return false
}

// only refuses whoever is not admitted.
func (g *guard) only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := g.admitted(r); !ok {
			w.Header().Set("WWW-Authenticate", `Bearer realm="pos-bridge console"`)
			answer(w, http.StatusUnauthorized, problem{"The console asks for its token."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// page shows the page, or asks for the token.
func (g *guard) page(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := g.admitted(r); ok {
			page.ServeHTTP(w, r)
			return
		}
		switch r.URL.RawQuery {
		case wrongToken:
			g.ask(w, http.StatusUnauthorized, "That was not the token.")
		case tooMany:
			w.Header().Set("Retry-After", "1")
			g.ask(w, http.StatusTooManyRequests, "Too many wrong tokens. Wait a moment, then try again.")
		default:
			g.ask(w, http.StatusUnauthorized, "")
		}
	})
}

// Queries of the page after a login that failed.
const (
	wrongToken = "wrong"
	tooMany    = "slow"
)

// toPage leads from /console/login and /console/logout back to the page. The
// address is relative, as all are: the bridge does not know under which path an
// ingress shows it.
func toPage(w http.ResponseWriter, query string) {
	w.Header().Set("Location", strings.TrimSuffix("../?"+query, "?"))
	w.WriteHeader(http.StatusSeeOther)
}

// ask answers with the question for the token, and why it is asked again.
func (g *guard) ask(w http.ResponseWriter, status int, why string) {
	if why != "" {
		why = `<p id="wrong" class="wrong" role="alert">` + why + `</p>`
	}
	h := w.Header()
	h.Set("WWW-Authenticate", `Bearer realm="pos-bridge console"`)
	h.Set("Content-Type", contentTypes[".html"])
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.Replace(g.question, "<!-- problem -->", why, 1)) // the asker has gone
}

// login takes the token of a form and gives a cookie.
func (g *guard) login(w http.ResponseWriter, r *http.Request) {
	if g.cross.Check(r) != nil {
		answer(w, http.StatusForbidden, problem{"A page of another origin may not do this."})
		return
	}
	if g.token == nil {
		toPage(w, "")
		return
	}
	if g.tries.exhausted(r) {
		toPage(w, tooMany)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	if !g.tried(r, r.PostFormValue("token")) {
		toPage(w, wrongToken)
		return
	}
	until := g.now().Add(cookieLife)
	http.SetCookie(w, g.cookie(r, g.sign(strconv.FormatInt(until.Unix(), 10)), until))
	toPage(w, "")
}

// logout takes the cookie back.
func (g *guard) logout(w http.ResponseWriter, r *http.Request) {
	if g.cross.Check(r) != nil {
		answer(w, http.StatusForbidden, problem{"A page of another origin may not do this."})
		return
	}
	c := g.cookie(r, "", time.Unix(1, 0)) //nolint:gosec // see cookie
	c.MaxAge = -1
	http.SetCookie(w, c)
	toPage(w, "")
}

func (g *guard) cookie(r *http.Request, value string, until time.Time) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // secure where the page comes over TLS; the daemon itself speaks plain HTTP
		Name: cookieName, Value: value, Path: "/", Expires: until, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	}
}
