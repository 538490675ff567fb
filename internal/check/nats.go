package check

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posbridge/bridge/internal/bus"
)

const (
	areaNATS   = "nats"
	areaRights = "rights"
)

// closeLimit bounds the end of the connection.
const closeLimit = time.Second

// smallPayload is what a message of the bridge can take, in bytes.
const smallPayload = 64 << 10

// onNATS checks the connection and everything behind it.
func (c *checker) onNATS(ctx context.Context) {
	if !c.connect(ctx) {
		return
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		c.bus.Close(closing)
	}()
	server, err := c.bus.Server()
	if err != nil {
		c.add(areaNATS, "connection", Failure, "check the network to the server", "%v", err)
		return
	}
	c.connection(server)
	if c.jetStream(ctx) {
		c.objects(ctx, server)
	}
	c.rights(ctx)
}

// connect waits for the connection and reports why there is none.
func (c *checker) connect(ctx context.Context) bool {
	var why atomic.Pointer[error]
	note := func(err error) {
		if err != nil {
			why.Store(&err)
		}
	}
	connected, closed := make(chan struct{}, 1), make(chan struct{}, 1)
	tell := func(ch chan struct{}) {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	var err error
	c.bus, err = bus.Connect(c.Config.Bus("pos-bridge check", bus.ConnectionEvents{
		Connected:    func(string) { tell(connected) },
		Disconnected: note, Refused: note,
		Closed: func(err error) { note(err); tell(closed) },
	}))
	if err != nil {
		c.add(areaNATS, "connection", Failure, "correct BRIDGE_NATS_URL and the BRIDGE_NATS_… files", "%s", safe(err))
		return false
	}
	patience := time.NewTimer(c.ConnectTimeout)
	defer patience.Stop()
	for !c.bus.Connected() {
		select {
		case <-connected:
			continue
		case <-closed:
		case <-ctx.Done():
		case <-patience.C:
		}
		reason := c.bus.LastError()
		if e := why.Load(); e != nil {
			reason = *e
		}
		detail := fmt.Sprintf("no connection within %s", c.ConnectTimeout)
		if reason != nil {
			detail = "no connection: " + safe(reason)
		}
		c.add(areaNATS, "connection", Failure, adviseConnect(reason), "%s", detail)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		c.bus.Close(ended)
		return false
	}
	return true
}

// safe is an error's text without an address that may hold a password.
func safe(err error) string {
	text := err.Error()
	if strings.Contains(text, "@") {
		return "the addresses in BRIDGE_NATS_URL cannot be used"
	}
	return text
}

func adviseConnect(err error) string {
	text := ""
	if err != nil {
		text = strings.ToLower(err.Error())
	}
	switch {
	case strings.Contains(text, "authorization"), strings.Contains(text, "authentication"):
		return "set BRIDGE_NATS_CREDS_FILE, BRIDGE_NATS_NKEY_FILE, or a user and password in BRIDGE_NATS_URL to one that the server knows"
	case strings.Contains(text, "secure connection not available"):
		return "the server has no TLS: enable it there, or remove tls:// from BRIDGE_NATS_URL and leave BRIDGE_NATS_CA_FILE empty"
	case strings.Contains(text, "certificate"), strings.Contains(text, "tls"), strings.Contains(text, "x509"), strings.Contains(text, "secure"):
		return "set BRIDGE_NATS_CA_FILE to the authority that signed the server's certificate, and a client certificate if it asks for one"
	case strings.Contains(text, "no such host"), strings.Contains(text, "lookup"):
		return "check the spelling of the host in BRIDGE_NATS_URL, and that this machine can resolve it"
	}
	return "check that nats-server runs at BRIDGE_NATS_URL, and that this machine can reach it (firewall, NetworkPolicy)"
}

// connection reports on the server and the way to it.
func (c *checker) connection(s bus.Server) {
	level, advice := OK, ""
	encrypted := "TLS"
	if !s.TLS {
		encrypted = "no TLS"
		if !s.Local {
			level, advice = Warning, "use tls:// and BRIDGE_NATS_CA_FILE: payments and credentials are not encrypted on the network"
		}
	}
	cluster := "a single server"
	if s.Cluster != "" {
		cluster = fmt.Sprintf("cluster %s, %d servers known", s.Cluster, s.Known)
	}
	c.add(areaNATS, "connection", level, advice, "%s, nats-server %s, %s, %s", s.Address, s.Version, encrypted, cluster)
	if !s.Authenticated {
		c.add(areaNATS, "users", Warning, "give every client its own user, with the rights in deploy/nats",
			"the server requires no authentication: everybody who can reach it can start and cancel payments")
	}
	switch limit := c.Config.Timing.ReplicaTTL / 10; {
	case s.RoundTrip > limit:
		c.add(areaNATS, "round trip", Warning, "run the bridge nearer to NATS, or raise BRIDGE_REPLICA_TTL",
			"%s is long for BRIDGE_REPLICA_TTL=%s", s.RoundTrip.Round(10*time.Microsecond), c.Config.Timing.ReplicaTTL)
	default:
		c.add(areaNATS, "round trip", OK, "", "%s", s.RoundTrip.Round(10*time.Microsecond))
	}
	if s.MaxPayload < smallPayload {
		c.add(areaNATS, "max_payload", Warning, "set max_payload to 256KiB or more in the server's configuration",
			"%d bytes: long sessions and long lists do not fit", s.MaxPayload)
	} else {
		c.add(areaNATS, "max_payload", OK, "", "%d KiB", s.MaxPayload>>10)
	}
}

// rights tries what the bridge must be allowed to do.
func (c *checker) rights(ctx context.Context) {
	granted := 0
	for _, r := range c.bus.Rights() {
		subject := r.Verb() + " " + r.Subject
		may, err := c.bus.May(ctx, r)
		switch {
		case err != nil:
			c.add(areaRights, subject, Failure, "check the network to the server", "%v", err)
			return
		case may:
			granted++
		case !r.Optional || c.missing && strings.Contains(r.Subject, ".STREAM.CREATE."):
			c.add(areaRights, subject, Failure, "grant it to the bridge's user (deploy/nats/rights/bridge.conf)", "refused; it is needed to %s", r.Why)
		default:
			c.add(areaRights, subject, Warning, "grant it if you need that (deploy/nats/rights/bridge.conf)", "refused; it is only needed to %s", r.Why)
		}
	}
	if granted == len(c.bus.Rights()) {
		c.add(areaRights, "user", OK, "", "all %d that the bridge needs", granted)
	}
}
