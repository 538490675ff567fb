package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/follower"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/webhook"
)

// maxWebhookConnections bounds the connections to BRIDGE_WEBHOOK_ADDR, and with
// them the memory that senders of notifications can take.
const maxWebhookConnections = 128

// webhookStop is how long notifications at work may take when the daemon stops.
const webhookStop = 5 * time.Second

// hook takes the provider's notifications. It is nil without BRIDGE_WEBHOOK_ADDR,
// and then its methods do nothing.
type hook struct {
	handler *webhook.Handler
	listen  net.Listener
	serving *part
}

// newHook listens for notifications, if that is configured.
func (d *Daemon) newHook() (*hook, error) {
	addr := d.config.Webhook.Addr
	if addr == "" {
		return nil, nil
	}
	listen, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, BadVariable("WEBHOOK_ADDR", fmt.Sprintf("must be an address that the bridge can listen on; it cannot listen on %q (%v)", addr, reasonOf(err)))
	}
	keys := func() (all []redact.Secret) {
		for _, g := range d.groups.Groups() {
			all = append(all, g.Key)
		}
		return all
	}
	return &hook{handler: webhook.New(webhook.Options{Keys: keys, Metrics: d.metrics, Log: d.log}), listen: listen}, nil
}

// WebhookAddr is where the provider's notifications are taken; nil if they are not.
func (d *Daemon) WebhookAddr() net.Addr {
	if d.hook == nil {
		return nil
	}
	return d.hook.listen.Addr()
}

// UseWebhookURL says where orders without a notification_url are notified, when
// that is known only after New. Call it before Run.
func (d *Daemon) UseWebhookURL(url string) { d.config.Webhook.URL = url }

// serve takes notifications until end is called or the daemon stops. All are put
// off until connect is called.
func (h *hook) serve(life *lifecycle, log *zap.Logger) {
	if h == nil {
		return
	}
	log.Info("Accepting notifications", zap.String(telemetry.KeyAddress, h.listen.Addr().String()))
	server := newServer(h.handler, log)
	server.WriteTimeout, server.IdleTimeout = 20*time.Second, 30*time.Second
	h.serving = serveOn(life, "webhook", netutil.LimitListener(h.listen, maxWebhookConnections), server, webhookStop)
}

// connect has orders asked for wherever they are followed.
func (h *hook) connect(b *bus.Bus, f *follower.Follower) {
	if h == nil {
		return
	}
	h.handler.Connect(func(ctx context.Context, order string) error {
		terminal, err := b.TerminalOf(ctx, order)
		if err == nil {
			err = f.Look(ctx, terminal, order)
		}
		if errors.Is(err, bus.ErrNotFound) || errors.Is(err, follower.ErrNotKnown) {
			return webhook.ErrUnknown
		}
		return err
	})
}

// end takes no more notifications, and waits for those at work until ctx is over.
func (h *hook) end(ctx context.Context) {
	if h != nil {
		h.serving.end(ctx)
	}
}
