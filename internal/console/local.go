package console

import (
	"net"
	"net/http"
	"strings"
)

// localOnly refuses everybody but this machine: it is what protects a console
// without a token. The client must have a loopback address, and the request must
// name a loopback host. A page of another site whose name was made to lead to
// 127.0.0.1 names its own host. A request that a proxy passed on comes from
// somebody else, even if the proxy runs on this machine.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isLoopback(hostOf(r.RemoteAddr)) && isLoopback(hostOf(r.Host)) && !passedOn(r.Header) {
			next.ServeHTTP(w, r)
			return
		}
		answer(w, http.StatusForbidden, problem{
			"Without a token the console answers this machine only, at http://localhost or http://127.0.0.1. Set BRIDGE_CONSOLE_TOKEN_FILE to reach it from elsewhere.",
		})
	})
}

// hostOf is an address without its port, if it has one.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// passedOn reports whether a proxy says that it sent the request for somebody else.
func passedOn(h http.Header) bool {
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}
