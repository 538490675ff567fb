package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/console"
	"github.com/posbridge/bridge/internal/multisafepay"
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
	bus     *bus.Bus
	listen  net.Listener
	tracer  trace.Tracer
	// view is what the operator's page shows, console the page; console is nil
	// when it is switched off.
	view    *view
	console *console.Console

	// closed gets the reason when the NATS connection is gone for good.
	closed chan error
	// reconnected gets a note after every connect.
	reconnected chan struct{}
	// connects counts connections made, to tell the first from the others.
	connects atomic.Int64
}

// New checks and wires a daemon and starts nothing but its listening socket. It
// fails with *ConfigError on what is the configuration's fault.
func New(c Config, b Build, log *zap.Logger) (*Daemon, error) {
	d := &Daemon{
		config: c, build: b, log: log,
		metrics:     telemetry.NewMetrics(b.Version, b.Commit, b.GoVersion),
		closed:      make(chan error, 1),
		reconnected: make(chan struct{}, 1),
	}
	d.ready = newReadiness(d.metrics)
	d.view = newView(d)
	if c.HTTP.Console {
		d.console = console.New(console.Options{Source: d.view, Token: c.HTTP.ConsoleToken.Reveal()})
	}
	roots, err := c.Provider.RootCAs()
	if err != nil {
		return nil, BadVariable("API_CA_FILE", "takes a file with PEM certificates")
	}
	d.client, err = multisafepay.New(multisafepay.Options{
		BaseURL: c.Provider.URL, RequestTimeout: c.Timing.RequestTimeout, IdleTimeout: c.Timing.IdleTimeout,
		EventsAuth: c.Provider.EventsAuth, EventsAllowedHosts: c.Provider.AllowedHosts,
		RootCAs: roots, UserAgent: "pos-bridge/" + b.Version, Observe: d.view.providerRequest,
	})
	if err != nil {
		return nil, BadVariable("API_URL", "or BRIDGE_EVENTS_ALLOWED_HOSTS cannot be used: "+err.Error())
	}
	if c.Provider.GroupsFile == "" {
		d.groups = terminalgroups.Single(c.Provider.Key)
	} else if d.groups, err = terminalgroups.Load(c.Provider.GroupsFile, d.client.Terminals); err != nil {
		return nil, BadVariable("TERMINAL_GROUPS_FILE", "takes a file of terminal groups: "+err.Error())
	}
	d.groups.OnReload = d.groupsReloaded
	d.groups.OnShared = func(err *terminalgroups.SharedError) {
		d.log.Warn("A terminal is refused", zap.String(telemetry.KeyTerminal, err.Terminal), zap.Error(err))
	}
	if d.listen, err = net.Listen("tcp", c.HTTP.Addr); err != nil {
		return nil, BadVariable("HTTP_ADDR", fmt.Sprintf("takes an address that can be listened on; %q cannot (%v)", c.HTTP.Addr, reasonOf(err)))
	}
	return d, nil
}

// UseTracer has the daemon trace its work. Call it before Run.
func (d *Daemon) UseTracer(t trace.Tracer) { d.tracer = t }

// reasonOf takes the innermost reason out of a listening error.
func reasonOf(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// Addr is where health, metrics and console are served.
func (d *Daemon) Addr() net.Addr { return d.listen.Addr() }

// Run serves until ctx is over, drains, and returns nil; or it returns the
// first error that ends the daemon. cut ends a drain early.
func (d *Daemon) Run(ctx, cut context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	life, end := context.WithCancel(context.WithoutCancel(ctx)) // outlives the intake, until the drain is done
	defer end()

	server := &http.Server{
		Handler: d.handler(), ErrorLog: zap.NewStdLog(d.log), MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}
	if d.console != nil {
		server.RegisterOnShutdown(d.console.Close)
		workers.Go(func() { d.view.run(life) })
	}
	workers.Go(func() {
		if err := server.Serve(d.listen); !errors.Is(err, http.ErrServerClosed) {
			stop(fmt.Errorf("serve HTTP: %w", err))
		}
	})
	defer d.closeHTTP(server)
	d.log.Info("The bridge starts", zap.String(telemetry.KeyAddress, d.listen.Addr().String()),
		zap.String(telemetry.KeyVersion, d.build.Version), zap.String(telemetry.KeyCommit, d.build.Commit))

	defer d.client.Close()
	defer d.groups.Close()
	workers.Go(func() {
		if err := d.groups.Run(life); err != nil {
			stop(err)
		}
	})
	if err := d.connect(); err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		d.bus.Close(closing)
	}()
	workers.Go(func() {
		select {
		case err := <-d.closed:
			stop(err)
		case <-life.Done():
		}
	})
	if err := d.waitForObjects(ctx); err != nil {
		if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
			return nil // told to stop before it began
		}
		return err
	}
	err := d.serve(ctx, cut, life)
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// errClosed ends the process: nats.go has given the connection up.
var errClosed = errors.New("the NATS connection is closed for good")

