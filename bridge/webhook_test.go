package bridge_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/simulator"
)

// hooked is a configuration that takes notifications.
func hooked(c *bridge.Config) { c.Webhook.Addr = "127.0.0.1:0" }

// hookAddress is where a replica takes notifications.
func hookAddress(t *testing.T, r *replica) string {
	t.Helper()
	found := regexp.MustCompile(`Accepting notifications\s+\{"address": "([^"]+)"`).FindStringSubmatch(r.logs.String())
	if found == nil {
		t.Fatal("the replica takes no notifications")
	}
	return found[1]
}

// notify sends a notification that the provider has signed.
func notify(t *testing.T, address, order string) int {
	t.Helper()
	body := `{"order_id":"` + order + `"}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/msp?transactionid="+order, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Auth", simulator.WebhookAuth(apiKey, "1764245000", []byte(body)))
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// A machine of the provider that lags answers the question with how the order ended
// before it was paid after all. That is not published behind the payment.
func TestNotifiedOfOldNews(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	address := hookAddress(t, b.run(hooked))
	b.start(order("a", terminal1))
	statuses := []string{"initialized"}
	b.await("a", statuses...)
	for _, status := range []string{"cancelled", "completed"} {
		if _, err := b.sim.SetStatus("a", status, ""); err != nil {
			t.Fatal(err)
		}
		statuses = append(statuses, status)
		b.await("a", statuses...)
	}
	b.waitFree(terminal1)
	if _, err := b.sim.SetFault(simulator.Fault{Name: simulator.FaultStaleGet}); err != nil {
		t.Fatal(err)
	}
	if got := notify(t, address, "a"); got != http.StatusOK {
		t.Errorf("got %d", got)
	}
	b.await("a", statuses...)
}

// A sender that is slow is cut off; it holds nothing that others need.
func TestSlowNotification(t *testing.T) {
	t.Parallel()
	b := setup(t, options{simulator: simulator.Options{Manual: true}})
	address := hookAddress(t, b.run(hooked))
	texts := []string{
		"POST / HTTP/1.1\r\nHost: x\r\nAuth:",
		"POST / HTTP/1.1\r\nHost: x\r\nAuth: x\r\nContent-Length: 1000\r\n\r\n{",
	}
	conns := make([]net.Conn, len(texts))
	for i, text := range texts {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(3 * patience)); err != nil {
			t.Fatal(err)
		}
		if got := notify(t, address, "stranger"); got != http.StatusOK {
			t.Errorf("another sender: got %d", got)
		}
		conns[i] = conn
	}
	for i, conn := range conns {
		_, err := io.Copy(io.Discard, conn)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			t.Errorf("the connection of %q is still open", texts[i])
		}
	}
}
