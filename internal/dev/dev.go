// Package dev runs the whole bridge on one machine: an embedded NATS server
// with JetStream, the simulated provider with its terminals, and one replica.
package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/posbridge/bridge/bridge"
	"github.com/posbridge/bridge/internal/natsserver"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/simulator"
)

// Options of a run. The zero value takes free ports and a folder that is gone
// afterwards.
type Options struct {
	// NATSPort, SimulatorPort, HTTPPort are taken free when 0.
	NATSPort, SimulatorPort, HTTPPort int
	// Dir keeps JetStream's files and the simulator's state; empty takes a temporary
	// folder.
	Dir string
	// Once ends the run after the sample payment.
	Once bool
	// Pace of the simulated customers, 1 when 0.
	Pace float64
	// Command is how this program is called, for lines to copy.
	Command string
	// Cut ends the stop early.
	Cut context.Context
	// Build of the program.
	Build bridge.Build
	// Log of the replica.
	Log *zap.Logger
	// Out is where a person reads along.
	Out io.Writer
}

// readyLimit is how long everything may take to be ready.
const readyLimit = 30 * time.Second

// Run starts everything, shows one sample payment, says how to go on and stays
// until ctx is over, or returns after the sample. It returns what went wrong with
// the sample or with one of the parts.
func Run(ctx context.Context, o Options) (err error) {
	var cleanups []func()
	defer func() {
		for i := len(cleanups) - 1; i >= 0; i-- {
			cleanups[i]()
		}
	}()
	later := func(f func()) { cleanups = append(cleanups, f) }

	dir := o.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "pos-bridge-dev-"); err != nil {
			return fmt.Errorf("make a data folder: %w", err)
		}
		later(func() { _ = os.RemoveAll(dir) }) // a temporary folder; the system clears it otherwise
	}
	server, err := natsserver.Start(natsserver.Options{Dir: dir, Port: o.NATSPort, JetStream: true})
	if err != nil {
		return fmt.Errorf("start NATS: %w", err)
	}
	later(server.Shutdown)

	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(o.SimulatorPort))
	if err != nil {
		return fmt.Errorf("listen for the simulator: %w", err)
	}
	later(func() { _ = listener.Close() }) // the simulator closes it as well
	daemon, err := o.newReplica(server.URL(), listener.Addr().String(), dir)
	if err != nil {
		return err
	}
	guide := Guide{
		NATS: server.URL(), Simulator: "http://" + listener.Addr().String(), Console: "http://" + daemon.Addr().String(),
		Key: apiKey, Terminals: terminals(), Command: o.Command, Dir: o.Dir,
	}
	conn, err := nats.Connect(server.URL(), nats.Name("pos-bridge dev"))
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	later(conn.Close)
	if err := o.startSimulator(ctx, listener, guide, tillOn(conn), later); err != nil {
		return err
	}
	failed := o.startReplica(ctx, daemon, later)

	guide.Addresses(o.Out)
	sample, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if err := awaitService(sample, conn); err != nil {
		return err
	}
	if err := Sample(sample, conn, guide.Terminals[0], o.Out); err != nil {
		return fmt.Errorf("the sample payment failed: %w", err)
	}
	if o.Once {
		return nil
	}
	guide.GoOn(o.Out)
	select {
	case <-ctx.Done():
		fmt.Fprintln(o.Out, "Stopping; Ctrl-C again does it at once.")
		return nil
	case err := <-failed:
		return err
	}
}

// newReplica makes a replica, which listens from then on.
func (o Options) newReplica(natsURL, simulated, dir string) (*bridge.Daemon, error) {
	config, err := bridge.Defaults(apiKey)
	if err != nil {
		return nil, err
	}
	if config.Provider.GroupsFile, err = writeGroups(dir); err != nil {
		return nil, err
	}
	config.NATS.URL = redact.NewSecret(natsURL)
	config.Provider.URL = "http://" + simulated + "/v1/json"
	config.HTTP.TerminalsURL = "http://" + simulated + "/"
	config.HTTP.Addr = "127.0.0.1:" + strconv.Itoa(o.HTTPPort)
	config.Webhook.Addr = keptWebhook(dir)
	config.Timing.DrainTimeout = 5 * time.Second
	daemon, err := bridge.New(config, o.Build, o.Log)
	if err != nil {
		return nil, err
	}
	daemon.UseWebhookURL("http://" + daemon.WebhookAddr().String() + "/")
	return daemon, keepWebhook(dir, daemon.WebhookAddr().String())
}

func (o Options) startSimulator(ctx context.Context, listener net.Listener, guide Guide, till simulator.Till, later func(func())) error {
	stateFile := ""
	if o.Dir != "" { // JetStream's files stay, so the provider must not forget either
		stateFile = filepath.Join(o.Dir, "simulator.jsonl")
	}
	sim, err := simulator.New(simulator.Options{
		Pace: o.Pace, StateFile: stateFile, Till: till,
		Guide: simulator.Guide{Console: guide.Console + "/", Pay: "BRIDGE_NATS_URL=" + guide.NATS + " " + guide.Command + " pay"},
	})
	if err != nil {
		return fmt.Errorf("make the simulator: %w", err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // it outlives the replica's drain
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := sim.Serve(ctx, listener); err != nil {
			o.Log.Error("The simulator stopped", zap.Error(err))
		}
	})
	later(func() {
		stop()
		wg.Wait()
	})
	return nil
}

func (o Options) startReplica(ctx context.Context, daemon *bridge.Daemon, later func(func())) <-chan error {
	ctx, stop := context.WithCancel(ctx)
	failed := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		err := daemon.Run(ctx, o.Cut)
		if err == nil && ctx.Err() == nil {
			err = errors.New("the replica stopped")
		}
		failed <- err
	})
	later(func() {
		stop()
		wg.Wait()
	})
	return failed
}
