package bus_test

import (
	"encoding/pem"
	"fmt"
	"os"
	"testing"

	"github.com/posbridge/bridge/internal/bus"
	"github.com/posbridge/bridge/internal/natsserver/natstest"
)

// Authorities and the client certificate are read at every connect: when all of them
// are replaced, on both sides, the next connection uses the new ones. The table in
// deploy/helm/README.md says so.
func TestReplacedCertificates(t *testing.T) {
	t.Parallel()
	files := newFiles(t)
	server := natstest.Run(t, natstest.WithConfig(files.tls(true)))
	b := connect(t, bus.Options{
		URLs: fmt.Sprintf("tls://127.0.0.1:%d", server.Port()), CAFile: files.ca, CertFile: files.cert, KeyFile: files.key,
	})
	receive(t, b.connected)
	server.Shutdown()
	receive(t, b.lost)

	ca, caKey := certificate(t, nil, nil)
	if err := os.WriteFile(files.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	files.pair(t, "client", ca, caKey)
	files.pair(t, "server", ca, caKey)
	natstest.Run(t, natstest.WithConfig(files.tls(true)), natstest.WithPort(server.Port()))
	receive(t, b.connected)
}
