package main

import (
	"io"
	"log"
	"sync/atomic"

	"go.uber.org/zap"
)

// hideStandardLog has nothing shown of what libraries write to the standard
// library's logger, which goes past ours: net/http quotes there what a provider
// sends unasked, a key or a card number for all we know. to is told once that
// there was something; nil tells nobody.
func hideStandardLog(to *zap.Logger) {
	if to == nil {
		log.SetOutput(io.Discard)
		return
	}
	var h hidden
	h.tell.Store(to)
	log.SetOutput(&h)
}

// hidden drops what is written to it.
type hidden struct {
	// tell is told of the first write, nil from then on.
	tell atomic.Pointer[zap.Logger]
}

func (h *hidden) Write(p []byte) (int, error) {
	if to := h.tell.Swap(nil); to != nil {
		to.Warn("A library wrote to the standard log; this text and later ones are not shown, because they may contain secrets")
	}
	return len(p), nil
}
