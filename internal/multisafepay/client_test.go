package multisafepay

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// testKey is long and odd enough to be recognised wherever it turns up.
const testKey = "k3y-0f-the-terminal-group/with+odd&chars="

// setup starts a provider that answers with handle and a client of it.
func setup(t *testing.T, handle http.HandlerFunc, change ...func(*Options)) (*Client, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	o := Options{BaseURL: server.URL + "/v1/json", RequestTimeout: 5 * time.Second}
	for _, f := range change {
		f(&o)
	}
	return newClient(t, o), server
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
