package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/telemetry"
)

// link is the daemon's connection to NATS. It keeps readiness true to it.
type link struct {
	config  Config
	log     *zap.Logger
	ready   *readiness
	metrics *telemetry.Metrics
	bus     *bus.Bus
	// fail ends the daemon when the connection is of no use any more.
	fail func(error)
	// reconnected gets a note after every connect; connects counts them.
	reconnected chan struct{}
	connects    atomic.Int64
	unreachable *throttle
}

func newLink(c Config, log *zap.Logger, ready *readiness, m *telemetry.Metrics) *link {
	return &link{
		config: c, log: log, ready: ready, metrics: m,
		reconnected: make(chan struct{}, 1), unreachable: &throttle{log: log},
	}
}

// open begins to connect; NATS away is waited for. The error is the
// configuration's fault.
func (l *link) open(life *lifecycle) error {
	l.fail = life.fail
	var err error
	l.bus, err = bus.Connect(l.config.Bus("pos-bridge "+l.config.ReplicaID, bus.ConnectionEvents{
		Connected: l.connected, Disconnected: l.disconnected, Closed: l.closed, Refused: l.refused, Unauthorized: l.unauthorized,
		Error: func(err error) { l.log.Warn("NATS reported an error", zap.Error(err)) },
	}))
	if err != nil {
		return BadVariable("NATS_URL", "or a BRIDGE_NATS_ file cannot be used: "+withoutAddress(err))
	}
	if !l.bus.Connected() {
		l.log.Warn("Not connected to NATS yet; waiting")
	}
	life.onStop("NATS connection", func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		l.bus.Close(ctx)
	})
	return nil
}

func (l *link) connected(server string) {
	l.metrics.SetNATSConnected(true)
	l.ready.set(condNATS, "")
	if l.connects.Add(1) > 1 {
		l.metrics.NATSReconnected()
	}
	l.unreachable.recovered("NATS can be reached again")
	l.log.Info("Connected to NATS", zap.String(telemetry.KeyServer, server))
	wake(l.reconnected)
}

func (l *link) disconnected(err error) {
	l.metrics.SetNATSConnected(false)
	if l.ready.set(condNATS, "not connected to NATS") {
		l.log.Warn("Lost the connection to NATS; reconnecting", zap.Error(err))
	}
}

func (l *link) refused(err error) {
	l.unreachable.failed("NATS cannot be reached; trying again", err)
	l.ready.set(condNATS, "not connected to NATS: "+withoutAddress(err))
}

// unauthorized ends the process: credentials that are wrong at the very start
// stay wrong.
func (l *link) unauthorized(err error) {
	l.fail(fmt.Errorf("NATS: NATS refuses the credentials: %w; set BRIDGE_NATS_CREDS_FILE, BRIDGE_NATS_NKEY_FILE, or a user in BRIDGE_NATS_URL to one that the server knows", err))
}

// errClosed ends the process: nats.go has given the connection up.
var errClosed = errors.New("the NATS connection is closed for good")

func (l *link) closed(err error) {
	l.metrics.SetNATSConnected(false)
	l.ready.set(condNATS, "the NATS connection is closed")
	l.fail(fmt.Errorf("NATS: %w", errors.Join(errClosed, err)))
}

// withoutAddress is an error's text, unless it may show a password.
func withoutAddress(err error) string {
	if text := err.Error(); !strings.Contains(text, "@") {
		return text
	}
	return "the address cannot be used"
}
