package natsserver

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// clusterLimit bounds how long a cluster may take to choose its leader; it
// needs some 200 milliseconds.
const clusterLimit = 30 * time.Second

// clusterName is the name of every cluster that is started here.
const clusterName = "local"

// clusterAttempts is how often StartCluster tries again after somebody else
// took one of the ports that it had found free.
const clusterAttempts = 3

// Cluster is several servers in this process with replicated JetStream.
type Cluster []*Server

// StartCluster runs n servers as one JetStream cluster, each with a folder of
// its own below o.Dir. o.Port and o.Name are not used, and o.Configure is
// called for every server. The cluster has a leader that knows all its members
// when StartCluster returns. After an error nothing is left running.
func StartCluster(n int, o Options) (Cluster, error) {
	if n < 1 || o.Dir == "" {
		return nil, errors.New("start cluster: at least one server and a folder are needed")
	}
	var errs []error
	for range clusterAttempts {
		c, err := startCluster(n, o)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("start cluster of %d: %w", n, errors.Join(errs...))
}

func startCluster(n int, o Options) (Cluster, error) {
	ports, err := fixedPorts(2 * n)
	if err != nil {
		return nil, err
	}
	var routes []string
	for _, port := range ports[:n] {
		routes = append(routes, "nats://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	var c Cluster
	for i, port := range ports[:n] {
		node := o
		node.Name = fmt.Sprintf("%s-%d", clusterName, i+1)
		node.Dir = filepath.Join(o.Dir, node.Name)
		node.Port = ports[n+i]
		node.JetStream = true
		node.Configure = func(opts *server.Options) {
			opts.Cluster.Name = clusterName
			opts.Cluster.Host = "127.0.0.1"
			opts.Cluster.Port = port
			opts.Routes = server.RoutesFromStr(strings.Join(routes, ","))
			if o.Configure != nil {
				o.Configure(opts)
			}
		}
		s, err := Start(node)
		if err != nil {
			c.Shutdown()
			return nil, err
		}
		c = append(c, s)
	}
	if err := c.WaitForLeader(clusterLimit); err != nil {
		c.Shutdown()
		return nil, err
	}
	return c, nil
}

// fixedPorts finds n ports. The members of a cluster must know each other's before any of
// them runs.
func fixedPorts(n int) ([]int, error) {
	var ports []int
	for range n {
		port, err := FixedPort()
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// WaitForLeader blocks until the servers that run have a JetStream leader, it
// knows them all, and they all follow it; or until the limit.
func (c Cluster) WaitForLeader(limit time.Duration) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	// nats-server has no event for this.
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !c.settled() {
		select {
		case <-look.C:
		case <-deadline.C:
			return fmt.Errorf("wait for cluster leader: %w", ErrNotReady)
		}
	}
	return nil
}

func (c Cluster) settled() bool {
	var running, current int
	for _, s := range c {
		if srv := s.Server(); srv.Running() {
			running++
			if srv.JetStreamIsCurrent() {
				current++
			}
		}
	}
	leader := c.Leader()
	return leader != nil && current == running && len(leader.Server().JetStreamClusterPeers()) >= running
}

// Leader is the server that leads JetStream's own (meta) group, nil when there
// is none at this moment. Each stream and consumer has a leader besides.
func (c Cluster) Leader() *Server {
	for _, s := range c {
		if srv := s.Server(); srv.Running() && srv.JetStreamIsLeader() {
			return s
		}
	}
	return nil
}

// URL names every server of the cluster, comma separated.
func (c Cluster) URL() string {
	var urls []string
	for _, s := range c {
		urls = append(urls, s.URL())
	}
	return strings.Join(urls, ",")
}

// Shutdown stops every server and waits until all are gone.
func (c Cluster) Shutdown() {
	for _, s := range c {
		s.Shutdown()
	}
}
