package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/simulator/control"
	"github.com/posbridge/bridge/internal/simulator/orders"
	"github.com/posbridge/bridge/internal/simulator/view"
	"github.com/posbridge/bridge/subjects"
)

// What Options stand for when they are left out.
const (
	DefaultInactivityTimeout = 60 * time.Second
	DefaultTokenTTL          = 30 * time.Minute
	DefaultHeartbeat         = 15 * time.Second
	DefaultStreamGrace       = 2 * time.Second
	DefaultLinger            = 5 * time.Second
	DefaultHistory           = 100_000
	DefaultLogSize           = 2_000
	DefaultWebhookRetry      = 15 * time.Minute
)

// Bounds of the simulator that are not for choosing.
const (
	maxPace = 1_000_000
)

// DefaultGroups is what serves when Options name no groups: the key "demo-key"
// with the terminals SIM00001 to SIM00004.
func DefaultGroups() []orders.GroupOptions {
	return []orders.GroupOptions{{
		ID:        "demo",
		APIKey:    "demo-key",
		Terminals: []string{"SIM00001", "SIM00002", "SIM00003", "SIM00004"},
	}}
}

// Options of a Simulator. The zero value is usable.
type Options struct {
	// Groups; nil stands for DefaultGroups.
	Groups []orders.GroupOptions
	// Pace scales how fast virtual customers act: 1, the default, leaves about a
	// second between the steps of a payment; 100 leaves ten milliseconds. It does
	// not touch the time limits below.
	Pace float64
	// Manual starts every terminal in mode Manual: nothing happens on it unless
	// somebody asks for it.
	Manual bool
	// InactivityTimeout after which an untouched payment is cancelled.
	InactivityTimeout time.Duration
	// TokenTTL is how long an events token can open a stream.
	TokenTTL time.Duration
	// SendPresentState gives a new stream connection the order's present state
	// first. The provider does not say whether it does; the default assumes not,
	// so what happened before the stream was open is only known to who asks.
	SendPresentState bool
	// Heartbeat between comments on a quiet stream; negative sends none.
	Heartbeat time.Duration
	// StreamGrace is how long a virtual customer holds the first step back for
	// the order's event stream to be opened, so that a fast Pace does not run
	// away from a client. Negative does not wait.
	StreamGrace time.Duration
	// Linger is how long a stream stays open after the order's final status.
	Linger time.Duration
	// History is how many finished orders are remembered; the oldest go first.
	History int
	// LogSize is how many entries the journal holds.
	LogSize int
	// WebhookRetry is the pause before a webhook that was not taken is sent again.
	WebhookRetry time.Duration
	// WebhooksAnywhere lifts the rule that webhooks go to loopback addresses only.
	WebhooksAnywhere bool
	// StateFile keeps orders, faults and settings over the simulator's end, a kill
	// included; empty keeps nothing. One simulator at a time may use it. A file that
	// cannot be read or written fails New.
	StateFile string
	// Guide is what the page tells a newcomer of its surroundings.
	Guide view.Guide
	// Till starts the payments that are asked for on the page; nil: none can be.
	Till control.Till
	// Now is the clock of time stamps and token expiry; nil is time.Now. Timers
	// run on Go's own clock.
	Now func() time.Time
	// Logger gets one line per change; nil logs nothing.
	Logger *zap.Logger
}

// withDefaults returns o with every field filled in, or everything that is
// wrong with it.
func (o Options) withDefaults() (Options, error) {
	if o.Groups == nil {
		o.Groups = DefaultGroups()
	}
	if o.Pace == 0 {
		o.Pace = 1
	}
	o.InactivityTimeout = cmp.Or(o.InactivityTimeout, DefaultInactivityTimeout)
	o.TokenTTL = cmp.Or(o.TokenTTL, DefaultTokenTTL)
	o.Heartbeat = cmp.Or(o.Heartbeat, DefaultHeartbeat)
	o.StreamGrace = cmp.Or(o.StreamGrace, DefaultStreamGrace)
	o.Linger = cmp.Or(o.Linger, DefaultLinger)
	o.History = cmp.Or(o.History, DefaultHistory)
	o.LogSize = cmp.Or(o.LogSize, DefaultLogSize)
	o.WebhookRetry = cmp.Or(o.WebhookRetry, DefaultWebhookRetry)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	o.Guide.Till = o.Till != nil
	return o, errors.Join(o.check()...)
}

func (o Options) check() []error {
	var errs []error
	if !(o.Pace > 0 && o.Pace <= maxPace) {
		errs = append(errs, fmt.Errorf("pace must be more than 0 and at most %d", maxPace))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"inactivity timeout", o.InactivityTimeout},
		{"token TTL", o.TokenTTL},
		{"linger", o.Linger},
		{"webhook retry", o.WebhookRetry},
	} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("%s must be a positive duration", d.name))
		}
	}
	if o.History < 0 || o.LogSize < 0 {
		errs = append(errs, errors.New("history and log size must be positive"))
	}
	return append(errs, checkGroups(o.Groups)...)
}

func checkGroups(groups []orders.GroupOptions) []error {
	var errs []error
	ids, keys, terminals := map[string]bool{}, map[string]bool{}, map[string]string{}
	for i, g := range groups {
		name := "group " + strconv.Itoa(i+1)
		switch {
		case g.ID == "":
			errs = append(errs, fmt.Errorf("%s has no id", name))
		case ids[g.ID]:
			errs = append(errs, fmt.Errorf("%s: another group has the id %q", name, g.ID))
		}
		switch {
		case g.APIKey == "":
			errs = append(errs, fmt.Errorf("%s has no API key", name))
		case keys[g.APIKey]:
			errs = append(errs, fmt.Errorf("%s has the API key of another group", name))
		}
		ids[g.ID], keys[g.APIKey] = true, true
		for _, t := range g.Terminals {
			if err := subjects.CheckTerminal(t); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
				continue
			}
			if other, taken := terminals[t]; taken {
				errs = append(errs, fmt.Errorf("%s: terminal %s is already in %s", name, t, other))
			}
			terminals[t] = name
		}
	}
	if len(terminals) == 0 {
		errs = append(errs, errors.New("groups have no terminal"))
	}
	if len(terminals) > orders.MaxTerminals {
		errs = append(errs, fmt.Errorf("groups have %d terminals; there must be at most %d", len(terminals), orders.MaxTerminals))
	}
	return errs
}
