package till_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posbridge/bridge/client"
	"github.com/posbridge/bridge/internal/bridgetest"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
	"github.com/posbridge/bridge/internal/till"
	"github.com/posbridge/bridge/schema"
)

// never is an interval at which nothing happens by itself in a test.
const never = time.Hour

// stand is a server with a stand-in bridge and a till that is connected to it.
type stand struct {
	bridge *bridgetest.Bridge
	wire   *bridgetest.Wire
	till   *till.Till
}

func setup(t *testing.T, handlers bridgetest.Handlers, options bridgetest.Options) stand {
	t.Helper()
	s := natstest.Run(t)
	wire := bridgetest.RunWire(t, s.URL())
	bridge := bridgetest.Run(t, s.URL(), handlers, options)
	e := env{till.EnvURL: wire.URL(), till.EnvPrefix: options.Prefix}
	return stand{bridge: bridge, wire: wire, till: connect(t, e, "")}
}

func event(order string, sequence uint64, status string) schema.StatusEvent {
	return bridgetest.Event("T1", order, sequence, status)
}

// rights is a server with a user "me" of few rights and a user for the bridge.
func rights(t *testing.T, publish, subscribe []string) (bus *till.Till, bridge *bridgetest.Bridge) {
	t.Helper()
	list := func(subjects []string) string { return `["` + strings.Join(subjects, `","`) + `"]` }
	s := natstest.Run(t, natstest.WithConfig(fmt.Sprintf(`authorization { users: [
		{ user: bridge, password: bridge },
		{ user: me, password: me, permissions: { publish: %s, subscribe: %s } } ] }`, list(publish), list(subscribe))))
	bridge = bridgetest.Run(t, strings.Replace(s.URL(), "://", "://bridge:bridge@", 1), bridgetest.Handlers{}, bridgetest.Options{Silent: true})
	return connect(t, env{till.EnvURL: strings.Replace(s.URL(), "://", "://me:me@", 1)}, ""), bridge
}

func refusedWith(err error, code schema.Code) bool { return errors.Is(err, client.ErrCode(code)) }
