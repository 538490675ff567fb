package wire

import (
	"net/http"
	"net/url"
)

// Paths that the simulator answers.
const (
	APIPath     = "/v1/json/"
	EventsPath  = "/events/stream/"
	ControlPath = "/simulator/"
	TrapPath    = ControlPath + "trap" // where the redirect fault sends clients
)

// Origin is the simulator's address as the client wrote it.
func Origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// OtherOrigin is the same server under another host name where there is one.
func OtherOrigin(r *http.Request) string {
	u, err := url.Parse(Origin(r))
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
