package commands

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/internal/telemetry"
	"github.com/posbridge/bridge/internal/telemetry/tracing"
	"github.com/posbridge/bridge/subjects"
)

// ServiceName is the name of the NATS micro service.
const ServiceName = "pos-bridge"

const (
	// subscribeLimit is how long NATS may take to confirm the subscriptions.
	subscribeLimit = 2 * time.Second
	// quiet is how long no request must arrive, after NATS has confirmed that it
	// sends no more, before the service counts as ended.
	quiet = 100 * time.Millisecond
)

// Service answers the commands of one replica.
type Service struct {
	opts   Options
	conn   *nats.Conn
	still  standstill
	starts *starts
	orders *orders
	// refusing ends when no new command is carried out; those that only wait end then.
	refusing context.Context
	refuse   context.CancelFunc
	work     sync.WaitGroup
	// arrived gets a note for every request.
	arrived chan struct{}
}

// New returns a service that does nothing before Run. conn is the bus's connection.
func New(conn *nats.Conn, o Options) *Service {
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer(tracing.Name)
	}
	s := &Service{opts: o, conn: conn, orders: newOrders(o), arrived: make(chan struct{}, 1)}
	s.refusing, s.refuse = context.WithCancel(context.Background())
	s.starts = &starts{Options: o, stopping: s.refusing}
	return s
}

// errStopped: the framework ends the service when a subscription is refused.
var errStopped = errors.New("the command service stopped unexpectedly")

// Run answers commands until ctx is over, and then returns when every request that
// reached this replica is answered: those that wait get shutting_down. ready is
// called when the commands are served. An error means that they are not, or no
// longer. It runs once.
func (s *Service) Run(ctx context.Context, ready func()) error {
	defer s.refuse()
	beating, stopBeats := context.WithCancel(s.refusing)
	var beats sync.WaitGroup
	beats.Go(func() { s.still.run(beating) })
	defer beats.Wait()
	defer stopBeats()
	stopped := make(chan struct{})
	m, err := s.register(sync.OnceFunc(func() { close(stopped) }))
	if err != nil {
		return fmt.Errorf("serve commands: %w", err)
	}
	ready()
	select {
	case <-ctx.Done():
	case <-stopped:
		err = errStopped
	}
	s.refuse()
	if stop := m.Stop(); stop != nil {
		s.opts.Log.Warn("The command service did not stop cleanly", zap.Error(stop))
	}
	s.awaitQuiet()
	s.work.Wait()
	return err
}

// awaitQuiet waits until the requests that NATS has sent have arrived.
func (s *Service) awaitQuiet() {
	if s.conn.FlushTimeout(subscribeLimit) != nil {
		return // without a connection nothing arrives
	}
	for last := time.NewTimer(quiet); ; last.Reset(quiet) {
		select {
		case <-s.arrived:
		case <-last.C:
			return
		}
	}
}

// register subscribes to the commands. stopped is called when the service ends.
func (s *Service) register(stopped func()) (micro.Service, error) {
	m, err := micro.AddService(s.conn, micro.Config{
		Name:        ServiceName,
		Version:     semver(s.opts.Version),
		Description: "Card payments on SmartPOS terminals",
		QueueGroup:  queueGroup(s.opts.Space),
		Metadata:    map[string]string{"replica": s.opts.Replica, "subject_prefix": s.opts.Space.Prefix()},
		ErrorHandler: func(_ micro.Service, err *micro.NATSError) {
			s.opts.Log.Warn("The command service reported an error", zap.String(telemetry.KeySubject, err.Subject), zap.Error(err))
		},
		DoneHandler: func(micro.Service) { stopped() },
	})
	if err != nil {
		return nil, err
	}
	for _, c := range s.commands() {
		handler := micro.HandlerFunc(func(r micro.Request) { s.accept(c, r) })
		metadata := micro.WithEndpointMetadata(map[string]string{
			"request_schema": c.requestSchema, "reply_schema": c.replySchema, "error_schema": "error-reply",
		})
		err := m.AddEndpoint(string(c.name), handler, micro.WithEndpointSubject(s.opts.Space.Command(c.name)), metadata)
		if err == nil && c.name != subjects.List {
			err = m.AddEndpoint("terminal-"+string(c.name), handler, micro.WithEndpointSubject(s.opts.Space.AllTerminalCommands(c.name)), metadata)
		}
		if err != nil {
			return nil, errors.Join(err, m.Stop())
		}
	}
	// Commands are served once the server has taken the subscriptions. If it is
	// away just now it takes them on the reconnect, and readiness knows.
	if err := s.conn.FlushTimeout(subscribeLimit); err != nil {
		s.opts.Log.Warn("Could not register the command service; it is registered when NATS is back", zap.Error(err))
	}
	return m, nil
}

// queueGroup is what all replicas share: any one of them answers a command. NATS
// takes groups of one name on overlapping subjects for one group, and the commands of
// prefix pos.eu are also received by the bridge of prefix pos. So the longer prefix
// has a group of its own.
func queueGroup(space subjects.Space) string {
	if prefix := space.Prefix(); strings.Contains(prefix, ".") {
		return ServiceName + "-" + prefix
	}
	return ServiceName
}

var semverForm = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// semver is the version as the framework wants it.
func semver(version string) string {
	version = strings.TrimPrefix(version, "v")
	if !semverForm.MatchString(version) {
		return "0.0.0-dev"
	}
	return version
}
