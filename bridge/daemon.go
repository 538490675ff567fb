package bridge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/board"
	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/commands"
	"github.com/posbridge/bridge/internal/console"
	"github.com/posbridge/bridge/internal/follower"
	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/overview"
	"github.com/posbridge/bridge/internal/payment"
	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/terminalgroups"
)

// Build says what program this is.
type Build struct{ Version, Commit, GoVersion string }

// Daemon is one replica with everything around it: the connection to NATS, the
// commands, health and metrics over HTTP.
type Daemon struct {
	config  Config
	build   Build
	log     *zap.Logger
	metrics *telemetry.Metrics
	ready   *readiness
	client  *multisafepay.Client
	groups  *terminalgroups.Directory
	link    *link
	listen  net.Listener
	hook    *hook
	tracer  trace.Tracer
	// page is what the console shows; console is nil when it is switched off.
	page    *overview.Page
	console *console.Console
	// process is this process among all replicas, in one token.
	process string
}

// New checks and wires a daemon and starts nothing but its listening socket. It
// fails with *ConfigError on what is the configuration's fault.
func New(c Config, b Build, log *zap.Logger) (*Daemon, error) {
	d := &Daemon{
		config: c, build: b, log: log, process: rand.Text(),
		metrics: telemetry.NewMetrics(b.Version, b.Commit, b.GoVersion),
	}
	d.ready = newReadiness(d.metrics)
	d.page = overview.New(overview.Options{
		Replica: c.ReplicaID, Version: b.Version, Groups: func() map[string]string { return d.groups.Terminals() }, State: d.ready.forPage, Metrics: d.metrics,
	})
	if c.HTTP.Console {
		d.console = console.New(console.Options{Source: d.page, Token: c.HTTP.ConsoleToken.Reveal(), Terminals: c.HTTP.TerminalsURL})
	}
	if err := d.wireProvider(); err != nil {
		return nil, err
	}
	d.link = newLink(c, log, d.ready, d.metrics)
	var err error
	if d.listen, err = net.Listen("tcp", c.HTTP.Addr); err != nil {
		return nil, BadVariable("HTTP_ADDR", fmt.Sprintf("must be an address that the bridge can listen on; it cannot listen on %q (%v)", c.HTTP.Addr, reasonOf(err)))
	}
	if d.hook, err = d.newHook(); err != nil {
		return nil, errors.Join(err, d.listen.Close())
	}
	return d, nil
}

// wireProvider makes the client of the provider and the directory of its keys.
func (d *Daemon) wireProvider() (err error) {
	if d.client, d.groups, err = NewProvider(d.config, "pos-bridge/"+d.build.Version, d.page.ProviderCalled); err != nil {
		return err
	}
	d.groups.OnReload = d.groupsReloaded
	d.groups.OnShared = func(err *terminalgroups.SharedError) {
		d.log.Warn("Refused a terminal", zap.String(telemetry.KeyTerminal, err.Terminal), zap.Error(err))
	}
	return nil
}

// UseTracer has the daemon trace its work. Call it before Run.
func (d *Daemon) UseTracer(t trace.Tracer) { d.tracer = t }

// Addr is where health, metrics and console are served.
func (d *Daemon) Addr() net.Addr { return d.listen.Addr() }