// closedError says why, on one line, and what to change.
func closedError(err error) error {
	switch {
	case err == nil:
		return errClosed
	case strings.Contains(strings.ToLower(err.Error()), "auth"):
		return fmt.Errorf("%w: %w; set BRIDGE_NATS_CREDS_FILE or BRIDGE_NATS_NKEY_FILE, or a user in BRIDGE_NATS_URL, that the server knows", errClosed, err)
	}
	return fmt.Errorf("%w: %w", errClosed, err)
}

// connect begins to connect to NATS; the handlers keep readiness true to it.
func (d *Daemon) connect() error {
	unreachable := &throttle{log: d.log}
	var err error
	d.bus, err = bus.Connect(bus.Options{
		URLs: d.config.NATS.URL.Reveal(), Name: "pos-bridge " + d.config.ReplicaID,
		CredsFile: d.config.NATS.CredsFile, NKeyFile: d.config.NATS.NKeyFile,
		CAFile: d.config.NATS.CAFile, CertFile: d.config.NATS.CertFile, KeyFile: d.config.NATS.KeyFile,
		Space: d.config.NATS.Space, Replicas: d.config.NATS.Replicas,
		StatusMaxAge: d.config.NATS.StatusMaxAge, AckWait: d.config.Timing.ReplicaTTL,
		Events: bus.ConnectionEvents{
			Connected: func(server string) {
				d.metrics.SetNATSConnected(true)
				d.ready.set(condNATS, "")
				if d.connects.Add(1) > 1 {
					d.metrics.NATSReconnected()
				}
				d.log.Info("Connected to NATS", zap.String(telemetry.KeyServer, server))
				wake(d.reconnected)
			},
			Disconnected: func(err error) {
				d.metrics.SetNATSConnected(false)
				if d.ready.set(condNATS, "not connected to NATS") {
					d.log.Warn("Not connected to NATS; trying again until it is back", zap.Error(err))
				}
			},
			Closed: func(err error) {
				d.metrics.SetNATSConnected(false)
				d.ready.set(condNATS, "the NATS connection is closed")
				select {
				case d.closed <- closedError(err):
				default:
				}
			},
			Refused: func(err error) {
				unreachable.failed("NATS cannot be reached; trying again until it can", err)
				d.ready.set(condNATS, "not connected to NATS: "+withoutAddress(err))
			},
			Error: func(err error) { d.log.Warn("NATS reported an error", zap.Error(err)) },
		},
	})
	if err != nil {
		return BadVariable("NATS_URL", "or a BRIDGE_NATS_ file cannot be used: "+withoutAddress(err))
	}
	if !d.bus.Connected() {
		d.log.Warn("NATS is not there yet; waiting for it")
	}
	return nil
}

// withoutAddress is an error's text, unless it may show a password.
func withoutAddress(err error) string {
	if text := err.Error(); !strings.Contains(text, "@") {
		return text
	}
	return "the address cannot be used"
}

