package multisafepay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// providerDomain is the domain whose subdomains belong to the provider.
const providerDomain = "multisafepay.com"

// host is a host name in its one written form, with a port; port "" is any.
type host struct{ name, port string }

// tokenHosts are the hosts that may be sent an events token.
type tokenHosts struct {
	// tls refuses streams without it: the API has it.
	tls bool
	// domain lets in the provider's subdomains, over TLS.
	domain bool
	// exact are the API's own host and port, and those of the configuration.
	exact []host
}

// newTokenHosts derives them from the API's URL and the configured hosts. Its
// errors never quote what they refuse: it may hold a password.
func newTokenHosts(api *url.URL, allowed []string) (tokenHosts, error) {
	own, err := hostOf(api)
	if err != nil {
		return tokenHosts{}, fmt.Errorf("API URL: %w", err)
	}
	t := tokenHosts{
		tls:    strings.EqualFold(api.Scheme, "https"),
		domain: own.name == providerDomain || strings.HasSuffix(own.name, "."+providerDomain),
		exact:  []host{own},
	}
	for i, entry := range allowed {
		h, err := parseHost(entry)
		if err != nil {
			return tokenHosts{}, fmt.Errorf("allowed events host number %d: %w", i+1, err)
		}
		t.exact = append(t.exact, h)
	}
	return t, nil
}

// check returns the URL to follow, or ErrStreamHost.
func (t tokenHosts) check(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, ErrStreamHost // the parser's own error quotes the URL
	}
	secure := u.Scheme == "https" // the parser has it in lower case
	if u.User != nil || u.Opaque != "" || !secure && (t.tls || u.Scheme != "http") {
		return nil, ErrStreamHost
	}
	h, err := hostOf(u)
	if err != nil {
		return nil, ErrStreamHost
	}
	u.Fragment, u.RawFragment = "", ""
	for _, e := range t.exact {
		if e.name == h.name && (e.port == "" || e.port == h.port) {
			return u, nil
		}
	}
	if t.domain && secure && strings.HasSuffix(h.name, "."+providerDomain) {
		return u, nil
	}
	return nil, ErrStreamHost
}

// errHost is what is wrong with a host.
var errHost = errors.New("must be a host name or an IP address, with or without a port from 1 to 65535")

// hostOf returns the host and port that a URL leads to.
func hostOf(u *url.URL) (host, error) {
	name, err := hostName(u.Hostname())
	if err != nil {
		return host{}, err
	}
	port := u.Port()
	switch {
	case port == "" && strings.HasSuffix(u.Host, ":"):
		return host{}, errHost
	case port == "" && u.Scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	port, err = portNumber(port)
	return host{name, port}, err
}

// parseHost reads "host" or "host:port"; an IPv6 address stands in brackets
// when a port follows.
func parseHost(s string) (host, error) {
	s = strings.TrimSpace(s)
	if addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return host{name: addr.String()}, nil
	}
	if !strings.Contains(s, ":") {
		name, err := hostName(s)
		return host{name: name}, err
	}
	name, port, err := net.SplitHostPort(s)
	if err != nil {
		return host{}, errHost
	}
	if name, err = hostName(name); err != nil {
		return host{}, err
	}
	port, err = portNumber(port)
	return host{name, port}, err
}

// hostName returns a name in lower case, an IP address in its canonical form.
// Names of other scripts are refused: their lower case can be a look-alike.
func hostName(s string) (string, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.String(), nil
	}
	if s == "" || len(s) > 253 {
		return "", errHost
	}
	b := []byte(s)
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		case c == '.' && i > 0 && i < len(b)-1 && b[i-1] != '.':
		default:
			return "", errHost
		}
	}
	return string(b), nil
}

// portNumber returns a port without leading zeros.
func portNumber(s string) (string, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return "", errHost
	}
	return strconv.FormatUint(n, 10), nil
}
