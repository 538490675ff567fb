package multisafepay

import (
	"errors"
	"strings"
	"testing"
)

func TestTokenHosts(t *testing.T) {
	t.Parallel()
	const live = "https://api.multisafepay.com/v1/json"
	tests := []struct {
		name, api string
		allowed   []string
		yes, no   []string
	}{
		{
			name: "the provider", api: live,
			yes: []string{
				"https://api.multisafepay.com/events/stream/",
				"https://API.MultiSafepay.COM/events",
				"https://api.multisafepay.com:443/events",
				"HTTPS://api.multisafepay.com/?a=b#c",
				"https://testapi.multisafepay.com/events",
				"https://a.b.multisafepay.com:8443/events",
			},
			no: []string{
				"http://api.multisafepay.com/events",
				"http://api.multisafepay.com:443/events",
				"https://evilmultisafepay.com/events",
				"https://api.multisafepay.com.evil.example/events",
				"https://api.multisafepay.community/events",
				"https://multisafepay.com/events", // neither the API's own nor below it
				"https://multisafepay.com.",
				"https://api.multisafepay.com./events",
				"https://.multisafepay.com/events",
				"https://a..multisafepay.com/events",
				"https://user@api.multisafepay.com/events",
				"https://api.multisafepay.com@evil.example/events",
				"https://api.multisafepay.com:x@evil.example/events",
				"https://evil.example/https://api.multisafepay.com/",
				"https://evil.example#.multisafepay.com",
				"https://evil.example?.multisafepay.com",
				`https://evil.example\.multisafepay.com/`,
				"https://evil.example%2F.multisafepay.com/",
				"https://evil.example%00.multisafepay.com/",
				"https://ápi.multisafepay.com/",
				"https://api.multisafepa\u212a.com/", // lower case of the Kelvin sign is k
				"https://api。multisafepay。com/",
				"https://api.multisafepay.com:0/", "https://api.multisafepay.com:/", "https://api.multisafepay.com:65536/",
				"https:api.multisafepay.com/events", "//api.multisafepay.com/events", "/events", "",
				"ftp://api.multisafepay.com/", "javascript:alert(1)", "https://", "https://:443/",
				"https://127.0.0.1/", "https://[::1]/", " https://api.multisafepay.com/", "https://api.multisafepay.com /",
				"https://api.multisafepay.com/\r\nHost: x",
			},
		},
		{
			name: "an API elsewhere lets no subdomain of the provider in", api: "https://gateway.example:8443/msp",
			yes: []string{"https://gateway.example:8443/events", "https://GATEWAY.example:08443/events"},
			no: []string{
				"https://gateway.example/events", "https://gateway.example:443/", "https://api.multisafepay.com/events",
				"https://x.gateway.example:8443/", "http://gateway.example:8443/events",
			},
		},
		{
			name: "plain http for trials", api: "http://127.0.0.1:9000",
			yes: []string{"http://127.0.0.1:9000/e", "https://127.0.0.1:9000/e", "http://127.0.0.1:09000/e"},
			no:  []string{"http://127.0.0.1:9001/e", "http://127.0.0.1/e", "http://localhost:9000/e", "http://127.0.0.1:9000@evil.example/"},
		},
		{
			name: "default ports", api: "http://simulator",
			yes: []string{"http://simulator/e", "http://simulator:80/e"},
			no:  []string{"https://simulator/e", "http://simulator:8080/e"},
		},
		{
			name: "IPv6", api: "http://[::1]:9000",
			yes: []string{"http://[::1]:9000/e", "http://[0:0:0:0:0:0:0:1]:9000/e"},
			no:  []string{"http://[::2]:9000/e", "http://[::1]:9001/e", "http://[::1%25eth0]:9000/e"},
		},
		{
			name: "configured hosts", api: live,
			allowed: []string{"Events.Example", "stream.example:8443", " [fe80::1]:9443 ", "2001:db8::1", "[2001:DB8::2]", "10.0.0.1", "multisafepay.com:443"},
			yes: []string{
				"https://events.example/e", "https://events.example:1234/e", "https://stream.example:8443/e", "https://[fe80::1]:9443/e",
				"https://[2001:db8::1]:1/e", "https://[2001:db8:0::2]/e", "https://10.0.0.1:99/e", "https://multisafepay.com/e", "https://x.multisafepay.com/e",
			},
			no: []string{
				"http://events.example/e", "https://a.events.example/e", "https://eventsxexample/", "https://stream.example/e", "https://[fe80::1]/e",
				"https://10.0.0.11/", "https://multisafepay.com:8443/e",
			},
		},
		{
			name: "a plain API below the provider's domain lets subdomains in over https only", api: "http://dev.multisafepay.com:8080",
			yes: []string{"http://dev.multisafepay.com:8080/e", "https://api.multisafepay.com/e"},
			no:  []string{"http://api.multisafepay.com/e", "http://dev.multisafepay.com/e"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			api, err := parseBase(test.api)
			if err != nil {
				t.Fatal(err)
			}
			hosts, err := newTokenHosts(api, test.allowed)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range test.yes {
				if got, err := hosts.check(u); err != nil || got == nil || got.Fragment != "" {
					t.Errorf("check(%q) = %v, %v; want it allowed", u, got, err)
				}
			}
			for _, u := range test.no {
				if got, err := hosts.check(u); !errors.Is(err, ErrStreamHost) || got != nil {
					t.Errorf("check(%q) = %v, %v; want ErrStreamHost", u, got, err)
				}
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	good := Options{BaseURL: "https://api.example"}
	tests := map[string]struct {
		change func(*Options)
		want   string
	}{
		"no URL":             {func(o *Options) { o.BaseURL = "" }, "API URL must use http or https"},
		"relative":           {func(o *Options) { o.BaseURL = "/" + secret }, "API URL must use http or https"},
		"scheme":             {func(o *Options) { o.BaseURL = "ftp://" + secret }, "API URL must use http or https"},
		"no host":            {func(o *Options) { o.BaseURL = "https:///" + secret }, "API URL must have a host"},
		"opaque":             {func(o *Options) { o.BaseURL = "https:" + secret }, "API URL must have a host"},
		"bad host":           {func(o *Options) { o.BaseURL = "https://a..b/" + secret }, "API URL: must be a host name"},
		"bad port":           {func(o *Options) { o.BaseURL = "https://a:99999/" + secret }, "API URL: must be a host name"},
		"not a URL":          {func(o *Options) { o.BaseURL = "https://a b/" + secret }, "API URL is not a URL"},
		"user":               {func(o *Options) { o.BaseURL = "https://" + secret + "@a" }, "API URL must not have a user"},
		"query":              {func(o *Options) { o.BaseURL = "https://a?api_key=" + secret }, "API URL must not have a query"},
		"empty query":        {func(o *Options) { o.BaseURL = "https://a?" }, "API URL must not have a query"},
		"fragment":           {func(o *Options) { o.BaseURL = "https://a#" + secret }, "API URL must not have a fragment"},
		"empty fragment":     {func(o *Options) { o.BaseURL = "https://a#" }, "API URL must not have a fragment"},
		"request time-out":   {func(o *Options) { o.RequestTimeout = -1 }, "must be positive durations"},
		"idle timeout":       {func(o *Options) { o.IdleTimeout = -1 }, "must be positive durations"},
		"events auth":        {func(o *Options) { o.EventsAuth = secret }, "events auth must be token or bearer"},
		"host with scheme":   {func(o *Options) { o.EventsAllowedHosts = []string{"a", "https://" + secret} }, "allowed events host number 2: must be a host name"},
		"host with user":     {func(o *Options) { o.EventsAllowedHosts = []string{secret + "@a"} }, "allowed events host number 1"},
		"host with path":     {func(o *Options) { o.EventsAllowedHosts = []string{"a/" + secret} }, "allowed events host number 1"},
		"host with bad port": {func(o *Options) { o.EventsAllowedHosts = []string{"a:0"} }, "allowed events host number 1"},
		"host without name":  {func(o *Options) { o.EventsAllowedHosts = []string{":443"} }, "allowed events host number 1"},
		"wildcard":           {func(o *Options) { o.EventsAllowedHosts = []string{"*.example"} }, "allowed events host number 1"},
		"empty host":         {func(o *Options) { o.EventsAllowedHosts = []string{""} }, "allowed events host number 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := good
			test.change(&o)
			c, err := New(o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("New = %v, %v; want %q", c, err, test.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("error shows what it refuses: %v", err)
			}
		})
	}
}
