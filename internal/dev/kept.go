package dev

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/posbridge/bridge/internal/simulator"
)

// apiKey is the simulated terminal group's.
const apiKey = "demo-key"

func terminals() []string {
	var ids []string
	for _, g := range simulator.DefaultGroups() {
		ids = append(ids, g.Terminals...)
	}
	return ids
}

// writeGroups writes down which terminals there are, so that the console shows
// those as well that were never used. The key in it opens a simulator, nothing else.
func writeGroups(dir string) (file string, err error) {
	file = filepath.Join(dir, "terminal-groups.yaml")
	content := fmt.Sprintf("groups:\n- {id: demo, api_key: %s, terminals: [%s]}\n", apiKey, strings.Join(terminals(), ", "))
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		return "", fmt.Errorf("write the terminal groups: %w", err)
	}
	return file, nil
}

// webhookFile has the address at which the replica takes notifications. The orders of
// earlier runs name it.
const webhookFile = "webhook-address"

// keptWebhook returns the address of the last run with this folder, or one with a free
// port if there was none or somebody else has it now.
func keptWebhook(dir string) string {
	content, _ := os.ReadFile(filepath.Join(dir, webhookFile)) // there is none in a new folder
	if address, err := netip.ParseAddrPort(string(content)); err == nil && address.Addr().IsLoopback() {
		if l, err := net.Listen("tcp", address.String()); err == nil {
			_ = l.Close() // the replica listens there next
			return address.String()
		}
	}
	return "127.0.0.1:0"
}

func keepWebhook(dir, address string) error {
	if err := os.WriteFile(filepath.Join(dir, webhookFile), []byte(address), 0o600); err != nil {
		return fmt.Errorf("write the address for notifications: %w", err)
	}
	return nil
}