// reasonOf takes the innermost reason out of a listening error.
func reasonOf(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// Run serves until ctx is over, drains, and returns nil; or it returns the
// first error that ends the daemon. cut ends a drain early.
func (d *Daemon) Run(ctx, cut context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	life := &lifecycle{log: d.log, fail: fail}
	defer life.stop()
	d.serveHTTP(life)
	d.log.Info("The bridge starts", zap.String(telemetry.KeyAddress, d.listen.Addr().String()),
		zap.String(telemetry.KeyVersion, d.build.Version), zap.String(telemetry.KeyCommit, d.build.Commit))
	d.hook.serve(life, d.log)
	life.onStop("provider client", d.client.Close)
	life.onStop("terminal groups", d.groups.Close)
	life.run("watch terminal groups", d.groups.Run)
	if err := d.link.open(life); err != nil {
		return err
	}
	if err := d.link.waitForObjects(ctx); err != nil {
		if errors.Is(context.Cause(ctx), context.Canceled) {
			return nil // told to stop before it began
		}
		return err
	}
	d.serve(ctx, cut, life)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// serve follows payments and answers commands until ctx is over, then drains.
func (d *Daemon) serve(ctx, cut context.Context, life *lifecycle) {
	b, again := d.link.bus, make(chan struct{}, 1)
	var f *follower.Follower
	orders := board.New(board.Options{
		Feed: b, Horizon: d.config.ClaimTTL(), Self: d.process, Metrics: d.metrics, Log: d.log, Changed: d.page.Changed,
		Claimed: func(ref board.Ref, c *payment.Claim) { f.Claimed(ref, c) },
		Lost: func(lost bool) {
			if d.ready.set(condStatuses, map[bool]string{true: "the status stream has lost messages; the replica is reading the remaining ones"}[lost]); !lost {
				wake(again)
			}
		},
	})
	f = follower.New(d.followerOptions(orders).Traced(d.tracer))
	d.page.Connect(orders, b)
	complete := make(chan struct{})
	life.run("board", func(ctx context.Context) error {
		orders.Run(ctx, sync.OnceFunc(func() {
			close(complete)
			wake(again) // a sweep before that has not seen the orders
		}))
		return nil
	})
	life.run("follower", f.Run)
	life.run("sweep", func(ctx context.Context) error {
		f.Sweep(ctx, again)
		return nil
	})
	life.run("JetStream objects", func(ctx context.Context) error {
		d.link.keepObjects(ctx, f.Trouble, func() { wake(again) })
		return nil
	})
	intake := life.run("sessions", func(ctx context.Context) error {
		d.takeSessions(ctx, f)
		return nil
	})
	select {
	case <-complete:
	case <-ctx.Done():
	}
	service := commands.New(b.Conn(), d.commandOptions(orders, f))
	answering := life.run("commands", func(ctx context.Context) error {
		return service.Run(ctx, func() {
			d.ready.set(condService, "")
			d.log.Info("Serving commands", zap.String(telemetry.KeySubject, d.config.NATS.Space.Prefix()+".payment.*"))
		})
	})
	d.hook.connect(b, f)
	<-ctx.Done()
	d.drain(ctx, cut, f, answering, intake)
}

// drain hands everything over that other replicas can go on with. Sessions are
// taken until the commands have stopped, not until the signal.
func (d *Daemon) drain(ctx, cut context.Context, f *follower.Follower, answering, intake *part) {
	d.ready.set(condDraining, "this replica is draining")
	d.metrics.SetDraining(true)
	d.log.Info("Draining: refusing new commands and handing sessions over to other replicas")
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.config.Timing.DrainTimeout)
	defer cancel()
	defer context.AfterFunc(cut, cancel)()
	if !errors.Is(context.Cause(ctx), context.Canceled) {
		cancel() // something is broken for good
	}
	d.hook.end(draining)
	answering.end(draining)
	intake.end(draining)
	if err := f.Drain(draining); err != nil {
		d.log.Warn("The drain did not complete", zap.Error(err))
		return
	}
	d.log.Info("Drained")
}

func (d *Daemon) followerOptions(orders *board.Board) follower.Options {
	return follower.Options{
		Rules: d.config.Rules(d.process), StartDeadline: d.config.Timing.StartDeadline, ProviderRate: float64(d.config.Provider.Rate), NotificationURL: d.config.Webhook.URL,
		Bus: d.link.bus, Provider: d.client, Groups: d.groups, Orders: orders, Observer: d.page, Swept: d.swept,
		Space: d.config.NATS.Space, Metrics: d.metrics, Log: d.log,
	}
}

// swept names what JetStream did wrong until a sweep finds it repaired.
func (d *Daemon) swept(faults string) {
	if faults != "" {
		faults = "a sweep is repairing the queue: " + faults
	}
	d.ready.set(condSweep, faults)
}

func (d *Daemon) commandOptions(orders *board.Board, f *follower.Follower) commands.Options {
	t := d.config.Timing
	return commands.Options{
		Bus: d.link.bus, Board: orders, Owner: f, Groups: d.groups, Provider: d.client, Space: d.config.NATS.Space,
		Replica: d.config.ReplicaID, Version: d.build.Version, StartDeadline: t.StartDeadline, RequestTimeout: t.RequestTimeout,
		Metrics: d.metrics, Log: d.log, Tracer: d.tracer,
	}
}

// takeSessions takes sessions from the queue until ctx is over.
func (d *Daemon) takeSessions(ctx context.Context, f *follower.Follower) {
	trouble, newer := &throttle{log: d.log}, &throttle{log: d.log}
	for ctx.Err() == nil {
		well := time.AfterFunc(time.Second, func() {
			trouble.recovered("JetStream delivers sessions again")
			d.ready.set(condSessions, "")
		})
		err := d.link.bus.Deliveries(ctx, f.Deliver, func(err error) {
			if errors.Is(err, bus.ErrNewer) {
				newer.failed("Left a session to a replica of a later release", err)
				return
			}
			trouble.failed("JetStream does not deliver sessions", err)
		})
		well.Stop()
		if ctx.Err() != nil || err == nil {
			return
		}
		d.ready.set(condSessions, "JetStream does not deliver sessions: "+err.Error())
		trouble.failed("JetStream does not deliver sessions; trying again", err)
		select {
		case <-ctx.Done():
		case <-time.After(d.config.Timing.BackoffInitial):
		}
	}
}

func (d *Daemon) groupsReloaded(err error) {
	d.metrics.GroupsReloaded(err)
	if err != nil {
		d.log.Error("The changed terminal groups file cannot be used; the last good one stays in use", zap.Error(err))
		return
	}
	d.log.Info("Read the changed terminal groups file", zap.Int(telemetry.KeyCount, len(d.groups.Groups())))
}
