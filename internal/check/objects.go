package check

import (
	"context"
	"fmt"
	"strings"

	"github.com/posbridge/bridge/internal/bus"
)

// objects reports on the JetStream objects and on what their storage promises.
func (c *checker) objects(ctx context.Context, server bus.Server) {
	if c.Create {
		if _, err := c.bus.Ensure(ctx); err != nil {
			c.unfit(areaJetStream, "create", err)
		}
	}
	list, err := c.bus.Inspect(ctx)
	if err != nil {
		c.unfit(areaJetStream, "objects", err)
		return
	}
	kept := c.Config.NATS.Replicas // of what is there, the fewest
	for _, o := range list {
		if !o.Exists {
			c.absent(o, server)
			c.missing = true
			continue
		}
		kept = min(kept, o.Copies)
		c.object(o)
		if strings.HasPrefix(o.Name, "stream ") {
			c.clocks = append(c.clocks, clock{"nats-server", o.Time, o.Asked})
		}
	}
	c.durability(kept, server)
}

// absent reports on an object that the bridge would make when it starts.
func (c *checker) absent(o bus.Object, server bus.Server) {
	n := c.Config.NATS.Replicas
	switch {
	case strings.HasPrefix(o.Name, "consumer ") && c.missing: // it comes and goes with its stream
	case o.Unfit != nil:
		c.unfit(areaJetStream, o.Name, o.Unfit)
	case n > 1 && server.Cluster == "":
		c.add(areaJetStream, o.Name, Failure, "set BRIDGE_JETSTREAM_REPLICAS=1, or run NATS as a cluster",
			"missing, and a single server cannot have %d copies", n)
	case n > 1 && server.Known < n:
		c.add(areaJetStream, o.Name, Warning, "list all servers of the cluster in BRIDGE_NATS_URL, or check that the cluster has enough servers",
			"missing: the bridge would create it with %d copies, but only %d servers are known", n, server.Known)
	default:
		c.add(areaJetStream, o.Name, OK, "", "not there yet: the bridge creates it at start (--create creates it now)")
	}
}

// object reports on one that is there.
func (c *checker) object(o bus.Object) {
	if o.Unfit != nil {
		c.unfit(areaJetStream, o.Name, o.Unfit)
		return
	}
	for _, d := range o.Differs {
		c.add(areaJetStream, o.Name, Warning, d.Hint, "%s", d.Problem)
	}
	if o.Away > 0 {
		c.add(areaJetStream, o.Name, Warning, "check the servers that are away (nats server report jetstream)",
			"%d of %d copies are away or behind", o.Away, o.Copies)
	}
	if len(o.Differs) > 0 || o.Away > 0 {
		return
	}
	detail := fmt.Sprintf("%s, %s, %s", copies(o.Copies), count(int(o.Messages), "message"), size(int64(o.Bytes)))
	if strings.HasPrefix(o.Name, "consumer ") {
		detail = fmt.Sprintf("replicas have %s, %d sessions wait, %s ready to receive", count(o.Handed, "session"), o.Messages, count(o.Waiting, "replica"))
	}
	c.add(areaJetStream, o.Name, OK, "", "%s", detail)
}

func copies(n int) string {
	if n == 1 {
		return "1 copy"
	}
	return fmt.Sprintf("%d copies", n)
}

// durability says what an acknowledgement of JetStream is worth here.
func (c *checker) durability(kept int, server bus.Server) {
	switch {
	case kept > 1 && server.Cluster == "": // the objects that cannot be made say so
	case kept < c.Config.NATS.Replicas && server.Cluster != "": // the objects with fewer copies say so
	case kept > 1:
		c.add(areaJetStream, "durability", OK, "", "%d copies: an acknowledged status survives the loss of a server", kept)
	case server.Cluster != "":
		c.add(areaJetStream, "durability", Warning, "set BRIDGE_JETSTREAM_REPLICAS=3, because the cluster has several servers",
			"one copy on one server of a cluster: payments stop while that server is away")
	default:
		c.add(areaJetStream, "durability", Warning,
			"make sure that the server's configuration has jetstream { sync_interval: always }, or use 3 servers and BRIDGE_JETSTREAM_REPLICAS=3",
			"one copy: without sync_interval: always, which no client can see, a power cut loses up to 2 minutes of acknowledged statuses")
	}
}