// serve follows sessions and answers commands until ctx is over, then drains.
func (d *Daemon) serve(ctx, cut, life context.Context) error {
	replica := NewReplica(Settings{
		ReplicaID: d.config.ReplicaID, ReplicaTTL: d.config.Timing.ReplicaTTL, StartDeadline: d.config.Timing.StartDeadline,
		BackoffInitial: d.config.Timing.BackoffInitial, BackoffMax: d.config.Timing.BackoffMax,
		ReconcileInterval: d.config.Timing.ReconcileInterval, SettleWindow: d.config.Timing.SettleWindow,
		SessionTimeout: d.config.Timing.SessionTimeout, RequestTimeout: d.config.Timing.RequestTimeout,
	}, Ports{
		Queue: d.bus, Journal: d.bus, Records: d.bus, Requesters: d.bus, Clock: d.bus,
		Provider: providerClient{d.client}, Groups: d.groups, Space: d.config.NATS.Space, Metrics: d.metrics, Log: d.log, Tracer: d.tracer,
	})
	replica.writes.tell = d.writesFail
	replica.changed = d.view.changed
	d.view.follow(replica, d.bus)
	var workers sync.WaitGroup
	defer workers.Wait()
	life, end := context.WithCancel(life)
	defer end()
	// Sessions are taken until the commands have stopped, not until the signal.
	intake, stopIntake := context.WithCancel(life)
	defer stopIntake()

	watching := make(chan struct{})
	var once sync.Once
	workers.Go(func() { replica.watchRecords(life, func() { once.Do(func() { close(watching) }) }) })
	workers.Go(func() { replica.keepPulse(life) })
	consumed := make(chan struct{})
	workers.Go(func() {
		defer close(consumed)
		d.consume(intake, replica)
	})
	workers.Go(func() { d.keepObjects(life, replica) })
	select {
	case <-watching:
	case <-ctx.Done():
	}

	stopped := make(chan struct{}, 1)
	commands, err := startService(replica, d.bus.Conn(), d.build.Version, func() { wake(stopped) })
	if err != nil {
		replica.stopWork()
		return fmt.Errorf("serve commands: %w", err)
	}
	d.ready.set(condService, "")
	d.log.Info("Serving commands", zap.String(telemetry.KeySubject, d.config.NATS.Space.Prefix()+".payment.*"))

	var failure error
	select {
	case <-ctx.Done():
	case <-stopped:
		failure = errors.New("the command service stopped by itself")
	}
	d.ready.set(condDraining, "this replica is draining")
	d.metrics.SetDraining(true)
	d.log.Info("Draining: no new commands; sessions go to other replicas, if there are any")
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.config.Timing.DrainTimeout)
	defer cancel()
	defer context.AfterFunc(cut, cancel)()
	if failure == nil && !errors.Is(context.Cause(ctx), context.Canceled) {
		cancel() // something is broken for good: there is nobody to hand over to
	}
	commands.stop(draining)
	stopIntake()
	<-consumed
	if err := replica.Drain(draining); err != nil {
		d.log.Warn("The drain is not complete", zap.Error(err))
	} else {
		d.log.Info("Drained")
	}
	return failure
}

// wellAfter is how long consuming has to go on before it counts as working: longer
// than its first question to JetStream may take.
const wellAfter = 3 * time.Second

// consume takes sessions from the queue until ctx is over.
func (d *Daemon) consume(ctx context.Context, replica *Replica) {
	trouble, newer := &throttle{log: d.log}, &throttle{log: d.log}
	pause := replica.backoff()
	for ctx.Err() == nil {
		began := time.Now()
		well := time.AfterFunc(wellAfter, func() {
			trouble.recovered("Sessions are handed over again")
			d.ready.set(condSessions, "")
		})
		err := d.bus.Consume(ctx, func(s bus.Delivery) {
			trouble.recovered("Sessions are handed over again")
			d.ready.set(condSessions, "")
			replica.take(s)
		}, func(err error) {
			if errors.Is(err, bus.ErrNewer) { // the bus works
				newer.failed("A session is left to a newer replica", err)
				return
			}
			replica.noteStorm()
			trouble.failed("Sessions are not handed over just now", err)
		})
		well.Stop()
		if ctx.Err() != nil {
			return
		}
		d.ready.set(condSessions, "sessions are not handed over: "+err.Error())
		trouble.failed("Sessions are not handed over; trying again", err)
		if time.Since(began) > d.config.Timing.BackoffMax {
			pause.Reset()
		}
		sleep(ctx, pause.NextBackOff())
	}
}

func (d *Daemon) groupsReloaded(err error) {
	d.metrics.GroupsReloaded(err)
	if err != nil {
		d.log.Error("The changed terminal groups file cannot be used; the old one stays in force", zap.Error(err))
		return
	}
	d.log.Info("The terminal groups file was read again", zap.Int(telemetry.KeyCount, len(d.groups.Groups())))
}

// handler serves health, metrics and the operator's page.
func (d *Daemon) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}` + "\n")) // the asker has gone
	})
	mux.Handle("GET /readyz", d.ready)
	mux.Handle("GET /metrics", d.metrics.Handler())
	if d.console != nil {
		mux.Handle("/{$}", d.console)
		mux.Handle("/console/", d.console)
	}
	return mux
}

func (d *Daemon) closeHTTP(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // connections that would not end in time
	}
}
