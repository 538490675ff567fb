package simulator

import (
	"net/http"
	"net/url"
)

// Paths that the simulator answers.
const (
	apiPath     = "/v1/json/"
	eventsPath  = "/events/stream/"
	controlPath = "/simulator/"
	trapPath    = controlPath + "trap" // where the redirect fault sends clients
)

// origin is the simulator's address as the client wrote it.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// otherOrigin is the same server under another host name where there is one.
func otherOrigin(r *http.Request) string {
	u, err := url.Parse(origin(r))
	if err != nil {
		return "http://other-host.invalid"
	}
	other := "other-host.invalid"
	switch u.Hostname() {
	case "127.0.0.1", "::1":
		other = "localhost"
	case "localhost":
		other = "127.0.0.1"
	}
	if port := u.Port(); port != "" {
		other += ":" + port
	}
	return u.Scheme + "://" + other
}
