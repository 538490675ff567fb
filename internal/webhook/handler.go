package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/posbridge/bridge/internal/multisafepay"
	"github.com/posbridge/bridge/internal/redact"
	"github.com/posbridge/bridge/internal/telemetry"
)

// Limits of the notifications.
const (
	// maxBody is the longest body that is read, in bytes.
	maxBody = 64 << 10
	// answerLimit is how long a notification may wait for its answer.
	answerLimit = 4 * time.Second
	// maxAsking is how many notifications have their order asked for at a time.
	maxAsking = 64
	// writeEvery is how often a refusal or a failure that repeats is logged.
	writeEvery = 30 * time.Second
)

// ErrUnknown is what an AskFunc returns for an order that the bridge does not know.
var ErrUnknown = errors.New("the bridge does not know the order")

// AskFunc has the provider asked for an order, and returns when what changed is
// stored. After another error than ErrUnknown the provider must notify again.
type AskFunc func(ctx context.Context, order string) error

// Options are what a handler works with.
type Options struct {
	// Keys are those of all terminal groups.
	Keys    func() []redact.Secret
	Metrics *telemetry.Metrics
	Log     *zap.Logger
}

// Handler answers notifications. It puts all of them off until Connect is called.
type Handler struct {
	Options
	ask atomic.Pointer[AskFunc]
	// asking and verifying have room for those that are at work. One signature is
	// verified at a time: senders of forged ones get one processor at most.
	asking, verifying *semaphore.Weighted
	// refused, failed and broken bound what is logged.
	refused, failed, broken rate.Sometimes
}

// New returns a handler.
func New(o Options) *Handler {
	often := func() rate.Sometimes { return rate.Sometimes{First: 1, Interval: writeEvery} }
	return &Handler{
		Options: o, asking: semaphore.NewWeighted(maxAsking), verifying: semaphore.NewWeighted(1),
		refused: often(), failed: often(), broken: often(),
	}
}

// Connect says how orders are asked for.
func (h *Handler) Connect(ask AskFunc) { h.ask.Store(&ask) }

// ServeHTTP implements http.Handler. The path is not looked at.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerLimit)
	defer cancel()
	result, order, err := h.take(ctx, w, r)
	h.Metrics.Notified(result)
	h.write(result, order, err)
	a := answers[result]
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body) // the sender has gone
}

// take deals with a notification. order is empty unless its signature is right.
func (h *Handler) take(ctx context.Context, w http.ResponseWriter, r *http.Request) (_ telemetry.NotificationResult, order string, _ error) {
	auth := r.Header.Get("Auth")
	if r.Method != http.MethodPost || auth == "" {
		return telemetry.NotificationUnsigned, "", nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return telemetry.NotificationTooLarge, "", nil
	}
	if err != nil {
		return telemetry.NotificationMalformed, "", err
	}
	signed, err := h.verify(ctx, auth, body)
	if err != nil {
		return telemetry.NotificationPutOff, "", err
	}
	if !signed {
		return telemetry.NotificationForged, "", nil
	}
	n, err := multisafepay.ParseNotification(r.URL.Query(), body)
	switch {
	case err != nil:
		return telemetry.NotificationMalformed, "", err
	case n.PreTransaction:
		return telemetry.NotificationSkipped, n.OrderID, nil
	}
	switch err := h.askFor(ctx, n.OrderID); {
	case errors.Is(err, ErrUnknown):
		return telemetry.NotificationUnknown, n.OrderID, nil
	case err != nil:
		return telemetry.NotificationPutOff, n.OrderID, err
	}
	return telemetry.NotificationAsked, n.OrderID, nil
}

// verify reports whether one of the groups' keys made the signature. An error
// means that there was no time to find out.
func (h *Handler) verify(ctx context.Context, auth string, body []byte) (bool, error) {
	if err := h.verifying.Acquire(ctx, 1); err != nil {
		return false, err
	}
	defer h.verifying.Release(1)
	_, signed := multisafepay.VerifyNotification(h.Keys(), auth, body)
	return signed, nil
}

var errStarting = errors.New("the replica is not ready yet")

// askFor has the provider asked for an order.
func (h *Handler) askFor(ctx context.Context, order string) error {
	ask := h.ask.Load()
	if ask == nil {
		return errStarting
	}
	if err := h.asking.Acquire(ctx, 1); err != nil {
		return err
	}
	defer h.asking.Release(1)
	return (*ask)(ctx, order)
}

// answer is what the sender gets.
type answer struct {
	status int
	body   string
}

// answers are by result. The provider takes OK for "dealt with", and sends
// everything else again three times.
var answers = map[telemetry.NotificationResult]answer{
	telemetry.NotificationAsked:     {http.StatusOK, "OK"},
	telemetry.NotificationSkipped:   {http.StatusOK, "OK"},
	telemetry.NotificationUnknown:   {http.StatusOK, "OK"},
	telemetry.NotificationForged:    {http.StatusUnauthorized, "the signature is wrong\n"},
	telemetry.NotificationUnsigned:  {http.StatusUnauthorized, "send a POST with the header Auth\n"},
	telemetry.NotificationMalformed: {http.StatusBadRequest, "the notification must name exactly one order\n"},
	telemetry.NotificationTooLarge:  {http.StatusRequestEntityTooLarge, "the body is too long\n"},
	telemetry.NotificationPutOff:    {http.StatusServiceUnavailable, "the bridge cannot process the notification now; send it again\n"},
}

// write logs what became of a notification. What strangers can cause is logged
// rarely.
func (h *Handler) write(result telemetry.NotificationResult, order string, err error) {
	switch result {
	case telemetry.NotificationForged, telemetry.NotificationUnsigned:
		h.refused.Do(func() {
			h.Log.Warn("Refused a notification that no terminal group's key has signed", zap.String(telemetry.KeyReason, string(result)))
		})
	case telemetry.NotificationTooLarge, telemetry.NotificationMalformed:
		h.broken.Do(func() {
			h.Log.Warn("Could not read a notification", zap.String(telemetry.KeyReason, string(result)), zap.Error(err))
		})
	case telemetry.NotificationPutOff:
		h.failed.Do(func() {
			h.Log.Warn("Could not process a notification; the provider sends it again", zap.String(telemetry.KeyOrder, order), zap.Error(err))
		})
	default:
		h.Log.Debug("Received a notification", zap.String(telemetry.KeyOrder, order), zap.String(telemetry.KeyReason, string(result)))
	}
}
