package standin

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// gateway is the address of all nodes in the pods' network.
var gateway = netip.MustParsePrefix("10.210.0.1/16")

// network is a bridge that every pod's own network is plugged into.
type network struct {
	bridge netlink.Link
	last   netip.Addr
}

func newNetwork() (*network, error) {
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "pods"}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return nil, fmt.Errorf("make bridge: %w", err)
	}
	if err := netlink.AddrAdd(bridge, &netlink.Addr{IPNet: ipNet(gateway)}); err != nil {
		return nil, fmt.Errorf("address bridge: %w", err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return nil, fmt.Errorf("raise bridge: %w", err)
	}
	return &network{bridge: bridge, last: gateway.Addr()}, nil
}

// address returns an address that no pod has had.
func (n *network) address() netip.Addr {
	n.last = n.last.Next()
	return n.last
}

// plug connects the network namespace of a process, under an address.
func (n *network) plug(pid int, address netip.Addr) error {
	part := address.As4()
	outside := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: fmt.Sprintf("pod-%d-%d", part[2], part[3]), MasterIndex: n.bridge.Attrs().Index},
		PeerName:  "eth0", PeerNamespace: netlink.NsPid(pid),
	}
	if err := netlink.LinkAdd(outside); err != nil {
		return fmt.Errorf("make link: %w", err)
	}
	if err := netlink.LinkSetUp(outside); err != nil {
		return fmt.Errorf("raise link: %w", err)
	}
	space, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("find the pod's network: %w", err)
	}
	defer space.Close() //nolint:errcheck // only read
	inside, err := netlink.NewHandleAt(space)
	if err != nil {
		return fmt.Errorf("enter the pod's network: %w", err)
	}
	defer inside.Close()
	for _, name := range []string{"lo", "eth0"} {
		link, err := inside.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find %s: %w", name, err)
		}
		if name == "eth0" {
			if err := inside.AddrAdd(link, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(address, gateway.Bits()))}); err != nil {
				return fmt.Errorf("address %s: %w", name, err)
			}
		}
		if err := inside.LinkSetUp(link); err != nil {
			return fmt.Errorf("raise %s: %w", name, err)
		}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
