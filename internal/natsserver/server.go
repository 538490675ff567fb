// Package natsserver runs nats-server inside this process: for "pos-bridge dev",
// where nobody should have to install one, and for tests, which want the real
// thing. Nothing of it is used by "pos-bridge serve".
//
// A Server is ready when Start returns, handles no signals, prints nothing
// unless it is given a logger, and is gone with all its goroutines and its
// listener when Shutdown returns.
package natsserver

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"
)

// FreePort asks for a port of the system's choice.
const FreePort = server.RANDOM_PORT

// startLimit bounds how long a server may take to accept connections; it needs
// some ten milliseconds.
const startLimit = 15 * time.Second

// ErrNotReady is wrapped by Start when the server did not accept connections
// in time and gave no reason.
var ErrNotReady = errors.New("nats-server not ready in time")

// Options say what kind of server is wanted. The zero value is a server
// without JetStream on a free port of 127.0.0.1.
type Options struct {
	// Dir is where JetStream keeps its files. It must be given when JetStream
	// is on, unless the configuration file names one. Shutdown leaves it.
	Dir string
	// Host to listen on; 127.0.0.1 when empty. "0.0.0.0" opens the server to
	// the network: give it a Config with authorization then.
	Host string
	// Port to listen on. FreePort or 0 takes a free one, unless a configuration
	// file names one and Port is 0.
	Port int
	// JetStream switches JetStream with file storage on.
	JetStream bool
	// SyncAlways makes JetStream sync every message to disk before it is
	// acknowledged, as "sync_interval: always" does.
	SyncAlways bool
	// Config is the path of a nats-server configuration file. What stands in
	// the fields above wins over it.
	Config string
	// Name of the server; one is made up when empty.
	Name string
	// Logger gets the server's own log lines. Nil: there are none.
	Logger *zap.Logger
	// Configure has the last word on the server's options, for what has no
	// field here. May be nil.
	Configure func(*server.Options)
}

// Server is a running nats-server, or one between Shutdown and Restart. Its
// methods may be called from several goroutines.
type Server struct {
	mu   sync.Mutex      // serialises Shutdown and Restart, guards srv
	srv  *server.Server  // the server as it runs, or as it ran last
	opts *server.Options // what Restart starts again, with the port that was taken
	log  *zap.Logger
}

// Start runs a server. It is ready for connections, and JetStream is there if
// asked for, when Start returns. After an error nothing is left running.
func Start(o Options) (*Server, error) {
	opts, err := o.server()
	if err != nil {
		return nil, err
	}
	s := &Server{opts: opts, log: o.Logger}
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

// server turns the options into nats-server's own.
func (o Options) server() (*server.Options, error) {
	opts := &server.Options{}
	if o.Config != "" {
		var err error
		if opts, err = server.ProcessConfigFile(o.Config); err != nil {
			return nil, fmt.Errorf("read nats-server configuration: %w", err)
		}
	}
	opts.NoSigs = true
	opts.NoLog = true // no file, no stderr: lines go to Options.Logger alone
	if o.Host != "" {
		opts.Host = o.Host
	}
	if opts.Host == "" {
		opts.Host = "127.0.0.1"
	}
	if o.Port != 0 {
		opts.Port = o.Port
	}
	if opts.Port == 0 {
		opts.Port = FreePort
	}
	if o.JetStream {
		opts.JetStream = true
	}
	if o.Dir != "" {
		opts.StoreDir = o.Dir
	}
	if o.SyncAlways {
		opts.SyncAlways = true
	}
	if o.Name != "" {
		opts.ServerName = o.Name
	}
	if o.Configure != nil {
		o.Configure(opts)
	}
	if opts.JetStream && opts.StoreDir == "" {
		return nil, errors.New("start nats-server: JetStream needs a folder for its files")
	}
	return opts, nil
}

// start runs a new server with s.opts and waits until it is ready. s.mu is
// held, or s is not shared yet.
func (s *Server) start() error {
	// The server keeps the options it is given and writes to them.
	srv, err := server.NewServer(s.opts.Clone())
	if err != nil {
		return fmt.Errorf("make nats-server: %w", err)
	}
	lines := &logger{to: s.log}
	srv.SetLoggerV2(lines, lines.debug(), false, false)
	srv.Start()
	err = lines.fatal()
	if err == nil && !srv.ReadyForConnections(startLimit) {
		if err = lines.fatal(); err == nil {
			err = ErrNotReady
		}
	}
	if err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return fmt.Errorf("start nats-server: %w", err)
	}
	if addr, ok := srv.Addr().(*net.TCPAddr); ok {
		s.opts.Port = addr.Port // Restart listens where clients look
	}
	s.srv = srv
	return nil
}

// URL is the address for clients on this machine, also when the server listens
// on every interface. It stays the same across Restart.
func (s *Server) URL() string {
	u, err := url.Parse(s.current().ClientURL())
	if err != nil { // host and port were listened on: there is nothing to misread
		return s.current().ClientURL()
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	return u.String()
}

// Port is the port that the server listens on.
func (s *Server) Port() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opts.Port
}

// InProcessConn makes a connection to the server without a socket, see
// nats.InProcessServer.
func (s *Server) InProcessConn() (net.Conn, error) {
	conn, err := s.current().InProcessConn()
	if err != nil {
		return nil, fmt.Errorf("connect in process: %w", err)
	}
	return conn, nil
}

// Server is the nats-server itself, for tests that look inside. It is another
// one after Restart.
func (s *Server) Server() *server.Server { return s.current() }

// Shutdown stops the server and waits until it is gone. Clients are cut off.
// It may be called again.
func (s *Server) Shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
}

// Restart starts the server again at the same address with the same folder,
// shutting it down first if it still runs. After an error it is down.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	return s.start()
}

// stop ends the present server. s.mu is held.
func (s *Server) stop() {
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
}

func (s *Server) current() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.srv
}
